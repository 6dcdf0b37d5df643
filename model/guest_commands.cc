// A guest's invalidation commands: filtered, given the host's VMID and stream id, run in batches
// (SMMUv3 sheet 9; iommufd sheet, Observed 3, 4, 6).
#include <algorithm>
#include <cerrno>

#include "model/stack.h"

namespace twinwalk::model {
namespace {

constexpr size_t kBatch = 63;  // commands between two SYNCs

// A command of a batch, ready for the queue.
struct Ready {
  Command command;
  CommandRow<Concrete> row;
};

}  // namespace

int Stack::RunGuestCommands(Viommu* viommu, const std::vector<Command>& commands_in,
                            uint32_t* handled) {
  Smmu& smmu = smmus_[viommu->smmu];
  const bool strict = world_.rules.reservedCommandBitsRefused && !faults_.m23ReservedBitsPass;
  const auto prepare = [&](const Command& in, Ready* out) {
    const HostCommand<Concrete> host =
        TranslateCommand<Concrete>(in.word0, in.word1, viommu->parent->vmid, strict);
    if (host.allowed == 0) return false;
    out->command = {host.word0, host.word1};
    if (faults_.m22GuestVmidForwarded && host.needsStream == 0) out->command.word0 = in.word0;
    out->row.viommu = viommu->key();
    out->row.smmu = viommu->smmu;
    out->row.opcode = host.word0 & 0xff;
    if (host.needsStream == 0) {
      out->row.vmid = out->command.word0 >> 32 & 0xffff;
      return true;
    }
    out->row.virtId = in.word0 >> 32;
    for (const Vdevice* vdevice : viommu->vdevices) {
      if (vdevice->virtId != out->row.virtId) continue;
      out->row.sid = devices_[vdevice->device].config.streamId;
      out->command.word0 = (host.word0 & 0xffffffff) | out->row.sid << 32;
      return true;
    }
    return false;
  };
  const auto expect = [&](const Ready& ready) {
    const Command& c = ready.command;
    MicroStep<uint64_t> step;
    step.tag = {viommu->smmu, c.word0 >> 32 & 0xffff, 0};
    step.scope = InvScope::kStage1Vmid;
    switch (c.word0 & 0xff) {
      case kTlbiNhVa:
      case kTlbiNhAsid:
        step.tag.asid = c.word0 >> 48;
        step.scope = (c.word0 & 0xff) == kTlbiNhVa ? InvScope::kVaRange : InvScope::kAsid;
        break;
      case kTlbiNhVaa:
        step.scope = InvScope::kVaRangeAllAsid;
        break;
      case kCfgiCd:
      case kCfgiCdAll:
        step.scope = InvScope::kConfig;
        step.tag = {viommu->smmu, 0, 0};
        step.sid = ready.row.sid;
        break;
      case kAtcInv:
        return;
      default:
        break;
    }
    if (step.scope == InvScope::kVaRange || step.scope == InvScope::kVaRangeAllAsid)
      CommandRange<Concrete>(c.word0, c.word1, &step.first, &step.last);
    smmu.Expect(step);
  };

  std::vector<Ready> batch;
  for (size_t begin = 0; begin < commands_in.size(); begin += kBatch) {
    const size_t end = std::min(begin + kBatch, commands_in.size());
    batch.clear();
    size_t at = begin;
    for (; at < end; ++at) {
      Ready ready;
      if (!prepare(commands_in[at], &ready)) break;
      batch.push_back(ready);
    }
    const bool bad = at < end;
    if (bad && world_.rules.badCommandDropsBatch) batch.clear();
    for (const Ready& ready : batch) {
      expect(ready);
      smmu.Submit(ready.command);
      commands.push_back(ready.row);
    }
    if (!batch.empty()) smmu.Sync();
    *handled = static_cast<uint32_t>(at);
    if (bad) return EIO;
  }
  return 0;
}

}  // namespace twinwalk::model
