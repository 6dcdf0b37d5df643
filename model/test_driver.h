// For tests: a Machine driven by hand, with Ops whose handles are already numbers. Every helper
// returns what the Machine answered; numbers come from the sheets, never from the model.
#ifndef TWINWALK_MODEL_TEST_DRIVER_H_
#define TWINWALK_MODEL_TEST_DRIVER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"

namespace twinwalk::model {

inline World TwoDevices() {
  World world;
  world.devices.resize(2);
  world.devices[0].streamId = 0x10, world.devices[0].group = 0;
  world.devices[1].streamId = 0x11, world.devices[1].group = 1;
  world.processes.resize(2);
  world.processes[1].uid = 1000;
  return world;
}

class Driver : public MicroStepObserver {
 public:
  explicit Driver(const World& world = TwoDevices(), const ModelFaults& faults = {})
      : world_(world), machine_(MakeModel(faults)) {
    machine_->Reset(world);
    machine_->SetObserver(this);
  }
  Machine& machine() { return *machine_; }
  const World& world() const { return world_; }
  uint8_t process = 0;                     // who acts
  std::vector<MicroStep<uint64_t>> steps;  // since the last Op began
  // Peeked at each micro-step when set; answers go to `seen`.
  const Op* probe = nullptr;
  std::vector<std::pair<MicroStepKind, Outcome>> seen;

  void OnMicroStep(const MicroStep<uint64_t>& step) override {
    steps.push_back(step);
    if (probe != nullptr) seen.emplace_back(step.kind, machine_->Peek(*probe));
  }
  Outcome Run(Op op) {
    steps.clear();
    op.process = process;
    return machine_->Step(op);
  }
  Op Make(OpKind kind, uint32_t fd = kDanglingHandle) const {
    Op op;
    op.kind = kind;
    op.fd = fd;
    op.size = StructSize(kind);
    op.readable = op.writable = 0xffff;
    return op;
  }

