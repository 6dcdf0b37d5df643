// Device files, call by call as the recorded 7.2 kernel answered (edu-type1v2, libvfn, qemu and
// vtd-groups captures); sparse mappings and topology from the sheet (type1 6).
#include <gtest/gtest.h>

#include "reference/test_vfio.h"

namespace twinwalk {
namespace {

using V = VfioDriver;
constexpr uint32_t kNone = 1, kBool = 2, kEventfd = 4, kMask = 8, kUnmask = 0x10, kTrigger = 0x20;

// Both devices, opened through their groups.
struct Devices : V {
  explicit Devices(World world = Recorded()) : V(std::move(world)) {
    Bring(3);
    second = Group(8);
    SetContainer(second, container);
    edu = DeviceFd(group, "0000:00:10.0").fd;
    nvme = DeviceFd(second, "0000:01:00.0").fd;
  }
  std::string RegionHex(uint32_t fd, uint32_t index, uint32_t size = 32) {
    return Hex(Info(OpKind::kVfioDeviceGetRegionInfo, fd, size, index).out);
  }
  std::string IrqHex(uint32_t fd, uint32_t index) {
    return Hex(Info(OpKind::kVfioDeviceGetIrqInfo, fd, 16, index).out);
  }
  uint32_t second, edu, nvme;
};

TEST(VfioDevice, Info) {
  Devices d;
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetInfo, d.edu, 4).err, EINVAL);
  EXPECT_EQ(V::Hex(d.Info(OpKind::kVfioDeviceGetInfo, d.edu, 24).out),
            "180000000200000009000000050000000000000000000000");
  EXPECT_EQ(V::Hex(d.Info(OpKind::kVfioDeviceGetInfo, d.nvme, 24).out),
            "180000000300000009000000050000000000000000000000");
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetInfo, d.edu, 280).out.size(), 280u);
  Op op = d.Make(OpKind::kVfioDeviceGetInfo, d.edu);
  op.writable = 23;
  EXPECT_EQ(d.Do(op).err, EFAULT);
  EXPECT_EQ(d.Do(d.Make(OpKind::kVfioDeviceGetInfo, d.group)).err, ENOTTY);
}

TEST(VfioDevice, Regions) {
  Devices d;
  EXPECT_EQ(d.RegionHex(d.edu, 0),
            "2000000007000000000000000000000000001000000000000000000000000000");
  EXPECT_EQ(d.RegionHex(d.edu, 1),
            "2000000000000000010000000000000000000000000000000000000000010000");
  EXPECT_EQ(d.RegionHex(d.edu, 6),
            "2000000000000000060000000000000000000000000000000000000000060000");
  EXPECT_EQ(d.RegionHex(d.edu, 7),
            "2000000003000000070000000000000000010000000000000000000000070000");
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetRegionInfo, d.edu, 32, 8).err, EINVAL);
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetRegionInfo, d.edu, 32, 9).err, EINVAL);
  EXPECT_EQ(d.RegionHex(d.nvme, 0),
            "280000000f000000000000000000000000400000000000000000000000000000");
  EXPECT_EQ(d.RegionHex(d.nvme, 0, 40),
            "280000000f000000000000002000000000400000000000000000000000000000"
            "0300010000000000");
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetRegionInfo, d.edu, 31).err, EINVAL);
}

TEST(VfioDevice, SparseRegions) {
  World world = V::Recorded();
  world.devices[0].vfio.regions[2] = {0x4000, 7, true, {{0, 0x1000}, {0x2000, 0x2000}}};
  Devices d(world);
  EXPECT_EQ(d.RegionHex(d.edu, 2, 128).substr(64, 128),
            "01000100500000000200000000000000"
            "00000000000000000010000000000000"
            "00200000000000000020000000000000"
            "0300010000000000"
            "0000000000000000");
  const uint64_t at = uint64_t{2} << 40;
  EXPECT_EQ(d.MmapFd(d.edu, 0x60000000, 0x1000, at).err, 0);
  EXPECT_EQ(d.MmapFd(d.edu, 0x61000000, 0x2000, at).err, EINVAL);
  EXPECT_EQ(d.MmapFd(d.edu, 0x61000000, 0x1000, at + 0x1000).err, EINVAL);
  EXPECT_EQ(d.MmapFd(d.edu, 0x61000000, 0x2000, at + 0x2000).err, 0);
}

