// VFIO containers: a backend is set, groups join and leave, domains come and go with them (type1 4,
// 5, 7; TRACE 8, Names). A container's groups are those whose devices it owns; its space and its
// domains are rows of the View like an IOAS and its HWPTs.
#ifndef TWINWALK_REFERENCE_CONTAINER_H_
#define TWINWALK_REFERENCE_CONTAINER_H_

#include "reference/vfio.h"

namespace twinwalk::reference {

enum Backend : uint64_t { kNoBackend = 0, kType1 = 1, kType1v2 = 3, kNoIommuBackend = 8 };

// A group by its number; those without an IOMMU are a kind of their own.
template <class D>
struct GroupIn {
  typename D::W number{0};
  bool noiommu = false;
};
template <class D>
typename D::B InGroup(const DeviceRow<D>& d, const GroupIn<D>& group) {
  using W = typename D::W;
  const typename D::B none = d.smmu == W(uint64_t{kNoIommu});
  return d.group == group.number && (group.noiommu ? none : !none);
}

template <class W>
W SpaceOf(W container) {
  return NameOf(container, W(1));
}
template <class D>
typename D::W BackendOf(const Containers<D>& containers, typename D::W container) {
  return containers.Sum([&](const ContainerRow<D>& c) { return c.key == container; },
                        [](const ContainerRow<D>& c) { return c.backend; });
}

// ---- A group and a domain -----------------------------------------------------------------------

// Attaching a group to the type1 backend of its container: what can fail, done before.
template <class D>
struct GroupPlan {
  typename D::W domain{0};  // one that is there; 0: `made` is to be
  HwptPlan<D> made;
  int err = 0;
};

// type1 7, attach_group, in the order of its table.
template <class D>
GroupPlan<D> PlanGroup(const Env<D>& env, const State<D>& s, Spaces<D>& spaces,
                       typename D::W container, const GroupIn<D>& group) {
  using W = typename D::W;
  using B = typename D::B;
  const View<D>& v = s.view;
  const W space = SpaceOf(container);
  const auto fails = [](int err) {
    GroupPlan<D> plan;
    return plan.err = err, plan;
  };
  if (spaces.areas.Any(
          [&](const AreaRow<D>& a) { return a.space == space && a.vaddrInvalid != W(0); }))
    return fails(EBUSY);
  const auto member = [&](const DeviceRow<D>& d) { return InGroup(d, group); };
  const DeviceRow<D>* first = v.devices.Pick(member);
  if (first == nullptr) return fails(ENODEV);
  const W iommu = first->smmu;
  if (v.devices.Any([&](const DeviceRow<D>& d) { return member(d) && d.smmu != iommu; }))
    return fails(EINVAL);
  if (!MsiIsolated(env, iommu)) return fails(EPERM);
  const W last = ApertureLast(env, iommu, W(0));
  const auto window = MsiWindow(env, iommu);
  const B forbidden = spaces.areas.AnyOverlapping(space, W(0), ~W(0), [&](const AreaRow<D>& a) {
    return a.last > last ||
           (window.first <= window.second && a.first <= window.second && window.first <= a.last);
  });
  if (forbidden) return fails(EINVAL);
  GroupPlan<D> plan;
  const HwptRow<D>* there =
      v.hwpts.Pick([&](const HwptRow<D>& h) { return h.ioas == space && h.smmu == iommu; });
  if (there != nullptr) return plan.domain = there->key, plan;
  plan.made = PlanHwpt(env, s, spaces.areas, container, space, iommu, false);
  plan.made.row.automatic = W(1);
  plan.err = plan.made.err;
  return plan;
}

template <class D>
void AttachGroup(const Env<D>& env, Devices<D>& devices, Spaces<D>& spaces, GroupPlan<D> plan,
                 const GroupIn<D>& group) {
  using W = typename D::W;
  const auto member = [&](const DeviceRow<D>& d) { return InGroup(d, group); };
  if (plan.domain == W(0)) {
    MakeHwpt(env, spaces, plan.made);
    plan.domain = plan.made.row.key;
  }
  const W count = devices.Count(member);
  spaces.hwpts.UpdateWhere([&](const HwptRow<D>& h) { return h.key == plan.domain; },
                           [&](HwptRow<D>& h) { h.users = h.users + count; });
  WriteConfig(env, devices, spaces.retained, member, plan.domain);
  devices.UpdateWhere(member, [&](DeviceRow<D>& d) { d.attached = plan.domain; });
}

// The group's DMA is blocked; its domain goes with its last group.
template <class D>
void DetachGroup(const Env<D>& env, Devices<D>& devices, Nesteds<D>& nesteds, Spaces<D>& spaces,
                 const GroupIn<D>& group) {
  using W = typename D::W;
  const auto member = [&](const DeviceRow<D>& d) {
    return InGroup(d, group) && d.attached != W(0);
  };
  const DeviceRow<D>* first = devices.Pick(member);
  if (first == nullptr) return;
  const W domain = first->attached, count = devices.Count(member);
  WriteConfig(env, devices, spaces.retained, member, W(0));
  devices.UpdateWhere(member, [](DeviceRow<D>& d) { d.attached = W(0); });
  DropAttachment(env, nesteds, spaces, domain, count);
}

// ---- The container ------------------------------------------------------------------------------

// The space and what the container knew of it, after its last group left: no domain is there any
// more, so no memory is pinned.
template <class D>
void EndBackend(Spaces<D>& spaces, Containers<D>& containers, typename D::W container) {
  using W = typename D::W;
  const W space = SpaceOf(container);
  spaces.areas.EraseOverlapping(space, W(0), ~W(0),
                                [](const AreaRow<D>&) { return typename D::B(true); });
  spaces.ioases.EraseWhere([&](const IoasRow<D>& i) { return i.key == space; });
  containers.UpdateWhere(
      [&](const ContainerRow<D>& c) { return c.key == container; },
      [](ContainerRow<D>& c) { c.backend = W(0), c.tracking = W(0), c.entries = W(0); });
}

template <class D>
struct SetIommuIn {
  using W = typename D::W;
  W container{0}, type{0};
  std::vector<GroupIn<D>> groups;  // in the order in which they joined; all of one kind
  bool rawIo = false;              // the caller has CAP_SYS_RAWIO
};

// type1 4
template <class D>
Result<D> SetIommu(const Env<D>& env, const State<D>& s, Devices<D>& devices, Nesteds<D>& nesteds,
                   Spaces<D> spaces, Containers<D>& containers, Allocator<D>& allocator,
                   const SetIommuIn<D>& in) {
  using W = typename D::W;
  if (in.groups.empty()) return Fail<D>(EINVAL);
  if (BackendOf<D>(containers, in.container) != W(0)) return Fail<D>(EINVAL);
  const auto set_backend = [&] {
    containers.UpdateWhere([&](const ContainerRow<D>& c) { return c.key == in.container; },
                           [&](ContainerRow<D>& c) { c.backend = in.type; });
  };
  if (in.groups[0].noiommu) {
    if (in.type != W(uint64_t{kNoIommuBackend})) return Fail<D>(ENODEV);
    if (!in.rawIo) return Fail<D>(EPERM);
    set_backend();
    return Result<D>();
  }
  // type1 claims what it answers CHECK_EXTENSION for without a container, UNMAP_ALL included.
  if (in.type == W(9)) return Fail<D>(EINVAL);
  if (in.type != W(uint64_t{kType1}) && in.type != W(uint64_t{kType1v2})) return Fail<D>(ENODEV);
  IoasRow<D> space;
  space.key = SpaceOf(in.container);
  spaces.ioases.Insert(space);
  int err = 0;
  size_t attached = 0;
  for (; attached < in.groups.size() && err == 0; ++attached) {
    const GroupPlan<D> plan = PlanGroup(env, s, spaces, in.container, in.groups[attached]);
    err = plan.err;
    if (err != 0) break;
    AttachGroup(env, devices, spaces, plan, in.groups[attached]);
  }
  if (err == 0 && AllocationFails(allocator)) err = ENOMEM;
  if (err != 0) {  // 14.10: nothing is left behind
    while (attached > 0) DetachGroup(env, devices, nesteds, spaces, in.groups[--attached]);
    EndBackend(spaces, containers, in.container);
    return Fail<D>(err);
  }
  set_backend();
  return Result<D>();
}

template <class D>
struct SetContainerIn {
  typename D::W container{0};
  GroupIn<D> group;
  bool viable = true;  // no member has a host driver
};

// type1 5, SET_CONTAINER from step 4 on: the claim of the group's DMA, then the backend if any.
template <class D>
Result<D> SetContainer(const Env<D>& env, const State<D>& s, Devices<D>& devices, Spaces<D> spaces,
                       const Containers<D>& containers, Allocator<D>& allocator,
                       const SetContainerIn<D>& in) {
  using W = typename D::W;
  const auto member = [&](const DeviceRow<D>& d) { return InGroup(d, in.group); };
  if (!in.viable) return Fail<D>(EPERM);
  if (devices.Any([&](const DeviceRow<D>& d) { return member(d) && d.context != W(0); }))
    return Fail<D>(EPERM);
  const W backend = BackendOf<D>(containers, in.container);
  if (!in.group.noiommu && backend != W(0)) {
    const GroupPlan<D> plan = PlanGroup(env, s, spaces, in.container, in.group);
    if (plan.err != 0) return Fail<D>(plan.err);
    if (plan.domain == W(0))
      if (AllocationFails(allocator)) return Fail<D>(ENOMEM);
    AttachGroup(env, devices, spaces, plan, in.group);
  }
  devices.UpdateWhere(member, [&](DeviceRow<D>& d) { d.context = in.container; });
  return Result<D>();
}

// A group leaves: UNSET_CONTAINER, or its last file is closed. The last one takes the backend
// along.
template <class D>
void LeaveContainer(const Env<D>& env, Devices<D>& devices, Nesteds<D>& nesteds, Spaces<D> spaces,
                    Containers<D>& containers, typename D::W container, const GroupIn<D>& group) {
  using W = typename D::W;
  DetachGroup(env, devices, nesteds, spaces, group);
  devices.UpdateWhere([&](const DeviceRow<D>& d) { return InGroup(d, group); },
                      [](DeviceRow<D>& d) { d.context = W(0); });
  if (!devices.Any([&](const DeviceRow<D>& d) { return d.context == container; }))
    EndBackend(spaces, containers, container);
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_CONTAINER_H_
