// For tests: a machine with two SMMUs, two users and a few devices, and Ops spelled briefly.
#ifndef TWINWALK_REFERENCE_TEST_DRIVER_H_
#define TWINWALK_REFERENCE_TEST_DRIVER_H_

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "reference/reference.h"
#include "reference/structs.h"

namespace twinwalk {

class Driver {
 public:
  explicit Driver(World world = TwoGuests(), const ReferenceFaults& faults = {})
      : machine(MakeReference(faults)), world_(std::move(world)) {
    machine->Reset(world_);
  }
  // Devices 0, 1 (one group each) and 2, 3 (one group) on SMMU 0, device 4 on SMMU 1.
  static World TwoGuests() {
    World world;
    world.smmus.resize(2);
    world.processes = {{1000, false, 64}, {1001, false, 64}, {0, true, 0}};
    const uint32_t groups[5] = {1, 2, 3, 3, 4};
    for (uint32_t i = 0; i < 5; ++i) {
      DeviceConfig device;
      device.smmu = i == 4 ? 1 : 0;
      device.streamId = 0x10 + i;
      device.group = groups[i];
      world.devices.push_back(device);
    }
    return world;
  }

  Op Make(OpKind kind, uint32_t fd) const {
    Op op;
    op.process = process;
    op.kind = kind;
    op.fd = fd;
    op.size = reference::KnownSize(kind);
    op.readable = op.writable = 65535;
    return op;
  }
  Outcome Do(const Op& op) { return machine->Step(op); }

