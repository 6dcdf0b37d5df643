// What VFIO devices tell and refuse: bytes and errnos of the recordings of Linux 7.2 (edu-type1v2,
// group-all-bound, libvfn-vfio-eventfd, aw-iommufd-pci-device-open).
#include <gtest/gtest.h>

#include <cerrno>

#include "model/vfio_driver.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kConfig = uint64_t{7} << 40;
constexpr uint32_t kStdout = 1;

struct Opened : Type1 {
  uint32_t device;
  explicit Opened(const World& world = RecordedPc()) : Type1({}, world) {
    device = d.DeviceFd(group, "0000:00:10.0").fd;
  }
  Outcome Info(OpKind kind, uint32_t index, uint32_t size = 0) {
    Op op = d.Make(kind, device);
    if (size != 0) op.size = size;
    op.vfioDeviceGetRegionInfo.index = index;  // same place in both structs
    return d.Run(op);
  }
  Outcome Region(uint32_t index, uint32_t size = 32) {
    return Info(OpKind::kVfioDeviceGetRegionInfo, index, size);
  }
  Outcome Irq(uint32_t index) { return Info(OpKind::kVfioDeviceGetIrqInfo, index); }
  // payload: bytes behind the struct
  Outcome SetIrqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count,
                  const std::vector<uint32_t>& fds = {}) {
    Op op = d.Make(OpKind::kVfioDeviceSetIrqs, device);
    op.vfioDeviceSetIrqs.flags = flags;
    op.vfioDeviceSetIrqs.index = index;
    op.vfioDeviceSetIrqs.start = start;
    op.vfioDeviceSetIrqs.count = count;
    for (uint32_t fd : fds) op.blob.append(reinterpret_cast<const char*>(&fd), 4);
    op.size = 20 + static_cast<uint32_t>(op.blob.size());
    return d.Run(op);
  }
  Outcome At(OpKind kind, uint64_t offset, uint64_t count) {
    Op op = d.Make(kind, device);
    if (kind == OpKind::kRead) {
      op.read.positional = 1, op.read.offset = offset, op.read.count = count;
      op.read.bufWritable = 0xffffffff;
    } else {
      op.write.positional = 1, op.write.offset = offset;
      op.blob.assign(count, 'x');
    }
    return d.Run(op);
  }
  uint32_t Eventfd() { return d.Run(d.Make(OpKind::kEventfd)).fd; }
};

TEST(Device, InfoAsRecorded) {
  Opened t;
  EXPECT_EQ(t.Info(OpKind::kVfioDeviceGetInfo, 0, 4).err, EINVAL);
  EXPECT_EQ(t.Info(OpKind::kVfioDeviceGetInfo, 0).out,
            VfioDriver::Bytes("180000000200000009000000050000000000000000000000"));
  EXPECT_EQ(t.Region(0).out,
            VfioDriver::Bytes("2000000007000000000000000000000000001000000000000000000000000000"));
  EXPECT_EQ(t.Region(1).out,
            VfioDriver::Bytes("2000000000000000010000000000000000000000000000000000000000010000"));
  EXPECT_EQ(t.Region(7).out,
            VfioDriver::Bytes("2000000003000000070000000000000000010000000000000000000000070000"));
  EXPECT_EQ(t.Region(8).err, EINVAL);
  EXPECT_EQ(t.Region(9).err, EINVAL);
  EXPECT_EQ(t.Irq(0).out, VfioDriver::Bytes("10000000070000000000000001000000"));
  EXPECT_EQ(t.Irq(1).out, VfioDriver::Bytes("10000000090000000100000001000000"));
  EXPECT_EQ(t.Irq(2).out, VfioDriver::Bytes("10000000090000000200000000000000"));
  EXPECT_EQ(t.Irq(3).err, EINVAL);
  EXPECT_EQ(t.Irq(4).out, VfioDriver::Bytes("10000000090000000400000001000000"));
  EXPECT_EQ(t.Irq(5).err, EINVAL);
}

