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
    }
    return Fail(EINVAL);  // a kind that no trace can hold
  }

 private:
  OpenFile* File(const Op& op) { return stack_.process(op.process).File(op.fd); }

  // An ioctl of the cdev; on an unbound one only BIND (docs/TRACE.md 1).
  Outcome OnCdev(const Op& op, Outcome (*call)(Stack*, OpenFile*, const Op&)) {
    OpenFile* file = File(op);
    if (file == nullptr) return Fail(EBADF);
    if (file->kind != FileKind::kCdev) return Fail(ENOTTY);
    if (file->context == nullptr && op.kind != OpKind::kBindIommufd) return Fail(EINVAL);
    return call(&stack_, file, op);
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
