// An iommufd as a VFIO container: what a group does with it, and the type1 commands on its fd
// (iommufd 8). The IOAS behind it is the context's compat IOAS.
#ifndef TWINWALK_REFERENCE_COMPAT_H_
#define TWINWALK_REFERENCE_COMPAT_H_

#include "reference/options.h"
#include "reference/vfio.h"

namespace twinwalk::reference {

// ---- For groups (vfio-type1 5) ------------------------------------------------------------------

// GROUP_SET_CONTAINER with the iommufd `context`, of a group with or without IOMMU: the context
// gets a compat IOAS unless it has one. Nobody's DMA is owned by this.
template <class D>
Result<D> CompatSetContainer(const Env<D>& env, const State<D>& s, Ioases<D>& ioases,
                             Contexts<D>& contexts, Allocator<D>& allocator, typename D::W context,
                             bool noiommu) {
  using W = typename D::W;
  const W ioas = CompatIoas<D>(contexts, context);
  const auto without =
      contexts.Any([&](const ContextRow<D>& c) { return c.key == context && c.noiommu != W(0); });
  if (noiommu) {
    if (ioas != W(0)) return Fail<D>(EINVAL);
    UpdateContext<D>(contexts, context, [](ContextRow<D>& c) { c.noiommu = W(1); });
    return Result<D>();
  }
  if (without) return Fail<D>(EINVAL);
  if (ioas != W(0)) return Result<D>();
  IoasAllocIn<D> alloc;
  alloc.context = context;
  const Result<D> made = IoasAlloc(env, s, ioases, allocator, alloc);
  if (made.err != W(0)) return made;
  UpdateContext<D>(contexts, context,
                   [&](ContextRow<D>& c) { c.compat = NameOf(context, made.id); });
  return Result<D>();
}

// The first GROUP_GET_DEVICE_FD of a device (its key) whose group has `context` as container: bound
// and attached to the compat IOAS. What ends it is CloseDevice (vfio.h), with its last file.
// Without IOMMU there is nothing to bind, and no IOAS may be there.
template <class D>
Result<D> CompatOpenDevice(const Env<D>& env, const State<D>& s, Devices<D>& devices,
                           Nesteds<D>& nesteds, Spaces<D> spaces, Allocator<D>& allocator,
                           typename D::W device, typename D::W context) {
  using W = typename D::W;
  const W ioas = CompatIoas<D>(spaces.contexts, context);
  if (spaces.contexts.Any(
          [&](const ContextRow<D>& c) { return c.key == context && c.noiommu != W(0); }))
    return ioas != W(0) ? Fail<D>(EPERM) : Result<D>();
  BindIn<D> bind;
  bind.device = device, bind.context = context;
  const Result<D> bound = Bind(env, s, devices, bind);
  if (bound.err != W(0)) return bound;
  Result<D> r = Fail<D>(ENODEV);
  if (ioas != W(0)) {
    AttachIn<D> attach;
    attach.device = device, attach.ptId = IdOf(ioas);
    r = Attach(env, s, devices, nesteds, spaces, allocator, attach);
  }
  if (r.err != W(0)) {
    devices.UpdateWhere([&](const DeviceRow<D>& d) { return d.key == device; },
                        [](DeviceRow<D>& d) { d.context = W(0), d.object = W(0); });
  }
  return r;
}

// ---- Type1 commands on an iommufd (8.2) ---------------------------------------------------------

enum CompatExtensions : uint64_t {
  kExtType1 = 1,
  kExtType1v2 = 3,
  kExtDmaCc = 4,
  kExtNoiommu = 8,
  kExtUnmapAll = 9
};

// CHECK_EXTENSION; `ret` is the answer.
template <class D>
Result<D> CompatCheckExtension(const Env<D>& env, const View<D>& v, const Contexts<D>& contexts,
                               typename D::W context, uint64_t extension) {
  using W = typename D::W;
  Result<D> r;
  const auto without =
      contexts.Any([&](const ContextRow<D>& c) { return c.key == context && c.noiommu != W(0); });
  if (extension == kExtType1 || extension == kExtType1v2 || extension == kExtUnmapAll)
    r.ret = D::Sel(without, W(0), W(1));
  if (extension == kExtNoiommu) r.ret = W(1);
  if (extension == kExtDmaCc) {
    const W ioas = CompatIoas<D>(contexts, context);
    if (ioas == W(0)) return Fail<D>(ENODEV);
    const auto lax = v.hwpts.Any([&](const HwptRow<D>& h) {  // hw-vtd: ECAP.SC enforces coherency
      const W enforces = OfVtd(env, h.smmu, [](const VtdConfig& c) { return (c.ecap >> 7) & 1; });
      return h.ioas == ioas && !(IsVtd(env, h.smmu) && enforces != W(0));
    });
    r.ret = D::Sel(lax, W(0), W(1));
  }
  return r;
}

// SET_IOMMU; type1 (not v2) promises that any part can be unmapped, so large pages go.
template <class D>
Result<D> CompatSetIommu(const Env<D>& env, const State<D>& s, SmallPages<D>& small_pages,
                         typename D::W context, typename D::W process, uint64_t type) {
  using W = typename D::W;
  const auto without =
      s.contexts.Any([&](const ContextRow<D>& c) { return c.key == context && c.noiommu != W(0); });
  if (type == kExtNoiommu && without) {
    const W may =
        OfProcess(env, process, [](const ProcessConfig& p) { return uint64_t{p.rawIo ? 1u : 0u}; });
    return may == W(0) ? Fail<D>(EPERM) : Result<D>();
  }
  if (type != kExtType1 && type != kExtType1v2) return Fail<D>(EINVAL);
  if (without) return Fail<D>(EINVAL);
  const W ioas = CompatIoas<D>(s.contexts, context);
  if (ioas == W(0)) return Fail<D>(ENODEV);
  if (type == kExtType1)
    if (const int err = DisableLargePages(s, small_pages, ioas)) return Fail<D>(err);
  return Result<D>();
}

template <class D>
struct CompatMapIn {
  using W = typename D::W;
  W context{0}, process{0};  // process: index plus 1
  W flags{0}, vaddr{0}, iova{0}, length{0};
};

// MAP_DMA: flags bit 0 READ, 1 WRITE.
template <class D>
Result<D> CompatMapDma(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
                       Ordinals<D>& ordinals, Allocator<D>& allocator, const CompatMapIn<D>& in) {
  using W = typename D::W;
  if ((in.flags & ~W(3)) != W(0)) return Fail<D>(EINVAL);
  AreaRow<D> row;
  row.space = CompatIoas<D>(s.contexts, in.context);
  if (row.space == W(0)) return Fail<D>(ENODEV);
  if (in.vaddr + in.length < in.vaddr) return Fail<D>(EOVERFLOW);
  if (in.length == W(0) || in.length > ~W(0) - W(4096)) return Fail<D>(EINVAL);
  row.process = in.process, row.va = in.vaddr;
  row.rights = D::Sel((in.flags & W(1)) != W(0), W(uint64_t{kRead}), W(0)) |
               D::Sel((in.flags & W(2)) != W(0), W(uint64_t{kWrite}), W(0));
  row.account = AccountFor(env, s, in.context, in.process);
  return MapPages(env, s, areas, accounts, ordinals, allocator, row, W(1), in.iova, in.length,
                  true);
}

// Splits the IOAS_MAP of `ioas` that goes on behind byte `at`; or the errno.
template <class D>
int CutArea(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
            Copies<D>& copies, typename D::W ioas, typename D::W at) {
  using W = typename D::W;
  using B = typename D::B;
  const AreaRow<D>* found = areas.Containing(ioas, at);
  if (found == nullptr) return 0;
  if (found->mapLast == at) return 0;
  const AreaRow<D> row = *found;
  const W next = at + W(1), va = row.va + (next - row.first);
  if (((next | va) & (Alignment(s, ioas) - W(1))) != W(0)) return EINVAL;
  const auto mine = [&](const AreaRow<D>& a) {
    return a.space == ioas && a.mapFirst == row.mapFirst;
  };
  const bool shared = Shared<D>(copies, row.pages) ? true : false;
  const bool pinned = row.backing != W(0) ? true : false;
  areas.UpdateWhere(mine, [&](AreaRow<D>& a) {
    const B left = a.first <= at;
    a.mapLast = D::Sel(left, at, a.mapLast);
    a.mapFirst = D::Sel(left, a.mapFirst, next);
  });
  if (row.last > at) {  // the cut is inside of one row
    AreaRow<D> tail = row;
    tail.first = tail.mapFirst = next;
    tail.va = va;
    if (pinned) tail.offset = row.offset + (next - row.first);
    tail.pinned = pinned && !shared ? PagesOf<D>(tail) : W(0);
    areas.UpdateWhere([&](const AreaRow<D>& a) { return a.space == ioas && a.first == row.first; },
                      [&](AreaRow<D>& a) {
                        a.last = at;
                        a.pinned = a.pinned - tail.pinned;
                      });
    areas.Insert(tail);
    s.view.hwpts.EachIndex([&](B present, const HwptRow<D>& h) {
      MicroStep<W> step = StepOf<D>(MicroStepKind::kMapSplit, h);
      step.first = row.first, step.last = row.last, step.length = next - row.first;
      step.backing = row.backing, step.offset = row.offset;
      env.host.Announce(present && h.ioas == ioas, step);
    });
  }
  std::vector<CopyRow<D>> halves;  // both are as old as the whole was
  copies.EachIndex([&](B present, const CopyRow<D>& c) {
    if (!(present && c.space == ioas && c.first == row.mapFirst)) return;
    halves.push_back(c);
    halves.back().first = next;
  });
  for (const CopyRow<D>& half : halves) copies.Insert(half);
  if (shared) Recount<D>(copies, areas, accounts, row.pages);
  return 0;
}

template <class D>
struct CompatUnmapIn {
  using W = typename D::W;
  W context{0}, flags{0}, iova{0}, length{0};
};

// UNMAP_DMA: flags bit 1 ALL. values[0] is the size written back, `wrote` whether one is: that is
// so with some errors too.
template <class D>
Result<D> CompatUnmapDma(const Env<D>& env, const State<D>& s, Areas<D>& areas,
                         Accounts<D>& accounts, Copies<D>& copies, Retaineds<D>& retained,
                         const CompatUnmapIn<D>& in, bool* wrote) {
  using W = typename D::W;
  *wrote = false;
  if ((in.flags & ~W(2)) != W(0)) return Fail<D>(EINVAL);
  const W ioas = CompatIoas<D>(s.contexts, in.context);
  if (ioas == W(0)) return Fail<D>(ENODEV);
  Result<D> r;
  if ((in.flags & W(2)) != W(0)) {
    if ((in.iova | in.length) != W(0)) return Fail<D>(EINVAL);
    *wrote = true;
    r.values[0] = RemoveAreas(env, s.view, areas, accounts, copies, retained, ioas, W(0), ~W(0));
    return r;
  }
  const W last = in.iova + in.length - W(1);
  if (s.smallPages.Any([&](const SmallPagesRow<D>& row) { return row.key == ioas; })) {
    if (const int err = CutArea(env, s, areas, accounts, copies, ioas, last)) return Fail<D>(err);
    if (in.iova != W(0))
      if (const int err = CutArea(env, s, areas, accounts, copies, ioas, in.iova - W(1)))
        return Fail<D>(err);
  }
  *wrote = true;
  if (in.length == W(0)) return Fail<D>(EINVAL);
  if (last < in.iova) return Fail<D>(EOVERFLOW);
  return UnmapRange(env, s.view, areas, accounts, copies, retained, ioas, in.iova, last);
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_COMPAT_H_
