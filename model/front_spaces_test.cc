// Expectations: iommufd sheet, and where a line says "recorded" the captures edu-iommufd and
// edu-iommufd-late of the real kernel.
#include <gtest/gtest.h>

#include <cerrno>

#include "model/test_calls.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kVa = Plain::kVa, kPage = 4096;
constexpr uint64_t kUser = 1, kProcess0 = (uint64_t{1} << 32) + 1, kProcess1 = kProcess0 + 1;

// ---- ALLOW_IOVAS (6.3, 5.2)
// ----------------------------------------------------------------------------------------

TEST(AllowIovas, ChecksInOrder) {
  Plain p;
  Calls c{p.d, p.iommu};
  Op op = p.d.Make(OpKind::kIoasAllowIovas, p.iommu);
  op.ioasAllowIovas.ioasId = 999;
  op.ioasAllowIovas.reserved = 1;
  EXPECT_EQ(p.d.Run(op).err, EOPNOTSUPP);
  EXPECT_EQ(c.Allow(999, {}).err, ENOENT);
  EXPECT_EQ(c.Allow(p.dev, {}).err, ENOENT);
  op.ioasAllowIovas.reserved = 0;
  op.ioasAllowIovas.ioasId = p.ioas;
  op.ioasAllowIovas.numIovas = 1;
  EXPECT_EQ(p.d.Run(op).err, EFAULT);
  EXPECT_EQ(c.Allow(p.ioas, {{5, 5}}).err, EINVAL);
  EXPECT_EQ(c.Allow(p.ioas, {{6, 5}}).err, EINVAL);
  // Recorded: overlapping elements.
  EXPECT_EQ(c.Allow(p.ioas, {{0x1000000, 0x10fffff}, {0x1080000, 0x11fffff}}).err, EINVAL);
  EXPECT_EQ(c.Allow(p.ioas, {{0x2000, 0x2fff}, {0x1000, 0x2000}}).err, EINVAL);
  EXPECT_EQ(c.Allow(p.ioas, {{0x2000, 0x2fff}, {0x1000, 0x3fff}}).err, EINVAL);
  EXPECT_EQ(c.Allow(p.ioas, {{0x8000000, 0x8000fff}}).err, EADDRINUSE);  // the MSI window
  EXPECT_EQ(c.Allow(p.ioas, {{0x2000, 0x2fff}, {0x1000, 0x1fff}}).err, 0);
}

TEST(AllowIovas, SteersAutomaticPlacementOnly) {
  Plain p;
  Calls c{p.d, p.iommu};
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, kVa, 16 * kPage, 0x1000000).err, 0);
  ASSERT_EQ(c.Allow(p.ioas, {{0x1000000, 0x1ffffff}}).err, 0);
  // Recorded: behind the 16 pages that are there.
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0, 6).values[0], 0x1010000u);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0x9000000).err, 0);  // fixed: anywhere
  // The windows in order; none is left when all are full.
  ASSERT_EQ(c.Allow(p.ioas, {{0x30000, 0x30fff}, {0x20000, 0x20fff}}).err, 0);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0, 6).values[0], 0x20000u);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0, 6).values[0], 0x30000u);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0, 6).err, ENOSPC);
  ASSERT_EQ(c.Allow(p.ioas, {{0, 0xffff}}).err, 0);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0, 6).values[0], 0x1000u);  // never 0
  ASSERT_EQ(c.Allow(p.ioas, {}).err, 0);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0, 6).values[0], 0x2000u);
}

TEST(AllowIovas, BlocksReservations) {
  Driver d;
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenDevice(0);
  const uint32_t dev = d.Bind(cdev, iommu).id;
  Calls c{d, iommu};
  const uint32_t ioas = d.Ioas(iommu);
  ASSERT_EQ(c.Allow(ioas, {{0x8080000, 0x8080fff}}).err, 0);  // later the MSI window
  EXPECT_EQ(d.Attach(cdev, ioas).err, EADDRINUSE);
  ASSERT_EQ(c.Allow(ioas, {{uint64_t{1} << 48, (uint64_t{1} << 48) + 1}}).err, 0);
  EXPECT_EQ(d.Hwpt(iommu, dev, ioas, 0).err, EADDRINUSE);  // beyond its aperture
  ASSERT_EQ(c.Allow(ioas, {{0x1000, 0x1fff}}).err, 0);
  EXPECT_EQ(d.Attach(cdev, ioas).err, 0);
}

