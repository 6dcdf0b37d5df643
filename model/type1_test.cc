// MAP_DMA, UNMAP_DMA and DIRTY_PAGES: the calls of the recordings edu-type1v2 and edu-type1 with
// the recorded errnos and sizes, then the rest of the type1 sheet 9 to 11.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "model/vfio_driver.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kVa = Type1::kVa, kIova = Type1::kIova, kPage = 4096;

TEST(Type1, MapErrnosAsRecorded) {
  Type1 t;
  const auto map = [&](uint64_t va, uint64_t iova, uint64_t size, uint32_t flags = 3) {
    return t.d.MapDma(t.container, va, iova, size, flags).err;
  };
  EXPECT_EQ(map(kVa, kIova, 0x10000), 0);
  EXPECT_EQ(map(kVa, kIova, 0x10000), EEXIST);
  EXPECT_EQ(map(kVa, 0x100f000, 0x2000), EEXIST);
  EXPECT_EQ(map(kVa, 0xfff000, 0x2000), EEXIST);
  EXPECT_EQ(map(kVa, 0xfff000, 0x14000), EEXIST);
  EXPECT_EQ(map(kVa, 0x2000001, kPage), EINVAL);
  EXPECT_EQ(map(kVa, 0x2000000, 0x1001), EINVAL);
  EXPECT_EQ(map(kVa + 1, 0x2000000, kPage), EINVAL);
  EXPECT_EQ(map(kVa, 0x2000000, 0), EINVAL);
  EXPECT_EQ(map(kVa, 0x2000000, kPage, 0), EINVAL);
  EXPECT_EQ(map(kVa, 0x2000000, kPage, 0x83), EINVAL);
  EXPECT_EQ(map(kVa, 0x2000000, kPage, 7), EINVAL);
  EXPECT_EQ(map(kVa, 0xfffffffffffff000, 0x2000), EOVERFLOW);
  EXPECT_EQ(map(0xfffffffffffff000, 0x2000000, 0x2000), EOVERFLOW);
  EXPECT_EQ(map(kVa, uint64_t{1} << 62, kPage), EINVAL);
  EXPECT_EQ(map(kVa, 0xfee00000, kPage), EINVAL);
  EXPECT_EQ(map(0x10000, 0x2000000, kPage), EFAULT);
  EXPECT_EQ(map(0xffff888000000000, 0x2000000, kPage), EFAULT);
  Op op = t.d.Make(OpKind::kVfioIommuMapDma, t.container);
  op.size = 16;
  EXPECT_EQ(t.d.Run(op).err, EINVAL);
  op.size = 32, op.readable = 31;
  EXPECT_EQ(t.d.Run(op).err, EFAULT);
  t.d.Mmap(0x20000000, kPage, kProtRead);
  EXPECT_EQ(map(0x20000000, 0x2000000, kPage), EFAULT);
  EXPECT_EQ(map(0x20000000, 0x2000000, kPage, 1), 0);
}

TEST(Type1, RightsOfAMapping) {
  Type1 t;
  t.d.MapDma(t.container, kVa, 0x3000000, kPage, 1);
  t.d.MapDma(t.container, kVa + kPage, 0x3001000, kPage, 2);
  EXPECT_EQ(t.d.DmaRead(0, 0x3000000, 8).pieces[0].fault, 0);
  EXPECT_NE(t.d.DmaWrite(0, 0x3000000, "x").pieces[0].fault, 0);
  EXPECT_EQ(t.d.DmaWrite(0, 0x3001000, "x").pieces[0].fault, 0);
  EXPECT_NE(t.d.DmaRead(0, 0x3001000, 8).pieces[0].fault, 0);  // recorded: faults on VT-d
}

