// IOAS ioctls: one template each, checks in the sheet's order (iommufd 5, 6; TRACE 3).
#ifndef TWINWALK_REFERENCE_IOAS_H_
#define TWINWALK_REFERENCE_IOAS_H_

#include <algorithm>
#include <type_traits>

#include "reference/args.h"
#include "reference/cache_smmuv3.h"
#include "reference/pins.h"

namespace twinwalk::reference {

// 6.1
template <class D>
Result<D> IoasAlloc(const Env<D>& env, const State<D>& s, Ioases<D>& ioases,
                    Allocator<D>& allocator, const IoasAllocIn<D>& in) {
  using W = typename D::W;
  if (in.flags != W(0)) return Fail<D>(EOPNOTSUPP);
  const W id = NewId(env, s, in.context);
  if (id == W(0)) return Fail<D>(ENOMEM);
  if (!in.writable) return Fail<D>(EFAULT);
  if (AllocationFails(allocator)) return Fail<D>(ENOMEM);
  IoasRow<D> row;
  row.key = NameOf(in.context, id);
  ioases.Insert(row);
  return Made<D>(id);
}

// 6.2: only the checks; the holes are read off the state by IovaHoles (holes.h). values[1]:
// alignment.
template <class D>
Result<D> IoasIovaRanges(const State<D>& s, typename D::W context, typename D::W id,
                         typename D::W reserved) {
  using W = typename D::W;
  const W key = NameOf(context, id);
  if (reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  if (!s.view.ioases.Any([&](const IoasRow<D>& row) { return row.key == key; }))
    return Fail<D>(ENOENT);
  Result<D> r;
  r.values[1] = Alignment(s.view, key);
  return r;
}

// ---- 6.5 MAP ------------------------------------------------------------------------------------

// The holes of `ioas` that automatic placement may use are searched outside of the domain: see
// PlaceIova (holes.h). Declared here, defined for the concrete domain only.
uint64_t PlaceIova(const Env<Concrete>& env, const View<Concrete>& v, uint64_t ioas, uint64_t va,
                   uint64_t length, uint64_t alignment);

// 5.2: the alignment that placement wants: the length's, or the address's when that is lower, at
// most a huge page of 2 MiB.
template <class D>
typename D::W WantedAlignment(typename D::W va, typename D::W length) {
  using W = typename D::W;
  W wanted = W(1);
  for (uint64_t bit = 1; bit < 22; ++bit)
    wanted = D::Sel(length > (W(1) << W(bit - 1)), W(1) << W(bit), wanted);
  const W low = va & (W(0) - va);
  wanted = D::Sel(va != W(0) && low < wanted, low, wanted);
  return wanted;
}

template <class D>
typename D::B Free(const Env<D>& env, const View<D>& v, typename D::W ioas, typename D::W first,
                   typename D::W last) {
  using B = typename D::B;
  return !Reserved(env, v, ioas, first, last) &&
         !v.areas.AnyOverlapping(ioas, first, last, [](const AreaRow<D>&) { return B(true); });
}

// The iova of a new area, or the errno. 5.1, 5.2.
template <class D>
Result<D> ChooseIova(const Env<D>& env, const View<D>& v, typename D::W ioas,
                     const IoasMapIn<D>& in) {
  using W = typename D::W;
  using B = typename D::B;
  const W alignment = Alignment(v, ioas);
  const W low = alignment - W(1);
  Result<D> r;
  if ((in.flags & W(1)) != W(0)) {  // FIXED_IOVA
    const W last = in.iova + in.length - W(1);
    if ((in.length & low) != W(0)) return Fail<D>(EINVAL);
    if ((in.iova & low) != W(0)) return Fail<D>(EINVAL);
    if (last < in.iova) return Fail<D>(EOVERFLOW);
    if (Reserved(env, v, ioas, in.iova, last)) return Fail<D>(EINVAL);
    if (v.areas.AnyOverlapping(ioas, in.iova, last, [](const AreaRow<D>&) { return B(true); }))
      return Fail<D>(EEXIST);
    r.values[0] = in.iova;
  } else {
    if (in.length >= W(uint64_t{1} << 63)) return Fail<D>(EOVERFLOW);
    const W wanted = WantedAlignment<D>(in.userVa, in.length);
    if (wanted < alignment) return Fail<D>(EINVAL);
    const W found = env.d.Solve(
        [&]() -> W {
          if constexpr (std::is_same_v<D, Concrete>) {
            return PlaceIova(env, v, ioas, in.userVa, in.length, wanted);
          } else {
            return W(0);  // a proof takes any word that has the property
          }
        },
        [&](W w) {
          const W last = w + in.length - W(1);
          return w == W(0) || (w >= W(4096) && last >= w && Free(env, v, ioas, w, last) &&
                               (w & (wanted - W(1)) & ~W(0xfff)) == W(0) &&
                               ((w ^ in.userVa) & W(0xfff) & low) == W(0));
        },
        "a placed iova is free and aligned");
    if (found == W(0)) return Fail<D>(ENOSPC);
    if (((found | in.length) & low) != W(0)) return Fail<D>(EINVAL);
    r.values[0] = found;
  }
  if ((in.userVa & W(0xfff) & low) != W(0)) return Fail<D>(EINVAL);
  return r;
}

template <class D>
Result<D> IoasMap(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
                  Allocator<D>& allocator, const IoasMapIn<D>& in) {
  using W = typename D::W;
  using B = typename D::B;
  const View<D>& v = s.view;
  if ((in.flags & ~W(7)) != W(0) || in.reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.iova == ~W(0) || in.length == ~W(0)) return Fail<D>(EOVERFLOW);
  if ((in.flags & W(6)) == W(0)) return Fail<D>(EINVAL);
  const W ioas = NameOf(in.context, in.ioasId);
  if (!v.ioases.Any([&](const IoasRow<D>& row) { return row.key == ioas; })) return Fail<D>(ENOENT);
  if (in.userVa + in.length < in.userVa) return Fail<D>(EOVERFLOW);
  if (in.length == W(0) || in.length > ~W(0) - W(4096)) return Fail<D>(EINVAL);
  Result<D> r = ChooseIova(env, v, ioas, in);
  if (r.err != W(0)) return r;

  AreaRow<D> row;
  row.space = ioas;
  row.first = row.mapFirst = r.values[0];
  row.last = row.mapLast = r.values[0] + in.length - W(1);
  row.process = in.process, row.va = in.userVa;
  row.rights = D::Sel((in.flags & W(4)) != W(0), W(uint64_t{kRead}), W(0)) |
               D::Sel((in.flags & W(2)) != W(0), W(uint64_t{kWrite}), W(0));
  row.account = OfProcess(env, in.process, [](const ProcessConfig& p) {
    return p.ipcLock ? uint64_t{0} : uint64_t{p.uid} + 1;
  });
  if (!HasHwpt(v, ioas)) {  // 5.3: only recorded
    if (in.writable && AllocationFails(allocator)) return Fail<D>(ENOMEM);
    areas.Insert(row);
    return r;
  }
  std::vector<PinPlan<D>> plan;
  if (const int err = PlanPin(env, areas, accounts, row, &plan)) return Fail<D>(err);
  if (in.writable && AllocationFails(allocator)) return Fail<D>(ENOMEM);
  const std::vector<AreaRow<D>> rows = RowsOf<D>(plan[0]);
  Charge(env, accounts, rows);
  for (const AreaRow<D>& made : rows) {
    areas.Insert(made);
    v.hwpts.EachIndex([&](B present, const HwptRow<D>& h) {
      AnnounceMapping(env, MicroStepKind::kMapVisible, present && h.ioas == ioas, h, made);
    });
  }
  return r;
}

// ---- 6.8 UNMAP ----------------------------------------------------------------------------------

// Hardware forgets first..last of `ioas`: for each HWPT of it, stage 2 by TLBI_S2_IPA and
// TLBI_NH_ALL, a host-owned stage 1 by TLBI_NH_VA (hw 9; TRACE 5).
template <class D>
void InvalidateRange(const Env<D>& env, const View<D>& v, Retaineds<D>& retained,
                     typename D::W ioas, typename D::W first, typename D::W last,
                     typename D::B when) {
  using W = typename D::W;
  using B = typename D::B;
  const auto concerned = [&](const HwptRow<D>& h) {
    B yes = when && h.ioas == ioas;
    if (env.faults.unmapForgetsSpace) {
      yes =
          yes && !v.hwpts.Any([&](const HwptRow<D>& o) { return o.ioas == ioas && o.key < h.key; });
    }
    return yes;
  };
  const B combined = B(!env.faults.skipInvalidation);
  v.hwpts.EachIndex([&](B present, const HwptRow<D>& h) {
    const B mine = present && concerned(h);
    const auto announce = [&](B guard, InvScope scope) {
      MicroStep<W> step = StepOf<D>(MicroStepKind::kInvIssued, h);
      step.scope = scope, step.first = first, step.last = last;
      env.host.Announce(guard, step);
      step.kind = MicroStepKind::kInvDone;
      env.host.Announce(guard, step);
    };
    announce(mine && h.nestParent != W(0), InvScope::kStage2Range);
    announce(mine && h.nestParent != W(0) && combined, InvScope::kStage1Vmid);
    announce(mine && h.nestParent == W(0), InvScope::kVaRange);
  });
  retained.EraseWhere([&](const RetainedRow<D>& r) {
    return v.hwpts.Any([&](const HwptRow<D>& h) {
      const B stage2 = h.nestParent != W(0);
      return concerned(h) &&
             ((stage2 && Covers(HostTlbi<D>(kTlbiS2Ipa, h, first, last), r)) ||
              (stage2 && combined && Covers(HostTlbi<D>(kTlbiNhAll, h, first, last), r)) ||
              (!stage2 && Covers(HostTlbi<D>(kTlbiNhVa, h, first, last), r)));
    });
  });
}

// Removes the areas of `ioas` that lie inside first..last; gives the bytes removed.
template <class D>
typename D::W RemoveAreas(const Env<D>& env, const View<D>& v, Areas<D>& areas,
                          Accounts<D>& accounts, Retaineds<D>& retained, typename D::W ioas,
                          typename D::W first, typename D::W last) {
  using W = typename D::W;
  using B = typename D::B;
  const auto goes = [&](const AreaRow<D>& a) {
    return a.space == ioas && a.mapFirst >= first && a.mapLast <= last;
  };
  const B any = areas.Any(goes);
  const W bytes = areas.Sum(goes, [](const AreaRow<D>& a) { return a.last - a.first + W(1); });
  const Areas<D> before = areas;  // to announce and to account by: walks no longer find the rows
  areas.EraseOverlapping(ioas, first, last, goes);
  before.EachIndex([&](B a_present, const AreaRow<D>& a) {
    v.hwpts.EachIndex([&](B h_present, const HwptRow<D>& h) {
      AnnounceMapping(env, MicroStepKind::kMapGone,
                      a_present && goes(a) && h_present && h.ioas == ioas, h, a);
    });
  });
  InvalidateRange(env, v, retained, ioas, first, last, any);
  AnnounceUnpinned<D>(env, before, goes);
  accounts.UpdateWhere(
      [](const AccountRow<D>&) { return B(true); },
      [&](AccountRow<D>& account) {
        account.pinned -=
            before.Sum([&](const AreaRow<D>& a) { return goes(a) && a.account == account.key; },
                       [](const AreaRow<D>& a) { return a.pinned; });
      });
  return bytes;
}

template <class D>
Result<D> IoasUnmap(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
                    Retaineds<D>& retained, const IoasUnmapIn<D>& in) {
  using W = typename D::W;
  using B = typename D::B;
  const View<D>& v = s.view;
  const W ioas = NameOf(in.context, in.ioasId);
  const B all = in.iova == W(0) && in.length == ~W(0);
  const W first = in.iova, last = in.iova + in.length - W(1);
  if (!all && (in.iova == ~W(0) || in.length == ~W(0))) return Fail<D>(EOVERFLOW);
  if (in.length == W(0)) return Fail<D>(EINVAL);
  if (!all && last < first) return Fail<D>(EOVERFLOW);
  if (!v.ioases.Any([&](const IoasRow<D>& row) { return row.key == ioas; })) return Fail<D>(ENOENT);
  Result<D> r;
  if (all) {
    r.values[0] = RemoveAreas(env, v, areas, accounts, retained, ioas, W(0), ~W(0));
    return r;
  }
  const auto meets = [&](auto&& p) { return areas.AnyOverlapping(ioas, first, last, p); };
  if (meets([&](const AreaRow<D>& a) { return a.mapFirst < first; })) return Fail<D>(ENOENT);
  // What is cut at the upper edge stays, what lies below is gone all the same.
  const B cut = meets([&](const AreaRow<D>& a) { return a.mapLast > last; });
  const W bytes = RemoveAreas(env, v, areas, accounts, retained, ioas, first, last);
  if (cut) return Fail<D>(ENOENT);
  if (bytes == W(0)) return Fail<D>(ENOENT);
  r.values[0] = bytes;
  return r;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_IOAS_H_