  uint32_t OpenIommu() {
    Op op = Make(OpKind::kOpen, 0);
    return Do(op).fd;
  }
  uint32_t OpenCdev(uint32_t device) {
    Op op = Make(OpKind::kOpen, 0);
    op.open.node = 1, op.open.device = device;
    return Do(op).fd;
  }
  Outcome Close(uint32_t fd) { return Do(Make(OpKind::kClose, fd)); }
  Outcome Bind(uint32_t cdev, uint32_t iommufd, uint32_t flags = 0) {
    Op op = Make(OpKind::kBindIommufd, cdev);
    op.bind.iommufd = iommufd, op.bind.flags = flags;
    return Do(op);
  }
  Op AttachOp(uint32_t cdev, uint32_t pt) const {
    Op op = Make(OpKind::kAttachIommufdPt, cdev);
    op.attach.ptId = pt;
    return op;
  }
  Outcome Attach(uint32_t cdev, uint32_t pt) { return Do(AttachOp(cdev, pt)); }
  Outcome Detach(uint32_t cdev) { return Do(Make(OpKind::kDetachIommufdPt, cdev)); }
  Outcome Ioas(uint32_t fd, uint32_t flags = 0) {
    Op op = Make(OpKind::kIoasAlloc, fd);
    op.ioasAlloc.flags = flags;
    return Do(op);
  }
  Op MapOp(uint32_t fd, uint32_t ioas, uint64_t iova, uint64_t va, uint64_t length,
           uint32_t flags = 7) const {
    Op op = Make(OpKind::kIoasMap, fd);
    op.ioasMap.flags = flags, op.ioasMap.ioasId = ioas;
    op.ioasMap.userVa = va, op.ioasMap.length = length, op.ioasMap.iova = iova;
    return op;
  }
  Outcome Map(uint32_t fd, uint32_t ioas, uint64_t iova, uint64_t va, uint64_t length,
              uint32_t flags = 7) {
    return Do(MapOp(fd, ioas, iova, va, length, flags));
  }
  Outcome Unmap(uint32_t fd, uint32_t ioas, uint64_t iova, uint64_t length) {
    Op op = Make(OpKind::kIoasUnmap, fd);
    op.ioasUnmap.ioasId = ioas, op.ioasUnmap.iova = iova, op.ioasUnmap.length = length;
    return Do(op);
  }
  Op HwptOp(uint32_t fd, uint32_t dev, uint32_t pt, uint32_t flags) const {
    Op op = Make(OpKind::kHwptAlloc, fd);
    op.hwptAlloc.flags = flags, op.hwptAlloc.devId = dev, op.hwptAlloc.ptId = pt;
    return op;
  }
  Outcome Hwpt(uint32_t fd, uint32_t dev, uint32_t pt, uint32_t flags) {
    return Do(HwptOp(fd, dev, pt, flags));
  }
  Op NestedOp(uint32_t fd, uint32_t dev, uint32_t viommu, uint64_t ste0, uint64_t ste1 = 0) const {
    Op op = HwptOp(fd, dev, viommu, 0);
    op.hwptAlloc.dataType = 2, op.hwptAlloc.dataLen = 16, op.hwptAlloc.dataPtr = 0x1000;
    op.blob = Words({ste0, ste1});
    return op;
  }
  Outcome Nested(uint32_t fd, uint32_t dev, uint32_t viommu, uint64_t ste0, uint64_t ste1 = 0) {
    return Do(NestedOp(fd, dev, viommu, ste0, ste1));
  }
  Op ViommuOp(uint32_t fd, uint32_t dev, uint32_t hwpt) const {
    Op op = Make(OpKind::kViommuAlloc, fd);
    op.viommuAlloc.type = 1, op.viommuAlloc.devId = dev, op.viommuAlloc.hwptId = hwpt;
    return op;
  }
  Outcome Viommu(uint32_t fd, uint32_t dev, uint32_t hwpt) { return Do(ViommuOp(fd, dev, hwpt)); }
  Outcome Vdevice(uint32_t fd, uint32_t viommu, uint32_t dev, uint64_t virt) {
    Op op = Make(OpKind::kVdeviceAlloc, fd);
    op.vdeviceAlloc.viommuId = viommu, op.vdeviceAlloc.devId = dev, op.vdeviceAlloc.virtId = virt;
    return Do(op);
  }
  Op VeventqOp(uint32_t fd, uint32_t viommu, uint32_t type, uint32_t depth) const {
    Op op = Make(OpKind::kVeventqAlloc, fd);
    op.veventqAlloc.viommuId = viommu, op.veventqAlloc.type = type, op.veventqAlloc.depth = depth;
    return op;
  }
  Outcome Veventq(uint32_t fd, uint32_t viommu, uint32_t depth) {
    return Do(VeventqOp(fd, viommu, 1, depth));
  }
  Op InvalidateOp(uint32_t fd, uint32_t id, const std::vector<uint64_t>& words) const {
    Op op = Make(OpKind::kHwptInvalidate, fd);
    op.hwptInvalidate.hwptId = id, op.hwptInvalidate.dataType = 1;
    op.hwptInvalidate.entryLen = 16;
    op.hwptInvalidate.entryNum = static_cast<uint32_t>(words.size() / 2);
    op.hwptInvalidate.dataPtr = 0x1000;
    op.blob = Words(words);
    return op;
  }
  Outcome Invalidate(uint32_t fd, uint32_t id, const std::vector<uint64_t>& words) {
    return Do(InvalidateOp(fd, id, words));
  }
  Outcome Destroy(uint32_t fd, uint32_t id) {
    Op op = Make(OpKind::kDestroy, fd);
    op.destroy.id = id;
    return Do(op);
  }
  Outcome Mmap(uint64_t base, uint64_t length, uint32_t prot = kProtRead | kProtWrite) {
    Op op = Make(OpKind::kMmap, kDanglingHandle);
    op.mmap.base = base, op.mmap.length = length, op.mmap.prot = prot;
    return Do(op);
  }
  Outcome Write(uint64_t address, const std::string& bytes) {
    Op op = Make(OpKind::kMemWrite, 0);
    op.memWrite.address = address;
    op.blob = bytes;
    return Do(op);
  }
  Outcome Write64(uint64_t address, uint64_t word) { return Write(address, Words({word})); }
  Outcome FailAlloc(uint32_t nth) {
    Op op = Make(OpKind::kFailAlloc, 0);
    op.failAlloc.nth = nth;
    return Do(op);
  }
  Outcome Read(uint32_t fd, uint64_t count) {
    Op op = Make(OpKind::kRead, fd);
    op.read.count = count, op.read.bufWritable = 65536;
    return Do(op);
  }
  Op DmaOp(uint32_t device, uint64_t iova, uint32_t length, const std::string& bytes = "") const {
    Op op = Make(OpKind::kDma, 0);
    op.dma.device = device, op.dma.iova = iova, op.dma.length = length;
    op.dma.flags = bytes.empty() ? 0 : uint32_t{kDmaWrite};
    op.blob = bytes;
    return op;
  }
  Outcome Dma(uint32_t device, uint64_t iova, uint32_t length = 8, const std::string& bytes = "") {
    return Do(DmaOp(device, iova, length, bytes));
  }
  View<Concrete> Seen() const {
    View<Concrete> view;
    machine->GetView(ViewScope::kAll, &view);
    return view;
  }
  static std::string Words(const std::vector<uint64_t>& words) {
    return std::string(reinterpret_cast<const char*>(words.data()), words.size() * 8);
  }

