// For tests: the machine of the recordings (one VT-d unit, an edu device at 00:10.0 in group 6, an
// NVMe at 01:00.0 in group 8), and VFIO Ops spelled briefly.
#ifndef TWINWALK_REFERENCE_TEST_VFIO_H_
#define TWINWALK_REFERENCE_TEST_VFIO_H_

#include "reference/test_driver.h"

namespace twinwalk {

class VfioDriver : public Driver {
 public:
  static constexpr uint64_t kVa = 0x40000000, kBytes = 64 * 4096;

  explicit VfioDriver(World world = Recorded()) : Driver(std::move(world)) {}
  static World Recorded() {
    World world;
    world.smmus.clear();
    world.vtds.resize(1);
    world.vtds[0].cap = 0x80d2008c222f0686;
    world.vtds[0].ecap = 0xf00f4e;
    world.swMsiFirst = 1, world.swMsiLast = 0;
    world.processes = {{0, true, 16, true}, {1000, false, 16}, {1001, false, 16}};
    DeviceConfig edu;
    edu.streamId = 0x80, edu.group = 6;
    edu.vfio.name = "0000:00:10.0";
    edu.vfio.regions[0] = {0x100000, 7, false, {}};
    edu.vfio.regions[7] = {0x100, 3, false, {}};
    edu.vfio.irqs = {1, 1, 0, 0, 1};
    edu.vfio.featureSet = 0x38, edu.vfio.featureGet = 0x800;
    DeviceConfig nvme;
    nvme.streamId = 0x100, nvme.group = 8;
    nvme.vfio.name = "0000:01:00.0";
    nvme.vfio.resets = nvme.vfio.pcie = nvme.vfio.slotResets = true;
    nvme.vfio.regions[0] = {0x4000, 7, true, {}};
    nvme.vfio.regions[7] = {0x1000, 3, false, {}};
    nvme.vfio.irqs = {1, 0, 0x41, 1, 1};
    world.devices = {edu, nvme};
    return world;
  }

