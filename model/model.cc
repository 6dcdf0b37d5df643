#include "model/model.h"

#include "model/compat.h"
#include "model/front.h"
#include "model/rows.h"

namespace twinwalk {
namespace model {
namespace {

class Model final : public Machine {
 public:
  explicit Model(const ModelFaults& faults) : stack_(faults) {}
  const char* name() const override { return "model"; }
  void Reset(const World& world) override { stack_.Reset(world); }
  void SetObserver(MicroStepObserver* observer) override { stack_.SetObserver(observer); }
  void GetView(ViewScope scope, View<Concrete>* view) const override {
    FillView(stack_, scope, view);
  }
  Outcome Peek(const Op& op) const override { return stack_.PeekDma(op); }

  Outcome Step(const Op& op) override {
    stack_.ForgetLast();
    if (op.kind != OpKind::kDma && op.kind != OpKind::kFailAlloc &&
        op.process >= stack_.world().processes.size())
      return Fail(EINVAL);
    if (op.kind != OpKind::kDma && op.kind != OpKind::kFailAlloc &&
        !stack_.process(op.process).alive)
      return Fail(ESRCH);
    switch (op.kind) {
      case OpKind::kRaw:
        return Fail(File(op) == nullptr ? EBADF : ENOTTY);
      case OpKind::kOpen:
        return OpenNode(&stack_, op);
      case OpKind::kClose:
        return CloseFd(&stack_, op);
      case OpKind::kDup:
        return DupFd(&stack_, op);
      case OpKind::kBindIommufd:
        return OnCdev(op, BindIommufd);
      case OpKind::kAttachIommufdPt:
        return OnCdev(op, AttachIommufdPt);
      case OpKind::kDetachIommufdPt:
        return OnCdev(op, DetachIommufdPt);
      case OpKind::kIoasAlloc:
        return OnIommufd(op, IoasAlloc);
      case OpKind::kIoasMap:
        return OnIommufd(op, IoasMap);
      case OpKind::kIoasUnmap:
        return OnIommufd(op, IoasUnmap);
      case OpKind::kIoasIovaRanges:
        return OnIommufd(op, IoasIovaRanges);
      case OpKind::kGetHwInfo:
        return OnIommufd(op, GetHwInfo);
      case OpKind::kHwptAlloc:
        return OnIommufd(op, HwptAlloc);
      case OpKind::kViommuAlloc:
        return OnIommufd(op, ViommuAlloc);
      case OpKind::kVdeviceAlloc:
        return OnIommufd(op, VdeviceAlloc);
      case OpKind::kVeventqAlloc:
        return OnIommufd(op, VeventqAlloc);
      case OpKind::kHwptInvalidate:
        return OnIommufd(op, HwptInvalidate);
      case OpKind::kDestroy:
        return OnIommufd(op, Destroy);
      case OpKind::kRead:
        return ReadFd(&stack_, op);
      case OpKind::kPoll:
        return PollFd(&stack_, op);
      case OpKind::kMmap:
        return MapMemory(&stack_, op);
      case OpKind::kMunmap:
        return UnmapMemory(&stack_, op);
      case OpKind::kMemfd:
        return MakeMemfd(&stack_, op);
      case OpKind::kMemWrite:
        stack_.onlyAccesses = true;
        return WriteMemory(&stack_, op);
      case OpKind::kDma:
        return stack_.Dma(op);
      case OpKind::kFailAlloc:
        stack_.FailAllocation(op.failAlloc.nth);
        return Outcome();
      case OpKind::kIoasAllowIovas:
        return OnIommufd(op, IoasAllowIovas);
      case OpKind::kIoasCopy:
        return OnIommufd(op, IoasCopy);
      case OpKind::kIoasMapFile:
        return OnIommufd(op, IoasMapFile);
      case OpKind::kIommuOption:
        return OnIommufd(op, IommuOption);
      case OpKind::kVfioIoas:
        return OnIommufd(op, VfioIoas);
      case OpKind::kHwptSetDirty:
        return OnIommufd(op, HwptSetDirty);
      case OpKind::kHwptGetDirty:
        return OnIommufd(op, HwptGetDirty);
      case OpKind::kFaultQueueAlloc:
        return OnIommufd(op, FaultQueueAlloc);
      case OpKind::kIoasChangeProcess:
        return OnIommufd(op, IoasChangeProcess);
      case OpKind::kWrite:
        return WriteFd(&stack_, op);
      case OpKind::kEventfd:
        return MakeEventfd(&stack_, op);
      case OpKind::kFork:
        return Fork(&stack_, op);
      case OpKind::kExec:
        return Exec(&stack_, op);
      case OpKind::kExit:
        return Exit(&stack_, op);
      case OpKind::kPassFd:
        return PassFd(&stack_, op);
      case OpKind::kSetrlimit:
        return SetMemlock(&stack_, op);
      case OpKind::kVfioGetApiVersion:
      case OpKind::kVfioCheckExtension:
      case OpKind::kVfioSetIommu:
      case OpKind::kVfioIommuGetInfo:
      case OpKind::kVfioIommuMapDma:
      case OpKind::kVfioIommuUnmapDma:
      case OpKind::kVfioIommuDirtyPages:
        return OnContainer(op);
      case OpKind::kVfioGroupGetStatus:
      case OpKind::kVfioGroupSetContainer:
      case OpKind::kVfioGroupUnsetContainer:
      case OpKind::kVfioGroupGetDeviceFd:
        return OnGroup(op);
      case OpKind::kVfioDeviceGetInfo:
      case OpKind::kVfioDeviceGetRegionInfo:
      case OpKind::kVfioDeviceGetIrqInfo:
      case OpKind::kVfioDeviceSetIrqs:
      case OpKind::kVfioDeviceReset:
      case OpKind::kVfioPciHotResetInfo:
      case OpKind::kVfioPciHotReset:
      case OpKind::kVfioDeviceIoeventfd:
      case OpKind::kVfioDeviceFeature:
        return OnDevice(op);
    }
    return Fail(EINVAL);  // a kind that no trace can hold
  }