// ---- COPY (6.7)
// ----------------------------------------------------------------------------------------

TEST(Copy, ChecksInOrder) {
  Plain p;
  Calls c{p.d, p.iommu};
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, kVa, 16 * kPage, 0x1000000).err, 0);
  const uint32_t two = p.d.Ioas(p.iommu);
  const uint64_t top = ~uint64_t{0};
  EXPECT_EQ(c.Copy(two, top, p.ioas, 0, 0, 8).err, EOPNOTSUPP);
  EXPECT_EQ(c.Copy(two, top, p.ioas, 0, kPage, 0).err, EOVERFLOW);
  EXPECT_EQ(c.Copy(two, 0, p.ioas, top, kPage, 0).err, EOVERFLOW);
  EXPECT_EQ(c.Copy(two, 0, p.ioas, 0, top, 0).err, EOVERFLOW);
  EXPECT_EQ(c.Copy(two, 0, 999, 0, 0, 1).err, EINVAL);
  EXPECT_EQ(c.Copy(two, 0, 999, 0, 0).err, ENOENT);
  EXPECT_EQ(c.Copy(999, 0, p.ioas, 0, 0).err, EINVAL);
  EXPECT_EQ(c.Copy(999, 0, p.ioas, top - 0xfff, 0x2000).err, EOVERFLOW);
  EXPECT_EQ(c.Copy(999, 0, p.ioas, 0x9000000, 0x4000).err, ENOENT);  // nothing there
  EXPECT_EQ(c.Copy(999, 0, p.ioas, 0x1000000, 0x4000).err, ENOENT);
  // Recorded: pages 2 to 5 of 16; again; from nothing; past the end.
  EXPECT_EQ(c.Copy(two, 0x4000000, p.ioas, 0x1002000, 0x4000).err, 0);
  EXPECT_EQ(c.Copy(two, 0x4000000, p.ioas, 0x1002000, 0x4000).err, EEXIST);
  EXPECT_EQ(c.Copy(two, 0x4000000, p.ioas, 0x9000000, 0x4000).err, ENOENT);
  EXPECT_EQ(c.Copy(two, 0x4800000, p.ioas, 0x100e000, 0x4000).err, ENOENT);
  // No alignment without a page table, and automatic placement.
  EXPECT_EQ(c.Copy(two, 0, p.ioas, 0x1000001, 1, 6).values[0], 0x1001u);
  EXPECT_EQ(c.Copy(p.ioas, 0x2000000, p.ioas, 0x1000800, 0x1000).err, EINVAL);  // in its page
  EXPECT_EQ(c.Copy(p.ioas, 0x2000000, p.ioas, 0x1000000, 0x800).err, EINVAL);
}

TEST(Copy, NeedsWritableBackingForWriting) {
  Plain p;
  Calls c{p.d, p.iommu};
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0x1000000, 1 | 4).err, 0);
  const uint32_t two = p.d.Ioas(p.iommu);
  EXPECT_EQ(c.Copy(two, 0x1000, p.ioas, 0x1000000, kPage).err, EPERM);
  EXPECT_EQ(c.Copy(two, 0x1000, p.ioas, 0x1000000, kPage, 1 | 4).err, 0);
}