TEST(Type1, UnmapV2AsRecorded) {
  Type1 t;
  const auto unmap = [&](uint64_t iova, uint64_t size, uint32_t flags = 0) {
    return t.d.UnmapDma(t.container, iova, size, flags);
  };
  t.d.MapDma(t.container, kVa, kIova, 0x10000);
  EXPECT_EQ(unmap(kIova, kPage).err, EINVAL);
  EXPECT_EQ(unmap(0x1004000, kPage).err, EINVAL);
  EXPECT_EQ(unmap(0x100f000, kPage).err, EINVAL);
  EXPECT_EQ(unmap(0xfff000, 0x2000).err, EINVAL);
  EXPECT_EQ(unmap(0x8000000, kPage).err, 0);
  EXPECT_EQ(unmap(0x8000000, kPage).values[0], 0u);
  EXPECT_EQ(unmap(0x1000800, kPage).err, EINVAL);
  EXPECT_EQ(unmap(kIova, 0).err, EINVAL);
  EXPECT_EQ(unmap(0xfffffffffffff000, 0x2000).err, EOVERFLOW);
  EXPECT_EQ(unmap(kIova, kPage, 0x40).err, EINVAL);
  EXPECT_EQ(unmap(0, kPage, 2).err, EINVAL);
  EXPECT_EQ(unmap(kIova, 0x10000, 4).values[0], 0x10000u);
  EXPECT_EQ(t.d.DmaRead(0, kIova, 8).pieces[0].fault, 0);  // stays mapped
  EXPECT_EQ(unmap(kIova, 0x10000, 4).err, EINVAL);
  EXPECT_EQ(unmap(kIova, 0x10000).values[0], 0x10000u);
  t.d.MapDma(t.container, kVa, kIova, 0x10000);
  t.d.MapDma(t.container, kVa, kIova + 0x10000, 0x10000);
  EXPECT_EQ(unmap(kIova, 0x20000).values[0], 0x20000u);
  EXPECT_NE(t.d.DmaRead(0, kIova, 8).pieces[0].fault, 0);
  for (uint64_t i = 0; i < 5; ++i) t.d.MapDma(t.container, kVa, 0x6000000 + i * 0x2000, kPage);
  EXPECT_EQ(unmap(0, 0, 2).values[0], 0x5000u);
  EXPECT_EQ(unmap(0, 0, 2).values[0], 0u);
  t.d.MapDma(t.container, kVa, kIova, kPage);
  Op op = t.d.Make(OpKind::kVfioIommuUnmapDma, t.container);
  op.vfioIommuUnmapDma.iova = kIova, op.vfioIommuUnmapDma.length = kPage;
  op.size = 24, op.writable = 23;
  EXPECT_EQ(t.d.Run(op).err, EFAULT);
  EXPECT_EQ(unmap(0, 0, 2).values[0], 0u);  // it was done
}

TEST(Type1, UnmapV1AsRecorded) {
  Type1 t({}, RecordedPc(), 1);
  const auto unmap = [&](uint64_t iova, uint64_t size) {
    return t.d.UnmapDma(t.container, iova, size).values[0];
  };
  t.d.MapDma(t.container, kVa, kIova, 0x10000);
  EXPECT_EQ(unmap(0x1004000, kPage), 0u);
  EXPECT_EQ(unmap(kIova, kPage), 0x10000u);  // the whole record
  EXPECT_EQ(unmap(0x1004000, kPage), 0u);
  t.d.MapDma(t.container, kVa, kIova, 0x10000);
  EXPECT_EQ(unmap(0xfff000, 0x2000), 0x10000u);
  EXPECT_EQ(t.d.Dirty(t.container, 4).err, EACCES);
  EXPECT_EQ(t.d.Dirty(t.container, 1).err, EACCES);
  Op op = t.d.Make(OpKind::kVfioIommuUnmapDma, t.container);
  op.vfioIommuUnmapDma.flags = 1;
  op.vfioIommuUnmapDma.iova = kIova, op.vfioIommuUnmapDma.length = 0x10000;
  op.vfioIommuUnmapDma.bitmapPgsize = kPage, op.vfioIommuUnmapDma.bitmapSize = 8;
  EXPECT_EQ(t.d.Run(op).err, EINVAL);
}

TEST(Type1, DirtyPagesAsRecorded) {
  Type1 t;
  t.d.MapDma(t.container, kVa, kIova, 0x10000);
  EXPECT_EQ(t.d.Dirty(t.container, 4).err, EINVAL);
  EXPECT_EQ(t.d.Dirty(t.container, 1).err, 0);
  Op get = t.d.GetDirtyOp(t.container, kIova, 0x10000, 8);
  EXPECT_EQ(t.d.Run(get).out, VfioDriver::Bytes("ffff000000000000"));
  get.vfioIommuDirtyPages.bitmapPgsize = 0x2000;
  EXPECT_EQ(t.d.Run(get).err, EINVAL);
  get.vfioIommuDirtyPages.bitmapPgsize = kPage, get.vfioIommuDirtyPages.length = 0x8000;
  EXPECT_EQ(t.d.Run(get).err, EINVAL);
  Op unmap = t.d.Make(OpKind::kVfioIommuUnmapDma, t.container);
  unmap.vfioIommuUnmapDma.flags = 1;
  unmap.vfioIommuUnmapDma.iova = kIova, unmap.vfioIommuUnmapDma.length = 0x10000;
  unmap.vfioIommuUnmapDma.bitmapPgsize = kPage, unmap.vfioIommuUnmapDma.bitmapSize = 8;
  unmap.vfioIommuUnmapDma.bufWritable = 8;
  const Outcome out = t.d.Run(unmap);
  EXPECT_EQ(out.values[0], 0x10000u);
  EXPECT_EQ(out.out, VfioDriver::Bytes("ffff000000000000"));
  EXPECT_EQ(t.d.Dirty(t.container, 2).err, 0);
  EXPECT_EQ(t.d.Dirty(t.container, 2).err, 0);
  EXPECT_EQ(t.d.Dirty(t.container, 3).err, EINVAL);
  EXPECT_EQ(t.d.Dirty(t.container, 0).err, EINVAL);
}

