// The rest of the iommufd ioctls on I/O address spaces, their options and accounting, dirty
// tracking and fault queues (iommufd sheet 6.3, 6.6 to 6.9, 7, 8.1, 12, 14.1).
#include <cstring>

#include "model/front.h"
#include "model/maps.h"

namespace twinwalk::model {
namespace {

enum OptionId : uint32_t { kRlimitMode = 0, kHugePages = 1 };
enum OptionOp : uint16_t { kSet = 0, kGet = 1 };
enum VfioIoasOp : uint16_t { kGetIoas = 0, kSetIoas = 1, kClearIoas = 2 };

// Sheet 7.1. *value: what GET answers.
int RlimitMode(Stack* stack, Context* context, const Op& op, uint64_t* value) {
  const IommuOptionArgs& a = op.iommuOption;
  if (a.objectId != 0) return EOPNOTSUPP;
  if (a.op == kGet) {
    *value = context->perProcess;
    return 0;
  }
  if (a.op != kSet) return EOPNOTSUPP;
  if (!stack->world().processes[op.process].sysResource) return EPERM;
  for (const Context::Slot& slot : context->slots)
    if (slot.object != nullptr || slot.tombstone) return EBUSY;
  if (a.val64 > 1) return EINVAL;
  context->perProcess = a.val64 == 1;
  return 0;
}

int HugePages(Context* context, const IommuOptionArgs& a, uint64_t* value) {
  Ioas* ioas = context->FindAs<Ioas>(a.objectId);
  if (ioas == nullptr) return ENOENT;
  if (a.op == kGet) {
    *value = ioas->space.large_pages();
    return 0;
  }
  if (a.op != kSet) return EOPNOTSUPP;
  if (a.val64 == 0) return DisableLargePages(ioas);
  if (a.val64 != 1) return EINVAL;
  ioas->space.set_large_pages(true);
  if (ioas->hwpts.empty()) ioas->space.set_alignment(ioas->space.least_alignment());
  return 0;
}

}  // namespace

int DisableLargePages(Ioas* ioas) {
  Space& space = ioas->space;
  if (!space.large_pages()) return 0;
  if (!ioas->hwpts.empty() && !space.areas().empty()) return EINVAL;
  if (!space.AllAligned(kPageSize)) return EADDRINUSE;
  space.set_large_pages(false);
  space.set_alignment(kPageSize);
  return 0;
}

Outcome IoasAllowIovas(Stack*, Context* context, const Op& op) {
  const Frame frame(op, 24);
  if (frame.error() != 0) return Fail(frame.error());
  const IoasAllowIovasArgs& a = op.ioasAllowIovas;
  if (a.reserved != 0) return Fail(EOPNOTSUPP);
  Ioas* ioas = context->FindAs<Ioas>(a.ioasId);
  if (ioas == nullptr) return Fail(ENOENT);
  absl::btree_map<uint64_t, uint64_t> allowed;
  const std::string_view buffer = frame.Buffer();
  for (uint64_t i = 0; i < a.numIovas; ++i) {
    if (buffer.size() < (i + 1) * 16) return Fail(EFAULT);
    uint64_t range[2];
    std::memcpy(range, buffer.data() + i * 16, sizeof range);
    if (range[0] >= range[1]) return Fail(EINVAL);
    const auto after = allowed.upper_bound(range[1]);  // first that begins behind it
    if (after != allowed.begin() && std::prev(after)->second >= range[0]) return Fail(EINVAL);
    allowed.emplace(range[0], range[1]);
  }
  for (const auto& [first, last] : allowed)
    if (ioas->space.MeetsReserved(first, last)) return Fail(EADDRINUSE);
  ioas->space.set_allowed({allowed.begin(), allowed.end()});
  return Outcome();
}

Outcome IoasMapFile(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 40);
  if (frame.error() != 0) return Fail(frame.error());
  const IoasMapFileArgs& a = op.ioasMapFile;
  if (const int error = CheckMapArgs(a.flags, 0, {a.iova, a.length})) return Fail(error);
  Ioas* ioas = context->FindAs<Ioas>(a.ioasId);
  if (ioas == nullptr) return Fail(ENOENT);
  if (a.length == 0) return Fail(EINVAL);
  if (a.start + (a.length - 1) < a.start) return Fail(EOVERFLOW);
  OpenFile* file = stack->process(op.process).File(a.file);
  if (file == nullptr) return Fail(EBADF);
  if (a.length > ~uint64_t{0} - kPageSize) return Fail(EINVAL);
  if (file->kind != FileKind::kMemfd) file = stack->NotMemory();
  Outcome out;
  out.values[0] = a.iova;
  Area area = NewArea(stack, *context, op.process, a.start, file, RightsOfFlags(a.flags));
  const int error = MapArea(stack, ioas, std::move(area), a.length, (a.flags & kFixedIova) != 0,
                            frame.CanRespond(), &out.values[0]);
  if (error != 0) return Fail(error);
  return frame.CanRespond() ? out : Fail(EFAULT);  // the mapping stays
}