TEST(Copy, SurvivesItsSourceAndPinsOnce) {
  Plain p;
  Calls c{p.d, p.iommu};
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, kVa, 4 * kPage, 0x1000000).err, 0);
  ASSERT_EQ(c.Copy(p.ioas, 0x2000000, p.ioas, 0x1001000, 2 * kPage).err, 0);
  const uint64_t space = uint64_t{1} << 32 | p.ioas;
  EXPECT_EQ(Charged(&p.d, kUser), 4u);
  const auto source = AreaAt(&p.d, space, 0x1000000), copy = AreaAt(&p.d, space, 0x2000000);
  EXPECT_EQ(source.pinned, 4u);
  EXPECT_EQ(copy.pinned, 0u);
  EXPECT_EQ(copy.pages, source.pages);
  EXPECT_NE(copy.pages, 0u);
  EXPECT_EQ(copy.va, kVa + 0x1000);
  EXPECT_EQ(copy.backing, source.backing);
  EXPECT_EQ(copy.offset, 0x1000u);
  // The paying area goes: its charge moves.
  ASSERT_EQ(p.d.Unmap(p.iommu, p.ioas, 0x1000000, 4 * kPage).err, 0);
  EXPECT_EQ(Charged(&p.d, kUser), 2u);
  EXPECT_EQ(AreaAt(&p.d, space, 0x2000000).pinned, 2u);
  const Outcome dma = p.d.DmaRead(0, 0x2000000, 1);
  EXPECT_EQ(dma.pieces[0].fault, 0);
  EXPECT_EQ(dma.pieces[0].offset, 0x1000u);
  ASSERT_EQ(p.d.Unmap(p.iommu, p.ioas, 0x2000000, 2 * kPage).err, 0);
  EXPECT_EQ(Charged(&p.d, kUser), 0u);
}

TEST(Copy, OneAreaForEachSourceArea) {
  Plain p;
  Calls c{p.d, p.iommu};
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0x1000000).err, 0);
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, kVa + 4 * kPage, 2 * kPage, 0x1001000).err, 0);
  const uint32_t two = p.d.Ioas(p.iommu);
  ASSERT_EQ(c.Copy(two, 0x8000000, p.ioas, 0x1000000, 2 * kPage).err, 0);
  EXPECT_EQ(p.d.Unmap(p.iommu, two, 0x8000000, kPage).values[0], kPage);
  EXPECT_EQ(p.d.Unmap(p.iommu, two, 0x8001000, kPage).values[0], kPage);
}

// What is pinned is taken as it is, whatever became of the process's mapping.
TEST(Copy, TakesPinnedPagesAndResolvesTheRest) {
  Plain p;
  Calls c{p.d, p.iommu};
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, kVa, 2 * kPage, 0x1000000).err, 0);
  ASSERT_EQ(p.d.Munmap(kVa, 16 * kPage).err, 0);
  ASSERT_EQ(p.d.Mmap(kVa, kPage).err, 0);  // other memory
  EXPECT_EQ(c.Copy(p.ioas, 0x2000000, p.ioas, 0x1000000, 2 * kPage).err, 0);
  EXPECT_EQ(p.d.DmaRead(0, 0x2000000, 1).pieces[0].backing, 1u);
  // Unpinned, the pages are looked up anew: the second is gone.
  const uint32_t two = p.d.Ioas(p.iommu);
  ASSERT_EQ(c.Copy(two, 0x2000000, p.ioas, 0x1000000, 2 * kPage).err, 0);
  p.d.Unmap(p.iommu, p.ioas, 0, ~uint64_t{0});
  const uint32_t other = p.d.OpenDevice(1);
  p.d.Bind(other, p.iommu);
  EXPECT_EQ(p.d.Attach(other, two).err, EFAULT);
  ASSERT_EQ(p.d.Mmap(kVa + kPage, kPage).err, 0);
  EXPECT_EQ(p.d.Attach(other, two).err, 0);
  EXPECT_EQ(p.d.DmaRead(1, 0x2000000, 1).pieces[0].backing, 2u);
}

TEST(Copy, FailsWhole) {
  Plain p;
  Calls c{p.d, p.iommu};
  const uint32_t two = p.d.Ioas(p.iommu);
  ASSERT_EQ(p.d.Map(p.iommu, two, kVa, kPage, 0).err, 0);
  ASSERT_EQ(p.d.Map(p.iommu, two, 0x7000000, kPage, kPage).err, 0);  // nothing there
  EXPECT_EQ(c.Copy(p.ioas, 0x1000000, two, 0, 2 * kPage).err, EFAULT);
  EXPECT_EQ(Charged(&p.d, kUser), 0u);
  EXPECT_EQ(p.d.Unmap(p.iommu, p.ioas, 0x1000000, 2 * kPage).err, ENOENT);
  p.d.FailAlloc(1);
  EXPECT_EQ(c.Copy(p.ioas, 0x1000000, two, 0, kPage).err, ENOMEM);
  EXPECT_EQ(Charged(&p.d, kUser), 0u);
  Op op = c.CopyOp(p.ioas, 0x1000000, two, 0, kPage);
  op.writable = 39;
  EXPECT_EQ(p.d.Run(op).err, EFAULT);  // and stays
  EXPECT_EQ(Charged(&p.d, kUser), 1u);
}

