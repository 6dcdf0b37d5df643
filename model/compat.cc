#include "model/compat.h"

#include <algorithm>

#include "model/container.h"
#include "model/maps.h"
#include "model/user_struct.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kTop = ~uint64_t{0};
enum MapDmaFlags : uint32_t { kDmaMapRead = 1, kDmaMapWrite = 2 };
constexpr uint32_t kUnmapEverything = 2;

Outcome Result(int64_t ret) {
  Outcome out;
  out.ret = ret;
  return out;
}

Outcome CheckExtension(Stack* stack, const Context& context, uint64_t extension) {
  switch (extension) {
    case kType1:
    case kType1v2:
    case kUnmapAll:
      return Result(!context.noiommu);
    case kNoiommuIommu:
      return Result(1);  // built in
    case kDmaCoherent:
      if (context.compat == nullptr) return Fail(ENODEV);
      return Result(Coherent(stack, *context.compat));
    default:
      return Result(0);
  }
}

Outcome SetIommu(Stack* stack, const Context& context, const Op& op) {
  const uint64_t type = op.vfioSetIommu.arg;
  if (type == kNoiommuIommu && context.noiommu)
    return stack->world().processes[op.process].rawIo ? Outcome() : Fail(EPERM);
  if ((type != kType1 && type != kType1v2) || context.noiommu) return Fail(EINVAL);
  if (context.compat == nullptr) return Fail(ENODEV);
  // Version 1 can unmap a part of a map: for that no leaf may be larger than a page.
  return type == kType1 ? Fail(DisableLargePages(context.compat)) : Outcome();
}

// The whole chain is counted; a capability is written when it fits whole (iommufd sheet 8.2).
class InfoWriter {
 public:
  explicit InfoWriter(const Op& op) : op_(op), user_(op) {
    user_.Put32(4, op.vfioIommuGetInfo.flags);
    user_.Put64(8, op.vfioIommuGetInfo.iovaPgsizes);
    user_.Put32(16, op.vfioIommuGetInfo.capOffset);
    user_.Put32(20, op.vfioIommuGetInfo.pad);
  }
  void Word(uint64_t at, uint32_t value) {
    user_.Put32(at, value);
    Wrote(at + 4);
  }
  void Long(uint64_t at, uint64_t value) {
    user_.Put64(at, value);
    Wrote(at + 8);
  }
  struct Info {
    uint32_t argsz, flags;
    uint64_t pageSizes;
    uint32_t capOffset, pad;
  };
  void Head(const Info& info) {
    const uint64_t size = std::min<uint64_t>(op_.size, sizeof info);
    user_.Put(0, {reinterpret_cast<const char*>(&info), size});
    Wrote(size);
  }
  bool Fits(uint64_t end) const { return op_.size >= end; }
  Outcome Finish() {
    if (!CanWrite(op_, end_)) return Fail(EFAULT);
    Outcome out;
    out.out = user_.Take();
    return out;
  }

 private:
  void Wrote(uint64_t end) { end_ = std::max(end_, end); }
  const Op& op_;
  UserStruct user_;
  uint64_t end_ = 0;
};

Outcome GetInfo(Stack* stack, const Context& context, const Op& op) {
  constexpr uint32_t kInfo = 24, kAvailable = 16, kRanges = kInfo + kAvailable;
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  if (context.compat == nullptr) return Fail(ENODEV);
  const Ioas& ioas = *context.compat;
  const auto ranges = ioas.space.Ranges();
  const uint64_t total = kRanges + 16 + ranges.size() * 16;
  InfoWriter info(op);
  if (info.Fits(kInfo + 12)) {  // DMA_AVAIL: as many as one likes
    info.Word(kInfo, 3 | 1 << 16);
    info.Word(kInfo + 4, 0);
    info.Word(kInfo + 8, 0xffffffff);
  }
  if (info.Fits(total)) {
    for (size_t i = 0; i < ranges.size(); ++i) {
      const uint64_t at = kRanges + 16 + i * 16;
      info.Long(at, ranges[i].first);
      info.Long(at + 8, ranges[i].second);
    }
    info.Word(kRanges, 1 | 1 << 16);
    info.Word(kRanges + 4, 0);
    info.Long(kRanges + 8, ranges.size());
  }
  if (info.Fits(kRanges)) info.Word(kInfo + 4, kRanges);
  const uint64_t sizes = ioas.hwpts.empty() ? ~uint64_t{0} << 12 : PageSizes(stack, ioas);
  info.Head({static_cast<uint32_t>(total), 3,  // PGSIZES, CAPS
             std::max(sizes, ioas.space.alignment()), info.Fits(total) ? kInfo : 0, 0});
  return info.Finish();
}

