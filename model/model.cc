#include "model/model.h"

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
      case OpKind::kAttachIommufdPt:
      case OpKind::kDetachIommufdPt:
        return OnCdev(op);
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
        return OnIommufd(op);
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
    }
    return Fail(EINVAL);  // a kind that no trace can hold
  }

 private:
  OpenFile* File(const Op& op) { return stack_.process(op.process).File(op.fd); }

  // An ioctl of the cdev; on an unbound one only BIND (docs/TRACE.md 1).
  Outcome OnCdev(const Op& op) {
    OpenFile* file = File(op);
    if (file == nullptr) return Fail(EBADF);
    if (file->kind != FileKind::kCdev) return Fail(ENOTTY);
    if (op.kind == OpKind::kBindIommufd) return BindIommufd(&stack_, file, op);
    if (file->context == nullptr) return Fail(EINVAL);
    return op.kind == OpKind::kAttachIommufdPt ? AttachIommufdPt(&stack_, file, op)
                                               : DetachIommufdPt(&stack_, file, op);
  }

  Outcome OnIommufd(const Op& op) {
    const OpenFile* file = File(op);
    if (file == nullptr) return Fail(EBADF);
    if (file->kind == FileKind::kCdev && file->context == nullptr) return Fail(EINVAL);
    if (file->kind != FileKind::kIommufd) return Fail(ENOTTY);
    Context* context = file->context;
    switch (op.kind) {
      case OpKind::kIoasAlloc: return IoasAlloc(&stack_, context, op);
      case OpKind::kIoasMap: return IoasMap(&stack_, context, op);
      case OpKind::kIoasUnmap: return IoasUnmap(&stack_, context, op);
      case OpKind::kIoasIovaRanges: return IoasIovaRanges(context, op);
      case OpKind::kGetHwInfo: return GetHwInfo(&stack_, context, op);
      case OpKind::kHwptAlloc: return HwptAlloc(&stack_, context, op);
      case OpKind::kViommuAlloc: return ViommuAlloc(&stack_, context, op);
      case OpKind::kVdeviceAlloc: return VdeviceAlloc(&stack_, context, op);
      case OpKind::kVeventqAlloc: return VeventqAlloc(&stack_, context, op);
      case OpKind::kHwptInvalidate: return HwptInvalidate(&stack_, context, op);
      default: return Destroy(&stack_, context, op);
    }
  }

  Stack stack_;
};

}  // namespace
}  // namespace model

std::unique_ptr<Machine> MakeModel(const ModelFaults& faults) {
  return std::make_unique<model::Model>(faults);
}

}  // namespace twinwalk
