#include "traces/op.h"

namespace twinwalk {

uint32_t StructSize(OpKind kind) {
  switch (kind) {
    case OpKind::kBindIommufd:
      return 24;
    case OpKind::kAttachIommufdPt:
      return 16;
    case OpKind::kDetachIommufdPt:
      return 12;
    case OpKind::kIoasAlloc:
      return 12;
    case OpKind::kIoasMap:
      return 40;
    case OpKind::kIoasUnmap:
      return 24;
    case OpKind::kIoasIovaRanges:
      return 32;
    case OpKind::kGetHwInfo:
      return 40;
    case OpKind::kHwptAlloc:
      return 48;
    case OpKind::kViommuAlloc:
      return 40;
    case OpKind::kVdeviceAlloc:
      return 24;
    case OpKind::kVeventqAlloc:
      return 32;
    case OpKind::kHwptInvalidate:
      return 32;
    case OpKind::kDestroy:
      return 8;
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
      return 0;
  }
  return 0;
}

const char* OpName(OpKind kind) {
  switch (kind) {
    case OpKind::kRaw:
      return "raw";
    case OpKind::kOpen:
      return "open";
    case OpKind::kClose:
      return "close";
    case OpKind::kDup:
      return "dup";
    case OpKind::kBindIommufd:
      return "bind_iommufd";
    case OpKind::kAttachIommufdPt:
      return "attach_iommufd_pt";
    case OpKind::kDetachIommufdPt:
      return "detach_iommufd_pt";
    case OpKind::kIoasAlloc:
      return "ioas_alloc";
    case OpKind::kIoasMap:
      return "ioas_map";
    case OpKind::kIoasUnmap:
      return "ioas_unmap";
    case OpKind::kIoasIovaRanges:
      return "ioas_iova_ranges";
    case OpKind::kGetHwInfo:
      return "get_hw_info";
    case OpKind::kHwptAlloc:
      return "hwpt_alloc";
    case OpKind::kViommuAlloc:
      return "viommu_alloc";
    case OpKind::kVdeviceAlloc:
      return "vdevice_alloc";
    case OpKind::kVeventqAlloc:
      return "veventq_alloc";
    case OpKind::kHwptInvalidate:
      return "hwpt_invalidate";
    case OpKind::kDestroy:
      return "destroy";
    case OpKind::kRead:
      return "read";
    case OpKind::kPoll:
      return "poll";
    case OpKind::kMmap:
      return "mmap";
    case OpKind::kMunmap:
      return "munmap";
    case OpKind::kMemfd:
      return "memfd";
    case OpKind::kMemWrite:
      return "mem_write";
    case OpKind::kDma:
      return "dma";
    case OpKind::kFailAlloc:
      return "fail_alloc";
  }
  return "?";
}

std::optional<OpKind> OpKindOf(const std::string& name) {
  for (int k = 0; k < kOpKinds; ++k)
    if (name == OpName(static_cast<OpKind>(k))) return static_cast<OpKind>(k);
  return std::nullopt;
}

}  // namespace twinwalk