  uint32_t OpenIommu() { return Run(Make(OpKind::kOpen)).fd; }
  uint32_t OpenDevice(uint32_t device) {
    Op op = Make(OpKind::kOpen);
    op.open.node = 1;
    op.open.device = device;
    return Run(op).fd;
  }
  Outcome Close(uint32_t fd) { return Run(Make(OpKind::kClose, fd)); }
  Outcome Bind(uint32_t cdev, uint32_t iommufd) {
    Op op = Make(OpKind::kBindIommufd, cdev);
    op.bind.iommufd = iommufd;
    return Run(op);
  }
  Outcome Attach(uint32_t cdev, uint32_t pt) {
    Op op = Make(OpKind::kAttachIommufdPt, cdev);
    op.attach.ptId = pt;
    return Run(op);
  }
  Outcome Detach(uint32_t cdev) { return Run(Make(OpKind::kDetachIommufdPt, cdev)); }
  uint32_t Ioas(uint32_t fd) { return Run(Make(OpKind::kIoasAlloc, fd)).id; }
  // flags: 1 FIXED, 2 WRITEABLE, 4 READABLE
  Outcome Map(uint32_t fd, uint32_t ioas, uint64_t va, uint64_t length, uint64_t iova,
              uint32_t flags = 7) {
    Op op = Make(OpKind::kIoasMap, fd);
    op.ioasMap.flags = flags;
    op.ioasMap.ioasId = ioas;
    op.ioasMap.userVa = va;
    op.ioasMap.length = length;
    op.ioasMap.iova = iova;
    return Run(op);
  }
  Outcome Unmap(uint32_t fd, uint32_t ioas, uint64_t iova, uint64_t length) {
    Op op = Make(OpKind::kIoasUnmap, fd);
    op.ioasUnmap.ioasId = ioas;
    op.ioasUnmap.iova = iova;
    op.ioasUnmap.length = length;
    return Run(op);
  }
  Outcome Hwpt(uint32_t fd, uint32_t device, uint32_t pt, uint32_t flags) {
    Op op = Make(OpKind::kHwptAlloc, fd);
    op.hwptAlloc.flags = flags;
    op.hwptAlloc.devId = device;
    op.hwptAlloc.ptId = pt;
    return Run(op);
  }
  Outcome Nested(uint32_t fd, uint32_t device, uint32_t viommu, uint64_t ste0, uint64_t ste1 = 0) {
    Op op = Make(OpKind::kHwptAlloc, fd);
    op.hwptAlloc.devId = device;
    op.hwptAlloc.ptId = viommu;
    op.hwptAlloc.dataType = 2;
    op.hwptAlloc.dataLen = 16;
    op.hwptAlloc.dataPtr = 0x1000;
    AppendWord(&op.blob, ste0), AppendWord(&op.blob, ste1);
    return Run(op);
  }
  Outcome Viommu(uint32_t fd, uint32_t device, uint32_t hwpt) {
    Op op = Make(OpKind::kViommuAlloc, fd);
    op.viommuAlloc.type = 1;
    op.viommuAlloc.devId = device;
    op.viommuAlloc.hwptId = hwpt;
    return Run(op);
  }
  Outcome Vdevice(uint32_t fd, uint32_t viommu, uint32_t device, uint64_t virt_id) {
    Op op = Make(OpKind::kVdeviceAlloc, fd);
    op.vdeviceAlloc.viommuId = viommu;
    op.vdeviceAlloc.devId = device;
    op.vdeviceAlloc.virtId = virt_id;
    return Run(op);
  }
  Outcome Veventq(uint32_t fd, uint32_t viommu, uint32_t depth, uint32_t type = 1) {
    Op op = Make(OpKind::kVeventqAlloc, fd);
    op.veventqAlloc.viommuId = viommu;
    op.veventqAlloc.type = type;
    op.veventqAlloc.depth = depth;
    return Run(op);
  }
  Outcome Invalidate(uint32_t fd, uint32_t viommu,
                     const std::vector<std::pair<uint64_t, uint64_t>>& commands) {
    Op op = Make(OpKind::kHwptInvalidate, fd);
    op.hwptInvalidate.hwptId = viommu;
    op.hwptInvalidate.dataType = 1;
    op.hwptInvalidate.entryLen = 16;
    op.hwptInvalidate.entryNum = static_cast<uint32_t>(commands.size());
    op.hwptInvalidate.dataPtr = 0x1000;
    for (auto [w0, w1] : commands) AppendWord(&op.blob, w0), AppendWord(&op.blob, w1);
    return Run(op);
  }
  Outcome Destroy(uint32_t fd, uint32_t id) {
    Op op = Make(OpKind::kDestroy, fd);
    op.destroy.id = id;
    return Run(op);
  }
  Outcome Mmap(uint64_t base, uint64_t length, uint32_t prot = 3, uint32_t fd = kDanglingHandle,
               uint64_t offset = 0) {
    Op op = Make(OpKind::kMmap, fd);
    op.mmap.base = base;
    op.mmap.length = length;
    op.mmap.offset = offset;
    op.mmap.prot = prot;
    op.mmap.shared = 1;
    return Run(op);
  }
  Outcome Munmap(uint64_t base, uint64_t length) {
    Op op = Make(OpKind::kMunmap);
    op.munmap.address = base;
    op.munmap.length = length;
    return Run(op);
  }
  Outcome Poke(uint64_t address, const std::string& bytes) {
    Op op = Make(OpKind::kMemWrite);
    op.memWrite.address = address;
    op.blob = bytes;
    return Run(op);
  }
  Outcome Poke64(uint64_t address, uint64_t word) {
    std::string bytes;
    AppendWord(&bytes, word);
    return Poke(address, bytes);
  }
  Outcome ReadQueue(uint32_t fd, uint64_t count) {
    Op op = Make(OpKind::kRead, fd);
    op.read.count = count;
    op.read.bufWritable = 0xffffffff;
    return Run(op);
  }
  Outcome FailAlloc(uint32_t nth) {
    Op op = Make(OpKind::kFailAlloc);
    op.failAlloc.nth = nth;
    return Run(op);
  }
  Op DmaOp(uint32_t device, uint64_t iova, uint32_t length, uint32_t flags = 0) const {
    Op op = Make(OpKind::kDma);
    op.dma.device = device;
    op.dma.iova = iova;
    op.dma.length = length;
    op.dma.flags = flags;
    return op;
  }
  Outcome DmaRead(uint32_t device, uint64_t iova, uint32_t length) {
    return Run(DmaOp(device, iova, length));
  }
  Outcome DmaWrite(uint32_t device, uint64_t iova, const std::string& bytes) {
    Op op = DmaOp(device, iova, static_cast<uint32_t>(bytes.size()), kDmaWrite);
    op.blob = bytes;
    return Run(op);
  }
  View<Concrete> GetView(ViewScope scope = ViewScope::kAll) {
    View<Concrete> view;
    machine_->GetView(scope, &view);
    return view;
  }
  static void AppendWord(std::string* bytes, uint64_t word) {
    bytes->append(reinterpret_cast<const char*>(&word), 8);
  }