// Sheet 11: words are written, what stands before a mapping's first bit stays.
TEST(Type1, DirtyBitsFallIntoWords) {
  Type1 t;
  t.d.Dirty(t.container, 1);
  t.d.MapDma(t.container, kVa, kIova + 4 * kPage, 2 * kPage);
  t.d.MapDma(t.container, kVa, kIova + 62 * kPage, 4 * kPage);
  Op get = t.d.GetDirtyOp(t.container, kIova, 128 * kPage, 16);
  get.blob = VfioDriver::Bytes("0f000000000000000000000000000080");
  // Bits 4, 5; then 62..65: the word before them keeps its bits, the last is written whole.
  EXPECT_EQ(t.d.Run(get).out, VfioDriver::Bytes("3f000000000000c00300000000000000"));
  get.vfioIommuDirtyPages.bufWritable = 8;
  EXPECT_EQ(t.d.Run(get).err, EFAULT);
  get.vfioIommuDirtyPages.bitmapSize = 8;
  EXPECT_EQ(t.d.Run(get).err, EINVAL);  // too small for 128 pages
}

TEST(Type1, VaddrComesBack) {
  Type1 t;
  t.d.MapDma(t.container, kVa, kIova, 0x4000);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, 0x9000000, 0x4000, 4).err, ENOENT);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova, 0x4000, 4).err, EINVAL);  // not taken
  t.d.UnmapDma(t.container, kIova, 0x4000, 4);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova, 0x3000, 4).err, EINVAL);
  const auto row = [&] { return *t.d.GetView().areas.Containing(ObjectKey(1, 1), kIova); };
  EXPECT_EQ(row().vaddrInvalid, 1u);
  EXPECT_EQ(t.d.MapDma(t.container, 0x70000000, kIova, 0x4000, 4).err, 0);
  EXPECT_EQ(row().vaddrInvalid, 0u);
  EXPECT_EQ(row().va, 0x70000000u);
  EXPECT_EQ(row().backing, 1u);  // the pages stay
}

// One range with a record that has no user address: those before it get theirs back.
TEST(Type1, VaddrIsTakenFromAllOrNone) {
  Type1 t;
  t.d.MapDma(t.container, kVa, kIova, kPage);
  t.d.MapDma(t.container, kVa, kIova + kPage, kPage);
  EXPECT_EQ(t.d.UnmapDma(t.container, kIova + kPage, kPage, 4).err, 0);
  EXPECT_EQ(t.d.UnmapDma(t.container, kIova, 2 * kPage, 4).err, EINVAL);
  EXPECT_EQ(t.d.UnmapDma(t.container, kIova, kPage, 4).err, 0);
}

TEST(Type1, VaddrMovesTheChargeToItsNewOwner) {
  Type1 t;
  t.d.MapDma(t.container, kVa, kIova, 0x4000);
  EXPECT_EQ(t.d.Process(OpKind::kFork, 2).err, 0);
  t.d.UnmapDma(t.container, 0, 0, 2 | 4);
  t.d.process = 2;
  Op limit = t.d.Make(OpKind::kSetrlimit);
  limit.setrlimit.memlockPages = 3;
  t.d.Run(limit);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova, 0x4000, 4).err, ENOMEM);
  EXPECT_EQ(t.d.Charged(0), 4u);
  limit.setrlimit.memlockPages = 4;
  t.d.Run(limit);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova, 0x4000, 4).err, 0);
  EXPECT_EQ(t.d.Charged(0), 0u);
  EXPECT_EQ(t.d.Charged(2), 4u);
  EXPECT_EQ(t.d.UnmapDma(t.container, 0, 0, 2).err, 0);
  EXPECT_EQ(t.d.Charged(2), 0u);
}

TEST(Type1, EntriesAreLimited) {
  World world = RecordedPc();
  world.dmaEntryLimit = 2;
  Type1 t({}, world);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova, kPage).err, 0);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova + 0x1000, kPage).err, 0);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova + 0x2000, kPage).err, ENOSPC);
  EXPECT_EQ(t.d.UnmapDma(t.container, kIova, kPage).err, 0);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova + 0x2000, kPage).err, 0);
}