  std::unique_ptr<PermittingMachine> machine;
  uint8_t process = 0;

 private:
  World world_;
};

// A guest on device 0: 64 pages of memory at IPA 0x100000 (user address 0x40000000), CD at
// 0x100000, stage-1 tables at 0x101000.., data pages from 0x110000, in one backing with IPA -
// 0x100000 as offset.
struct Guest {
  static constexpr uint64_t kIpa = 0x100000, kVa = 0x40000000, kBytes = 64 * 4096;

  explicit Guest(Driver* driver, uint32_t device = 0, uint64_t vsid = 0x77) : d(*driver) {
    iommu = d.OpenIommu();
    cdev = d.OpenCdev(device);
    dev = d.Bind(cdev, iommu).id;
    ioas = d.Ioas(iommu).id;
    d.Mmap(kVa, kBytes);
    d.Map(iommu, ioas, kIpa, kVa, kBytes);
    parent = d.Hwpt(iommu, dev, ioas, 1).id;
    viommu = d.Viommu(iommu, dev, parent).id;
    vdevice = d.Vdevice(iommu, viommu, dev, vsid).id;
    Poke(0x100000, Cd0(0x42));
    Poke(0x100008, 0x101000);                            // TTB0
    Poke(0x101000, 0x102003);                            // L0[0] -> L1
    Poke(0x102000, 0x103003);                            // L1[0] -> L2
    Poke(0x103000, 0x104003);                            // L2[0] -> L3
    nested = d.Nested(iommu, dev, viommu, 0x10000b).id;  // V, Config 5, CD at 0x100000
    attached = d.Attach(cdev, nested);
  }
  // 48-bit VA, 4K, EPD1, V, IPS 44, AA64, R, A.
  static uint64_t Cd0(uint64_t asid) {
    return 16 | uint64_t{1} << 30 | uint64_t{1} << 31 | uint64_t{4} << 32 | uint64_t{1} << 41 |
           uint64_t{1} << 45 | uint64_t{1} << 46 | asid << 48;
  }
  void Poke(uint64_t ipa, uint64_t word) { d.Write64(kVa + (ipa - kIpa), word); }
  // L3 entry of VA page n: page at `ipa`, user read/write, AF, nG unless global.
  void Page(uint64_t n, uint64_t ipa, bool global = false) {
    Poke(0x104000 + 8 * n, ipa | 0x443 | (global ? 0 : 0x800));
  }
  Driver& d;
  uint32_t iommu, cdev, dev, ioas, parent, viommu, vdevice, nested;
  Outcome attached;
};

}  // namespace twinwalk

#endif  // TWINWALK_REFERENCE_TEST_DRIVER_H_