// ---- MAP_FILE (6.6)
// ----------------------------------------------------------------------------------------

TEST(MapFile, ChecksInOrder) {
  Plain p;
  Calls c{p.d, p.iommu};
  const uint32_t file = c.Memfd(0x10000);
  const uint64_t top = ~uint64_t{0};
  EXPECT_EQ(c.MapFile(p.ioas, file, 0, top, 0, 8).err, EOPNOTSUPP);
  EXPECT_EQ(c.MapFile(p.ioas, file, 0, top, 0, 0).err, EOVERFLOW);
  EXPECT_EQ(c.MapFile(p.ioas, file, 0, 0, top, 0).err, EOVERFLOW);
  EXPECT_EQ(c.MapFile(999, file, 0, 0, 0, 1).err, EINVAL);
  EXPECT_EQ(c.MapFile(999, file, 0, 0, 0).err, ENOENT);
  EXPECT_EQ(c.MapFile(p.ioas, 99, 0, 0, 0).err, EINVAL);
  EXPECT_EQ(c.MapFile(p.ioas, 99, top, 2, 0).err, EOVERFLOW);
  // Recorded: four pages; past the end; start not aligned; a file that is no memfd; fd -1.
  EXPECT_EQ(c.MapFile(p.ioas, file, 0, 0x4000, 0x6000000).err, 0);
  EXPECT_EQ(c.MapFile(p.ioas, file, 0xe000, 0x4000, 0x6100000).err, EINVAL);
  EXPECT_EQ(c.MapFile(p.ioas, file, 0x200, 0x4000, 0x6100000).err, EINVAL);
  EXPECT_EQ(c.MapFile(p.ioas, p.cdev, 0, 0x4000, 0x6100000).err, EINVAL);
  EXPECT_EQ(c.MapFile(p.ioas, 0xffffffff, 0, 0x4000, 0x6100000).err, EBADF);
  EXPECT_EQ(c.MapFile(p.ioas, file, 0, 0x4000, 0x6000000).err, EEXIST);
}

TEST(MapFile, ShowsTheFile) {
  Plain p;
  Calls c{p.d, p.iommu};
  const uint32_t file = c.Memfd(0x10000);
  ASSERT_EQ(c.MapFile(p.ioas, file, 0x2000, 0x4000, 0x6000000).err, 0);
  ASSERT_EQ(p.d.Mmap(0x30000000, 0x10000, 3, file).err, 0);
  p.d.Poke(0x30003000, "file");
  const Outcome dma = p.d.DmaRead(0, 0x6001000, 4);
  EXPECT_EQ(dma.data, "file");
  EXPECT_EQ(dma.pieces[0].backing, 2u);
  EXPECT_EQ(dma.pieces[0].offset, 0x3000u);
  const auto row = AreaAt(&p.d, uint64_t{1} << 32 | p.ioas, 0x6000000);
  EXPECT_EQ(row.file, 2u);
  EXPECT_EQ(row.va, 0x2000u);
  EXPECT_EQ(row.pinned, 4u);
  // It outlives every descriptor and mapping.
  p.d.Close(file);
  p.d.Munmap(0x30000000, 0x10000);
  EXPECT_EQ(p.d.DmaRead(0, 0x6001000, 4).data, "file");
  EXPECT_EQ(p.d.Unmap(p.iommu, p.ioas, 0x6000000, 0x4000).values[0], 0x4000u);
  EXPECT_EQ(Charged(&p.d, kUser), 0u);
}

