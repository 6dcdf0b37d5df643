#include "reference/reference.h"

#include "reference/shell.h"

namespace twinwalk {

std::unique_ptr<PermittingMachine> MakeReference(const ReferenceFaults& faults) {
  return std::make_unique<reference::Shell>(faults);
}

namespace reference {

void Shell::Reset(const World& world) {
  world_ = world;
  d_ = Concrete();
  s_ = State<Concrete>();
  processes_.Reset(world.processes);
  records_.clear();
  groups_ = Groups(world);
  open_groups_.clear();
  vfio_devices_.clear();
  last_context_ = 0;
  pinned_bound_ = 0;
  for (size_t i = 0; i < world.devices.size(); ++i) {
    const DeviceConfig& config = world.devices[i];
    DeviceRow<Real> row;
    row.key = i + 1;
    row.smmu = config.smmu, row.sid = config.streamId, row.group = groups_.OfDevice(i);
    vfio_devices_.emplace_back(config.vfio);
    s_.view.devices.Insert(row);
  }
  for (const ProcessConfig& process : world.processes) {
    const uint64_t key = uint64_t{process.uid} + 1;
    AccountRow<Real>* row = s_.view.accounts.Find(key);
    if (row == nullptr) {
      AccountRow<Real> fresh;
      fresh.key = key;
      row = s_.view.accounts.Insert(fresh);
    }
    row->limit = std::max(row->limit, process.memlockPages);
  }
}

Outcome Shell::Step(const Op& op) {
  BeginOp(s_);
  return Dispatch(op);
}

// One switch over OpKind, no default: the compiler names what a new Op still needs.
Outcome Shell::Dispatch(const Op& op) {
  Outcome refused;
  if (op.kind == OpKind::kDma) return DoDma(op, nullptr).outcome;
  if (op.kind == OpKind::kFailAlloc) {
    s_.allocator.failIn = op.failAlloc.nth;
    return Outcome();
  }
  if (op.process >= world_.processes.size()) return refused.err = EINVAL, refused;
  if (!processes_.Alive(op.process)) return refused.err = ESRCH, refused;
  if (UsesFd(op.kind) && op.kind != OpKind::kPoll && op.kind != OpKind::kMmap &&
      processes_.Find(op.process, op.fd) == nullptr)
    return refused.err = EBADF, refused;
  switch (op.kind) {
    case OpKind::kRaw:
      return refused.err = ENOTTY, refused;
    case OpKind::kOpen:
      return DoOpen(op);
    case OpKind::kClose:
      return DoClose(op);
    case OpKind::kDup:
      return DoDup(op);
    case OpKind::kRead:
      return DoRead(op);
    case OpKind::kPoll:
      return DoPoll(op);
    case OpKind::kMmap:
      return DoMmap(op);
    case OpKind::kMunmap:
      return DoMunmap(op);
    case OpKind::kMemfd:
      return DoMemfd(op);
    case OpKind::kMemWrite:
      return DoMemWrite(op);
    case OpKind::kBindIommufd:
    case OpKind::kAttachIommufdPt:
    case OpKind::kDetachIommufdPt:
    case OpKind::kIoasAlloc:
    case OpKind::kIoasMap:
    case OpKind::kIoasUnmap:
    case OpKind::kIoasIovaRanges:
    case OpKind::kGetHwInfo:
    case OpKind::kHwptAlloc:
    case OpKind::kViommuAlloc:
    case OpKind::kVdeviceAlloc:
    case OpKind::kVeventqAlloc:
    case OpKind::kHwptInvalidate:
    case OpKind::kDestroy:
    case OpKind::kIoasAllowIovas:
    case OpKind::kIoasCopy:
    case OpKind::kIoasMapFile:
    case OpKind::kIommuOption:
    case OpKind::kVfioIoas:
    case OpKind::kHwptSetDirty:
    case OpKind::kHwptGetDirty:
    case OpKind::kFaultQueueAlloc:
    case OpKind::kIoasChangeProcess:
      return DoIoctl(op);
    case OpKind::kWrite:
    case OpKind::kEventfd:
    case OpKind::kFork:
    case OpKind::kExec:
    case OpKind::kExit:
    case OpKind::kPassFd:
    case OpKind::kSetrlimit:
      return DoLife(op);
    case OpKind::kVfioGetApiVersion:
    case OpKind::kVfioCheckExtension:
    case OpKind::kVfioSetIommu:
    case OpKind::kVfioIommuGetInfo:
    case OpKind::kVfioIommuMapDma:
    case OpKind::kVfioIommuUnmapDma:
    case OpKind::kVfioIommuDirtyPages:
    case OpKind::kVfioGroupGetStatus:
    case OpKind::kVfioGroupSetContainer:
    case OpKind::kVfioGroupUnsetContainer:
    case OpKind::kVfioGroupGetDeviceFd:
    case OpKind::kVfioDeviceGetInfo:
    case OpKind::kVfioDeviceGetRegionInfo:
    case OpKind::kVfioDeviceGetIrqInfo:
    case OpKind::kVfioDeviceSetIrqs:
    case OpKind::kVfioDeviceReset:
    case OpKind::kVfioPciHotResetInfo:
    case OpKind::kVfioPciHotReset:
    case OpKind::kVfioDeviceIoeventfd:
    case OpKind::kVfioDeviceFeature:
      return DoVfio(op);
    case OpKind::kDma:
    case OpKind::kFailAlloc:
      return refused;  // above
  }
  return refused;
}

void Shell::GetView(ViewScope, View<Concrete>* view) const {
  *view = s_.view;
  view->complete = true;
}

GuidedStep Shell::StepTowards(const Op& op, const Outcome& wanted) {
  BeginOp(s_);
  if (op.kind == OpKind::kDma) return DoDma(op, &wanted);
  GuidedStep step;
  step.outcome = Dispatch(op);
  const Outcome& is = step.outcome;
  const auto differs = [&](uint16_t known, bool same) { return (wanted.known & known) && !same; };
  if (differs(Outcome::kErr, is.err == wanted.err) ||
      differs(Outcome::kRet, is.ret == wanted.ret) ||
      differs(Outcome::kValues, is.values == wanted.values) ||
      differs(Outcome::kOut, is.out == wanted.out))
    step.match = Match::kDifferent;
  return step;
}

// ---- Host ---------------------------------------------------------------------------------------

void Shell::Announce(bool when, const MicroStep<uint64_t>& step) {
  if (when && step.kind == MicroStepKind::kPagePinned) pinned_bound_ += (step.length >> 12) + 2;
  if (when && observer_ != nullptr) observer_->OnMicroStep(step);
}

std::vector<Run<Concrete>> Shell::Resolve(uint64_t process, uint64_t va, uint64_t length,
                                          uint64_t rights) {
  return processes_.Resolve(process - 1, va, length,
                            kProtRead | ((rights & kWrite) != 0 ? kProtWrite : 0),
                            (rights & kOrRegisters) != 0);
}

std::vector<Run<Concrete>> Shell::ResolveFile(uint64_t file, uint64_t offset, uint64_t length) {
  const uint64_t bytes = processes_.FileLength(file);
  if (offset > bytes || length > bytes - offset) return {};
  Run<Real> run;
  run.length = length, run.backing = file, run.offset = offset;
  return {run};
}

uint64_t Shell::ReadGuest(uint64_t backing, uint64_t offset) {
  return processes_.Read64(backing, offset);
}

// Choosing such a row leads where present memory leads, so the search skips it.
bool Shell::Redundant(const RetainedRow<Concrete>& r) {
  const View<Real>& v = s_.view;
  const bool host_stage1 = r.kind == kLeafStage1 && r.vmid == 0;
  bool redundant = false;
  if (r.kind == kLeafStage2 || host_stage1) {  // of an Area as it is now
    redundant = v.hwpts.Any([&](const HwptRow<Real>& h) {
      return h.smmu == r.smmu && h.vmid == r.vmid && (!host_stage1 || h.asid == r.asid) &&
             v.areas.AnyContaining(h.ioas, r.first, [&](const AreaRow<Real>& a) {
               const bool readable = host_stage1 && (a.rights & kWrite) != 0;  // as in stack.h
               const uint64_t rights = readable ? a.rights | kRead : a.rights;
               return r.last <= a.last && a.backing == r.backing && rights == r.rights &&
                      a.offset + (r.first - a.first) == r.offset;
             });
    });
  }
  if (r.kind == kConfig) {  // of the attachment in force
    redundant = v.devices.Any([&](const DeviceRow<Real>& d) {
      return d.smmu == r.smmu && d.sid == r.sid && d.attached == r.owner;
    });
  }
  if (!redundant) met_.push_back(&r);
  return redundant;
}

}  // namespace reference
}  // namespace twinwalk