 private:
  OpenFile* File(const Op& op) { return stack_.process(op.process).File(op.fd); }

  // An ioctl of the cdev; on an unbound one only BIND (docs/TRACE.md 1).
  Outcome OnCdev(const Op& op, Outcome (*call)(Stack*, OpenFile*, const Op&)) {
    OpenFile* file = File(op);
    if (file == nullptr) return Fail(EBADF);
    // Of a device from a group, BIND says so itself (iommufd sheet 19.1).
    if (IsDevice(*file) && op.kind == OpKind::kBindIommufd) return call(&stack_, file, op);
    if (file->kind != FileKind::kCdev) return Fail(ENOTTY);
    if (file->context == nullptr && op.kind != OpKind::kBindIommufd) return Fail(EINVAL);
    return call(&stack_, file, op);
  }
  // A container of either kind.
  Outcome OnContainer(const Op& op) {
    const OpenFile* file = File(op);
    if (file == nullptr) return Fail(EBADF);
    if (file->kind == FileKind::kContainer) return ContainerCommand(&stack_, file->context, op);
    if (file->kind == FileKind::kIommufd) return CompatCommand(&stack_, file->context, op);
    return Unhandled(*file);
  }
  Outcome OnGroup(const Op& op) {
    OpenFile* file = File(op);
    if (file == nullptr) return Fail(EBADF);
    if (file->kind != FileKind::kGroup) return Unhandled(*file);
    return GroupCommand(&stack_, file, op);
  }
  Outcome OnDevice(const Op& op) {
    OpenFile* file = File(op);
    if (file == nullptr) return Fail(EBADF);
    if (!IsDevice(*file)) return Unhandled(*file);
    return DeviceCommand(&stack_, file, op);
  }
  // An ioctl that is not this file's.
  static Outcome Unhandled(const OpenFile& file) {
    return Fail(file.kind == FileKind::kCdev && file.context == nullptr ? EINVAL : ENOTTY);
  }
  Outcome OnIommufd(const Op& op, Outcome (*call)(Stack*, Context*, const Op&)) {
    const OpenFile* file = File(op);
    if (file == nullptr) return Fail(EBADF);
    if (file->kind == FileKind::kCdev && file->context == nullptr) return Fail(EINVAL);
    if (file->kind != FileKind::kIommufd) return Fail(ENOTTY);
    return call(&stack_, file->context, op);
  }

  Stack stack_;
};

}  // namespace
}  // namespace model

std::unique_ptr<Machine> MakeModel(const ModelFaults& faults) {
  return std::make_unique<model::Model>(faults);
}

}  // namespace twinwalk
