#include "reference/structs.h"

namespace twinwalk::reference {
namespace {

void Append(std::string* to, uint64_t value, size_t bytes) {
  to->append(reinterpret_cast<const char*>(&value), bytes);  // little-endian, as the host is
}

// The kernel's own part of the structs that a call writes back whole (type1 5, 6, 8).
std::string FieldsOf(const Op& op) {
  std::string bytes;
  Append(&bytes, op.size, 4);
  if (op.kind == OpKind::kVfioIommuGetInfo) {
    const VfioIommuGetInfoArgs& in = op.vfioIommuGetInfo;
    Append(&bytes, in.flags, 4), Append(&bytes, in.iovaPgsizes, 8);
    Append(&bytes, in.capOffset, 4), Append(&bytes, in.pad, 4);
  } else if (op.kind == OpKind::kVfioGroupGetStatus) {
    Append(&bytes, op.vfioGroupGetStatus.flags, 4);
  } else if (op.kind == OpKind::kVfioDeviceGetInfo) {
    const VfioDeviceGetInfoArgs& in = op.vfioDeviceGetInfo;
    Append(&bytes, in.flags, 4), Append(&bytes, in.numRegions, 4), Append(&bytes, in.numIrqs, 4);
    Append(&bytes, in.capOffset, 4), Append(&bytes, in.pad, 4);
  } else if (op.kind == OpKind::kVfioDeviceGetRegionInfo) {
    const VfioDeviceGetRegionInfoArgs& in = op.vfioDeviceGetRegionInfo;
    Append(&bytes, in.flags, 4), Append(&bytes, in.index, 4), Append(&bytes, in.capOffset, 4);
    Append(&bytes, in.regionSize, 8), Append(&bytes, in.regionOffset, 8);
  } else if (op.kind == OpKind::kVfioDeviceGetIrqInfo) {
    const VfioDeviceGetIrqInfoArgs& in = op.vfioDeviceGetIrqInfo;
    Append(&bytes, in.flags, 4), Append(&bytes, in.index, 4), Append(&bytes, in.count, 4);
  } else if (op.kind == OpKind::kVfioPciHotResetInfo) {
    const VfioPciHotResetInfoArgs& in = op.vfioPciHotResetInfo;
    Append(&bytes, in.flags, 4), Append(&bytes, in.count, 4);
  } else if (op.kind == OpKind::kVfioDeviceFeature) {
    Append(&bytes, op.vfioDeviceFeature.flags, 4);
  }
  return bytes;
}

}  // namespace

UserStruct::UserStruct(const Op& op) : bytes_(FieldsOf(op)), writable_(WritableBytes(op)) {
  bytes_ += TailOf(op);
  bytes_.resize(std::min<size_t>(op.size, op.readable), '\0');
}

void UserStruct::Write(size_t offset, std::string_view bytes) {
  end_ = std::max<uint64_t>(end_, offset + bytes.size());
  if (offset < bytes_.size())
    bytes_.replace(offset, std::min(bytes.size(), bytes_.size() - offset), bytes, 0,
                   bytes_.size() - offset);
}
void UserStruct::Write32(size_t offset, uint32_t value) {
  Write(offset, {reinterpret_cast<const char*>(&value), 4});
}
void UserStruct::Write64(size_t offset, uint64_t value) {
  Write(offset, {reinterpret_cast<const char*>(&value), 8});
}

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
    case OpKind::kVfioIommuGetInfo:
      return {24, 16};
    case OpKind::kVfioIommuMapDma:
      return {32, 32};
    case OpKind::kVfioIommuUnmapDma:  // with the bitmap
      return {48, 24};
    case OpKind::kVfioIommuDirtyPages:  // with range and bitmap
      return {48, 8};
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

}  // namespace twinwalk::reference