TEST(VfioDevice, Interrupts) {
  Devices d;
  EXPECT_EQ(d.IrqHex(d.edu, 0), "10000000070000000000000001000000");
  EXPECT_EQ(d.IrqHex(d.edu, 1), "10000000090000000100000001000000");
  EXPECT_EQ(d.IrqHex(d.edu, 2), "10000000090000000200000000000000");
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetIrqInfo, d.edu, 16, 3).err, EINVAL);
  EXPECT_EQ(d.IrqHex(d.edu, 4), "10000000090000000400000001000000");
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetIrqInfo, d.edu, 16, 5).err, EINVAL);
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetIrqInfo, d.edu, 8).err, EINVAL);
  EXPECT_EQ(d.IrqHex(d.nvme, 2), "10000000010000000200000041000000");
  EXPECT_EQ(d.IrqHex(d.nvme, 3), "10000000090000000300000001000000");
}

TEST(VfioDevice, PositionsInTheFile) {
  Devices d;
  EXPECT_EQ(d.Pread(d.edu, uint64_t{7} << 40, 256).ret, 256);
  EXPECT_EQ(d.Pread(d.edu, uint64_t{7} << 40 | 4, 2).ret, 2);
  EXPECT_EQ(d.Pread(d.edu, uint64_t{7} << 40 | 0xfc, 16).ret, 4);
  EXPECT_EQ(d.Pread(d.edu, 0x100000, 4).err, EINVAL);
  EXPECT_EQ(d.Pread(d.edu, uint64_t{1} << 40, 4).err, EINVAL);
  EXPECT_EQ(d.Pread(d.edu, uint64_t{20} << 40, 4).err, EINVAL);
  EXPECT_EQ(d.Read(d.edu, 4).err, EINVAL);
  Op op = d.Make(OpKind::kWrite, d.edu);
  op.write.positional = 1, op.write.offset = uint64_t{7} << 40 | 4;
  op.blob = "\x07\x01";
  EXPECT_EQ(d.Do(op).ret, 2);
  EXPECT_EQ(d.MmapFd(d.edu, 0x60000000, 0x100000).ret, 0x60000000);
  EXPECT_EQ(d.MmapFd(d.edu, 0x70000000, 0x200000).err, EINVAL);
  EXPECT_EQ(d.MmapFd(d.edu, 0x70000000, 0x1000, 0, 0).err, EINVAL);
  EXPECT_EQ(d.MmapFd(d.edu, 0x70000000, 0x1000, uint64_t{7} << 40, 1, kProtRead).err, EINVAL);
  // One backing a region: the second mapping reads what the first one wrote.
  EXPECT_EQ(d.MmapFd(d.edu, 0x70000000, 0x1000, 0x1000).err, 0);
  d.Write64(0x60001000, 0x77);
  ASSERT_EQ(d.MapDma(d.container, 1, 0x70000000, 0x9000000, 0x1000), 0);
  EXPECT_EQ(d.Dma(0, 0x9000000).data, Driver::Words({0x77}));
}

TEST(VfioDevice, Features) {
  Devices d;
  constexpr uint32_t kGet = 0x50000, kSet = 0x60000;  // with PROBE
  const int get[13] = {ENOTTY, ENOTTY, ENOTTY, EINVAL, EINVAL, EINVAL, ENOTTY,
                       ENOTTY, ENOTTY, ENOTTY, ENOTTY, 0,      EINVAL};
  const int set[13] = {ENOTTY, ENOTTY, ENOTTY, 0,      0,      0,     ENOTTY,
                       ENOTTY, ENOTTY, ENOTTY, ENOTTY, EINVAL, EINVAL};
  for (uint32_t i = 0; i < 13; ++i) {
    EXPECT_EQ(d.Feature(d.edu, kGet | i), get[i]) << i;
    EXPECT_EQ(d.Feature(d.edu, kSet | i), set[i]) << i;
  }
  EXPECT_EQ(d.Feature(d.edu, 0x10000, 8), ENOTTY);
  EXPECT_EQ(d.Feature(d.edu, 0, 8), ENOTTY);
  EXPECT_EQ(d.Feature(d.edu, 0, 4), EINVAL);
  EXPECT_EQ(d.Feature(d.edu, 0x2000a, 12), ENOTTY);
  EXPECT_EQ(d.Feature(d.edu, 0x20003, 8), 0);
  EXPECT_EQ(d.Feature(d.edu, 0x30003, 8), EINVAL);
}

