// The VFIO device cdev: bind, attach with replace, detach, close (iommufd 10, 19; TRACE 3).
#ifndef TWINWALK_REFERENCE_VFIO_H_
#define TWINWALK_REFERENCE_VFIO_H_

#include "reference/hwpt.h"
#include "reference/ownership.h"
#include "reference/viommu.h"

namespace twinwalk::reference {

// 19.1, 10.1, after the checks that concern files only.
template <class D>
Result<D> Bind(const Env<D>& env, const State<D>& s, Devices<D>& devices, const BindIn<D>& in) {
  using W = typename D::W;
  const DeviceRow<D>* device = devices.Find(in.device);
  if (device == nullptr) return Fail<D>(ENODEV);
  if (device->context != W(0)) return Fail<D>(EINVAL);  // another file of it is bound
  if (device->smmu == W(uint64_t{kNoIommu})) return Fail<D>(EINVAL);
  if (!MsiIsolated(env, device->smmu)) return Fail<D>(EPERM);
  if (!in.viable) return Fail<D>(EPERM);
  const W group = device->group;
  if (devices.Any([&](const DeviceRow<D>& o) {
        return o.group == group && o.context != W(0) && o.context != in.context;
      }))
    return Fail<D>(EPERM);
  const W id = NewId(env, s, in.context);
  if (id == W(0)) return Fail<D>(ENOMEM);
  if (!in.writable) return Fail<D>(EFAULT);
  devices.UpdateWhere([&](const DeviceRow<D>& d) { return d.key == in.device; },
                      [&](DeviceRow<D>& d) {
                        d.context = in.context;
                        d.object = NameOf(in.context, id);
                      });
  return Made<D>(id);
}

// The STEs or context entries of the devices for which `moves` holds now name `owner`: written,
// then invalidated.
template <class D, class P>
void WriteConfig(const Env<D>& env, const Devices<D>& devices, Retaineds<D>& retained, P&& moves,
                 typename D::W owner) {
  using W = typename D::W;
  using B = typename D::B;
  devices.EachIndex([&](B present, const DeviceRow<D>& d) {
    const B when = present && moves(d);
    MicroStep<W> step{};
    step.kind = MicroStepKind::kConfigWrite;
    step.scope = InvScope::kConfig;
    step.tag.smmu = d.smmu;
    step.sid = d.sid, step.owner = owner;
    env.host.Announce(when, step);
    step.kind = MicroStepKind::kInvIssued;
    env.host.Announce(when, step);
    step.kind = MicroStepKind::kInvDone;
    env.host.Announce(when, step);
  });
  retained.EraseWhere([&](const RetainedRow<D>& r) {
    return devices.Any([&](const DeviceRow<D>& d) {
      const B vtd = IsVtd(env, d.smmu);
      return moves(d) &&
             ((vtd && Covers(HostContext<D>(d), r)) || (!vtd && Covers(HostCfgi<D>(d), r)));
    });
  });
}

// `count` devices let go of `hwpt` (paging or nested); an automatic one goes with its last (4.3).
template <class D>
void DropAttachment(const Env<D>& env, Nesteds<D>& nesteds, Spaces<D>& spaces, typename D::W hwpt,
                    typename D::W count) {
  using W = typename D::W;
  nesteds.UpdateWhere([&](const NestedRow<D>& n) { return n.key == hwpt; },
                      [&](NestedRow<D>& n) { n.users = n.users - count; });
  spaces.hwpts.UpdateWhere([&](const HwptRow<D>& h) { return h.key == hwpt; },
                           [&](HwptRow<D>& h) { h.users = h.users - count; });
  const HwptRow<D>* gone = spaces.hwpts.Pick(
      [&](const HwptRow<D>& h) { return h.key == hwpt && h.automatic != W(0) && h.users == W(0); });
  if (gone != nullptr) FreeHwpt(env, spaces, *gone);
}

// Blocks a device. Nothing happens to one that is not attached.
template <class D>
void DetachDevice(const Env<D>& env, Devices<D>& devices, Nesteds<D>& nesteds, Spaces<D>& spaces,
                  typename D::W key) {
  using W = typename D::W;
  const DeviceRow<D>* device = devices.Find(key);
  if (device == nullptr) return;
  const W old = device->attached;
  if (old == W(0)) return;
  const auto self = [&](const DeviceRow<D>& d) { return d.key == key; };
  WriteConfig(env, devices, spaces.retained, self, W(0));
  devices.UpdateWhere(
      self, [](DeviceRow<D>& d) { d.attached = W(0), d.eventViommu = W(0), d.eventVirtId = W(0); });
  DropAttachment(env, nesteds, spaces, old, W(1));
}

// 19.3
template <class D>
Result<D> Detach(const Env<D>& env, Devices<D>& devices, Nesteds<D>& nesteds, Spaces<D> spaces,
                 const DetachIn<D>& in) {
  using W = typename D::W;
  if ((in.flags & ~W(1)) != W(0)) return Fail<D>(EINVAL);
  if ((in.flags & W(1)) != W(0)) return Result<D>();  // a PASID: none is ever attached
  DetachDevice(env, devices, nesteds, spaces, in.device);
  return Result<D>();
}

// ---- ATTACH -------------------------------------------------------------------------------------

// What an attach is to: an HWPT that is there, or one that is planned.
template <class D>
struct Target {
  using W = typename D::W;
  W key{0};   // 0: `plan` is made first
  W ioas{0};  // behind it
  W smmu{0};
  W viommu{0};  // of a nested HWPT
  bool nested = false;
  bool translates = false;  // nested: the vSTE asks for stage 1
};

// 10.2; automatic selection is 4.3: of an IOAS's automatic HWPTs, one is on this SMMU at most.
template <class D>
int FindTarget(const State<D>& s, const DeviceRow<D>& device, typename D::W pt, Target<D>* out) {
  using W = typename D::W;
  const View<D>& v = s.view;
  if (v.ioases.Any([&](const IoasRow<D>& i) { return i.key == pt; })) {
    const HwptRow<D>* h = v.hwpts.Pick([&](const HwptRow<D>& o) {
      return o.automatic != W(0) && o.ioas == pt && o.smmu == device.smmu;
    });
    out->key = h == nullptr ? W(0) : h->key;
    out->ioas = pt;
    out->smmu = device.smmu;
    return 0;
  }
  if (const HwptRow<D>* h = v.hwpts.Find(pt)) {
    out->key = h->key, out->ioas = h->ioas, out->smmu = h->smmu;
    return 0;
  }
  if (const NestedRow<D>* n = v.nesteds.Find(pt)) {
    const W config = (n->ste0 >> W(1)) & W(7);
    out->key = n->key, out->viommu = n->viommu;
    out->nested = true;
    out->translates = (n->ste0 & W(1)) != W(0) && config == W(5) ? true : false;
    const auto mine = [&](const ViommuRow<D>& m) { return m.key == n->viommu; };
    out->smmu = v.viommus.Sum(mine, [](const ViommuRow<D>& m) { return m.smmu; });
    const W parent = v.viommus.Sum(mine, [](const ViommuRow<D>& m) { return m.hwpt; });
    out->ioas = v.hwpts.Sum([&](const HwptRow<D>& h) { return h.key == parent; },
                            [](const HwptRow<D>& h) { return h.ioas; });
    return 0;
  }
  const auto is = [&](const auto& row) { return row.key == pt; };
  const auto other = v.viommus.Any(is) || v.vdevices.Any(is) || v.veventqs.Any(is) ||
                     s.faults.Any(is) ||
                     v.devices.Any([&](const DeviceRow<D>& d) { return d.object == pt; });
  return other ? EINVAL : ENOENT;
}

template <class D>
Result<D> Attach(const Env<D>& env, const State<D>& s, Devices<D>& devices, Nesteds<D>& nesteds,
                 Spaces<D> spaces, Allocator<D>& allocator, const AttachIn<D>& in) {
  using W = typename D::W;
  using B = typename D::B;
  const View<D>& v = s.view;
  if ((in.flags & ~W(1)) != W(0)) return Fail<D>(EINVAL);
  const DeviceRow<D>* found = devices.Find(in.device);
  if (found == nullptr) return Fail<D>(EINVAL);  // apart: || does not short-circuit on a B
  if (found->context == W(0)) return Fail<D>(EINVAL);
  const DeviceRow<D> device = *found;
  Target<D> to;
  if (const int err = FindTarget(s, device, NameOf(device.context, in.ptId), &to))
    return Fail<D>(err);
  if ((in.flags & W(1)) != W(0)) return Fail<D>(in.pasid >= W(uint64_t{1} << 31) ? ENOSPC : EINVAL);

  const W old = device.attached;
  if (to.key != W(0) && old == to.key) {  // 10.3: no effect at all
    if (!in.writable) DetachDevice(env, devices, nesteds, spaces, device.key);
    return in.writable ? Made<D>(to.key) : Fail<D>(EFAULT);
  }
  // 10.3: a first attach moves this device, and may only join what its group has; a replace moves
  // every member.
  const bool replace = old != W(0) ? true : false;
  const auto moves = [&](const DeviceRow<D>& d) {
    return d.key == device.key || (replace && d.group == device.group && d.attached == old);
  };
  if (devices.Any([&](const DeviceRow<D>& d) { return moves(d) && d.smmu != to.smmu; }))
    return Fail<D>(EINVAL);
  const auto has_vdevice = [&](const DeviceRow<D>& d) {
    return v.vdevices.Any(
        [&](const VdeviceRow<D>& vd) { return vd.device == d.key && vd.viommu == to.viommu; });
  };
  if (to.translates &&
      devices.Any([&](const DeviceRow<D>& d) { return moves(d) && !has_vdevice(d); }))
    return Fail<D>(ENOENT);
  HwptPlan<D> plan;  // 4.3: an automatic HWPT is made first, then attached
  if (to.key == W(0)) {
    plan = PlanHwpt(env, s, spaces.areas, device.context, to.ioas, to.smmu, false);
    if (plan.err != 0) return Fail<D>(plan.err);
  }
  if (!replace && devices.Any([&](const DeviceRow<D>& d) {
        return d.key != device.key && d.group == device.group && d.attached != W(0) &&
               d.attached != to.key;
      }))
    return Fail<D>(EINVAL);
  const auto [low, high] = MsiWindow(env, to.smmu);  // 10.4
  if (low <= high &&
      spaces.areas.AnyOverlapping(to.ioas, low, high, [](const AreaRow<D>&) { return B(true); }))
    return Fail<D>(EADDRINUSE);
  if (low <= high && spaces.allowed.AnyOverlapping(to.ioas, low, high,
                                                   [](const AllowedRow<D>&) { return B(true); }))
    return Fail<D>(EADDRINUSE);
  // 9.7: VT-d delivers page requests only of a device that can make them; none here can.
  if (spaces.faultUses.Any([&](const FaultUseRow<D>& u) { return u.key == to.key; }) &&
      IsVtd(env, to.smmu))
    return Fail<D>(ENODEV);
  if (to.key == W(0)) {
    if (in.writable && AllocationFails(allocator)) return Fail<D>(ENOMEM);
    plan.row.automatic = W(1);
    MakeHwpt(env, spaces, plan);
    to.key = plan.row.key;
  }

  const W count = devices.Count(moves);
  const W counted = env.faults.uncountedReference ? W(0) : count;
  nesteds.UpdateWhere([&](const NestedRow<D>& n) { return n.key == to.key; },
                      [&](NestedRow<D>& n) { n.users = n.users + counted; });
  spaces.hwpts.UpdateWhere([&](const HwptRow<D>& h) { return h.key == to.key; },
                           [&](HwptRow<D>& h) { h.users = h.users + counted; });
  WriteConfig(env, devices, spaces.retained, moves, to.key);
  devices.UpdateWhere(moves, [&](DeviceRow<D>& d) {
    const B routed = to.nested && has_vdevice(d);
    const W virt = v.vdevices.Sum(
        [&](const VdeviceRow<D>& vd) { return vd.device == d.key && vd.viommu == to.viommu; },
        [](const VdeviceRow<D>& vd) { return vd.virtId & W(0xffffffff); });
    d.attached = to.key;
    d.eventViommu = D::Sel(routed, to.viommu, W(0));
    d.eventVirtId = D::Sel(routed, virt, W(0));
  });
  if (replace) DropAttachment(env, nesteds, spaces, old, count);
  if (!in.writable) {
    DetachDevice(env, devices, nesteds, spaces, device.key);
    return Fail<D>(EFAULT);
  }
  return Made<D>(to.key);
}

// 19.4, TRACE 3: the last file of a bound cdev is closed.
template <class D>
void CloseDevice(const Env<D>& env, Devices<D>& devices, Nesteds<D>& nesteds, Spaces<D> spaces,
                 Vdevices<D>& vdevices, Viommus<D>& viommus, Tombstones<D>& tombstones,
                 typename D::W key) {
  using W = typename D::W;
  DetachDevice(env, devices, nesteds, spaces, key);
  const VdeviceRow<D>* found =
      vdevices.Pick([&](const VdeviceRow<D>& vd) { return vd.device == key; });
  if (found != nullptr) {
    const VdeviceRow<D> gone = *found;
    TombstoneRow<D> stone;
    stone.key = gone.key;
    tombstones.Insert(stone);
    vdevices.EraseWhere([&](const VdeviceRow<D>& vd) { return vd.key == gone.key; });
    CountViommuUser<D>(viommus, gone.viommu, W(0) - W(1));
  }
  devices.UpdateWhere([&](const DeviceRow<D>& d) { return d.key == key; },
                      [](DeviceRow<D>& d) { d.context = W(0), d.object = W(0); });
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_VFIO_H_
