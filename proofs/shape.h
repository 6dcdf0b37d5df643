// What is true of every state that the reference reaches and that no invariant says: who refers to
// whom inside one context, which tag a kind of HWPT has, that rows are what they are meant to be.
// Proofs assume it of the state before an Op, and prove it of the state after as a row of its own,
// "well-formed": without it counterexamples would start from states that cannot be.
#ifndef TWINWALK_PROOFS_SHAPE_H_
#define TWINWALK_PROOFS_SHAPE_H_

#include "traces/invariants.h"
#include "traces/view.h"

namespace twinwalk::proofs {

inline constexpr const char* kWellFormed = "well-formed";

// Calls report(ok, what) once per index.
template <class D, class Report>
void WellFormed(const View<D>& v, Report&& report) {
  using W = typename D::W;
  const auto named = [](W key) { return ContextOf(key) != W(0) && (key & W(0xffffffff)) != W(0); };
  const auto same_context = [](W a, W b) { return ContextOf(a) == ContextOf(b); };
  v.devices.EachIndex([&](auto present, const DeviceRow<D>& d) {
    report(!present || d.key != W(0), "a device has a key");
    report(!present || (d.context == W(0)) == (d.object == W(0)),
           "a device is bound when it has an object");
    report(!present || d.context == W(0) || (named(d.object) && ContextOf(d.object) == d.context),
           "a DEVICE object is named in its context");
    const auto twin = v.devices.Any([&](const DeviceRow<D>& o) {
      return o.key != d.key &&
             ((o.smmu == d.smmu && o.sid == d.sid) || (d.object != W(0) && o.object == d.object));
    });
    report(!present || !twin, "a stream and a DEVICE object name one device");
    const auto taken = v.ioases.Any([&](const auto& o) { return o.key == d.object; }) ||
                       v.hwpts.Any([&](const auto& o) { return o.key == d.object; }) ||
                       v.nesteds.Any([&](const auto& o) { return o.key == d.object; }) ||
                       v.viommus.Any([&](const auto& o) { return o.key == d.object; }) ||
                       v.vdevices.Any([&](const auto& o) { return o.key == d.object; }) ||
                       v.veventqs.Any([&](const auto& o) { return o.key == d.object; });
    report(!present || !taken, "a DEVICE object's name is its own");
    const auto reaches =
        v.hwpts.Any([&](const HwptRow<D>& h) { return h.key == d.attached && h.smmu == d.smmu; }) ||
        v.nesteds.Any([&](const NestedRow<D>& n) {
          return n.key == d.attached && v.viommus.Any([&](const ViommuRow<D>& m) {
            return m.key == n.viommu && m.smmu == d.smmu;
          });
        });
    report(!present || d.attached == W(0) || reaches,
           "a device is attached to its own SMMU's HWPT");
  });
  v.devices.EachIndex([&](auto present, const DeviceRow<D>& d) {
    const auto routed = v.nesteds.Any(
        [&](const NestedRow<D>& n) { return n.key == d.attached && n.viommu == d.eventViommu; });
    report(!present || d.eventViommu == W(0) || routed,
           "events go to the vIOMMU that the device is attached beneath");
  });
  v.ioases.EachIndex([&](auto present, const IoasRow<D>& o) {
    report(!present || named(o.key), "an object has a name");
  });
  v.hwpts.EachIndex([&](auto present, const HwptRow<D>& h) {
    report(!present || (named(h.key) && same_context(h.key, h.ioas)),
           "an HWPT is in its IOAS's context");
    const auto stage2 = h.nestParent == W(1) && h.vmid != W(0) && h.asid == W(0);
    const auto stage1 = h.nestParent == W(0) && h.vmid == W(0) && h.asid != W(0);
    report(!present || stage2 || stage1, "a nest parent has a VMID, other HWPTs an ASID");
    const auto twin = v.hwpts.Any([&](const HwptRow<D>& o) {
      return o.key != h.key && o.ioas == h.ioas && o.smmu == h.smmu && o.automatic != W(0);
    });
    report(!present || h.automatic == W(0) || !twin, "an IOAS has one automatic HWPT an SMMU");
    report(!present || h.nestParent == W(0) || h.automatic == W(0),
           "a nest parent is made by hand");
  });
  v.nesteds.EachIndex([&](auto present, const NestedRow<D>& n) {
    report(!present || (named(n.key) && same_context(n.key, n.viommu)),
           "a nested HWPT is in its vIOMMU's context");
  });
  v.viommus.EachIndex([&](auto present, const ViommuRow<D>& m) {
    report(!present || (named(m.key) && same_context(m.key, m.hwpt)),
           "a vIOMMU is in its nest parent's context");
  });
  v.vdevices.EachIndex([&](auto present, const VdeviceRow<D>& vd) {
    report(!present || (named(vd.key) && same_context(vd.key, vd.viommu)),
           "a vDEVICE is in its vIOMMU's context");
  });
  v.veventqs.EachIndex([&](auto present, const VeventqRow<D>& q) {
    report(!present || (named(q.key) && same_context(q.key, q.viommu)),
           "a vEVENTQ is in its vIOMMU's context");
  });
  v.areas.EachIndex([&](auto present, const AreaRow<D>& a) {
    const auto aligned = (a.first & W(0xfff)) == W(0) && (a.last & W(0xfff)) == W(0xfff) &&
                         (a.va & W(0xfff)) == W(0) && (a.offset & W(0xfff)) == W(0);
    report(!present || a.pinned == W(0) || aligned, "a pinned area is whole pages");
    report(!present || a.va <= a.va + (a.last - a.first), "an area's memory does not wrap");
    // A bound: no map spans several mappings of its process.
    report(!present || (a.mapFirst == a.first && a.last == a.mapLast), "a map is one area");
    report(!present || (a.backing == W(0)) == (a.pinned == W(0)), "pinned memory is known");
    const auto charged = v.accounts.Any([&](const AccountRow<D>& o) { return o.key == a.account; });
    report(!present || a.account == W(0) || charged, "a charged area has an account");
  });
  v.accounts.EachIndex([&](auto present, const AccountRow<D>& a) {
    report(!present || a.key != W(0), "an account has a key");
  });
  v.tags.EachIndex([&](auto present, const TagRow<D>& t) {
    const auto twice =
        v.tags.Any([&](const TagRow<D>& o) { return o.owner == t.owner && o.key != t.key; });
    report(!present || !twice, "an HWPT has one tag");
  });
  v.retained.EachIndex([&](auto present, const RetainedRow<D>& r) {
    const auto pages =
        r.first <= r.last && (r.first & W(0xfff)) == W(0) && (r.last & W(0xfff)) == W(0xfff);
    report(!present || r.kind == W(kConfig) || r.kind == W(kCd) || pages,
           "a retained entry is whole pages");
    // The host's own tables have no bits here, so no pointer into them is retained.
    report(!present ||
               (r.kind >= W(kConfig) && r.kind <= W(kLeafCombined) && r.kind != W(kWalkStage2)),
           "a retained entry has a kind");
    const auto guest =
        r.kind == W(kLeafCombined) || r.kind == W(kLeafStage2) || r.kind == W(kWalkStage1);
    report(!present || !guest || r.vmid != W(0), "an entry of a guest has its VMID");
    const auto leaf1 = r.kind == W(kLeafCombined) || (r.kind == W(kLeafStage1) && r.vmid != W(0));
    report(!present || !leaf1 || (r.v0 & W(0xfff)) == W(0), "a stage-1 leaf gives whole pages");
    report(!present || r.vmid != W(0) || r.global == W(0), "an entry of the host has its ASID");
  });
}

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_SHAPE_H_