// Sheet 9: the same memory at two addresses counts twice; the limit is the calling process's.
TEST(Type1, ChargesTheProcess) {
  World world = RecordedPc();
  world.processes[0].memlockPages = 20;
  Type1 t({}, world);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova, 0x10000).err, 0);
  EXPECT_EQ(t.d.Charged(0), 16u);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, 0x2000000, 0x5000).err, ENOMEM);
  EXPECT_EQ(t.d.Charged(0), 16u);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, 0x2000000, 0x4000).err, 0);
  EXPECT_EQ(t.d.Charged(0), 20u);
  EXPECT_EQ(t.d.GetView().accounts.Find(1)->pinned, 0u);  // not the user's
  EXPECT_EQ(t.d.UnmapDma(t.container, 0, 0, 2).values[0], 0x14000u);
  EXPECT_EQ(t.d.Charged(0), 0u);
  world.processes[0].ipcLock = true;
  Type1 u({}, world);
  EXPECT_EQ(u.d.MapDma(u.container, kVa, kIova, 0x10000).err, 0);
  EXPECT_EQ(u.d.MapDma(u.container, kVa, 0x2000000, 0x5000).err, 0);
  EXPECT_EQ(u.d.Charged(0), 21u);
}

// Sheet 10, 14.3: tables, then the IOTLB, then the pin.
TEST(Type1, UnpinsOnlyWhatHardwareHasForgotten) {
  Type1 t;
  t.d.MapDma(t.container, kVa, kIova, 0x4000);
  t.d.UnmapDma(t.container, kIova, 0x4000);
  const auto at = [&](MicroStepKind kind) {
    return std::find_if(t.d.steps.begin(), t.d.steps.end(),
                        [&](const auto& s) { return s.kind == kind; });
  };
  ASSERT_NE(at(MicroStepKind::kPageUnpinned), t.d.steps.end());
  EXPECT_LT(at(MicroStepKind::kMapGone), at(MicroStepKind::kInvIssued));
  EXPECT_LT(at(MicroStepKind::kInvDone), at(MicroStepKind::kPageUnpinned));
}

// Memory of a device: mapped, not pinned, not charged (sheet 9; recorded: bar0 mmio).
TEST(Type1, MapsDeviceMemory) {
  Type1 t;
  const uint32_t device = t.d.DeviceFd(t.group, "0000:00:10.0").fd;
  EXPECT_EQ(t.d.Mmap(0x30000000, 0x100000, 3, device).err, 0);
  EXPECT_EQ(t.d.Mmap(0x40000000, kPage, kProtRead, device).err, 0);
  EXPECT_EQ(t.d.MapDma(t.container, 0x40000000, 0x7000000, kPage).err, EFAULT);
  EXPECT_EQ(t.d.MapDma(t.container, 0x30000000, 0x7000000, 0x10000).err, 0);
  const AreaRow<Concrete> row = *t.d.GetView().areas.Containing(ObjectKey(1, 1), 0x7000000);
  EXPECT_EQ(row.pinned, 0u);
  EXPECT_EQ(row.account, 0u);
  EXPECT_EQ(row.backing, 2u);
  EXPECT_EQ(t.d.Charged(0), ~uint64_t{0});
  EXPECT_EQ(t.d.DmaRead(0, 0x7001000, 8).pieces[0].backing, 2u);
  EXPECT_EQ(t.d.UnmapDma(t.container, 0x7000000, 0x10000).values[0], 0x10000u);
  t.d.Munmap(0x30000000, 0x100000);
  t.d.Munmap(0x40000000, kPage);
  EXPECT_EQ(t.d.Mmap(0x30000000, 0x2000, 3, device, 0x1000).err, 0);
  t.d.MapDma(t.container, 0x30000000, 0x7000000, kPage);
  EXPECT_EQ(t.d.DmaRead(0, 0x7000000, 8).pieces[0].offset, 0x1000u);
  EXPECT_EQ(t.d.DmaRead(0, 0x7000000, 8).pieces[0].backing, 2u);  // one region, one backing
}

TEST(Type1, TopOfTheSpace) {
  World world = TwoDevices();  // SMMUv3: 48 bits
  Type1 t({}, world);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, 0xfffffffff000, kPage).err, 0);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, 0x1000000000000, kPage).err, EINVAL);
  EXPECT_EQ(t.d.MapDma(t.container, kVa, 0x08000000, kPage).err, EINVAL);  // software MSI window
  EXPECT_EQ(t.d.DmaRead(0, 0xfffffffff000, 8).pieces[0].fault, 0);
  EXPECT_EQ(t.d.UnmapDma(t.container, 0, 0, 2).values[0], 0x1000u);
}

}  // namespace
}  // namespace twinwalk::model