 private:
  World world_;
  std::unique_ptr<Machine> machine_;
};

// One device attached to a plain HWPT of one IOAS; memory at kVa is mapped at kIova.
struct Plain {
  static constexpr uint64_t kVa = 0x10000000, kIova = 0x40000000;
  Driver d;
  uint32_t iommu, cdev, dev, ioas, hwpt;
  explicit Plain(const ModelFaults& faults = {}, const World& world = TwoDevices())
      : d(world, faults) {
    iommu = d.OpenIommu();
    cdev = d.OpenDevice(0);
    dev = d.Bind(cdev, iommu).id;
    ioas = d.Ioas(iommu);
    hwpt = d.Hwpt(iommu, dev, ioas, 0).id;
    d.Attach(cdev, hwpt);
    d.Mmap(kVa, 16 * 4096);
  }
};

// One device beneath a vIOMMU with guest memory of 64 pages at IPA 0, whose backing is at kVa.
// Guest structures: CD at IPA 0x1000; stage 1 of 39 bits: level 1 at 0x2000, level 2 at 0x3000,
// level 3 at 0x4000; VA 0x1000 * n -> IPA of page 8 + n, n = 0..7.
struct Guest {
  static constexpr uint64_t kVa = 0x20000000;
  static constexpr uint32_t kVsid = 0x77;
  Driver d;
  uint32_t iommu, cdev, dev, ioas, parent, viommu, vdevice, nested;
  explicit Guest(const ModelFaults& faults = {}, const World& world = TwoDevices())
      : d(world, faults) {
    iommu = d.OpenIommu();
    cdev = d.OpenDevice(0);
    dev = d.Bind(cdev, iommu).id;
    ioas = d.Ioas(iommu);
    d.Mmap(kVa, 64 * 4096);
    d.Map(iommu, ioas, kVa, 64 * 4096, 0);
    parent = d.Hwpt(iommu, dev, ioas, 1).id;
    viommu = d.Viommu(iommu, dev, parent).id;
    vdevice = d.Vdevice(iommu, viommu, dev, kVsid).id;
    Build();
    nested = d.Nested(iommu, dev, viommu, 0x1000 | 5 << 1 | 1).id;
  }
  void Build() {
    // T0SZ 25, EPD1, V, IPS 44 bits, AA64, R, A, ASID 0x11.
    const uint64_t cd0 = 25 | uint64_t{1} << 30 | uint64_t{1} << 31 | uint64_t{4} << 32 |
                         uint64_t{1} << 41 | uint64_t{3} << 45 | uint64_t{0x11} << 48;
    d.Poke64(kVa + 0x1000, cd0);
    d.Poke64(kVa + 0x1008, 0x2000);
    d.Poke64(kVa + 0x2000, 0x3003);
    d.Poke64(kVa + 0x3000, 0x4003);
    for (uint64_t n = 0; n < 8; ++n) SetPage(n, 8 + n);
  }
  // Guest page table: VA page n -> IPA page; user RW, AF, nG.
  Outcome SetPage(uint64_t n, uint64_t ipa_page) {
    return d.Poke64(kVa + 0x4000 + n * 8, ipa_page << 12 | 0xc43);
  }
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_TEST_DRIVER_H_
