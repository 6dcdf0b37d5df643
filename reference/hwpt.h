// HWPT_ALLOC, and how a paging HWPT joins and leaves its IOAS (iommufd 5, 9; TRACE 3).
#ifndef TWINWALK_REFERENCE_HWPT_H_
#define TWINWALK_REFERENCE_HWPT_H_

#include "reference/fault_queue.h"
#include "reference/ioas.h"

namespace twinwalk::reference {

// A paging HWPT about to be made: everything that can fail, done before anything is changed.
template <class D>
struct HwptPlan {
  HwptRow<D> row;
  std::vector<PinPlan<D>> pins;
  int err = 0;
};

// TRACE 3: the tag, then joining the IOAS (5: alignment and reservations, then pins).
template <class D>
HwptPlan<D> PlanHwpt(const Env<D>& env, const State<D>& s, Areas<D>& areas, typename D::W context,
                     typename D::W ioas, typename D::W smmu, bool nest_parent) {
  using W = typename D::W;
  const View<D>& v = s.view;
  HwptPlan<D> plan;
  HwptRow<D>& row = plan.row;
  row.ioas = ioas, row.smmu = smmu;
  row.nestParent = W(nest_parent ? 1 : 0);
  // Tagged by a VMID, a domain id (VT-d), or a host ASID.
  const bool vtd = IsVtd(env, smmu) ? true : false;
  const bool stage2 = nest_parent || vtd;
  const W limit = vtd ? OfVtd(env, smmu, [](const VtdConfig& c) { return c.didLimit; })
                      : OfSmmu(env, smmu, [&](const SmmuConfig& c) {
                          return stage2 ? c.vmidLimit : c.asidLimit;
                        });
  const auto key = [&](W tag) {
    return stage2 ? TagKey(smmu, tag, W(0)) : TagKey(smmu, W(0), tag);
  };
  const W tag = env.d.LowestFree(W(1), D::Sel(limit == W(0), W(0), limit - W(1)), [&](W t) {
    return v.tags.Any([&](const TagRow<D>& other) { return other.key == key(t); });
  });
  row.vmid = stage2 ? tag : W(0);
  row.asid = stage2 ? W(0) : tag;
  const W aperture = ApertureLast(env, smmu, row.nestParent);
  const W tables = OfVtd(env, smmu, [](const VtdConfig& c) { return VtdWidest(c.cap); });
  if (vtd && tables == W(0)) {
    plan.err = EOPNOTSUPP;  // a unit that walks no tables has no domains
  } else if (tag == W(0)) {
    plan.err = stage2 ? ENOSPC : EBUSY;
  } else if (areas.AnyOverlapping(ioas, W(0), ~W(0), [&](const AreaRow<D>& a) {
               return Misaligned<D>(a) || a.last > aperture;
             })) {
    plan.err = EADDRINUSE;
  } else if (s.allowed.AnyOverlapping(ioas, W(0), ~W(0),
                                      [&](const AllowedRow<D>& r) { return r.last > aperture; })) {
    plan.err = EADDRINUSE;
  } else if (!HasHwpt(v, ioas)) {
    plan.err = PlanPinAll(env, s, areas, ioas, &plan.pins);
  }
  if (plan.err == 0) {
    const W id = NewId(env, s, context);
    if (id == W(0)) plan.err = ENOMEM;
    row.key = NameOf(context, id);
  }
  return plan;
}

template <class D>
void MakeHwpt(const Env<D>& env, Spaces<D>& to, const HwptPlan<D>& plan) {
  using W = typename D::W;
  using B = typename D::B;
  const HwptRow<D>& row = plan.row;
  TagRow<D> tag;
  tag.key = TagKey(row.smmu, row.vmid, row.asid);
  tag.owner = row.key;
  to.tags.Insert(tag);
  env.host.Announce(B(true), StepOf<D>(MicroStepKind::kTagAllocated, row));
  ApplyPinAll(env, to.copies, to.areas, to.accounts, plan.pins);
  to.hwpts.Insert(row);
  to.ioases.UpdateWhere([&](const IoasRow<D>& i) { return i.key == row.ioas; },
                        [](IoasRow<D>& i) { i.users = i.users + W(1); });
  to.areas.EachIndex([&](B present, const AreaRow<D>& a) {
    AnnounceMapping(env, MicroStepKind::kMapVisible, present && a.space == row.ioas, row, a);
  });
}

// Frees a paging HWPT that nothing uses: its tag is invalidated whole, then its memory unpinned
// when it was the last of its IOAS, then its tables and its tag are free (TRACE 5).
template <class D>
void FreeHwpt(const Env<D>& env, Spaces<D>& from, const HwptRow<D>& gone) {
  using W = typename D::W;
  using B = typename D::B;
  const HwptRow<D> h = gone;  // a copy: the row is erased below
  from.areas.EachIndex([&](B present, const AreaRow<D>& a) {
    AnnounceMapping(env, MicroStepKind::kMapGone, present && a.space == h.ioas, h, a);
  });
  const B vtd = IsVtd(env, h.smmu), stage2 = h.vmid != W(0);
  const auto invalidation = [&](B when, InvScope scope) {
    MicroStep<W> step = StepOf<D>(MicroStepKind::kInvIssued, h);
    step.scope = scope;
    step.last = ~W(0);
    env.host.Announce(when, step);
    step.kind = MicroStepKind::kInvDone;
    env.host.Announce(when, step);
  };
  invalidation(stage2, InvScope::kVmid);
  invalidation(!stage2, InvScope::kAsid);
  from.retained.EraseWhere([&](const RetainedRow<D>& r) {
    return (vtd && Covers(HostIotlb<D>(h), r)) ||
           (!vtd && stage2 && Covers(HostTlbi<D>(kTlbiS12Vmall, h, W(0), ~W(0)), r)) ||
           (!vtd && !stage2 && Covers(HostTlbi<D>(kTlbiNhAsid, h, W(0), ~W(0)), r));
  });
  from.hwpts.EraseWhere([&](const HwptRow<D>& o) { return o.key == h.key; });
  from.faultUses.EraseWhere([&](const FaultUseRow<D>& u) { return u.key == h.key; });
  from.ioases.UpdateWhere([&](const IoasRow<D>& i) { return i.key == h.ioas; },
                          [](IoasRow<D>& i) { i.users = i.users - W(1); });
  if (!from.hwpts.Any([&](const HwptRow<D>& o) { return o.ioas == h.ioas; }))
    UnpinAll(env, from.copies, from.areas, from.accounts, h.ioas);
  MicroStep<W> step = StepOf<D>(MicroStepKind::kTableFrameFreed, h);
  step.last = ~W(0);
  env.host.Announce(B(true), step);
  env.host.Announce(B(true), StepOf<D>(MicroStepKind::kTagFreed, h));
  const W tag = TagKey(h.smmu, h.vmid, h.asid);
  from.tags.EraseWhere([&](const TagRow<D>& t) { return t.key == tag; });
}

// ---- HWPT_ALLOC ---------------------------------------------------------------------------------

enum HwptFlags : uint64_t { kNestParent = 1, kDirtyTracking = 2, kFaultIdValid = 4, kPasid = 8 };

// 9.3: on an IOAS.
template <class D>
Result<D> HwptAllocPaging(const Env<D>& env, const State<D>& s, Spaces<D> to,
                          Allocator<D>& allocator, const HwptAllocIn<D>& in, typename D::W ioas,
                          typename D::W smmu) {
  using W = typename D::W;
  using B = typename D::B;
  const auto has = [&](uint64_t flag) { return (in.flags & W(flag)) != W(0); };
  const B refused = (in.flags & ~W(15)) != W(0) || has(kDirtyTracking) ||
                    (has(kNestParent) && (has(kFaultIdValid) || has(kPasid))) || in.dataLen != W(0);
  if (refused || (has(kNestParent) && IsVtd(env, smmu))) return Fail<D>(EOPNOTSUPP);
  const bool nest_parent = has(kNestParent) ? true : false;
  HwptPlan<D> plan = PlanHwpt(env, s, to.areas, in.context, ioas, smmu, nest_parent);
  if (plan.err != 0) return Fail<D>(plan.err);
  const bool faults = has(kFaultIdValid) ? true : false;
  if (faults && !IsFaultQueue(s, in.context, in.faultId)) return Fail<D>(ENOENT);
  if (!in.writable) return Fail<D>(EFAULT);
  if (AllocationFails(allocator)) return Fail<D>(ENOMEM);
  plan.row.allowPasid = D::Sel(has(kPasid), W(1), W(0));
  MakeHwpt(env, to, plan);
  if (faults) HoldFaultQueue<D>(to.faultUses, plan.row.key, NameOf(in.context, in.faultId));
  return Made<D>(plan.row.key);
}

// hw 9, iommufd Observed 1: what the kernel checks of a guest's STE.
template <class D>
typename D::B VsteAllowed(typename D::W ste0, typename D::W ste1) {
  using W = typename D::W;
  using B = typename D::B;
  const W config = (ste0 >> W(1)) & W(7);
  const W eats = (ste1 >> W(28)) & W(3);
  const B clean = (ste0 & W(0x07f0000000000000)) == W(0) && (ste1 & ~W(0x380000ff)) == W(0);
  return (ste0 & W(1)) == W(0) ||
         (clean && (config == W(0) || config == W(4) || config == W(5)) && eats <= W(1));
}

// 9.5: on a vIOMMU.
template <class D>
Result<D> HwptAllocNested(const Env<D>& env, const State<D>& s, Nesteds<D>& nesteds,
                          Viommus<D>& viommus, FaultUses<D>& fault_uses, Allocator<D>& allocator,
                          const HwptAllocIn<D>& in, const ViommuRow<D>& viommu,
                          typename D::W smmu) {
  using W = typename D::W;
  const W key = viommu.key;
  if (viommu.smmu != smmu) return Fail<D>(EINVAL);
  if ((in.flags & ~W(kFaultIdValid)) != W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.dataLen == W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.dataType != W(2) || in.dataLen != W(16)) return Fail<D>(EINVAL);
  if (!in.dataReadable) return Fail<D>(EFAULT);
  if (!VsteAllowed<D>(in.ste0, in.ste1)) return Fail<D>(EIO);
  const bool faults = (in.flags & W(kFaultIdValid)) != W(0) ? true : false;
  if (faults && !IsFaultQueue(s, in.context, in.faultId)) return Fail<D>(ENOENT);
  const W id = NewId(env, s, in.context);
  if (id == W(0)) return Fail<D>(ENOMEM);
  if (!in.writable) return Fail<D>(EFAULT);
  if (AllocationFails(allocator)) return Fail<D>(ENOMEM);
  NestedRow<D> row;
  row.key = NameOf(in.context, id);
  row.viommu = key;
  row.ste0 = in.ste0, row.ste1 = in.ste1;
  nesteds.Insert(row);
  if (faults) HoldFaultQueue<D>(fault_uses, row.key, NameOf(in.context, in.faultId));
  viommus.UpdateWhere([&](const ViommuRow<D>& m) { return m.key == key; },
                      [](ViommuRow<D>& m) { m.users = m.users + W(1); });
  return Made<D>(id);
}

// 9.2: the common checks, then by what pt_id names.
template <class D>
Result<D> HwptAlloc(const Env<D>& env, const State<D>& s, Spaces<D> to, Nesteds<D>& nesteds,
                    Viommus<D>& viommus, Allocator<D>& allocator, const HwptAllocIn<D>& in) {
  using W = typename D::W;
  using B = typename D::B;
  const View<D>& v = s.view;
  if (in.reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  if ((in.dataType == W(0) && in.dataLen != W(0)) || (in.dataType != W(0) && in.dataLen == W(0)))
    return Fail<D>(EINVAL);
  const DeviceRow<D>* device = FindDevice(v, in.context, in.devId);
  if (device == nullptr) return Fail<D>(ENOENT);
  const W pt = NameOf(in.context, in.ptId);
  if (v.ioases.Any([&](const IoasRow<D>& row) { return row.key == pt; }))
    return HwptAllocPaging(env, s, to, allocator, in, pt, device->smmu);
  if (v.hwpts.Any([&](const HwptRow<D>& row) { return row.key == pt; })) {
    // 9.4: SMMUv3 nests through a vIOMMU only; VT-d could, but has no nest parents here.
    const B asked = (in.flags & ~W(kFaultIdValid | kPasid)) == W(0) && in.dataLen != W(0);
    return Fail<D>(asked && IsVtd(env, device->smmu) ? EINVAL : EOPNOTSUPP);
  }
  if (const ViommuRow<D>* viommu = v.viommus.Find(pt))
    return HwptAllocNested(env, s, nesteds, viommus, to.faultUses, allocator, in, *viommu,
                           device->smmu);
  return Fail<D>(EINVAL);
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_HWPT_H_
