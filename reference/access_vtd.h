// One device access of one page piece behind a VT-d unit, at stack level: second stage is the Areas
// of the domain, in the sheet's order of checks (hw-vtd, "Required order"). The host writes context
// and PASID entries and no PASID but the device's own is ever set up, so that much of the order
// cannot fail. An attached device's entries name tables as wide as the unit has; a blocked device's
// context entry is not present. As access.h, this only computes.
#ifndef TWINWALK_REFERENCE_ACCESS_VTD_H_
#define TWINWALK_REFERENCE_ACCESS_VTD_H_

#include "reference/stack.h"
#include "reference/walk_vtd.h"

namespace twinwalk::reference {

template <class D>
AccessOut<D> AccessVtd(const Env<D>& env, const View<D>& v, const AccessIn<D>& in,
                       const DeviceRow<D>& device) {
  using W = typename D::W;
  AccessOut<D> out;
  out.vtd = true;
  out.event = W(uint64_t{kAbortedSilently});
  // 1: an interrupt request reaches no memory, and interrupt remapping is not modelled.
  if (VtdTouchesInterrupts(in.iova, in.iova + (in.length - W(1)))) return out;
  const W mode = OfVtd(env, device.smmu, [](const VtdConfig& c) { return c.scalable ? 1u : 0u; });
  const bool scalable = mode != W(0) ? true : false;
  const VtdReasons& reasons = scalable ? kVtdScalable : kVtdLegacy;
  const auto ends = [&](uint64_t reason) {
    out.event = out.fault.event = W(reason);
    const auto record = VtdRecordOf<D>(W(reason), device.sid, in.hasPasid, in.pasid, in.iova,
                                       in.write, in.privileged, in.instruction);
    out.record = {record[0], record[1], W(0), W(0)};
    return out;
  };
  // 2.
  if (in.hasPasid && !scalable) return ends(kVtdLegacyPasid);
  const RetainedRow<D>* config =
      env.d.Choose(v.retained, W(uint64_t{kConfig}), [&](const RetainedRow<D>& r) {
        return r.smmu == device.smmu && r.sid == device.sid && !env.host.Redundant(r);
      });
  const W owner = config != nullptr ? config->owner : device.attached;
  if (owner == W(0)) return ends(scalable ? kVtdSmContextNotPresent : kVtdContextNotPresent);
  const HwptRow<D>* domain = v.hwpts.Find(owner);
  if (domain == nullptr) return out;  // not reached: what an attachment names is there
  RetainedRow<D> row;
  row.kind = W(uint64_t{kConfig});
  row.smmu = device.smmu, row.sid = device.sid, row.owner = owner;
  row.vmid = domain->vmid;
  out.retained.push_back(row);
  // 3.
  if (in.hasPasid) return ends(kVtdNoPasids);
  // 2 and 5: second stage.
  if (in.iova > ApertureLast(env, device.smmu, W(0))) return ends(reasons.width);
  Stack<D> stack(env, v, device, owner, *domain, &out);
  const HostAnswer<D> a = stack.Translate(in.iova);
  if (a.found == W(0)) return ends(VtdNotPresent(reasons, in.write));
  stack.MadeHostLeaf(in.iova, a);
  const W need = W(uint64_t{in.write ? kWrite : kRead});
  if ((a.rights & need) != need) return ends(VtdNoRight(reasons, in.write));
  out.event = W(0);
  stack.Reached(kDataAccess, in.iova, in.length, a.backing, a.At(in.iova), need, a.rights);
  out.backing = a.backing, out.offset = a.At(in.iova), out.rights = a.rights;
  return out;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_ACCESS_VTD_H_
