// What a VT-d unit may still use although it changed, and which invalidation ends it: the table of
// hw-vtd 8, 9 and "What may be stale", row by row. Covers() is minimal: it says what a completed
// descriptor *must* have removed (completed: a later wait descriptor is). Over the domain.
//
// Rows, and their tags (smmu: the unit; vmid: the DID; asid and ssid: a PASID):
//   kConfig, v0 = 0  a context entry, by (unit, sid); DID for the domain-selective flush
//   kConfig, v0 = 1  a PASID table entry, by (unit, sid, PASID), with its DID (scalable mode)
//   kWalkStage2      a second-stage entry that is no leaf, by (unit, DID, range)
//   kLeafStage2      a second-stage leaf, or pass-through, by (unit, DID, range); sid is no tag:
//                    devices of one DID share them
//   kWalkStage1, kLeafStage1, kLeafCombined
//                    first stage and nested, by (unit, DID, PASID, range)
// An access (access_vtd.h) adds the first and the fourth only: tables of the host have no bits
// here, and first stage is not walked yet. With CM = 0 nothing that is not present is ever
// retained. With CM = 1 it may be, under DID 0 when unknown; but then whoever makes an entry
// present flushes it before its ioctl returns (driver habit), so that no such row would outlive an
// Op: none is made. Device TLBs outlive all of this; the devices here have none.
#ifndef TWINWALK_REFERENCE_CACHE_VTD_H_
#define TWINWALK_REFERENCE_CACHE_VTD_H_

#include "reference/decode_vtd.h"
#include "reference/state.h"

namespace twinwalk::reference {

// A descriptor in the queue of one unit.
template <class D>
struct VtdCommand {
  typename D::W unit{0};
  VtdInvalidation<D> what;
};

// hw-vtd 8: function bits of a SID that FM leaves open.
template <class D>
typename D::W VtdOpenBits(typename D::W function_mask) {
  using W = typename D::W;
  return D::Sel(function_mask == W(0), W(0),
                D::Sel(function_mask == W(1), W(4), D::Sel(function_mask == W(2), W(6), W(7))));
}

// Whether the completed `c` must have removed `r`.
template <class D>
typename D::B Covers(const VtdCommand<D>& c, const RetainedRow<D>& r) {
  using W = typename D::W;
  using B = typename D::B;
  const VtdInvalidation<D>& what = c.what;
  const auto is = [&](uint64_t type, uint64_t granularity) {
    return what.type == W(type) && what.granularity == W(granularity);
  };
  const B config = r.kind == W(kConfig);
  const B pasid_entry = config && r.v0 != W(0);
  const B walk2 = r.kind == W(kWalkStage2), stage2 = walk2 || r.kind == W(kLeafStage2);
  const B walk1 = r.kind == W(kWalkStage1);
  const B stage1 = walk1 || r.kind == W(kLeafStage1) || r.kind == W(kLeafCombined);
  const B domain = r.vmid == what.did;
  const B pasid = r.asid == what.pasid;

  // Any part of a larger page; IH: what is no leaf may stay.
  const B meets = r.first <= what.last && what.first <= r.last;
  const B deep = what.leafOnly == W(0);
  const B hit2 = stage2 && meets && (!walk2 || deep);
  const B hit1 = stage1 && meets && (!walk1 || deep);

  const W open = VtdOpenBits<D>(what.functionMask);
  const B sid = (r.sid | open) == (what.sid | open);
  const B context =
      // Context, global. In scalable mode the PASID entries behind go along.
      (is(kVtdContext, kVtdGlobal) && config) ||
      // Context, domain: by the DID that the entry held.
      (is(kVtdContext, kVtdDomain) && config && domain) ||
      // Context, device: SID under its function mask.
      (is(kVtdContext, kVtdDevice) && config && sid);
  const B pasids =
      // PASID cache, all; of a domain; one PASID in a domain. Context entries stay.
      (is(kVtdPasidCache, kVtdAllPasids) && pasid_entry) ||
      (is(kVtdPasidCache, kVtdPasidsOfDomain) && pasid_entry && domain) ||
      (is(kVtdPasidCache, kVtdOnePasid) && pasid_entry && domain && r.ssid == what.pasid);
  const B iotlb =
      // IOTLB, global: everything.
      (is(kVtdIotlb, kVtdGlobal) && (stage1 || stage2)) ||
      // IOTLB, domain: every entry with the DID, of whatever type.
      (is(kVtdIotlb, kVtdDomain) && domain && (stage1 || stage2)) ||
      // IOTLB, page: second stage in the range; first stage and nested have no address to go by.
      (is(kVtdIotlb, kVtdPage) && domain && (stage1 || hit2)) ||
      // P-IOTLB: first stage and nested of (DID, PASID); page: in the range.
      (is(kVtdPasidIotlb, kVtdAllOfPasid) && domain && pasid && stage1) ||
      (is(kVtdPasidIotlb, kVtdPage) && domain && pasid && hit1);
  return what.legal != W(0) && r.smmu == c.unit && (context || pasids || iotlb);
}

// ---- Descriptors that the host makes ------------------------------------------------------------

template <class D>
VtdCommand<D> HostVtd(uint64_t type, uint64_t granularity, typename D::W unit) {
  using W = typename D::W;
  VtdCommand<D> c;
  c.unit = unit;
  c.what.legal = W(1), c.what.type = W(type), c.what.granularity = W(granularity);
  return c;
}
// IOTLB of a domain: all of it, or as many page-selective descriptors as first..last takes.
template <class D>
VtdCommand<D> HostIotlb(const HwptRow<D>& h) {
  VtdCommand<D> c = HostVtd<D>(kVtdIotlb, kVtdDomain, h.smmu);
  c.what.did = h.vmid;
  return c;
}
template <class D>
VtdCommand<D> HostIotlb(const HwptRow<D>& h, typename D::W first, typename D::W last) {
  VtdCommand<D> c = HostVtd<D>(kVtdIotlb, kVtdPage, h.smmu);
  c.what.did = h.vmid;
  c.what.first = first, c.what.last = last;
  return c;
}
// The context entry of a device, device-selective.
template <class D>
VtdCommand<D> HostContext(const DeviceRow<D>& device) {
  VtdCommand<D> c = HostVtd<D>(kVtdContext, kVtdDevice, device.smmu);
  c.what.sid = device.sid;
  return c;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_CACHE_VTD_H_