TEST(MapFile, WithoutAPageTableAnyFileWill) {
  Driver d;
  const uint32_t iommu = d.OpenIommu(), ioas = d.Ioas(iommu), cdev = d.OpenDevice(0);
  Calls c{d, iommu};
  EXPECT_EQ(c.MapFile(ioas, cdev, 0x123, 0x45, 0, 6).values[0], 0x1123u);
  d.Bind(cdev, iommu);
  EXPECT_EQ(d.Attach(cdev, ioas).err, EADDRINUSE);  // alignment first
  d.Unmap(iommu, ioas, 0, ~uint64_t{0});
  ASSERT_EQ(c.MapFile(ioas, iommu, 0, 0x1000, 0).err, 0);
  EXPECT_EQ(d.Attach(cdev, ioas).err, EINVAL);  // only now is it found to be no memory
  d.Unmap(iommu, ioas, 0, ~uint64_t{0});
  EXPECT_EQ(d.Attach(cdev, ioas).err, 0);
}

// ---- OPTION (7.1), accounting (7.2)
// ----------------------------------------------------------------------------------------

World Privileged() {
  World world = TwoDevices();
  world.processes[0].sysResource = true;
  return world;
}

TEST(Option, RlimitMode) {
  Driver d(Privileged());
  const uint32_t iommu = d.OpenIommu();
  Calls c{d, iommu};
  Op op = d.Make(OpKind::kIommuOption, iommu);
  op.iommuOption.reserved = 1;
  EXPECT_EQ(d.Run(op).err, EOPNOTSUPP);
  EXPECT_EQ(c.Option(99, 1, 0).err, EOPNOTSUPP);  // recorded
  EXPECT_EQ(c.Option(0, 1, 5).err, EOPNOTSUPP);
  EXPECT_EQ(c.Option(0, 2, 0).err, EOPNOTSUPP);
  EXPECT_EQ(c.Option(0, 1, 0).values[0], 0u);
  EXPECT_EQ(c.Option(0, 0, 0, 2).err, EINVAL);
  d.process = 1;  // without CAP_SYS_RESOURCE
  d.Run([&] {
    Op pass = d.Make(OpKind::kPassFd, iommu);
    return pass;
  }());
  d.process = 0;
  EXPECT_EQ(c.Option(0, 0, 0, 1).values[0], 1u);
  EXPECT_EQ(c.Option(0, 1, 0).values[0], 1u);
  const uint32_t ioas = d.Ioas(iommu);
  EXPECT_EQ(c.Option(0, 0, 0, 0).err, EBUSY);  // recorded
  EXPECT_EQ(d.Destroy(iommu, ioas).err, 0);
  EXPECT_EQ(c.Option(0, 0, 0, 0).err, 0);
}

TEST(Option, RlimitModeNeedsAPrivilege) {
  Driver d;
  Calls c{d, d.OpenIommu()};
  EXPECT_EQ(c.Option(0, 0, 0, 7).err, EPERM);
  EXPECT_EQ(c.Option(0, 1, 0).err, 0);
}

TEST(Option, PerProcessAccountingChargesTheProcess) {
  World world = Privileged();
  world.processes[0].memlockPages = 3;
  Driver d(world);
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenDevice(0);
  Calls c{d, iommu};
  ASSERT_EQ(c.Option(0, 0, 0, 1).err, 0);
  d.Bind(cdev, iommu);
  const uint32_t ioas = d.Ioas(iommu);
  d.Attach(cdev, ioas);
  d.Mmap(kVa, 16 * kPage);
  EXPECT_EQ(d.GetView().accounts.Find(kProcess0), nullptr);  // never charged
  EXPECT_EQ(d.Map(iommu, ioas, kVa, 4 * kPage, 0).err, ENOMEM);
  EXPECT_EQ(d.Map(iommu, ioas, kVa, 3 * kPage, 0).err, 0);
  EXPECT_EQ(Charged(&d, kProcess0), 3u);
  EXPECT_EQ(Charged(&d, kUser), 0u);
  EXPECT_EQ(AreaAt(&d, uint64_t{1} << 32 | ioas, 0).account, kProcess0);
}

