// IOAS ioctls: one template each, checks in the sheet's order (iommufd 5, 6; TRACE 3).
#ifndef TWINWALK_REFERENCE_IOAS_H_
#define TWINWALK_REFERENCE_IOAS_H_

#include "reference/args.h"
#include "reference/cache_smmuv3.h"
#include "reference/cache_vtd.h"
#include "reference/placement.h"

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
  r.values[1] = Alignment(s, key);
  return r;
}

// ---- 6.5 MAP ------------------------------------------------------------------------------------

// 7.2: who is charged for what `process` (index plus 1) maps; 0: nobody.
template <class D>
typename D::W AccountFor(const Env<D>& env, const State<D>& s, typename D::W context,
                         typename D::W process) {
  using W = typename D::W;
  using B = typename D::B;
  const W user = OfProcess(env, process, [](const ProcessConfig& p) {
    return p.ipcLock ? uint64_t{0} : uint64_t{p.uid} + 1;
  });
  const B itself = s.contexts.Any(
      [&](const ContextRow<D>& c) { return c.key == context && c.perProcess != W(0); });
  return D::Sel(itself && user != W(0), W(uint64_t{1} << 32) + process, user);
}

// Rights that bits 1 (WRITEABLE) and 2 (READABLE) of the flags ask for.
template <class D>
typename D::W RightsOf(typename D::W flags) {
  using W = typename D::W;
  return D::Sel((flags & W(4)) != W(0), W(uint64_t{kRead}), W(0)) |
         D::Sel((flags & W(2)) != W(0), W(uint64_t{kWrite}), W(0));
}

// Puts areas of one IOAS in place, pinned when an HWPT uses it; all of them, or none and the errno.
template <class D>
int AddAreas(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
             Allocator<D>& allocator, const std::vector<PinPlan<D>>& wanted, bool writable) {
  using B = typename D::B;
  const View<D>& v = s.view;
  const typename D::W ioas = wanted[0].area.space;
  if (!HasHwpt(v, ioas)) {  // 5.3: only recorded
    if (writable && AllocationFails(allocator)) return ENOMEM;
    for (const PinPlan<D>& one : wanted) areas.Insert(one.area);
    return 0;
  }
  std::vector<PinPlan<D>> plan;
  for (const PinPlan<D>& one : wanted)
    if (const int err = PlanPin(env, areas, accounts, one, &plan)) return err;
  if (writable && AllocationFails(allocator)) return ENOMEM;
  for (const PinPlan<D>& one : plan) {
    const std::vector<AreaRow<D>> rows = RowsOf<D>(one);
    Charge(env, accounts, rows);
    for (const AreaRow<D>& made : rows) {
      areas.Insert(made);
      v.hwpts.EachIndex([&](B present, const HwptRow<D>& h) {
        AnnounceMapping(env, MicroStepKind::kMapVisible, present && h.ioas == ioas, h, made);
      });
    }
  }
  return 0;
}

// MAP, MAP_FILE and MAP_DMA, from the point where IOAS and memory are known. `row` says space,
// memory, rights and account; `flags` bit 0 (FIXED_IOVA) whether `iova` is wanted.
template <class D>
Result<D> MapPages(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
                   Ordinals<D>& ordinals, Allocator<D>& allocator, AreaRow<D> row,
                   typename D::W flags, typename D::W iova, typename D::W length, bool writable) {
  using W = typename D::W;
  Result<D> r = ChooseIova(env, s, row.space, flags, iova, length, row.va);
  if (r.err != W(0)) return r;
  if ((row.va & W(0xfff) & (Alignment(s, row.space) - W(1))) != W(0)) return Fail<D>(EINVAL);
  row.first = row.mapFirst = r.values[0];
  row.last = row.mapLast = r.values[0] + length - W(1);
  row.pages = ordinals.pages + W(1);
  PinPlan<D> plan;
  plan.area = row, plan.rights = row.rights;
  if (const int err = AddAreas(env, s, areas, accounts, allocator, {plan}, writable))
    return Fail<D>(err);
  ordinals.pages = row.pages;
  return r;
}

template <class D>
Result<D> IoasMap(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
                  Ordinals<D>& ordinals, Allocator<D>& allocator, const IoasMapIn<D>& in) {
  using W = typename D::W;
  if ((in.flags & ~W(7)) != W(0) || in.reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.iova == ~W(0) || in.length == ~W(0)) return Fail<D>(EOVERFLOW);
  if ((in.flags & W(6)) == W(0)) return Fail<D>(EINVAL);
  AreaRow<D> row;
  row.space = NameOf(in.context, in.ioasId);
  if (!s.view.ioases.Any([&](const IoasRow<D>& o) { return o.key == row.space; }))
    return Fail<D>(ENOENT);
  if (in.userVa + in.length < in.userVa) return Fail<D>(EOVERFLOW);
  if (in.length == W(0) || in.length > ~W(0) - W(4096)) return Fail<D>(EINVAL);
  row.process = in.process, row.va = in.userVa;
  row.rights = RightsOf<D>(in.flags);
  row.account = AccountFor(env, s, in.context, in.process);
  return MapPages(env, s, areas, accounts, ordinals, allocator, row, in.flags, in.iova, in.length,
                  in.writable);
}