// The NVMe of the recordings: MSI-X, a region with a capability.
TEST(Device, CapabilitiesAsRecorded) {
  World world = RecordedPc();
  world.devices[0].vfio.resets = world.devices[0].vfio.pcie = true;
  world.devices[0].vfio.regions[0] = {0x4000, 7, true, {}};
  world.devices[0].vfio.irqs = {1, 0, 65, 1, 1};
  Opened t(world);
  EXPECT_EQ(t.Info(OpKind::kVfioDeviceGetInfo, 0).out,
            VfioDriver::Bytes("180000000300000009000000050000000000000000000000"));
  EXPECT_EQ(t.Region(0).out,
            VfioDriver::Bytes("280000000f000000000000000000000000400000000000000000000000000000"));
  EXPECT_EQ(t.Region(0, 40).out,
            VfioDriver::Bytes("280000000f000000000000002000000000400000000000000000000000000000"
                              "0300010000000000"));
  EXPECT_EQ(t.Irq(2).out, VfioDriver::Bytes("10000000010000000200000041000000"));
  EXPECT_EQ(t.Irq(3).out, VfioDriver::Bytes("10000000090000000300000001000000"));
  EXPECT_EQ(t.d.Run(t.d.Make(OpKind::kVfioDeviceReset, t.device)).err, 0);
}

TEST(Device, SparseRegions) {
  World world = RecordedPc();
  world.devices[0].vfio.regions[0].sparse = {{0x1000, 0x2000}};
  Opened t(world);
  const std::string out = t.Region(0, 64).out;  // header, number, one piece: 32 bytes
  EXPECT_EQ(out.substr(32), VfioDriver::Bytes("0100010000000000"
                                              "0100000000000000"
                                              "0010000000000000"
                                              "0020000000000000"));
  EXPECT_EQ(t.d.Mmap(0x30000000, 0x1000, 3, t.device, 0).err, EINVAL);
  EXPECT_EQ(t.d.Mmap(0x30000000, 0x2000, 3, t.device, 0x1000).err, 0);
  EXPECT_EQ(t.d.Mmap(0x31000000, 0x3000, 3, t.device, 0x1000).err, EINVAL);
}

TEST(Device, RegionsAsRecorded) {
  Opened t;
  EXPECT_EQ(t.At(OpKind::kRead, kConfig, 256).ret, 256);
  EXPECT_EQ(t.At(OpKind::kRead, kConfig + 250, 256).ret, 6);
  EXPECT_EQ(t.At(OpKind::kWrite, kConfig + 4, 2).ret, 2);
  EXPECT_EQ(t.At(OpKind::kRead, 0x100000, 4).err, EINVAL);
  EXPECT_EQ(t.At(OpKind::kRead, uint64_t{1} << 40, 4).err, EINVAL);
  EXPECT_EQ(t.At(OpKind::kRead, uint64_t{20} << 40, 4).err, EINVAL);
  EXPECT_EQ(t.d.Mmap(0x30000000, 0x200000, 3, t.device).err, EINVAL);
  EXPECT_EQ(t.d.Mmap(0x30000000, 0x1000, 1, t.device, kConfig).err, EINVAL);
  Op op = t.d.Make(OpKind::kMmap, t.device);
  op.mmap.base = 0x30000000, op.mmap.length = 0x1000, op.mmap.prot = 3;
  EXPECT_EQ(t.d.Run(op).err, EINVAL);  // private
  EXPECT_EQ(t.d.Mmap(0x30000000, 0x100000, 3, t.device).err, 0);
}

TEST(Device, FeaturesAsRecorded) {
  Opened t;
  const auto feature = [&](uint32_t flags, uint32_t size) {
    Op op = t.d.Make(OpKind::kVfioDeviceFeature, t.device);
    op.size = size;
    op.vfioDeviceFeature.flags = flags;
    return t.d.Run(op).err;
  };
  constexpr uint32_t kGetProbe = 0x50000, kSetProbe = 0x60000;
  for (uint32_t n : {0, 1, 2, 6, 7, 8, 9, 10}) {
    EXPECT_EQ(feature(kGetProbe | n, 72), ENOTTY) << n;
    EXPECT_EQ(feature(kSetProbe | n, 72), ENOTTY) << n;
  }
  for (uint32_t n : {3, 4, 5}) {
    EXPECT_EQ(feature(kGetProbe | n, 72), EINVAL) << n;
    EXPECT_EQ(feature(kSetProbe | n, 72), 0) << n;
  }
  EXPECT_EQ(feature(kGetProbe | 11, 72), 0);
  EXPECT_EQ(feature(kSetProbe | 11, 72), EINVAL);
  EXPECT_EQ(feature(0x10000, 8), ENOTTY);
  EXPECT_EQ(feature(0, 8), ENOTTY);
  EXPECT_EQ(feature(0, 4), EINVAL);
  EXPECT_EQ(feature(0x2000a, 12), ENOTTY);
}