  Outcome Node(twinwalk::Node node, uint32_t device = 0) {
    Op op = Make(OpKind::kOpen, 0);
    op.open.node = static_cast<uint32_t>(node), op.open.device = device;
    return Do(op);
  }
  uint32_t Container() { return Node(twinwalk::Node::kVfioContainer).fd; }
  uint32_t Group(uint32_t number) { return Node(twinwalk::Node::kVfioGroup, number).fd; }
  Outcome Extension(uint32_t fd, uint64_t number) {
    Op op = Make(OpKind::kVfioCheckExtension, fd);
    op.vfioCheckExtension.arg = number;
    return Do(op);
  }
  int SetIommu(uint32_t fd, uint64_t type) {
    Op op = Make(OpKind::kVfioSetIommu, fd);
    op.vfioSetIommu.arg = type;
    return Do(op).err;
  }
  int SetContainer(uint32_t group, uint32_t container) {
    Op op = Make(OpKind::kVfioGroupSetContainer, group);
    op.vfioGroupSetContainer.container = container;
    return Do(op).err;
  }
  int Unset(uint32_t group) { return Do(Make(OpKind::kVfioGroupUnsetContainer, group)).err; }
  Outcome Status(uint32_t group) { return Do(Make(OpKind::kVfioGroupGetStatus, group)); }
  Outcome DeviceFd(uint32_t group, const std::string& name) {
    Op op = Make(OpKind::kVfioGroupGetDeviceFd, group);
    op.blob = name + '\0';
    return Do(op);
  }
  Op MapDmaOp(uint32_t fd, uint32_t flags, uint64_t va, uint64_t iova, uint64_t length) const {
    Op op = Make(OpKind::kVfioIommuMapDma, fd);
    op.vfioIommuMapDma.flags = flags, op.vfioIommuMapDma.vaddr = va;
    op.vfioIommuMapDma.iova = iova, op.vfioIommuMapDma.length = length;
    return op;
  }
  int MapDma(uint32_t fd, uint32_t flags, uint64_t va, uint64_t iova, uint64_t length) {
    return Do(MapDmaOp(fd, flags, va, iova, length)).err;
  }
  Op UnmapDmaOp(uint32_t fd, uint32_t flags, uint64_t iova, uint64_t length) const {
    Op op = Make(OpKind::kVfioIommuUnmapDma, fd);
    op.size = 24;
    op.vfioIommuUnmapDma.flags = flags;
    op.vfioIommuUnmapDma.iova = iova, op.vfioIommuUnmapDma.length = length;
    return op;
  }
  Outcome UnmapDma(uint32_t fd, uint32_t flags, uint64_t iova, uint64_t length) {
    return Do(UnmapDmaOp(fd, flags, iova, length));
  }
  // With a bitmap of one word, 0 before.
  Op GetDirtyOp(OpKind kind, uint32_t fd, uint64_t iova, uint64_t length,
                uint64_t pgsize = 4096) const {
    Op op = Make(kind, fd);
    op.vfioIommuDirtyPages.flags = kind == OpKind::kVfioIommuDirtyPages ? 4 : 1;
    op.vfioIommuDirtyPages.bufWritable = 8;
    op.vfioIommuDirtyPages.iova = iova, op.vfioIommuDirtyPages.length = length;
    op.vfioIommuDirtyPages.bitmapPgsize = pgsize, op.vfioIommuDirtyPages.bitmapSize = 8;
    op.vfioIommuDirtyPages.bitmapData = 0x7000;
    op.blob = Words({0});
    return op;
  }
  int Dirty(uint32_t fd, uint32_t flags) {
    Op op = Make(OpKind::kVfioIommuDirtyPages, fd);
    op.size = 8;
    op.vfioIommuDirtyPages.flags = flags;
    return Do(op).err;
  }
  Op SetIrqsOp(uint32_t fd, uint32_t flags, uint32_t index, uint32_t start, uint32_t count,
               const std::string& payload = "") const {
    Op op = Make(OpKind::kVfioDeviceSetIrqs, fd);
    op.size = 20 + static_cast<uint32_t>(payload.size());
    op.vfioDeviceSetIrqs.flags = flags, op.vfioDeviceSetIrqs.index = index;
    op.vfioDeviceSetIrqs.start = start, op.vfioDeviceSetIrqs.count = count;
    op.blob = payload;
    return op;
  }
  int SetIrqs(uint32_t fd, uint32_t flags, uint32_t index, uint32_t start, uint32_t count,
              const std::string& payload = "") {
    return Do(SetIrqsOp(fd, flags, index, start, count, payload)).err;
  }
  Outcome Info(OpKind kind, uint32_t fd, uint32_t size, uint32_t index = 0) {
    Op op = Make(kind, fd);
    op.size = size;
    if (kind == OpKind::kVfioDeviceGetRegionInfo) op.vfioDeviceGetRegionInfo.index = index;
    if (kind == OpKind::kVfioDeviceGetIrqInfo) op.vfioDeviceGetIrqInfo.index = index;
    return Do(op);
  }
  int Feature(uint32_t fd, uint32_t flags, uint32_t size = 72) {
    Op op = Make(OpKind::kVfioDeviceFeature, fd);
    op.size = size;
    op.vfioDeviceFeature.flags = flags;
    return Do(op).err;
  }
  uint32_t Eventfd() { return Do(Make(OpKind::kEventfd, 0)).fd; }
  Outcome Pread(uint32_t fd, uint64_t offset, uint64_t count) {
    Op op = Make(OpKind::kRead, fd);
    op.read.positional = 1, op.read.offset = offset, op.read.count = count;
    op.read.bufWritable = 65536;
    return Do(op);
  }
  Outcome MmapFd(uint32_t fd, uint64_t base, uint64_t length, uint64_t offset = 0,
                 uint32_t shared = 1, uint32_t prot = kProtRead | kProtWrite) {
    Op op = Make(OpKind::kMmap, fd);
    op.mmap.base = base, op.mmap.length = length, op.mmap.offset = offset;
    op.mmap.prot = prot, op.mmap.shared = shared;
    return Do(op);
  }
  static std::string Hex(const std::string& bytes) {
    static const char* kDigits = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
      hex += kDigits[static_cast<uint8_t>(c) >> 4];
      hex += kDigits[c & 15];
    }
    return hex;
  }
  static std::string Int32(int32_t value) {
    return std::string(reinterpret_cast<const char*>(&value), 4);
  }
  // Container, group 6 in it, backend, 64 pages of memory at kVa.
  void Bring(uint64_t type) {
    container = Container();
    group = Group(6);
    SetContainer(group, container);
    SetIommu(container, type);
    Mmap(kVa, kBytes);
  }

  uint32_t container = 0, group = 0;
};

}  // namespace twinwalk

#endif  // TWINWALK_REFERENCE_TEST_VFIO_H_
