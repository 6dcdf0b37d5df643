#include "model/struct_sizes.h"

#include <algorithm>

namespace twinwalk::model {

StructSizes SizesOf(OpKind kind) {
  switch (kind) {
    case OpKind::kBindIommufd:
      return {24, 16};
    case OpKind::kAttachIommufdPt:
      return {16, 12};
    case OpKind::kDetachIommufdPt:
      return {12, 8};
    case OpKind::kIoasAlloc:
      return {12, 12};
    case OpKind::kIoasMap:
      return {40, 40};
    case OpKind::kIoasUnmap:
      return {24, 24};
    case OpKind::kIoasIovaRanges:
      return {32, 32};
    case OpKind::kGetHwInfo:
      return {40, 32};
    case OpKind::kHwptAlloc:
      return {48, 24};
    case OpKind::kViommuAlloc:
      return {40, 24};
    case OpKind::kVdeviceAlloc:
      return {24, 24};
    case OpKind::kVeventqAlloc:
      return {32, 28};
    case OpKind::kHwptInvalidate:
      return {32, 32};
    case OpKind::kDestroy:
      return {8, 8};
    case OpKind::kVfioIommuGetInfo:
      return {24, 16};
    case OpKind::kVfioIommuMapDma:
      return {32, 32};
    case OpKind::kVfioIommuUnmapDma:
      return {48, 24};  // the bitmap only with GET_DIRTY
    case OpKind::kVfioIommuDirtyPages:
      return {48, 8};  // the range only with GET
    case OpKind::kVfioGroupGetStatus:
      return {8, 8};
    case OpKind::kVfioGroupSetContainer:
      return {4, 4};
    case OpKind::kVfioDeviceGetInfo:
      return {24, 16};
    case OpKind::kVfioDeviceGetRegionInfo:
      return {32, 32};
    case OpKind::kVfioDeviceGetIrqInfo:
      return {16, 16};
    case OpKind::kVfioDeviceSetIrqs:
      return {20, 20};
    case OpKind::kVfioPciHotResetInfo:
      return {12, 12};
    case OpKind::kVfioPciHotReset:
      return {12, 12};
    case OpKind::kVfioDeviceIoeventfd:
      return {32, 28};
    case OpKind::kVfioDeviceFeature:
      return {8, 8};
    case OpKind::kIoasAllowIovas:
      return {24, 24};
    case OpKind::kIoasCopy:
      return {40, 40};
    case OpKind::kIoasMapFile:
      return {40, 40};
    case OpKind::kIommuOption:
      return {24, 24};
    case OpKind::kVfioIoas:
      return {12, 12};
    case OpKind::kHwptSetDirty:
      return {16, 16};
    case OpKind::kHwptGetDirty:
      return {48, 48};
    case OpKind::kFaultQueueAlloc:
      return {16, 16};
    case OpKind::kIoasChangeProcess:
      return {8, 8};
    case OpKind::kRaw:
    case OpKind::kOpen:
    case OpKind::kClose:
    case OpKind::kDup:
    case OpKind::kRead:
    case OpKind::kPoll:
    case OpKind::kMmap:
    case OpKind::kMunmap:
    case OpKind::kMemfd:
    case OpKind::kMemWrite:
    case OpKind::kDma:
    case OpKind::kFailAlloc:
    case OpKind::kWrite:
    case OpKind::kEventfd:
    case OpKind::kFork:
    case OpKind::kExec:
    case OpKind::kExit:
    case OpKind::kPassFd:
    case OpKind::kSetrlimit:
    case OpKind::kVfioGetApiVersion:
    case OpKind::kVfioCheckExtension:
    case OpKind::kVfioSetIommu:
    case OpKind::kVfioGroupUnsetContainer:
    case OpKind::kVfioGroupGetDeviceFd:
    case OpKind::kVfioDeviceReset:
      return {};
  }
  return {};
}

uint32_t BytesBehind(const OpData& op) {
  const uint32_t known = SizesOf(op.kind).known;
  const uint32_t there = std::min<uint32_t>(op.size, op.readable);
  return known != 0 && there > known ? there - known : 0;
}

}  // namespace twinwalk::model