TEST(Device, SetIrqsAsRecorded) {
  Opened t;
  const uint32_t a = t.Eventfd(), b = t.Eventfd();
  Op op = t.d.Make(OpKind::kVfioDeviceSetIrqs, t.device);
  op.size = 12;
  EXPECT_EQ(t.d.Run(op).err, EINVAL);
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0, 1).err, EINVAL);          // no data
  EXPECT_EQ(t.SetIrqs(0x40, 1, 0, 1, {a}).err, EINVAL);     // bad flags
  EXPECT_EQ(t.SetIrqs(0x25, 1, 0, 1, {a}).err, EINVAL);     // two data types
  EXPECT_EQ(t.SetIrqs(0x24, 9, 0, 1, {a}).err, EINVAL);     // index 9
  EXPECT_EQ(t.SetIrqs(0x24, 1, 1, 1, {a}).err, EINVAL);     // start 1
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0, 2, {a, 0}).err, EINVAL);  // count 2 of 1
  EXPECT_EQ(t.SetIrqs(0x09, 1, 0, 1).err, ENOTTY);          // mask msi
  EXPECT_EQ(t.SetIrqs(0x21, 1, 0, 1).err, EINVAL);          // loopback before it is set up
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0, 1, {kStdout}).err, EINVAL);
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0, 1, {99}).err, EBADF);
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0, 1, {t.container}).err, EINVAL);
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0, 1, {a}).err, 0);
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0, 1, {b}).err, 0);
  EXPECT_EQ(t.SetIrqs(0x24, 0, 0, 1, {b}).err, EINVAL);  // intx while msi is on
  EXPECT_EQ(t.SetIrqs(0x21, 1, 0, 1).err, 0);
  EXPECT_EQ(t.SetIrqs(0x24, 3, 0, 1, {b}).err, EINVAL);  // err: no vector
  EXPECT_EQ(t.SetIrqs(0x21, 4, 0, 1).err, EINVAL);       // req: nothing bound
  EXPECT_EQ(t.SetIrqs(0x24, 4, 0, 1, {b}).err, 0);
  EXPECT_EQ(t.SetIrqs(0x21, 4, 0, 1).err, 0);
  EXPECT_EQ(t.SetIrqs(0x21, 4, 0, 0).err, 0);
  EXPECT_EQ(t.SetIrqs(0x21, 1, 0, 0).err, 0);  // msi off
  EXPECT_EQ(t.SetIrqs(0x21, 1, 0, 1).err, EINVAL);
  EXPECT_EQ(t.SetIrqs(0x11, 0, 0, 1).err, EINVAL);  // unmask: off
  EXPECT_EQ(t.SetIrqs(0x24, 0, 0, 1, {b}).err, 0);
  EXPECT_EQ(t.SetIrqs(0x11, 0, 0, 1).err, 0);
  EXPECT_EQ(t.SetIrqs(0x21, 0, 0, 0).err, 0);
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0xfffffffe, 1, {b}).err, EINVAL);
}

// Interrupts are given back when the last file of the device closes.
TEST(Device, ClosingShutsInterrupts) {
  Opened t;
  const uint32_t a = t.Eventfd();
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0, 1, {a}).err, 0);
  const uint32_t again = t.d.DeviceFd(t.group, "0000:00:10.0").fd;
  t.d.Close(t.device);
  t.device = again;
  EXPECT_EQ(t.SetIrqs(0x21, 1, 0, 1).err, 0);
  t.d.Close(again);
  t.device = t.d.DeviceFd(t.group, "0000:00:10.0").fd;
  EXPECT_EQ(t.SetIrqs(0x21, 1, 0, 1).err, EINVAL);
}