TEST(VfioDevice, SetIrqsAsRecorded) {
  Devices d;
  const uint32_t first = d.Eventfd(), other = d.Eventfd();
  const std::string e7 = V::Int32(static_cast<int32_t>(first));
  const std::string e8 = V::Int32(static_cast<int32_t>(other));
  Op small = d.SetIrqsOp(d.edu, kEventfd | kTrigger, 1, 0, 1);
  small.size = 12;
  EXPECT_EQ(d.Do(small).err, EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 1, 0, 1), EINVAL);  // no data
  EXPECT_EQ(d.SetIrqs(d.edu, 0x40, 1, 0, 1, e7), EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kNone | kEventfd | kTrigger, 1, 0, 1, e7), EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 9, 0, 1, e7), EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 1, 1, 1, e7), EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 1, 0, 2, e7 + e7), EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kNone | kMask, 1, 0, 1), ENOTTY);
  EXPECT_EQ(d.SetIrqs(d.edu, kNone | kTrigger, 1, 0, 1), EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 1, 0, 1, V::Int32(1)), EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 1, 0, 1, V::Int32(99)), EBADF);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 1, 0, 1, e7), 0);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 1, 0, 1, e8), 0);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 0, 0, 1, e8), EINVAL);  // MSI is on
  EXPECT_EQ(d.SetIrqs(d.edu, kNone | kTrigger, 1, 0, 1), 0);
  EXPECT_EQ(d.SetIrqs(d.edu, kBool | kTrigger, 1, 0, 1, std::string(1, '\1')), 0);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 3, 0, 1, e8), EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kNone | kTrigger, 4, 0, 1), EINVAL);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 4, 0, 1, e8), 0);
  EXPECT_EQ(d.SetIrqs(d.edu, kNone | kTrigger, 4, 0, 1), 0);
  EXPECT_EQ(d.SetIrqs(d.edu, kNone | kTrigger, 4, 0, 0), 0);
  EXPECT_EQ(d.SetIrqs(d.edu, kNone | kTrigger, 1, 0, 0), 0);
  EXPECT_EQ(d.SetIrqs(d.edu, kEventfd | kTrigger, 0, 0, 1, e8), 0);  // MSI is off
  // qemu on the NVMe.
  EXPECT_EQ(d.SetIrqs(d.nvme, kEventfd | kTrigger, 0, 0, 1, e7), 0);
  EXPECT_EQ(d.SetIrqs(d.nvme, kNone | kUnmask, 0, 0, 1), 0);
  EXPECT_EQ(d.SetIrqs(d.nvme, kEventfd | kTrigger, 3, 0, 1, e7), 0);
  EXPECT_EQ(d.SetIrqs(d.nvme, kEventfd | kTrigger, 2, 0, 1, e7), EINVAL);  // INTx is on
  EXPECT_EQ(d.SetIrqs(d.nvme, kNone | kTrigger, 0, 0, 0), 0);
  EXPECT_EQ(d.SetIrqs(d.nvme, kEventfd | kTrigger, 2, 64, 1, e7), 0);
  Op cut = d.SetIrqsOp(d.nvme, kEventfd | kTrigger, 2, 0, 1);
  cut.size = 24, cut.readable = 20;
  EXPECT_EQ(d.Do(cut).err, EFAULT);
}