TEST(Option, HugePages) {
  Plain p;
  Calls c{p.d, p.iommu};
  EXPECT_EQ(c.Option(1, 1, 999).err, ENOENT);
  EXPECT_EQ(c.Option(1, 1, p.hwpt).err, ENOENT);
  EXPECT_EQ(c.Option(1, 2, p.ioas).err, EOPNOTSUPP);
  EXPECT_EQ(c.Option(1, 1, p.ioas).values[0], 1u);
  p.d.Map(p.iommu, p.ioas, kVa, kPage, 0);
  EXPECT_EQ(c.Option(1, 0, p.ioas, 0).err, EINVAL);  // recorded: a page table and an area
  EXPECT_EQ(c.Option(1, 0, p.ioas, 7).err, EINVAL);  // recorded
  EXPECT_EQ(c.Option(1, 0, p.ioas, 1).err, 0);       // recorded
  // Without a page table: the alignment is a page's.
  const uint32_t two = p.d.Ioas(p.iommu);
  p.d.Map(p.iommu, two, kVa, 0x800, 0);
  EXPECT_EQ(c.Option(1, 0, two, 0).err, EADDRINUSE);
  p.d.Unmap(p.iommu, two, 0, 0x800);
  EXPECT_EQ(c.Option(1, 0, two, 0).err, 0);
  EXPECT_EQ(c.Option(1, 0, two, 0).err, 0);
  EXPECT_EQ(c.Option(1, 1, two).values[0], 0u);
  EXPECT_EQ(p.d.Map(p.iommu, two, kVa, 0x800, 0).err, EINVAL);
  EXPECT_EQ(c.Option(1, 0, two, 1).err, 0);
  EXPECT_EQ(p.d.Map(p.iommu, two, kVa, 0x800, 0).err, 0);
}

TEST(Option, WithoutHugePagesEveryLeafIsOnePage) {
  Plain p;
  Calls c{p.d, p.iommu};
  ASSERT_EQ(c.Option(1, 0, p.ioas, 0).err, 0);
  const uint64_t size = 4 << 20, va = 0x40000000, iova = 0x80000000;
  ASSERT_EQ(p.d.Mmap(va, size).err, 0);
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, va, size, iova).err, 0);
  p.d.DmaRead(0, iova + 0x234567, 4);
  p.d.GetView().retained.EachIndex([&](bool, const RetainedRow<Concrete>& r) {
    if (r.kind == kLeafStage1) EXPECT_EQ(r.last - r.first, kPage - 1);
  });
  EXPECT_EQ(p.d.Unmap(p.iommu, p.ioas, iova, size).err, 0);
}

// ---- CHANGE_PROCESS (6.9)
// ----------------------------------------------------------------------------------------

TEST(ChangeProcess, MovesTheChargeOfFiles) {
  World world = Privileged();
  world.processes[1].memlockPages = 4;
  Driver d(world);
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenDevice(0);
  Calls c{d, iommu};
  EXPECT_EQ(c.ChangeProcess().err, 0);
  d.Bind(cdev, iommu);
  const uint32_t ioas = d.Ioas(iommu);
  d.Attach(cdev, ioas);
  const uint32_t file = c.Memfd(0x10000);
  ASSERT_EQ(c.MapFile(ioas, file, 0, 0x4000, 0).err, 0);
  ASSERT_EQ(c.Copy(ioas, 0x100000, ioas, 0, 0x2000).err, 0);  // pays for nothing
  Op pass = d.Make(OpKind::kPassFd, iommu);
  pass.passFd.to = 1;
  const uint32_t there = d.Run(pass).fd;
  d.process = 1;
  Calls other{d, there};
  ASSERT_EQ(other.ChangeProcess().err, 0);
  EXPECT_EQ(Charged(&d, kUser), 0u);
  EXPECT_EQ(Charged(&d, 1000 + 1), 4u);
  EXPECT_EQ(AreaAt(&d, uint64_t{1} << 32 | ioas, 0).process, 2u);
  EXPECT_EQ(AreaAt(&d, uint64_t{1} << 32 | ioas, 0x100000).account, 1001u);
  EXPECT_EQ(other.MapFile(ioas, 99, 0, kPage, 0x200000).err, EBADF);
  // Back to a process with room; then again to one without.
  d.process = 0;
  ASSERT_EQ(c.MapFile(ioas, file, 0x8000, 0x1000, 0x200000).err, 0);
  EXPECT_EQ(Charged(&d, kUser), 1u);
  d.process = 1;
  EXPECT_EQ(other.ChangeProcess().err, ENOMEM);  // 4 are charged, 1 would come
  EXPECT_EQ(Charged(&d, kUser), 1u);
  EXPECT_EQ(Charged(&d, 1001), 4u);
  (void)kProcess1;
}