// ---- 6.8 UNMAP ----------------------------------------------------------------------------------

// Hardware forgets first..last of `ioas`: for each HWPT of it, stage 2 by TLBI_S2_IPA and
// TLBI_NH_ALL, a host-owned stage 1 by TLBI_NH_VA (hw 9; TRACE 5); VT-d by page-selective IOTLB
// invalidations, which end the range and all that stands on second stage (hw-vtd 8).
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
    const B stage2 = h.vmid != W(0), skipped = IsVtd(env, h.smmu) && !combined;
    announce(mine && stage2 && !skipped, InvScope::kStage2Range);
    announce(mine && stage2 && combined, InvScope::kStage1Vmid);
    announce(mine && !stage2, InvScope::kVaRange);
  });
  retained.EraseWhere([&](const RetainedRow<D>& r) {
    return v.hwpts.Any([&](const HwptRow<D>& h) {
      const B vtd = IsVtd(env, h.smmu), stage2 = !vtd && h.vmid != W(0);
      return concerned(h) &&
             ((vtd && combined && Covers(HostIotlb<D>(h, first, last), r)) ||
              (stage2 && Covers(HostTlbi<D>(kTlbiS2Ipa, h, first, last), r)) ||
              (stage2 && combined && Covers(HostTlbi<D>(kTlbiNhAll, h, first, last), r)) ||
              (!vtd && !stage2 && Covers(HostTlbi<D>(kTlbiNhVa, h, first, last), r)));
    });
  });
}

// Removes the areas of `ioas` that lie inside first..last; gives the bytes removed.
template <class D>
typename D::W RemoveAreas(const Env<D>& env, const View<D>& v, Areas<D>& areas,
                          Accounts<D>& accounts, Copies<D>& copies, Retaineds<D>& retained,
                          typename D::W ioas, typename D::W first, typename D::W last) {
  using W = typename D::W;
  using B = typename D::B;
  const auto all = [](const AreaRow<D>&) { return B(true); };
  const auto goes = [&](const AreaRow<D>& a) {
    return a.space == ioas && a.mapFirst >= first && a.mapLast <= last;
  };
  const Areas<D> gone = areas.TakeOverlapping(ioas, first, last, goes);
  if (env.host.Listens()) {
    gone.EachIndex([&](B a_present, const AreaRow<D>& a) {
      v.hwpts.EachIndex([&](B h_present, const HwptRow<D>& h) {
        AnnounceMapping(env, MicroStepKind::kMapGone, a_present && h_present && h.ioas == ioas, h,
                        a);
      });
    });
  }
  InvalidateRange(env, v, retained, ioas, first, last, gone.Any(all));
  AnnounceUnpinned<D>(env, gone, all, areas, all);
  Discharge<D>(accounts, gone, all);
  copies.EraseWhere([&](const CopyRow<D>& c) {
    return gone.Any(
        [&](const AreaRow<D>& a) { return a.space == c.space && a.mapFirst == c.first; });
  });
  RecountAll<D>(copies, areas, accounts, SharedPages<D>(copies, gone, all));
  return gone.Sum(all, [](const AreaRow<D>& a) { return a.last - a.first + W(1); });
}

// 6.8, the part that MAP's own unmap and VFIO's have in common: values[0] says what was removed,
// also when the range cut an area (ENOENT): what is cut stays, what lies below is gone all the
// same.
template <class D>
Result<D> UnmapRange(const Env<D>& env, const View<D>& v, Areas<D>& areas, Accounts<D>& accounts,
                     Copies<D>& copies, Retaineds<D>& retained, typename D::W ioas,
                     typename D::W first, typename D::W last) {
  using W = typename D::W;
  const auto meets = [&](auto&& p) { return areas.AnyOverlapping(ioas, first, last, p); };
  if (meets([&](const AreaRow<D>& a) { return a.mapFirst < first; })) return Fail<D>(ENOENT);
  const auto cut = meets([&](const AreaRow<D>& a) { return a.mapLast > last; });
  Result<D> r;
  r.values[0] = RemoveAreas(env, v, areas, accounts, copies, retained, ioas, first, last);
  r.err = D::Sel(cut, W(uint64_t{ENOENT}), W(0));
  return r;
}

template <class D>
Result<D> IoasUnmap(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
                    Copies<D>& copies, Retaineds<D>& retained, const IoasUnmapIn<D>& in) {
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
    r.values[0] = RemoveAreas(env, v, areas, accounts, copies, retained, ioas, W(0), ~W(0));
    return r;
  }
  r = UnmapRange(env, v, areas, accounts, copies, retained, ioas, first, last);
  if (r.err != W(0) || r.values[0] == W(0)) return Fail<D>(ENOENT);
  return r;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_IOAS_H_