TEST(VfioDevice, Resets) {
  Devices d;
  EXPECT_EQ(d.Do(d.Make(OpKind::kVfioDeviceReset, d.edu)).err, EINVAL);
  EXPECT_EQ(d.Do(d.Make(OpKind::kVfioDeviceReset, d.nvme)).err, 0);
  EXPECT_EQ(d.Info(OpKind::kVfioPciHotResetInfo, d.edu, 12).err, ENODEV);
  Op ioeventfd = d.Make(OpKind::kVfioDeviceIoeventfd, d.edu);
  ioeventfd.vfioDeviceIoeventfd.flags = 4, ioeventfd.vfioDeviceIoeventfd.offset = 4;
  ioeventfd.vfioDeviceIoeventfd.eventfd = 0xffffffff;
  EXPECT_EQ(d.Do(ioeventfd).err, ENODEV);
  ioeventfd.vfioDeviceIoeventfd.eventfd = d.Eventfd();
  EXPECT_EQ(d.Do(ioeventfd).err, 0);
  EXPECT_EQ(d.Do(ioeventfd).err, EEXIST);
  ioeventfd.vfioDeviceIoeventfd.eventfd = 0xffffffff;
  EXPECT_EQ(d.Do(ioeventfd).err, 0);
}

// Three functions behind one bridge, in one group (vtd-groups).
TEST(VfioDevice, HotResetOfABus) {
  World world = V::Recorded();
  PciFunction bridge;
  bridge.rid = 0x200, bridge.kind = PciFunction::kPcieToPci;
  world.functions.push_back(bridge);
  for (uint32_t i = 0; i < 3; ++i) {
    PciFunction f;
    f.rid = 0x308 + 8 * i, f.kind = PciFunction::kConventional, f.parent = 1;
    f.driver = PciFunction::kVfio;
    f.device = i < 2 ? i + 1 : 0;
    world.functions.push_back(f);
  }
  world.devices[0].group = world.devices[1].group = 8;
  world.devices[0].vfio.slotResets = true;
  V d(world);
  const uint32_t c = d.Container(), g = d.Group(8);
  d.SetContainer(g, c), d.SetIommu(c, 3);
  const uint32_t edu = d.DeviceFd(g, "0000:00:10.0").fd;
  const Outcome small = d.Info(OpKind::kVfioPciHotResetInfo, edu, 12);
  EXPECT_EQ(small.err, ENOSPC);
  EXPECT_EQ(V::Hex(small.out), "0c0000000000000003000000");
  EXPECT_EQ(V::Hex(d.Info(OpKind::kVfioPciHotResetInfo, edu, 36).out),
            "240000000000000003000000"
            "080000000000030808000000000003100800000000000318");
  Op reset = d.Make(OpKind::kVfioPciHotReset, edu);
  EXPECT_EQ(d.Do(reset).err, EINVAL);  // no group given
  reset.size = 16, reset.vfioPciHotReset.count = 1;
  reset.blob = V::Int32(99);
  EXPECT_EQ(d.Do(reset).err, EBADF);
  reset.blob = V::Int32(static_cast<int32_t>(c));
  EXPECT_EQ(d.Do(reset).err, EINVAL);
  reset.blob = V::Int32(static_cast<int32_t>(g));
  EXPECT_EQ(d.Do(reset).err, EINVAL);  // one of them is none of VFIO's
}

// aw-iommufd-pci-device-open: through a cdev, by device ids.
TEST(VfioDevice, HotResetOfACdev) {
  V d;
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenCdev(1);
  EXPECT_EQ(d.Info(OpKind::kVfioPciHotResetInfo, cdev, 12).err, EINVAL);  // not bound
  ASSERT_EQ(d.Bind(cdev, iommu).id, 1u);
  const Outcome small = d.Info(OpKind::kVfioPciHotResetInfo, cdev, 12);
  EXPECT_EQ(small.err, ENOSPC);
  EXPECT_EQ(V::Hex(small.out), "0c0000000000000001000000");
  EXPECT_EQ(V::Hex(d.Info(OpKind::kVfioPciHotResetInfo, cdev, 20).out),
            "1400000003000000010000000100000000000100");
  EXPECT_EQ(d.MmapFd(cdev, 0x60000000, 0x4000, 0, 1, kProtRead).err, 0);
}

}  // namespace
}  // namespace twinwalk