TEST(ChangeProcess, RefusesAnonymousMemory) {
  Plain p;
  Calls c{p.d, p.iommu};
  Op op = p.d.Make(OpKind::kIoasChangeProcess, p.iommu);
  op.ioasChangeProcess.reserved = 1;
  EXPECT_EQ(p.d.Run(op).err, EOPNOTSUPP);
  EXPECT_EQ(c.ChangeProcess().err, 0);
  p.d.Map(p.iommu, p.ioas, kVa, kPage, 0);
  EXPECT_EQ(c.ChangeProcess().err, EINVAL);  // recorded
}

// ---- VFIO_IOAS (8.1), dirty tracking (12), fault queues (14)
// ----------------------------------------------------------------------------------------

TEST(VfioIoas, GetSetClear) {
  Plain p;
  Calls c{p.d, p.iommu};
  Op op = p.d.Make(OpKind::kVfioIoas, p.iommu);
  op.vfioIoas.reserved = 1;
  EXPECT_EQ(p.d.Run(op).err, EOPNOTSUPP);
  EXPECT_EQ(c.VfioIoas(3).err, EOPNOTSUPP);
  EXPECT_EQ(c.VfioIoas(0).err, ENODEV);
  EXPECT_EQ(c.VfioIoas(1, 999).err, ENOENT);
  EXPECT_EQ(c.VfioIoas(1, p.hwpt).err, ENOENT);
  EXPECT_EQ(c.VfioIoas(1, p.ioas).err, 0);
  EXPECT_EQ(c.VfioIoas(0).id, p.ioas);
  EXPECT_EQ(c.VfioIoas(2).err, 0);
  EXPECT_EQ(c.VfioIoas(0).err, ENODEV);
  const uint32_t two = p.d.Ioas(p.iommu);
  c.VfioIoas(1, two);
  EXPECT_EQ(p.d.Destroy(p.iommu, two).err, 0);  // and the pointer with it
  EXPECT_EQ(c.VfioIoas(0).err, ENODEV);
}

TEST(Dirty, NoHwptTracks) {
  Plain p;
  Op set = p.d.Make(OpKind::kHwptSetDirty, p.iommu);
  set.hwptSetDirty.hwptId = p.hwpt;
  set.hwptSetDirty.reserved = 5;  // not checked
  set.hwptSetDirty.flags = 1;
  EXPECT_EQ(p.d.Run(set).err, EOPNOTSUPP);  // recorded
  set.hwptSetDirty.hwptId = p.ioas;
  EXPECT_EQ(p.d.Run(set).err, ENOENT);
  set.hwptSetDirty.flags = 2;
  EXPECT_EQ(p.d.Run(set).err, EOPNOTSUPP);

  const auto get = [&](uint64_t iova, uint64_t length, uint64_t page_size) {
    Op op = p.d.Make(OpKind::kHwptGetDirty, p.iommu);
    op.hwptGetDirty.hwptId = p.hwpt;
    op.hwptGetDirty.iova = iova;
    op.hwptGetDirty.length = length;
    op.hwptGetDirty.pageSize = page_size;
    return static_cast<int>(p.d.Run(op).err);
  };
  const uint64_t top = ~uint64_t{0};
  EXPECT_EQ(get(top, 2, 0), EOVERFLOW);
  EXPECT_EQ(get(0x1000, 0, 0), EOVERFLOW);
  EXPECT_EQ(get(0x800, 0x1000, 0), EINVAL);
  EXPECT_EQ(get(0x1000, 0x1000, 0), EINVAL);
  EXPECT_EQ(get(0x1000, 0x1000, 0x2000), EINVAL);
  EXPECT_EQ(get(0x1000, 0x1000, 0x1000), EOPNOTSUPP);
  EXPECT_EQ(get(0, 0x1000, 1), EOPNOTSUPP);
}