Outcome MapDma(Stack* stack, const Context& context, const Op& op) {
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const VfioIommuMapDmaArgs& a = op.vfioIommuMapDma;
  if ((a.flags & ~uint32_t{kDmaMapRead | kDmaMapWrite}) != 0) return Fail(EINVAL);
  if (context.compat == nullptr) return Fail(ENODEV);
  if (a.vaddr + a.length < a.vaddr && !stack->faults().m07UserRangeWraps) return Fail(EOVERFLOW);
  if (a.length == 0 || a.length > kTop - kPageSize) return Fail(EINVAL);
  const uint8_t rights =
      ((a.flags & kDmaMapRead) != 0 ? kRead : 0) | ((a.flags & kDmaMapWrite) != 0 ? kWrite : 0);
  uint64_t iova = a.iova;
  Area area = NewArea(stack, context, op.process, a.vaddr, nullptr, rights);
  return Fail(MapArea(stack, context.compat, std::move(area), a.length, true, true, &iova));
}

// An area that reaches over `at` is cut there. 0 or EINVAL.
int CutAt(Stack* stack, Ioas* ioas, uint64_t at) {
  const auto area = ioas->space.FirstMeeting(at - 1, at - 1);
  if (area == ioas->space.areas().end() || area->second.last == at - 1) return 0;
  if (area->first == at - 1) return 0;  // a first part of one byte is not cut off
  const uint64_t va = area->second.va + (at - area->first);
  if ((va & (ioas->space.alignment() - 1)) != 0) return EINVAL;
  stack->CutArea(ioas, area, at);
  return 0;
}

Outcome UnmapDma(Stack* stack, const Context& context, const Op& op) {
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const VfioIommuUnmapDmaArgs& a = op.vfioIommuUnmapDma;
  if ((a.flags & ~kUnmapEverything) != 0) return Fail(EINVAL);
  Ioas* ioas = context.compat;
  if (ioas == nullptr) return Fail(ENODEV);
  const bool all = a.flags == kUnmapEverything;
  const uint64_t last = all ? kTop : a.iova + (a.length - 1);
  if (all && (a.iova != 0 || a.length != 0)) return Fail(EINVAL);
  if (!all && !ioas->space.large_pages()) {
    // Its end first. A range that ends with the space, or begins with it, has no cut there.
    if (last != kTop)
      if (const int error = CutAt(stack, ioas, last + 1)) return Fail(error);
    if (a.iova != 0)
      if (const int error = CutAt(stack, ioas, a.iova)) return Fail(error);
  }
  uint64_t bytes = 0;
  int error = 0;
  if (!all && a.length == 0)
    error = EINVAL;
  else if (last < a.iova)
    error = EOVERFLOW;
  else
    error = UnmapRange(stack, ioas, a.iova, last, &bytes);
  if (!CanWrite(op, 24)) return Fail(EFAULT);
  Outcome out = Fail(error);
  out.values[0] = bytes;  // written back in any case
  return out;
}

}  // namespace

Outcome CompatCommand(Stack* stack, Context* context, const Op& op) {
  if (op.kind == OpKind::kVfioGetApiVersion) return Outcome();
  if (op.kind == OpKind::kVfioCheckExtension)
    return CheckExtension(stack, *context, op.vfioCheckExtension.arg);
  if (op.kind == OpKind::kVfioSetIommu) return SetIommu(stack, *context, op);
  if (op.kind == OpKind::kVfioIommuGetInfo) return GetInfo(stack, *context, op);
  if (op.kind == OpKind::kVfioIommuMapDma) return MapDma(stack, *context, op);
  if (op.kind == OpKind::kVfioIommuUnmapDma) return UnmapDma(stack, *context, op);
  return Fail(ENOTTY);  // the dirty-pages command, and what no container knows
}

int JoinContext(Stack* stack, Context* context, bool noiommu) {
  if (noiommu) {
    if (context->compat != nullptr) return EINVAL;
    context->noiommu = true;
    return 0;
  }
  if (context->noiommu) return EINVAL;
  if (context->compat != nullptr) return 0;
  if (stack->AllocationFails()) return ENOMEM;
  context->compat = context->Add(std::make_unique<Ioas>());
  return 0;
}

int OpenContextDevice(Stack* stack, Context* context, uint32_t device) {
  if (context->noiommu) return context->compat != nullptr ? EPERM : 0;  // nothing binds it
  if (const int error = CheckBind(stack, device, context)) return error;
  BindDevice(stack, device, context);
  Object* target = context->compat;
  const int error = target == nullptr ? ENODEV : AttachDevice(stack, device, true, &target);
  if (error != 0) stack->Unbind(device);
  return error;
}

void CloseContextDevice(Stack* stack, uint32_t device) {
  stack->Unbind(device);
}

}  // namespace twinwalk::model