Outcome IoasCopy(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 40);
  if (frame.error() != 0) return Fail(frame.error());
  const IoasCopyArgs& a = op.ioasCopy;
  if (const int error = CheckMapArgs(a.flags, 0, {a.length, a.srcIova, a.dstIova}))
    return Fail(error);
  Ioas* from = context->FindAs<Ioas>(a.srcIoasId);
  if (from == nullptr) return Fail(ENOENT);
  if (const int error = CheckSource(from, a.srcIova, a.length)) return Fail(error);
  Ioas* to = context->FindAs<Ioas>(a.dstIoasId);
  if (to == nullptr) return Fail(ENOENT);
  Outcome out;
  out.values[0] = a.dstIova;
  const int error =
      CopyAreas(stack, from, a.srcIova, a.length, to, a.flags, frame.CanRespond(), &out.values[0]);
  if (error != 0) return Fail(error);
  return frame.CanRespond() ? out : Fail(EFAULT);  // the mapping stays
}

Outcome IommuOption(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 24);
  if (frame.error() != 0) return Fail(frame.error());
  const IommuOptionArgs& a = op.iommuOption;
  if (a.reserved != 0) return Fail(EOPNOTSUPP);
  Outcome out;
  out.values[0] = a.val64;
  int error = EOPNOTSUPP;
  if (a.optionId == kRlimitMode) error = RlimitMode(stack, context, op, &out.values[0]);
  if (a.optionId == kHugePages) error = HugePages(context, a, &out.values[0]);
  if (error != 0) return Fail(error);
  return frame.CanRespond() ? out : Fail(EFAULT);  // what was set stays set
}

Outcome VfioIoas(Stack*, Context* context, const Op& op) {
  const Frame frame(op, 12);
  if (frame.error() != 0) return Fail(frame.error());
  const VfioIoasArgs& a = op.vfioIoas;
  if (a.reserved != 0) return Fail(EOPNOTSUPP);
  Outcome out;
  switch (a.op) {
    case kGetIoas:
      if (context->compat == nullptr) return Fail(ENODEV);
      if (!frame.CanRespond()) return Fail(EFAULT);
      out.id = context->compat->id;
      return out;
    case kSetIoas: {
      Ioas* ioas = context->FindAs<Ioas>(a.ioasId);
      if (ioas == nullptr) return Fail(ENOENT);
      context->compat = ioas;
      return out;
    }
    case kClearIoas:
      context->compat = nullptr;
      return out;
    default:
      return Fail(EOPNOTSUPP);
  }
}

// No device of ours offers dirty tracking, so no HWPT has it (sheet 12).
Outcome HwptSetDirty(Stack*, Context* context, const Op& op) {
  const Frame frame(op, 16);
  if (frame.error() != 0) return Fail(frame.error());
  const HwptSetDirtyArgs& a = op.hwptSetDirty;
  if ((a.flags & ~1u) != 0) return Fail(EOPNOTSUPP);
  return Fail(context->FindAs<Hwpt>(a.hwptId) == nullptr ? ENOENT : EOPNOTSUPP);
}

Outcome HwptGetDirty(Stack*, Context* context, const Op& op) {
  const Frame frame(op, 48);
  if (frame.error() != 0) return Fail(frame.error());
  const HwptGetDirtyArgs& a = op.hwptGetDirty;
  if ((a.flags & ~1u) != 0 || a.reserved != 0) return Fail(EOPNOTSUPP);
  const Hwpt* hwpt = context->FindAs<Hwpt>(a.hwptId);
  if (hwpt == nullptr) return Fail(ENOENT);
  // Length 0 is nothing special before 7.3: iova + length - 1 wraps unless iova is 0.
  const uint64_t last = a.iova + (a.length - 1);
  if (a.length == 0 ? a.iova != 0 : last < a.iova) return Fail(EOVERFLOW);
  const uint64_t ends = a.iova | (last + 1);
  if ((ends & (hwpt->ioas->space.alignment() - 1)) != 0) return Fail(EINVAL);
  if (a.pageSize == 0 || (ends & (a.pageSize - 1)) != 0) return Fail(EINVAL);
  return Fail(EOPNOTSUPP);
}

Outcome FaultQueueAlloc(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 16);
  if (frame.error() != 0) return Fail(frame.error());
  if (op.faultQueueAlloc.flags != 0) return Fail(EOPNOTSUPP);
  if (!frame.CanRespond()) return Fail(EFAULT);
  FaultQueue* fault = context->Add(std::make_unique<FaultQueue>());
  fault->open = true;
  ++context->holders;
  OpenFile* file = stack->NewFile(FileKind::kFault);
  file->fault = fault;
  Outcome out;
  out.id = fault->id;
  out.fd = stack->process(op.process).Install(file, true);
  return out;
}

// No fault ever waits, so none is ever answered.
Outcome ReadFault(const Op& op) {
  constexpr uint64_t kMessage = 40;
  const bool placed = op.read.positional != 0 && op.read.offset != 0;
  return Fail(placed || op.read.count % kMessage != 0 ? ESPIPE : 0);
}

Outcome WriteFault(const Op& op) {
  constexpr uint64_t kResponse = 8;
  const bool placed = op.write.positional != 0 && op.write.offset != 0;
  if (placed || op.blob.size() % kResponse != 0) return Fail(ESPIPE);
  return Fail(op.blob.empty() ? 0 : EINVAL);
}

Outcome IoasChangeProcess(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 8);
  if (frame.error() != 0) return Fail(frame.error());
  if (op.ioasChangeProcess.reserved != 0) return Fail(EOPNOTSUPP);
  return Fail(MoveToProcess(stack, context, op.process));
}

}  // namespace twinwalk::model
