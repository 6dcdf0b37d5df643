// What is set of an IOAS or a context besides mappings: ALLOW_IOVAS, OPTION, VFIO_IOAS (iommufd
// 6.3, 7.1, 8.1).
#ifndef TWINWALK_REFERENCE_OPTIONS_H_
#define TWINWALK_REFERENCE_OPTIONS_H_

#include <array>
#include <vector>

#include "reference/ioas.h"

namespace twinwalk::reference {

// f(row) on the row of a context, which is made when there is none yet.
template <class D, class F>
void UpdateContext(Contexts<D>& contexts, typename D::W context, F&& f) {
  const auto mine = [&](const ContextRow<D>& c) { return c.key == context; };
  if (!contexts.Any(mine)) {
    ContextRow<D> row;
    row.key = context;
    contexts.Insert(row);
  }
  contexts.UpdateWhere(mine, f);
}

// ---- 6.3 ALLOW_IOVAS ----------------------------------------------------------------------------

template <class D>
struct AllowIovasIn {
  using W = typename D::W;
  W context{0}, ioasId{0}, reserved{0};
  std::vector<std::array<W, 2>> ranges;  // as far as they can be read
  bool readable = true;                  // all of them
};

template <class D>
Result<D> AllowIovas(const Env<D>& env, const State<D>& s, Alloweds<D>& allowed,
                     const AllowIovasIn<D>& in) {
  using W = typename D::W;
  using B = typename D::B;
  const W ioas = NameOf(in.context, in.ioasId);
  const auto all = [](const AllowedRow<D>&) { return B(true); };
  if (in.reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  if (!s.view.ioases.Any([&](const IoasRow<D>& row) { return row.key == ioas; }))
    return Fail<D>(ENOENT);
  Alloweds<D> list;
  for (const auto& [first, last] : in.ranges) {
    if (first >= last) return Fail<D>(EINVAL);
    if (list.AnyOverlapping(ioas, first, last, all)) return Fail<D>(EINVAL);
    AllowedRow<D> row;
    row.space = ioas, row.first = first, row.last = last;
    list.Insert(row);
  }
  if (!in.readable) return Fail<D>(EFAULT);
  if (list.Any(
          [&](const AllowedRow<D>& r) { return Reserved(env, s.view, ioas, r.first, r.last); }))
    return Fail<D>(EADDRINUSE);
  allowed.EraseOverlapping(ioas, W(0), ~W(0), all);
  list.Each(all, [&](AllowedRow<D>& row) { allowed.Insert(row); });
  return Result<D>();
}

// ---- 7.1 OPTION ---------------------------------------------------------------------------------

// From now on every IOPTE of `ioas` is one page; or the errno.
template <class D>
int DisableLargePages(const State<D>& s, SmallPages<D>& small_pages, typename D::W ioas) {
  const View<D>& v = s.view;
  const auto here = [&](const AreaRow<D>& a) { return a.space == ioas; };
  if (small_pages.Any([&](const SmallPagesRow<D>& row) { return row.key == ioas; })) return 0;
  if (HasHwpt(v, ioas) && v.areas.Any(here)) return EINVAL;
  if (v.areas.Any([&](const AreaRow<D>& a) { return here(a) && Misaligned<D>(a); }))
    return EADDRINUSE;
  SmallPagesRow<D> row;
  row.key = ioas;
  small_pages.Insert(row);
  return 0;
}

enum OptionIds : uint64_t { kRlimitMode = 0, kHugePages = 1 };
enum OptionOps : uint64_t { kOptionSet = 0, kOptionGet = 1 };

// values[0]: val64 as written back.
template <class D>
Result<D> RlimitMode(const Env<D>& env, const State<D>& s, Contexts<D>& contexts,
                     const OptionIn<D>& in) {
  using W = typename D::W;
  Result<D> r;
  if (in.objectId != W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.op == W(kOptionGet)) {
    r.values[0] = contexts.Sum([&](const ContextRow<D>& c) { return c.key == in.context; },
                               [](const ContextRow<D>& c) { return c.perProcess; });
    return r;
  }
  if (in.op != W(kOptionSet)) return Fail<D>(EOPNOTSUPP);
  const W may = OfProcess(env, in.process,
                          [](const ProcessConfig& p) { return uint64_t{p.sysResource ? 1u : 0u}; });
  if (may == W(0)) return Fail<D>(EPERM);
  if (HasObject(s, in.context)) return Fail<D>(EBUSY);
  if (in.value > W(1)) return Fail<D>(EINVAL);
  UpdateContext<D>(contexts, in.context, [&](ContextRow<D>& c) { c.perProcess = in.value; });
  r.values[0] = in.value;
  return r;
}

template <class D>
Result<D> HugePages(const State<D>& s, SmallPages<D>& small_pages, const OptionIn<D>& in) {
  using W = typename D::W;
  const W ioas = NameOf(in.context, in.objectId);
  const auto mine = [&](const SmallPagesRow<D>& row) { return row.key == ioas; };
  if (!s.view.ioases.Any([&](const IoasRow<D>& row) { return row.key == ioas; }))
    return Fail<D>(ENOENT);
  Result<D> r;
  if (in.op == W(kOptionGet)) {
    r.values[0] = D::Sel(small_pages.Any(mine), W(0), W(1));
    return r;
  }
  if (in.op != W(kOptionSet)) return Fail<D>(EOPNOTSUPP);
  if (in.value > W(1)) return Fail<D>(EINVAL);
  if (in.value == W(1)) {
    small_pages.EraseWhere(mine);
  } else if (const int err = DisableLargePages(s, small_pages, ioas)) {
    return Fail<D>(err);
  }
  r.values[0] = in.value;
  return r;
}

template <class D>
Result<D> Option(const Env<D>& env, const State<D>& s, Contexts<D>& contexts,
                 SmallPages<D>& small_pages, const OptionIn<D>& in) {
  using W = typename D::W;
  if (in.reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.optionId == W(kRlimitMode)) return RlimitMode(env, s, contexts, in);
  if (in.optionId == W(kHugePages)) return HugePages(s, small_pages, in);
  return Fail<D>(EOPNOTSUPP);
}

// ---- 8.1 VFIO_IOAS ------------------------------------------------------------------------------

enum VfioIoasOps : uint64_t { kCompatGet = 0, kCompatSet = 1, kCompatClear = 2 };

// Key of the VFIO-compat IOAS of a context; 0: it has none.
template <class D>
typename D::W CompatIoas(const Contexts<D>& contexts, typename D::W context) {
  return contexts.Sum([&](const ContextRow<D>& c) { return c.key == context; },
                      [](const ContextRow<D>& c) { return c.compat; });
}

// id: of GET.
template <class D>
Result<D> VfioIoas(const State<D>& s, Contexts<D>& contexts, typename D::W context,
                   typename D::W ioas_id, typename D::W op, typename D::W reserved) {
  using W = typename D::W;
  if (reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  if (op == W(kCompatGet)) {
    const W ioas = CompatIoas<D>(contexts, context);
    if (ioas == W(0)) return Fail<D>(ENODEV);
    return Made<D>(ioas);
  }
  if (op == W(kCompatSet)) {
    const W ioas = NameOf(context, ioas_id);
    if (!s.view.ioases.Any([&](const IoasRow<D>& row) { return row.key == ioas; }))
      return Fail<D>(ENOENT);
    UpdateContext<D>(contexts, context, [&](ContextRow<D>& c) { c.compat = ioas; });
    return Result<D>();
  }
  if (op != W(kCompatClear)) return Fail<D>(EOPNOTSUPP);
  UpdateContext<D>(contexts, context, [](ContextRow<D>& c) { c.compat = W(0); });
  return Result<D>();
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_OPTIONS_H_
