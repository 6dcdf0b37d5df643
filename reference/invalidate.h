// HWPT_INVALIDATE on a vIOMMU: a guest's own commands (iommufd 13, Observed 2..5; hw 7, 9; TRACE
// 3).
#ifndef TWINWALK_REFERENCE_INVALIDATE_H_
#define TWINWALK_REFERENCE_INVALIDATE_H_

#include "reference/args.h"
#include "reference/cache_smmuv3.h"
#include "reference/lookup.h"

namespace twinwalk::reference {

// One command of a vIOMMU as the hardware will get it.
template <class D>
struct Prepared {
  Command<D> command;
  CommandRow<D> row;
};

// A bad command: EIO. Else what to execute.
template <class D>
bool Prepare(const Env<D>& env, const View<D>& v, const ViommuRow<D>& viommu,
             const std::array<typename D::W, 2>& words, bool ril, Prepared<D>* out) {
  using W = typename D::W;
  const W vmid = v.hwpts.Sum([&](const HwptRow<D>& h) { return h.key == viommu.hwpt; },
                             [](const HwptRow<D>& h) { return h.vmid; });
  const HostCommand<D> host = TranslateCommand<D>(words[0], words[1], vmid,
                                                  env.world.rules.reservedCommandBitsRefused, ril);
  if (host.allowed == W(0)) return false;
  W word0 = host.word0;
  out->row.viommu = viommu.key;
  out->row.smmu = viommu.smmu;
  out->row.opcode = host.word0 & W(0xff);
  if (host.needsStream != W(0)) {
    const W virt = StreamOf(words[0]);
    const VdeviceRow<D>* vdevice = v.vdevices.Pick(
        [&](const VdeviceRow<D>& vd) { return vd.viommu == viommu.key && vd.virtId == virt; });
    if (vdevice == nullptr) return false;
    const W device = vdevice->device;
    const W sid = v.devices.Sum([&](const DeviceRow<D>& d) { return d.key == device; },
                                [](const DeviceRow<D>& d) { return d.sid; });
    word0 = (word0 & W(0xffffffff)) | sid << W(32);
    out->row.sid = sid;
    out->row.virtId = virt;
  } else {
    out->row.vmid = vmid;
  }
  out->command = DecodeCommand<D>(viommu.smmu, word0, host.word1, ril);
  return true;
}

template <class D>
void Execute(const Env<D>& env, Retaineds<D>& retained, Commands<D>& commands,
             const Prepared<D>& one) {
  using W = typename D::W;
  using B = typename D::B;
  const Command<D>& c = one.command;
  const auto announce = [&](B when, InvScope scope, W vmid, W asid) {
    MicroStep<W> step{};
    step.kind = MicroStepKind::kInvIssued;
    step.scope = scope;
    step.tag.smmu = c.smmu, step.tag.vmid = vmid, step.tag.asid = asid;
    step.first = c.first, step.last = c.last, step.sid = c.sid;
    env.host.Announce(when, step);
    step.kind = MicroStepKind::kInvDone;
    env.host.Announce(when, step);
  };
  const auto op = [&](uint64_t code) { return c.opcode == W(code); };
  announce(op(kTlbiNhAll), InvScope::kStage1Vmid, c.vmid, W(0));
  announce(op(kTlbiNhAsid), InvScope::kAsid, c.vmid, c.asid);
  announce(op(kTlbiNhVa), InvScope::kVaRange, c.vmid, c.asid);
  announce(op(kTlbiNhVaa), InvScope::kVaRangeAllAsid, c.vmid, W(0));
  announce(op(kCfgiCd) || op(kCfgiCdAll), InvScope::kConfig, W(0), W(0));
  retained.EraseWhere([&](const RetainedRow<D>& r) { return Covers(c, r); });
  commands.Insert(one.row);
}

template <class D>
Result<D> HwptInvalidate(const Env<D>& env, const State<D>& s, Retaineds<D>& retained,
                         Commands<D>& commands, const HwptInvalidateIn<D>& in) {
  using W = typename D::W;
  constexpr size_t kBatch = 63;
  const View<D>& v = s.view;
  if (in.reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.entryNum != W(0) &&
      (in.nullPtr || in.entryLen == W(0) || in.entryLen > W(4096) || in.entryNum > W(1 << 19)))
    return Fail<D>(EINVAL);
  const W key = NameOf(in.context, in.hwptId);
  const auto is = [&](const auto& row) { return row.key == key; };
  if (v.nesteds.Any(is)) return Fail<D>(EOPNOTSUPP);
  const ViommuRow<D>* found = v.viommus.Pick(is);
  if (found == nullptr) {
    const auto other = v.ioases.Any(is) || v.hwpts.Any(is) || v.vdevices.Any(is) ||
                       v.veventqs.Any(is) || s.faults.Any(is) ||
                       v.devices.Any([&](const DeviceRow<D>& d) { return d.object == key; });
    return Fail<D>(other ? EINVAL : ENOENT);
  }
  const ViommuRow<D> viommu = *found;
  if (in.entryNum > W(262144)) {
    Result<D> r = Fail<D>(ENOMEM);
    if (env.world.rules.hugeArrayKeepsEntryNum) r.values[0] = in.entryNum;
    return r;
  }
  if (in.entryNum == W(0) || in.dataType != W(1)) return Fail<D>(EINVAL);
  if (in.copyError != 0) return Fail<D>(static_cast<int>(in.copyError));

  const bool ril =
      OfSmmu(env, viommu.smmu, [](const SmmuConfig& c) { return c.idr[3] >> 10 & 1; }) != W(0)
          ? true
          : false;
  const size_t total = in.commands.size();
  for (size_t begin = 0; begin < total; begin += kBatch) {
    const size_t end = begin + kBatch < total ? begin + kBatch : total;
    std::vector<Prepared<D>> batch;
    size_t good = begin;
    for (; good < end; ++good) {
      Prepared<D> one;
      if (!Prepare(env, v, viommu, in.commands[good], ril, &one)) break;
      batch.push_back(one);
    }
    if (good == end || !env.world.rules.badCommandDropsBatch)
      for (const Prepared<D>& one : batch) Execute(env, retained, commands, one);
    if (good != end) {
      Result<D> r = Fail<D>(EIO);
      r.values[0] = W(uint64_t{good});
      return r;
    }
  }
  Result<D> r;
  r.values[0] = W(uint64_t{total});
  return r;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_INVALIDATE_H_
