// For tests: the calls of test_driver.h's Driver for the rest of the iommufd core.
#ifndef TWINWALK_MODEL_TEST_CALLS_H_
#define TWINWALK_MODEL_TEST_CALLS_H_

#include <string>
#include <utility>
#include <vector>

#include "model/test_driver.h"

namespace twinwalk::model {

using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;

struct Calls {
  Driver& d;
  uint32_t fd;

  Outcome Allow(uint32_t ioas, const Ranges& ranges) {
    Op op = d.Make(OpKind::kIoasAllowIovas, fd);
    op.ioasAllowIovas.ioasId = ioas;
    op.ioasAllowIovas.numIovas = static_cast<uint32_t>(ranges.size());
    op.ioasAllowIovas.allowedIovas = 0x1000;
    for (auto [first, last] : ranges)
      Driver::AppendWord(&op.blob, first), Driver::AppendWord(&op.blob, last);
    return d.Run(op);
  }
  Op CopyOp(uint32_t dst, uint64_t dst_iova, uint32_t src, uint64_t src_iova, uint64_t length,
            uint32_t flags = 7) const {
    Op op = d.Make(OpKind::kIoasCopy, fd);
    op.ioasCopy.flags = flags;
    op.ioasCopy.dstIoasId = dst;
    op.ioasCopy.srcIoasId = src;
    op.ioasCopy.length = length;
    op.ioasCopy.dstIova = dst_iova;
    op.ioasCopy.srcIova = src_iova;
    return op;
  }
  Outcome Copy(uint32_t dst, uint64_t dst_iova, uint32_t src, uint64_t src_iova, uint64_t length,
               uint32_t flags = 7) {
    return d.Run(CopyOp(dst, dst_iova, src, src_iova, length, flags));
  }
  Op MapFileOp(uint32_t ioas, uint32_t file, uint64_t start, uint64_t length, uint64_t iova,
               uint32_t flags = 7) const {
    Op op = d.Make(OpKind::kIoasMapFile, fd);
    op.ioasMapFile.flags = flags;
    op.ioasMapFile.ioasId = ioas;
    op.ioasMapFile.file = file;
    op.ioasMapFile.start = start;
    op.ioasMapFile.length = length;
    op.ioasMapFile.iova = iova;
    return op;
  }
  Outcome MapFile(uint32_t ioas, uint32_t file, uint64_t start, uint64_t length, uint64_t iova,
                  uint32_t flags = 7) {
    return d.Run(MapFileOp(ioas, file, start, length, iova, flags));
  }
  uint32_t Memfd(uint64_t length) {
    Op op = d.Make(OpKind::kMemfd);
    op.memfd.length = length;
    return d.Run(op).fd;
  }
  // op: 0 SET, 1 GET. id: 0 RLIMIT_MODE, 1 HUGE_PAGES.
  Outcome Option(uint32_t id, uint16_t what, uint32_t object, uint64_t value = 0) {
    Op op = d.Make(OpKind::kIommuOption, fd);
    op.iommuOption.optionId = id;
    op.iommuOption.op = what;
    op.iommuOption.objectId = object;
    op.iommuOption.val64 = value;
    return d.Run(op);
  }
  // op: 0 GET, 1 SET, 2 CLEAR.
  Outcome VfioIoas(uint16_t what, uint32_t ioas = 0) {
    Op op = d.Make(OpKind::kVfioIoas, fd);
    op.vfioIoas.op = what;
    op.vfioIoas.ioasId = ioas;
    return d.Run(op);
  }
  Outcome ChangeProcess() { return d.Run(d.Make(OpKind::kIoasChangeProcess, fd)); }
  Outcome FaultQueue() { return d.Run(d.Make(OpKind::kFaultQueueAlloc, fd)); }
  Outcome HwptWithQueue(uint32_t device, uint32_t ioas, uint32_t queue, uint32_t flags = 4) {
    Op op = d.Make(OpKind::kHwptAlloc, fd);
    op.hwptAlloc.flags = flags;
    op.hwptAlloc.devId = device;
    op.hwptAlloc.ptId = ioas;
    op.hwptAlloc.faultId = queue;
    return d.Run(op);
  }

  // ---- As a VFIO container ----
  Outcome Extension(uint64_t number) {
    Op op = d.Make(OpKind::kVfioCheckExtension, fd);
    op.vfioCheckExtension.arg = number;
    return d.Run(op);
  }
  Outcome SetIommu(uint64_t type) {
    Op op = d.Make(OpKind::kVfioSetIommu, fd);
    op.vfioSetIommu.arg = type;
    return d.Run(op);
  }
  Outcome GetInfo(uint32_t argsz) {
    Op op = d.Make(OpKind::kVfioIommuGetInfo, fd);
    op.size = argsz;
    return d.Run(op);
  }
  Outcome MapDma(uint64_t va, uint64_t iova, uint64_t length, uint32_t flags = 3,
                 uint32_t argsz = 32) {
    Op op = d.Make(OpKind::kVfioIommuMapDma, fd);
    op.size = argsz;
    op.vfioIommuMapDma.flags = flags;
    op.vfioIommuMapDma.vaddr = va;
    op.vfioIommuMapDma.iova = iova;
    op.vfioIommuMapDma.length = length;
    return d.Run(op);
  }
  Outcome UnmapDma(uint64_t iova, uint64_t length, uint32_t flags = 0, uint32_t argsz = 24) {
    Op op = d.Make(OpKind::kVfioIommuUnmapDma, fd);
    op.size = argsz;
    op.vfioIommuUnmapDma.flags = flags;
    op.vfioIommuUnmapDma.iova = iova;
    op.vfioIommuUnmapDma.length = length;
    return d.Run(op);
  }
};

// The row of the area at `first` of an IOAS; fails the calling test when there is none.
inline AreaRow<Concrete> AreaAt(Driver* d, uint64_t space, uint64_t first) {
  const View<Concrete> view = d->GetView();
  const AreaRow<Concrete>* row = view.areas.Containing(space, first);
  return row != nullptr ? *row : AreaRow<Concrete>{};
}
inline uint64_t Charged(Driver* d, uint64_t account) {
  const View<Concrete> view = d->GetView();
  const AccountRow<Concrete>* row = view.accounts.Find(account);
  return row != nullptr ? row->pinned : 0;
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_TEST_CALLS_H_