TEST(Device, Ioeventfds) {
  Opened t;
  const uint32_t a = t.Eventfd();
  const auto bind = [&](uint32_t fd, uint64_t offset = 4, uint32_t flags = 4) {
    Op op = t.d.Make(OpKind::kVfioDeviceIoeventfd, t.device);
    op.vfioDeviceIoeventfd.flags = flags;
    op.vfioDeviceIoeventfd.eventfd = fd;
    op.vfioDeviceIoeventfd.offset = offset;
    return t.d.Run(op).err;
  };
  EXPECT_EQ(bind(0xffffffff), ENODEV);  // recorded: remove none
  EXPECT_EQ(bind(a), 0);
  EXPECT_EQ(bind(a), EEXIST);
  EXPECT_EQ(bind(0xffffffff), 0);
  EXPECT_EQ(bind(99), EBADF);
  EXPECT_EQ(bind(a, 0x100000), EINVAL);
  EXPECT_EQ(bind(a, kConfig), EINVAL);
  EXPECT_EQ(bind(a, 4, 3), EINVAL);
}

// The recorded group: three functions on bus 3, the bridge above them is not among them.
TEST(Device, HotResetAsRecorded) {
  World world = RecordedPc();
  world.devices[0] = Edu(0x308, "0000:00:10.0", 8);
  world.devices[1] = Edu(0x310, "0000:03:02.0", 8);
  world.devices[0].vfio.slotResets = world.devices[1].vfio.slotResets = true;
  world.functions.resize(4);
  world.functions[0].rid = 0x200, world.functions[0].kind = PciFunction::kPcieToPci;
  for (uint32_t i = 1; i < 4; ++i) {
    world.functions[i].rid = 0x300 + i * 8, world.functions[i].kind = PciFunction::kConventional;
    world.functions[i].parent = 1, world.functions[i].driver = PciFunction::kVfio;
    world.functions[i].device = i < 3 ? i : 0;
  }
  Opened t(world);
  Op op = t.d.Make(OpKind::kVfioPciHotResetInfo, t.device);
  EXPECT_EQ(t.d.Run(op).err, ENOSPC);
  EXPECT_EQ(t.d.Run(op).out, VfioDriver::Bytes("0c0000000000000003000000"));
  op.size = 36;
  EXPECT_EQ(t.d.Run(op).out, VfioDriver::Bytes("240000000000000003000000"
                                               "080000000000030808000000000003100800000000000318"));
  Op reset = t.d.Make(OpKind::kVfioPciHotReset, t.device);
  EXPECT_EQ(t.d.Run(reset).err, EINVAL);  // no group given
  reset.vfioPciHotReset.count = 1;
  reset.blob.assign(reinterpret_cast<const char*>(&t.container), 4);
  reset.size = 16;
  EXPECT_EQ(t.d.Run(reset).err, EINVAL);
  reset.blob.assign(reinterpret_cast<const char*>(&t.group), 4);
  EXPECT_EQ(t.d.Run(reset).err, 0);
  reset.readable = 12;
  EXPECT_EQ(t.d.Run(reset).err, EFAULT);
  Opened u;
  EXPECT_EQ(u.d.Run(u.d.Make(OpKind::kVfioPciHotResetInfo, u.device)).err, ENODEV);
  EXPECT_EQ(u.d.Run(u.d.Make(OpKind::kVfioDeviceReset, u.device)).err, EINVAL);
}

// A cdev bound to an iommufd is a device too.
TEST(Device, OnABoundCdev) {
  Opened t;
  const uint32_t iommu = t.d.OpenIommu();
  t.device = t.d.OpenDevice(1);
  EXPECT_EQ(t.Irq(0).err, EINVAL);
  EXPECT_EQ(t.d.Bind(t.device, iommu).err, 0);
  EXPECT_EQ(t.Irq(0).err, 0);
  EXPECT_EQ(t.At(OpKind::kRead, kConfig, 4).ret, 4);
  EXPECT_EQ(t.d.Mmap(0x30000000, 0x1000, 3, t.device).err, 0);
  const uint32_t a = t.Eventfd();
  EXPECT_EQ(t.SetIrqs(0x24, 1, 0, 1, {a}).err, 0);
  t.d.Close(t.device);
  t.device = t.d.OpenDevice(1);
  EXPECT_EQ(t.d.Bind(t.device, iommu).err, 0);
  EXPECT_EQ(t.SetIrqs(0x21, 1, 0, 1).err, EINVAL);  // nothing is left of it
  t.device = t.container;
  EXPECT_EQ(t.Irq(0).err, ENOTTY);
}

}  // namespace
}  // namespace twinwalk::model
