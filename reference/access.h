// One device access of one page piece at stack level: stage 2 is the Areas, stage 1 is walked in
// guest memory, and each step may use a retained entry instead (design: "Permitted outcomes, the
// rule, once"). Access() only computes; Commit() then writes. So enumerating choices needs no undo.
#ifndef TWINWALK_REFERENCE_ACCESS_H_
#define TWINWALK_REFERENCE_ACCESS_H_

#include <algorithm>
#include <vector>

#include "reference/access_vtd.h"

namespace twinwalk::reference {

// The STE that the host writes for a nested HWPT that translates (hw 9).
template <class D>
StreamEntry<D> NestedSte(const NestedRow<D>& n, typename D::W vmid, const Idr& idr) {
  using W = typename D::W;
  const uint64_t size = std::min<uint64_t>(OutputBits(idr), 48);
  const uint64_t sl0 = size > 43 ? 2 : 1, code = std::min<uint32_t>(idr[5] & 7, 5);
  const uint64_t stage2 =
      (64 - size) << 32 | sl0 << 38 | code << 48 | uint64_t{1} << 51 | uint64_t{1} << 58;
  return DecodeSte<D>({n.ste0 | W(0xe), n.ste1, W(stage2) | vmid, W(0)}, idr);
}

// ---- The parts of an access ---------------------------------------------------------------------

template <class D>
void Ends(AccessOut<D>* out, const AccessIn<D>& in, typename D::W sid, const Fault<D>& fault,
          bool recorded) {
  using W = typename D::W;
  out->fault = fault;
  out->event = recorded ? fault.event : W(uint64_t{kAbortedSilently});
  if (recorded)
    out->record = RecordOf<D>(fault, sid, in.hasPasid, in.pasid, in.iova, in.write, false, false);
}

template <class D>
typename D::W NeedOf(const AccessIn<D>& in) {
  return typename D::W(uint64_t{in.write ? kWrite : kRead});
}

// By the host-owned stage alone, at `address`. Its faults carry S2 = `stage2`.
template <class D>
void AccessHost(Stack<D>& stack, const AccessIn<D>& in, typename D::W sid, const Idr& idr,
                bool stage2, AccessOut<D>* out) {
  using W = typename D::W;
  // Step 11: stage 2 only, and the address is none.
  if (stage2 && Exceeds(in.iova, W(OutputBits(idr))))
    return Ends(out, in, sid, FaultOf<D>(kAddrSize), true);
  const HostAnswer<D> a = stack.Translate(in.iova);
  const W need = NeedOf(in);
  const bool missing = a.found == W(0) ? true : false;
  if (!missing) stack.MadeHostLeaf(in.iova, a);
  if (missing || (a.rights & need) != need) {
    Fault<D> fault = FaultOf<D>(missing ? kTranslation : kPermission);
    fault.stage2 = W(stage2 ? 1 : 0);
    fault.word3 = stage2 ? in.iova & W(Mask(51, 12)) : W(0);
    return Ends(out, in, sid, fault, true);
  }
  stack.Reached(kDataAccess, in.iova, in.length, a.backing, a.At(in.iova), need, a.rights);
  out->backing = a.backing, out->offset = a.At(in.iova), out->rights = a.rights;
}

// By the guest's stage 1, then the host's stage 2.
template <class D>
void AccessNested(const Env<D>& env, Stack<D>& stack, const AccessIn<D>& in, typename D::W sid,
                  const StreamEntry<D>& ste, const Idr& idr, AccessOut<D>* out) {
  using W = typename D::W;
  const W need = NeedOf(in);
  const CdAnswer<D> found = FindCd<D>(stack, ste, idr, in.hasPasid, in.pasid);  // 6 to 8
  if (found.fault.event != W(0)) return Ends(out, in, sid, found.fault, true);
  if (found.bypass) return AccessHost(stack, in, sid, idr, true, out);
  // Stage-1 faults obey CD.R; stage 2's are always recorded (TRACE 4).
  const bool record = found.cd.record != W(0) ? true : false;
  const auto ends = [&](const Fault<D>& fault) {
    const bool stage2 = fault.stage2 != W(0) ? true : false;
    Ends(out, in, sid, fault, record || stage2);
  };
  const auto stage2_refuses = [&](uint64_t event, W ipa) {
    Fault<D> fault = FaultOf<D>(event);
    fault.stage2 = W(1);
    fault.word3 = ipa & W(Mask(51, 12));
    ends(fault);
  };
  const Half<D> half = PickHalf<D>(found.cd, in.iova);  // 9
  if (half.fault.event != W(0)) return ends(half.fault);
  if (const RetainedRow<D>* hit = stack.RetainedCombined(found.cd.asid, half.va)) {
    const W delta = half.va - hit->first;
    const W ipa = hit->v0 + delta;
    if ((hit->v1 & need) != need) return ends(FaultOf<D>(kPermission));
    if ((hit->rights & need) != need) return stage2_refuses(kPermission, ipa);
    stack.Reached(kDataAccess, ipa, in.length, hit->backing, hit->offset + delta, need,
                  hit->rights);
    out->backing = hit->backing, out->offset = hit->offset + delta, out->rights = hit->rights;
    return;
  }
  const Stage1Answer<D> s1 = WalkStage1<D>(stack, found.cd, half, UserPermissions<D>(need));  // 10
  if (s1.fault.event != W(0)) return ends(s1.fault);
  const HostAnswer<D> a = stack.Translate(s1.output);  // 11
  if (a.found == W(0)) return stage2_refuses(kTranslation, s1.output);
  W rights = UserRights<D>(s1.permissions) & a.rights;  // 12
  if (env.faults.wrongRightsAnd) rights = UserRights<D>(s1.permissions);
  stack.MadeHostLeaf(s1.output, a);
  stack.MadeCombined(found.cd.asid, half.va, s1, a, rights);
  if ((rights & need) != need) return stage2_refuses(kPermission, s1.output);
  stack.Reached(kDataAccess, s1.output, in.length, a.backing, a.At(s1.output), need, rights);
  out->backing = a.backing, out->offset = a.At(s1.output), out->rights = rights;
}

// The access of one piece; writes nothing. Choices are d's.
template <class D>
AccessOut<D> Access(const Env<D>& env, const State<D>& s, const AccessIn<D>& in) {
  using W = typename D::W;
  const View<D>& v = s.view;
  AccessOut<D> out;
  out.accesses.reserve(8), out.retained.reserve(12);  // of a nested walk
  out.event = W(uint64_t{kAbortedSilently});
  const DeviceRow<D>* device = v.devices.Find(in.device);
  if (device == nullptr) return out;
  if (IsVtd(env, device->smmu)) return AccessVtd(env, v, in, *device);
  // Steps 2, 3: which configuration. The host's own STEs: abort, stage 2, stage 1, or both.
  const RetainedRow<D>* config =
      env.d.Choose(v.retained, W(uint64_t{kConfig}), [&](const RetainedRow<D>& r) {
        return r.smmu == device->smmu && r.sid == device->sid && !env.host.Redundant(r);
      });
  const W owner = config != nullptr ? config->owner : device->attached;
  if (owner == W(0)) return out;
  size_t smmu = 0;  // native from here: its IDRs shape the walk
  for (size_t i = 1; i < env.world.smmus.size(); ++i)
    if (device->smmu == W(uint64_t{i})) smmu = i;
  const Idr& idr = env.world.smmus[smmu].idr;
  const NestedRow<D>* nested = v.nesteds.Find(owner);
  W paging = owner;
  if (nested != nullptr) {
    const W viommu = nested->viommu;
    paging = v.viommus.Sum([&](const ViommuRow<D>& m) { return m.key == viommu; },
                           [](const ViommuRow<D>& m) { return m.hwpt; });
  }
  const HwptRow<D>* host = v.hwpts.Find(paging);
  if (host == nullptr) return out;
  RetainedRow<D> row;
  row.kind = W(uint64_t{kConfig});
  row.smmu = device->smmu, row.sid = device->sid, row.owner = owner;

  Stack<D> stack(env, v, *device, owner, *host, &out);
  if (nested != nullptr) {
    const W guest = (nested->ste0 >> W(1)) & W(7);
    const bool valid = (nested->ste0 & W(1)) != W(0) ? true : false;
    if (!valid || (guest != W(4) && guest != W(5))) return out;  // abort
    out.event = W(0);
    out.retained.push_back(row);
    if (guest == W(5)) {
      const StreamEntry<D> ste = NestedSte<D>(*nested, host->vmid, idr);
      if (ste.verdict != W(0)) {
        Ends(&out, in, device->sid, FaultOf<D>(kBadSte), true);
      } else {
        AccessNested(env, stack, in, device->sid, ste, idr, &out);
      }
      return out;
    }
  } else {
    out.event = W(0);
    out.retained.push_back(row);
  }
  const bool stage2 = host->nestParent != W(0) ? true : false;
  if (in.hasPasid) {  // 5, 6: stage 1 is off, or has one CD
    Ends(&out, in, device->sid, FaultOf<D>(kBadSubstreamId), true);
  } else {
    AccessHost(stack, in, device->sid, idr, stage2, &out);
  }
  return out;
}

// ---- What an access leaves behind ---------------------------------------------------------------

// A fault record where software finds it. lost: counted, not delivered.
template <class D>
struct Delivered {
  using W = typename D::W;
  W queue{0}, position{0};
  std::array<W, 4> words{W(0), W(0), W(0), W(0)};
  bool lost = false;
};

// TRACE 4, iommufd 16: to the vEVENTQ of the device's vIOMMU, else to the host's log.
template <class D>
Delivered<D> Deliver(const Env<D>& env, const State<D>& s, Veventqs<D>& veventqs, HostLog<D>& log,
                     Events<D>& events, typename D::W device_key, const Fault<D>& fault,
                     const std::array<typename D::W, 4>& words) {
  using W = typename D::W;
  const View<D>& v = s.view;
  const DeviceRow<D>& device = *v.devices.Find(device_key);
  W viommu = device.eventViommu, virt = device.eventVirtId;
  if (!env.world.rules.eventVsidFrozenAtAttach) {
    const W now = v.nesteds.Sum([&](const NestedRow<D>& n) { return n.key == device.attached; },
                                [](const NestedRow<D>& n) { return n.viommu; });
    const auto mine = [&](const VdeviceRow<D>& vd) {
      return vd.device == device.key && vd.viommu == now;
    };
    viommu = D::Sel(v.vdevices.Any(mine), now, W(0));
    virt = v.vdevices.Sum(mine, [](const VdeviceRow<D>& vd) { return vd.virtId; }) & W(0xffffffff);
  }
  Delivered<D> out;
  out.words = words;
  EventRow<D> row;
  row.device = device.key;
  VeventqRow<D>* queue = veventqs.Pick([&](const VeventqRow<D>& q) {
    return fault.stage2 == W(0) && viommu != W(0) && q.viommu == viommu && q.type == W(1);
  });
  if (queue == nullptr) {
    out.position = log.next;
    log.next = log.next + W(1);
    row.streamId = device.sid;
    row.sequence = out.position;
    events.Insert(row);
    return out;
  }
  out.queue = queue->key;
  out.position = queue->sequence;
  queue->sequence = (queue->sequence + W(1)) & W(0x7fffffff);
  if (queue->count >= queue->depth) {
    out.words = {W(0), W(0), W(0), W(0)};
    out.lost = true;
    queue->lost = W(1);
    return out;
  }
  out.words[0] = (words[0] & W(0xffffffff)) | virt << W(32);
  queue->count = queue->count + W(1);
  queue->lost = W(0);
  row.queue = queue->key;
  row.streamId = virt;
  row.sequence = out.position;
  events.Insert(row);
  return out;
}

// Writes what one access left: memory reached, entries retained, and `copies` of its record (one
// unless the bus splits the access: TRACE 4), `stride` bytes apart.
template <class D>
std::vector<Delivered<D>> Commit(const Env<D>& env, const State<D>& s, Retaineds<D>& retained,
                                 Accesses<D>& accesses, Veventqs<D>& veventqs, HostLog<D>& log,
                                 Events<D>& events, const AccessIn<D>& in, const AccessOut<D>& out,
                                 uint64_t copies = 1, uint64_t stride = 0) {
  using W = typename D::W;
  for (const RetainedRow<D>& row : out.retained) retained.Insert(row);
  for (const AccessRow<D>& row : out.accesses) accesses.Insert(row);
  std::vector<Delivered<D>> delivered;
  if (out.event == W(0) || out.event == W(uint64_t{kAbortedSilently})) return delivered;
  bool addressed = false;
  if (!out.vtd) addressed = out.fault.event >= W(uint64_t{kTranslation}) ? true : false;
  for (uint64_t i = 0; i < copies; ++i) {
    std::array<W, 4> words = out.record;
    if (addressed) words[2] = words[2] + W(i * stride);
    delivered.push_back(Deliver(env, s, veventqs, log, events, in.device, out.fault, words));
  }
  return delivered;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_ACCESS_H_