TEST(FaultQueue, LivesWithItsFileAndItsHwpts) {
  Plain p;
  Calls c{p.d, p.iommu};
  Op op = p.d.Make(OpKind::kFaultQueueAlloc, p.iommu);
  op.faultQueueAlloc.flags = 1;
  EXPECT_EQ(p.d.Run(op).err, EOPNOTSUPP);
  op.faultQueueAlloc.flags = 0;
  op.writable = 15;
  EXPECT_EQ(p.d.Run(op).err, EFAULT);
  const Outcome queue = c.FaultQueue();
  ASSERT_EQ(queue.err, 0);
  EXPECT_EQ(c.HwptWithQueue(p.dev, p.ioas, p.ioas).err, ENOENT);
  EXPECT_EQ(c.HwptWithQueue(p.dev, p.ioas, queue.id, 5).err, EOPNOTSUPP);  // with NEST_PARENT
  const Outcome hwpt = c.HwptWithQueue(p.dev, p.ioas, queue.id);
  ASSERT_EQ(hwpt.err, 0);
  EXPECT_EQ(p.d.ReadQueue(queue.fd, 64).err, ESPIPE);  // recorded
  EXPECT_EQ(p.d.ReadQueue(queue.fd, 80).err, 0);
  EXPECT_EQ(p.d.ReadQueue(queue.fd, 80).ret, 0);
  Op poll = p.d.Make(OpKind::kPoll, queue.fd);
  poll.poll.events = 0x145;
  EXPECT_EQ(p.d.Run(poll).ret, 4);                     // OUT
  EXPECT_EQ(p.d.Attach(p.cdev, hwpt.id).id, hwpt.id);  // recorded for SMMUv3
  EXPECT_EQ(p.d.Attach(p.cdev, p.hwpt).err, 0);
  EXPECT_EQ(p.d.Destroy(p.iommu, queue.id).err, EBUSY);
  EXPECT_EQ(p.d.Destroy(p.iommu, hwpt.id).err, 0);
  EXPECT_EQ(p.d.Destroy(p.iommu, queue.id).err, EBUSY);  // recorded: its file is open
  EXPECT_EQ(p.d.Close(queue.fd).err, 0);
  EXPECT_EQ(p.d.Destroy(p.iommu, queue.id).err, 0);
}

TEST(FaultQueue, AnswersNobodyAskedFor) {
  Plain p;
  const uint32_t fd = Calls{p.d, p.iommu}.FaultQueue().fd;
  const auto write = [&](const std::string& bytes) {
    Op op = p.d.Make(OpKind::kWrite, fd);
    op.blob = bytes;
    return static_cast<int>(p.d.Run(op).err);
  };
  EXPECT_EQ(write(std::string(7, '\0')), ESPIPE);
  EXPECT_EQ(write(std::string(8, '\0')), EINVAL);
  EXPECT_EQ(write(""), 0);
}

TEST(FaultQueue, ItsFileHoldsTheContext) {
  Guest g;
  const Outcome queue = Calls{g.d, g.iommu}.FaultQueue();
  const Outcome nested = [&] {
    Op op = g.d.Make(OpKind::kHwptAlloc, g.iommu);
    op.hwptAlloc.flags = 4;
    op.hwptAlloc.devId = g.dev;
    op.hwptAlloc.ptId = g.viommu;
    op.hwptAlloc.dataType = 2;
    op.hwptAlloc.dataLen = 16;
    op.hwptAlloc.dataPtr = 0x1000;
    op.hwptAlloc.faultId = queue.id;
    Driver::AppendWord(&op.blob, 4 << 1 | 1), Driver::AppendWord(&op.blob, 0);
    return g.d.Run(op);
  }();
  EXPECT_EQ(nested.err, 0);
  g.d.Close(g.cdev);
  g.d.Close(g.iommu);
  EXPECT_EQ(g.d.GetView().nesteds.size(), 2u);  // still there
  g.d.Close(queue.fd);
  EXPECT_EQ(g.d.GetView().nesteds.size(), 0u);
}

}  // namespace
}  // namespace twinwalk::model
