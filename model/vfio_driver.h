// For tests: native containers, groups and devices driven by hand. Numbers come from the type1
// sheet and from recordings of a real kernel, never from the model.
#ifndef TWINWALK_MODEL_VFIO_DRIVER_H_
#define TWINWALK_MODEL_VFIO_DRIVER_H_

#include <string>
#include <vector>

#include "model/test_driver.h"

namespace twinwalk::model {

// QEMU's edu device as the recordings show it: one BAR, INTx, MSI.
inline DeviceConfig Edu(uint32_t rid, const std::string& name, uint32_t group, uint32_t iommu = 0) {
  DeviceConfig device;
  device.smmu = iommu;
  device.streamId = rid;
  device.group = group;
  device.vfio.name = name;
  device.vfio.regions[0] = {0x100000, 7, false, {}};
  device.vfio.regions[7] = {256, 3, false, {}};
  device.vfio.irqs = {1, 1, 0, 0, 1};
  device.vfio.featureSet = 1 << 3 | 1 << 4 | 1 << 5;
  device.vfio.featureGet = 1 << 11;
  return device;
}

// The recorded PC: one VT-d unit, edu at 00:10.0 in group 6, another in group 8. Two processes,
// the second not privileged.
inline World RecordedPc() {
  World world;
  world.smmus.clear();
  world.vtds.resize(1);
  world.vtds[0].cap = 0x80d2008c222f0686;
  world.vtds[0].ecap = 0xf00f4e;
  world.devices = {Edu(0x80, "0000:00:10.0", 6), Edu(0x88, "0000:00:11.0", 8)};
  world.processes.resize(3);
  world.processes[0].rawIo = true;
  world.processes[1].uid = 1000;
  world.processes[1].memlockPages = 20;
  world.processes[2].unborn = true;
  return world;
}

class VfioDriver : public Driver {
 public:
  explicit VfioDriver(const World& world = RecordedPc(), const ModelFaults& faults = {})
      : Driver(world, faults) {}

  Outcome Open(Node node, uint32_t number = 0) {
    Op op = Make(OpKind::kOpen);
    op.open.node = static_cast<uint32_t>(node);
    op.open.device = number;
    return Run(op);
  }
  uint32_t Container() { return Open(Node::kVfioContainer).fd; }
  uint32_t Group(uint32_t number) { return Open(Node::kVfioGroup, number).fd; }
  Outcome Extension(uint32_t fd, uint64_t extension) {
    Op op = Make(OpKind::kVfioCheckExtension, fd);
    op.vfioCheckExtension.arg = extension;
    return Run(op);
  }
  Outcome SetIommu(uint32_t fd, uint64_t type) {
    Op op = Make(OpKind::kVfioSetIommu, fd);
    op.vfioSetIommu.arg = type;
    return Run(op);
  }
  Outcome SetContainer(uint32_t group, uint32_t container) {
    Op op = Make(OpKind::kVfioGroupSetContainer, group);
    op.vfioGroupSetContainer.container = container;
    return Run(op);
  }
  Outcome Unset(uint32_t group) { return Run(Make(OpKind::kVfioGroupUnsetContainer, group)); }
  // Flags of GET_STATUS; 0xff when it failed.
  uint32_t Status(uint32_t group) {
    const Outcome out = Run(Make(OpKind::kVfioGroupGetStatus, group));
    return out.err != 0 ? 0xff : Word(out.out, 4);
  }
  Outcome DeviceFd(uint32_t group, const std::string& name) {
    Op op = Make(OpKind::kVfioGroupGetDeviceFd, group);
    op.blob = name + '\0';
    return Run(op);
  }
  // flags: 1 READ, 2 WRITE, 4 VADDR
  Outcome MapDma(uint32_t fd, uint64_t vaddr, uint64_t iova, uint64_t size, uint32_t flags = 3) {
    Op op = Make(OpKind::kVfioIommuMapDma, fd);
    op.vfioIommuMapDma.flags = flags;
    op.vfioIommuMapDma.vaddr = vaddr;
    op.vfioIommuMapDma.iova = iova;
    op.vfioIommuMapDma.length = size;
    return Run(op);
  }
  // flags: 1 GET_DIRTY_BITMAP, 2 ALL, 4 VADDR
  Outcome UnmapDma(uint32_t fd, uint64_t iova, uint64_t size, uint32_t flags = 0) {
    Op op = Make(OpKind::kVfioIommuUnmapDma, fd);
    op.size = 24;
    op.vfioIommuUnmapDma.flags = flags;
    op.vfioIommuUnmapDma.iova = iova;
    op.vfioIommuUnmapDma.length = size;
    return Run(op);
  }
  // flags: 1 START, 2 STOP, 4 GET
  Outcome Dirty(uint32_t fd, uint32_t flags) {
    Op op = Make(OpKind::kVfioIommuDirtyPages, fd);
    op.size = 8;
    op.vfioIommuDirtyPages.flags = flags;
    return Run(op);
  }
  Op GetDirtyOp(uint32_t fd, uint64_t iova, uint64_t size, uint64_t bytes) {
    Op op = Make(OpKind::kVfioIommuDirtyPages, fd);
    op.vfioIommuDirtyPages.flags = 4;
    op.vfioIommuDirtyPages.iova = iova;
    op.vfioIommuDirtyPages.length = size;
    op.vfioIommuDirtyPages.bitmapPgsize = 4096;
    op.vfioIommuDirtyPages.bitmapSize = bytes;
    op.vfioIommuDirtyPages.bitmapData = 0x1000;
    op.vfioIommuDirtyPages.bufWritable = static_cast<uint32_t>(bytes);
    return op;
  }
  Outcome Process(OpKind kind, uint32_t other = 0) {  // fork, exec, exit
    Op op = Make(kind);
    op.fork.child = other;
    return Run(op);
  }
  Outcome Pass(uint32_t fd, uint32_t to) {
    Op op = Make(OpKind::kPassFd, fd);
    op.passFd.to = to;
    return Run(op);
  }
  // Pages charged to a process alone; all ones: it never was.
  uint64_t Charged(uint32_t of) {
    const View<Concrete> view = GetView();
    const AccountRow<Concrete>* row = view.accounts.Find((uint64_t{1} << 32) + of + 1);
    return row == nullptr ? ~uint64_t{0} : row->pinned;
  }
  static uint32_t Word(const std::string& bytes, size_t at) {
    uint32_t word = 0;
    if (bytes.size() >= at + 4) bytes.copy(reinterpret_cast<char*>(&word), 4, at);
    return word;
  }
  static std::string Bytes(const std::string& hex) {
    std::string bytes;
    for (size_t i = 0; i + 1 < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return bytes;
  }
};

// Group 6 in a type1v2 container; 16 pages of memory at kVa.
struct Type1 {
  static constexpr uint64_t kVa = 0x10000000, kIova = 0x1000000;
  VfioDriver d;
  uint32_t container, group;
  explicit Type1(const ModelFaults& faults = {}, const World& world = RecordedPc(),
                 uint64_t type = 3)
      : d(world, faults) {
    container = d.Container();
    group = d.Group(world.devices[0].group);
    d.SetContainer(group, container);
    d.SetIommu(container, type);
    d.Mmap(kVa, 16 * 4096);
  }
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_VFIO_DRIVER_H_
