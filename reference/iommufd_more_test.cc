// The rest of the iommufd core. Every expectation is typed in from iommufd.md or from a recording
// of Linux 7.2 (educli through an iommufd), named at the test.
#include <gtest/gtest.h>

#include "reference/test_driver.h"

namespace twinwalk {
namespace {

constexpr uint64_t kAll = ~uint64_t{0};
constexpr uint64_t kVa = 0x40000000;

// Ops of this breadth, spelled briefly.
class More : public Driver {
 public:
  explicit More(World world = TwoGuests()) : Driver(std::move(world)) {}
  Op AllowOp(uint32_t fd, uint32_t ioas, const std::vector<uint64_t>& words) const {
    Op op = Make(OpKind::kIoasAllowIovas, fd);
    op.ioasAllowIovas.ioasId = ioas;
    op.ioasAllowIovas.numIovas = static_cast<uint32_t>(words.size() / 2);
    op.blob = Words(words);
    return op;
  }
  int Allow(uint32_t fd, uint32_t ioas, const std::vector<uint64_t>& words) {
    return Do(AllowOp(fd, ioas, words)).err;
  }
  Op CopyOp(uint32_t fd, uint32_t dst, uint32_t src, uint64_t dst_iova, uint64_t src_iova,
            uint64_t length, uint32_t flags = 7) const {
    Op op = Make(OpKind::kIoasCopy, fd);
    op.ioasCopy.flags = flags, op.ioasCopy.dstIoasId = dst, op.ioasCopy.srcIoasId = src;
    op.ioasCopy.length = length, op.ioasCopy.dstIova = dst_iova, op.ioasCopy.srcIova = src_iova;
    return op;
  }
  Outcome Copy(uint32_t fd, uint32_t dst, uint32_t src, uint64_t dst_iova, uint64_t src_iova,
               uint64_t length, uint32_t flags = 7) {
    return Do(CopyOp(fd, dst, src, dst_iova, src_iova, length, flags));
  }
  Outcome MapFile(uint32_t fd, uint32_t ioas, uint64_t iova, uint32_t file, uint64_t start,
                  uint64_t length, uint32_t flags = 7) {
    Op op = Make(OpKind::kIoasMapFile, fd);
    op.ioasMapFile.flags = flags, op.ioasMapFile.ioasId = ioas, op.ioasMapFile.file = file;
    op.ioasMapFile.start = start, op.ioasMapFile.length = length, op.ioasMapFile.iova = iova;
    return Do(op);
  }
  Op OptionOp(uint32_t fd, uint32_t option, uint16_t how, uint32_t object, uint64_t value) const {
    Op op = Make(OpKind::kIommuOption, fd);
    op.iommuOption.optionId = option, op.iommuOption.op = how;
    op.iommuOption.objectId = object, op.iommuOption.val64 = value;
    return op;
  }
  Outcome Option(uint32_t fd, uint32_t option, uint16_t how, uint32_t object, uint64_t value) {
    return Do(OptionOp(fd, option, how, object, value));
  }
  Outcome Compat(uint32_t fd, uint16_t how, uint32_t ioas = 0) {
    Op op = Make(OpKind::kVfioIoas, fd);
    op.vfioIoas.op = how, op.vfioIoas.ioasId = ioas;
    return Do(op);
  }
  Outcome Fault(uint32_t fd, uint32_t flags = 0) {
    Op op = Make(OpKind::kFaultQueueAlloc, fd);
    op.faultQueueAlloc.flags = flags;
    return Do(op);
  }
  int ChangeProcess(uint32_t fd, uint32_t reserved = 0) {
    Op op = Make(OpKind::kIoasChangeProcess, fd);
    op.ioasChangeProcess.reserved = reserved;
    return Do(op).err;
  }
  uint32_t Memfd(uint64_t length) {
    Op op = Make(OpKind::kMemfd, 0);
    op.memfd.length = length;
    return Do(op).fd;
  }
  int SetDirty(uint32_t fd, uint32_t hwpt, uint32_t flags) {
    Op op = Make(OpKind::kHwptSetDirty, fd);
    op.hwptSetDirty.hwptId = hwpt, op.hwptSetDirty.flags = flags;
    return Do(op).err;
  }
  int GetDirty(uint32_t fd, uint32_t hwpt, uint32_t flags, uint64_t iova, uint64_t length,
               uint64_t page_size) {
    Op op = Make(OpKind::kHwptGetDirty, fd);
    op.hwptGetDirty.hwptId = hwpt, op.hwptGetDirty.flags = flags;
    op.hwptGetDirty.iova = iova, op.hwptGetDirty.length = length;
    op.hwptGetDirty.pageSize = page_size;
    return Do(op).err;
  }
  uint64_t Pinned(uint64_t account) const {
    const View<Concrete> view = Seen();
    const AccountRow<Concrete>* row = view.accounts.Find(account);
    return row == nullptr ? kAll : row->pinned;
  }
  // {pinned, pages} of the area at `iova` of an IOAS of context 1.
  AreaRow<Concrete> Area(uint32_t ioas, uint64_t iova) const {
    const View<Concrete> view = Seen();
    const AreaRow<Concrete>* row = view.areas.Containing(ObjectKey(1, ioas), iova);
    return row == nullptr ? AreaRow<Concrete>() : *row;
  }
};

// An iommufd with device 0 bound (id 1) and two IOASes (2, 3); 16 pages of memory.
struct Two {
  explicit Two(World world = More::TwoGuests()) : d(std::move(world)) {
    fd = d.OpenIommu();
    cdev = d.OpenCdev(0);
    dev = d.Bind(cdev, fd).id;
    a = d.Ioas(fd).id, b = d.Ioas(fd).id;
    d.Mmap(kVa, 0x10000);
  }
  More d;
  uint32_t fd, cdev, dev, a, b;
};

// ---- 6.3 ALLOW_IOVAS
// ----------------------------------------------------------------------------

TEST(AllowIovas, Errnos) {
  Two t;
  Op op = t.d.AllowOp(t.fd, 99, {});
  op.ioasAllowIovas.reserved = 1;
  EXPECT_EQ(t.d.Do(op).err, EOPNOTSUPP);
  EXPECT_EQ(t.d.Allow(t.fd, 99, {0x2000, 0x1000}), ENOENT);
  EXPECT_EQ(t.d.Allow(t.fd, t.dev, {0x1000, 0x2000}), ENOENT);
  op = t.d.AllowOp(t.fd, t.a, {0x1000, 0x1fff, 0x3000, 0x3fff});
  op.blob.resize(24);
  EXPECT_EQ(t.d.Do(op).err, EFAULT);
  op.blob = More::Words({0x1000, 0x1000});  // the first is wrong before the second is unreadable
  EXPECT_EQ(t.d.Do(op).err, EINVAL);
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x2000, 0x1000}), EINVAL);
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x1000, 0x2000, 0x2000, 0x3000}), EINVAL);
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x1000, 0x1fff, 0x2000, 0x3000}), 0);
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {}), 0);
}

// edu-iommufd, calls 478..499 (the same on VT-d and SMMUv3).
TEST(AllowIovas, SteersPlacementOnly) {
  Two t;
  t.d.Attach(t.cdev, t.a);
  t.d.Map(t.fd, t.a, 0x1000000, kVa, 0x10000);
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x1000000, 0x1ffffff, 0x4000000, 0x4ffffff}), 0);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0, kVa, 0x1000, 6).values[0], 0x1010000u);
  EXPECT_EQ(t.d.Unmap(t.fd, t.a, 0x1010000, 0x1000).values[0], 0x1000u);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0x9000000, kVa, 0x1000).err, 0);
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x1000000, 0x1ffffff, 0x1800000, 0x4ffffff}), EINVAL);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0, kVa, 0x1000, 6).values[0], 0x1010000u);  // the old list stands
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {}), 0);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0, kVa, 0x1000, 6).values[0], 0x1000u);
}

TEST(AllowIovas, WindowsInOrderAndNeverZero) {
  Two t;
  t.d.Allow(t.fd, t.a, {0x8000, 0x8fff, 0, 0x2fff});
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0, kVa, 0x1000, 6).values[0], 0x1000u);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0, kVa, 0x1000, 6).values[0], 0x2000u);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0, kVa, 0x1000, 6).values[0], 0x8000u);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0, kVa, 0x1000, 6).err, ENOSPC);
}

TEST(AllowIovas, AndReservationsExcludeEachOther) {
  Two t;
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x8000000, 0x8000001}), 0);
  EXPECT_EQ(t.d.Attach(t.cdev, t.a).err, EADDRINUSE);  // the software MSI window
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x1000, uint64_t{1} << 48}), 0);
  EXPECT_EQ(t.d.Hwpt(t.fd, t.dev, t.a, 0).err, EADDRINUSE);  // beyond the aperture
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x1000, 0x1fff}), 0);
  EXPECT_EQ(t.d.Attach(t.cdev, t.a).err, 0);
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x8000000, 0x8000001}), EADDRINUSE);
  EXPECT_EQ(t.d.Allow(t.fd, t.a, {0x1000, uint64_t{1} << 48}), EADDRINUSE);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0, kVa, 0x1000, 6).values[0], 0x1000u);  // the old list stands
}

// ---- 6.7 COPY
// -----------------------------------------------------------------------------------

TEST(Copy, Errnos) {
  Two t;
  t.d.Map(t.fd, t.a, 0x10000, kVa, 0x4000, 5);  // not writeable
  t.d.Map(t.fd, t.a, 0x14000, kVa, 0x4000);
  EXPECT_EQ(t.d.Copy(t.fd, 99, 99, kAll, 0, 0, 8).err, EOPNOTSUPP);
  EXPECT_EQ(t.d.Copy(t.fd, 99, 99, 0, 0, kAll, 1).err, EOVERFLOW);
  EXPECT_EQ(t.d.Copy(t.fd, 99, 99, 0, kAll, 0, 1).err, EOVERFLOW);
  EXPECT_EQ(t.d.Copy(t.fd, 99, 99, kAll, 0, 0, 1).err, EOVERFLOW);
  EXPECT_EQ(t.d.Copy(t.fd, 99, 99, 0, 0, 0, 1).err, EINVAL);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, 99, 0, 0, 0).err, ENOENT);
  EXPECT_EQ(t.d.Copy(t.fd, 99, t.a, 0, 0x10000, 0).err, EINVAL);
  EXPECT_EQ(t.d.Copy(t.fd, 99, t.a, 0, kAll - 0xfff, 0x2000).err, EOVERFLOW);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0, 0xf000, 0x2000).err, ENOENT);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0, 0x17000, 0x2000).err, ENOENT);
  EXPECT_EQ(t.d.Copy(t.fd, 99, t.a, 0, 0x14000, 0x1000).err, ENOENT);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, kAll - 0xfff, 0x14000, 0x2000).err, EOVERFLOW);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0, 0x13000, 0x2000).err, EPERM);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0, 0x13000, 0x2000, 5).err, 0);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0x1000, 0x14000, 0x1000).err, EEXIST);
  EXPECT_EQ(t.d.Copy(t.fd, t.a, t.a, 0x30000, 0x14000, 0x1000).err, 0);           // onto itself
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0, 0x14000, 0x4000, 6).values[0], 0x4000u);  // anywhere
}

TEST(Copy, OneAreaPerSourceAreaWithItsPages) {
  Two t;
  t.d.Map(t.fd, t.a, 0x10000, kVa, 0x4000);
  t.d.Map(t.fd, t.a, 0x14000, kVa + 0x8000, 0x4000, 5);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0x50000, 0x12000, 0x4000, 5).err, 0);
  const AreaRow<Concrete> first = t.d.Area(t.b, 0x50000), second = t.d.Area(t.b, 0x52000);
  EXPECT_EQ(first.first, 0x50000u);
  EXPECT_EQ(first.last, 0x51fffu);
  EXPECT_EQ(first.va, kVa + 0x2000);
  EXPECT_EQ(first.pages, 1u);
  EXPECT_EQ(first.rights, 1u);
  EXPECT_EQ(second.mapFirst, 0x52000u);
  EXPECT_EQ(second.mapLast, 0x53fffu);
  EXPECT_EQ(second.va, kVa + 0x8000);
  EXPECT_EQ(second.pages, 2u);
  // What the pages permit counts, not what the copy of them does; and the source may be gone.
  EXPECT_EQ(t.d.Unmap(t.fd, t.a, 0, kAll).values[0], 0x8000u);
  EXPECT_EQ(t.d.Copy(t.fd, t.a, t.b, 0x10000, 0x50000, 0x1000).err, 0);
  EXPECT_EQ(t.d.Copy(t.fd, t.a, t.b, 0x20000, 0x52000, 0x1000).err, EPERM);
  EXPECT_EQ(t.d.Area(t.a, 0x10000).rights, 3u);
}

// Pages are pinned once, and paid by the oldest area that has them.
TEST(Copy, ChargesEachPageOnce) {
  Two t;
  t.d.Attach(t.cdev, t.a);
  t.d.Map(t.fd, t.a, 0x10000, kVa, 0x8000);
  EXPECT_EQ(t.d.Pinned(1001), 8u);
  EXPECT_EQ(t.d.Copy(t.fd, t.a, t.a, 0x20000, 0x12000, 0x4000).err, 0);  // pages 2..5
  EXPECT_EQ(t.d.Copy(t.fd, t.a, t.a, 0x30000, 0x14000, 0x4000).err, 0);  // pages 4..7
  EXPECT_EQ(t.d.Pinned(1001), 8u);
  EXPECT_EQ(t.d.Area(t.a, 0x20000).pinned, 0u);
  EXPECT_EQ(t.d.Area(t.a, 0x20000).backing, 1u);
  EXPECT_EQ(t.d.Area(t.a, 0x20000).offset, 0x2000u);
  t.d.Unmap(t.fd, t.a, 0x10000, 0x8000);
  EXPECT_EQ(t.d.Area(t.a, 0x20000).pinned, 4u);
  EXPECT_EQ(t.d.Area(t.a, 0x30000).pinned, 2u);
  EXPECT_EQ(t.d.Pinned(1001), 6u);
  t.d.Unmap(t.fd, t.a, 0x20000, 0x4000);
  EXPECT_EQ(t.d.Area(t.a, 0x30000).pinned, 4u);
  EXPECT_EQ(t.d.Pinned(1001), 4u);
  t.d.Unmap(t.fd, t.a, 0, kAll);
  EXPECT_EQ(t.d.Pinned(1001), 0u);
}

// An older area that is pinned later takes the charge over; the limit counts what is new.
TEST(Copy, PinsWhatNobodyHas) {
  World world = More::TwoGuests();
  world.processes[0].memlockPages = 8;
  Two t(world);
  t.d.Map(t.fd, t.a, 0x10000, kVa, 0x8000);  // nothing uses IOAS a
  t.d.Attach(t.cdev, t.b);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0x20000, 0x12000, 0x2000).err, 0);
  EXPECT_EQ(t.d.Area(t.b, 0x20000).pinned, 2u);
  EXPECT_EQ(t.d.Pinned(1001), 2u);
  EXPECT_EQ(t.d.Hwpt(t.fd, t.dev, t.a, 0).err, 0);  // 8 pages, 2 of them pinned already
  EXPECT_EQ(t.d.Pinned(1001), 8u);
  EXPECT_EQ(t.d.Area(t.b, 0x20000).pinned, 0u);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0x40000, 0x10000, 0x8000).err, 0);
  EXPECT_EQ(t.d.Map(t.fd, t.b, 0x60000, kVa, 0x1000).err, ENOMEM);
  EXPECT_EQ(t.d.Detach(t.cdev).err, 0);
  EXPECT_EQ(t.d.Pinned(1001), 8u);
}

// The pages that are pinned stay the ones mapped, whatever the process does to its memory.
TEST(Copy, SharesMemoryNotAddresses) {
  Two t;
  t.d.Attach(t.cdev, t.a);
  t.d.Map(t.fd, t.a, 0x10000, kVa, 0x4000);
  Op unmap = t.d.Make(OpKind::kMunmap, 0);
  unmap.munmap.address = kVa, unmap.munmap.length = 0x10000;
  t.d.Do(unmap);
  EXPECT_EQ(t.d.Copy(t.fd, t.a, t.a, 0x20000, 0x10000, 0x4000).err, 0);
  EXPECT_EQ(t.d.Area(t.a, 0x20000).backing, 1u);
  EXPECT_EQ(t.d.Dma(0, 0x20000, 8, "12345678").pieces[0].backing, 1u);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0x30000, kVa, 0x1000).err, EFAULT);
}

// ---- 6.6 MAP_FILE
// --------------------------------------------------------------------------------

TEST(MapFile, Errnos) {
  Two t;
  const uint32_t file = t.d.Memfd(0x10000);
  EXPECT_EQ(t.d.MapFile(t.fd, 99, 0, 99, 0, 0, 9).err, EOPNOTSUPP);
  EXPECT_EQ(t.d.MapFile(t.fd, 99, kAll, 99, 0, 0, 1).err, EOVERFLOW);
  EXPECT_EQ(t.d.MapFile(t.fd, 99, 0, 99, 0, 0, 1).err, EINVAL);
  EXPECT_EQ(t.d.MapFile(t.fd, 99, 0, 99, 0, 0).err, ENOENT);
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0, 99, 0, 0).err, EINVAL);
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0, 99, kAll, 2).err, EOVERFLOW);
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0, 99, 0, 0x1000).err, EBADF);
  // Lazily anything goes; with an HWPT it must be there (edu-iommufd, calls 527..539).
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0x10000, t.cdev, 0, 0x1000).err, 0);
  EXPECT_EQ(t.d.MapFile(t.fd, t.b, 0x10000, file, 0xf000, 0x4000).err, 0);
  EXPECT_EQ(t.d.Attach(t.cdev, t.a).err, EINVAL);
  EXPECT_EQ(t.d.Attach(t.cdev, t.b).err, EINVAL);
  t.d.Unmap(t.fd, t.a, 0, kAll);
  EXPECT_EQ(t.d.Attach(t.cdev, t.a).err, 0);
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0x6000000, file, 0, 0x4000).err, 0);
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0x6010000, file, 0xf000, 0x4000).err, EINVAL);
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0x6010000, file, 2, 0x4000).err, EINVAL);
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0x6010000, t.cdev, 0, 0x4000).err, EINVAL);
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0x6010000, kDanglingHandle, 0, 0x4000).err, EBADF);
  EXPECT_EQ(t.d.Unmap(t.fd, t.a, 0x6000000, 0x4000).values[0], 0x4000u);
}

TEST(MapFile, IsTheFilesMemory) {
  Two t;
  const uint32_t file = t.d.Memfd(0x10000);  // backing 2: the first is the memory of Two
  Op map = t.d.Make(OpKind::kMmap, file);
  map.mmap.base = 0x50000000, map.mmap.length = 0x10000, map.mmap.shared = 1;
  map.mmap.prot = kProtRead | kProtWrite;
  EXPECT_EQ(t.d.Do(map).err, 0);
  t.d.Attach(t.cdev, t.a);
  EXPECT_EQ(t.d.MapFile(t.fd, t.a, 0x6000000, file, 0x1000, 0x2000).err, 0);
  EXPECT_EQ(t.d.Area(t.a, 0x6000000).file, 2u);
  EXPECT_EQ(t.d.Area(t.a, 0x6000000).va, 0x1000u);
  EXPECT_EQ(t.d.Pinned(1001), 2u);
  t.d.Write(0x50001000, "hello678");
  t.d.Close(file);
  EXPECT_EQ(t.d.Dma(0, 0x6000000, 8).data, "hello678");
  EXPECT_EQ(t.d.Dma(0, 0x6000000, 8).pieces[0].offset, 0x1000u);
}

// ---- 6.9 CHANGE_PROCESS
// --------------------------------------------------------------------------

TEST(ChangeProcess, ChargesTheCaller) {
  Two t;
  const uint32_t file = t.d.Memfd(0x10000);
  EXPECT_EQ(t.d.ChangeProcess(t.fd, 1), EOPNOTSUPP);
  EXPECT_EQ(t.d.ChangeProcess(t.fd), 0);
  t.d.Attach(t.cdev, t.a);
  t.d.MapFile(t.fd, t.a, 0x10000, file, 0, 0x4000);
  t.d.MapFile(t.fd, t.b, 0x10000, file, 0, 0x8000);  // not pinned
  EXPECT_EQ(t.d.Pinned(1001), 4u);
  Op pass = t.d.Make(OpKind::kPassFd, t.fd);
  pass.passFd.to = 1;
  const Outcome passed = t.d.Do(pass);
  ASSERT_EQ(passed.err, 0);
  t.d.process = 1;
  EXPECT_EQ(t.d.ChangeProcess(passed.fd), 0);
  EXPECT_EQ(t.d.Pinned(1001), 0u);
  EXPECT_EQ(t.d.Pinned(1002), 4u);
  EXPECT_EQ(t.d.Area(t.a, 0x10000).process, 2u);
  EXPECT_EQ(t.d.Area(t.b, 0x10000).process, 2u);
  EXPECT_EQ(t.d.Area(t.a, 0x10000).account, 1002u);
  t.d.process = 0;
  t.d.Map(t.fd, t.b, 0x100000, kVa, 0x1000);
  EXPECT_EQ(t.d.ChangeProcess(t.fd), EINVAL);  // one by address (edu-iommufd, call 612)
  EXPECT_EQ(t.d.Pinned(1002), 4u);
}

TEST(ChangeProcess, WithinTheLimit) {
  World world = More::TwoGuests();
  world.processes[1].memlockPages = 3;
  Two t(world);
  const uint32_t file = t.d.Memfd(0x10000);
  t.d.Attach(t.cdev, t.a);
  t.d.MapFile(t.fd, t.a, 0x10000, file, 0, 0x4000);
  Op pass = t.d.Make(OpKind::kPassFd, t.fd);
  pass.passFd.to = 1;
  const uint32_t there = t.d.Do(pass).fd;
  t.d.process = 1;
  EXPECT_EQ(t.d.ChangeProcess(there), ENOMEM);
  EXPECT_EQ(t.d.Pinned(1001), 4u);
  EXPECT_EQ(t.d.Area(t.a, 0x10000).process, 1u);
}

// ---- 7.1 OPTION
// ----------------------------------------------------------------------------------

// edu-iommufd, calls 501..522, in a context that has objects.
TEST(Option, AsRecorded) {
  Two t;
  t.d.Attach(t.cdev, t.a);
  t.d.Map(t.fd, t.a, 0x1000000, kVa, 0x10000);
  EXPECT_EQ(t.d.Option(t.fd, 0, 1, 0, 0).values[0], 0u);
  EXPECT_EQ(t.d.Option(t.fd, 1, 1, t.a, 0).values[0], 1u);
  EXPECT_EQ(t.d.Option(t.fd, 1, 0, t.a, 0).err, EINVAL);
  EXPECT_EQ(t.d.Option(t.fd, 1, 0, t.a, 7).err, EINVAL);
  EXPECT_EQ(t.d.Option(t.fd, 1, 1, t.a, 0).values[0], 1u);
  EXPECT_EQ(t.d.Option(t.fd, 1, 0, t.a, 1).values[0], 1u);
  EXPECT_EQ(t.d.Option(t.fd, 99, 1, 0, 0).err, EOPNOTSUPP);
}

TEST(Option, Errnos) {
  World world = More::TwoGuests();
  world.processes[0].sysResource = true;
  Two t(world);
  Op op = t.d.OptionOp(t.fd, 1, 1, t.a, 0);
  op.iommuOption.reserved = 1;
  EXPECT_EQ(t.d.Do(op).err, EOPNOTSUPP);
  EXPECT_EQ(t.d.Option(t.fd, 0, 1, 1, 0).err, EOPNOTSUPP);
  EXPECT_EQ(t.d.Option(t.fd, 0, 2, 0, 0).err, EOPNOTSUPP);
  EXPECT_EQ(t.d.Option(t.fd, 0, 0, 0, 9).err, EBUSY);
  EXPECT_EQ(t.d.Option(t.fd, 1, 2, 99, 0).err, ENOENT);
  EXPECT_EQ(t.d.Option(t.fd, 1, 2, t.a, 0).err, EOPNOTSUPP);
  const uint32_t empty = t.d.OpenIommu();
  EXPECT_EQ(t.d.Option(empty, 0, 0, 0, 2).err, EINVAL);
  EXPECT_EQ(t.d.Option(empty, 0, 0, 0, 1).values[0], 1u);
  EXPECT_EQ(t.d.Option(empty, 0, 1, 0, 0).values[0], 1u);
  op = t.d.OptionOp(empty, 0, 0, 0, 0);
  op.writable = 23;
  EXPECT_EQ(t.d.Do(op).err, EFAULT);
  EXPECT_EQ(t.d.Option(empty, 0, 1, 0, 0).values[0], 0u);  // done all the same
  t.d.process = 1;
  const uint32_t other = t.d.OpenIommu();
  EXPECT_EQ(t.d.Option(other, 0, 0, 0, 1).err, EPERM);
}

TEST(Option, LargePagesOffMeansAlignment) {
  Two t;
  t.d.Map(t.fd, t.b, 0x1001, kVa, 0x10);
  EXPECT_EQ(t.d.Option(t.fd, 1, 0, t.b, 0).err, EADDRINUSE);
  EXPECT_EQ(t.d.Option(t.fd, 1, 1, t.b, 0).values[0], 1u);
  EXPECT_EQ(t.d.Option(t.fd, 1, 0, t.a, 0).err, 0);
  EXPECT_EQ(t.d.Option(t.fd, 1, 1, t.a, 9).values[0], 0u);
  EXPECT_EQ(t.d.Map(t.fd, t.a, 0x1001, kVa, 0x10).err, EINVAL);
  Op ranges = t.d.Make(OpKind::kIoasIovaRanges, t.fd);
  ranges.ioasIovaRanges.ioasId = t.a, ranges.ioasIovaRanges.numIovas = 1;
  ranges.ioasIovaRanges.bufWritable = 16;
  EXPECT_EQ(t.d.Do(ranges).values[1], 4096u);
  t.d.Map(t.fd, t.a, 0x1000, kVa, 0x1000);
  EXPECT_EQ(t.d.Attach(t.cdev, t.a).err, 0);
  EXPECT_EQ(t.d.Option(t.fd, 1, 0, t.a, 0).err, 0);  // it is so already
  t.d.Detach(t.cdev);
  EXPECT_EQ(t.d.Option(t.fd, 1, 0, t.a, 1).err, 0);
  EXPECT_EQ(t.d.Do(ranges).values[1], 1u);
}

TEST(Option, PerProcessAccounts) {
  World world = More::TwoGuests();
  world.processes[0].sysResource = true;
  world.processes[0].memlockPages = 4;
  More d(world);
  const uint32_t fd = d.OpenIommu();
  d.Option(fd, 0, 0, 0, 1);
  const uint32_t cdev = d.OpenCdev(0);
  d.Bind(cdev, fd);
  const uint32_t ioas = d.Ioas(fd).id;
  d.Attach(cdev, ioas);
  d.Mmap(kVa, 0x10000);
  constexpr uint64_t kFirstProcess = (uint64_t{1} << 32) + 1;
  EXPECT_EQ(d.Pinned(kFirstProcess), kAll);  // no row before it is charged
  EXPECT_EQ(d.Map(fd, ioas, 0x1000, kVa, 0x4000).err, 0);
  EXPECT_EQ(d.Pinned(kFirstProcess), 4u);
  EXPECT_EQ(d.Pinned(1001), 0u);
  EXPECT_EQ(d.Map(fd, ioas, 0x10000, kVa, 0x1000).err, ENOMEM);
  d.Unmap(fd, ioas, 0, kAll);
  EXPECT_EQ(d.Pinned(kFirstProcess), 0u);
}

// ---- 8.1 VFIO_IOAS
// -------------------------------------------------------------------------------

TEST(VfioIoas, GetSetClear) {
  Two t;
  EXPECT_EQ(t.d.Compat(t.fd, 0).err, ENODEV);
  EXPECT_EQ(t.d.Compat(t.fd, 1, 99).err, ENOENT);
  EXPECT_EQ(t.d.Compat(t.fd, 1, t.dev).err, ENOENT);
  EXPECT_EQ(t.d.Compat(t.fd, 1, t.b).err, 0);
  EXPECT_EQ(t.d.Compat(t.fd, 0).id, t.b);
  EXPECT_EQ(t.d.Compat(t.fd, 3).err, EOPNOTSUPP);
  EXPECT_EQ(t.d.Destroy(t.fd, t.b).err, 0);  // 4.2: clears the pointer
  EXPECT_EQ(t.d.Compat(t.fd, 0).err, ENODEV);
  EXPECT_EQ(t.d.Compat(t.fd, 1, t.a).err, 0);
  EXPECT_EQ(t.d.Compat(t.fd, 2).err, 0);
  EXPECT_EQ(t.d.Compat(t.fd, 2).err, 0);
  EXPECT_EQ(t.d.Compat(t.fd, 0).err, ENODEV);
}

// ---- 12 dirty tracking
// ---------------------------------------------------------------------------

TEST(Dirty, Errnos) {
  Two t;
  const uint32_t hwpt = t.d.Hwpt(t.fd, t.dev, t.a, 0).id;
  EXPECT_EQ(t.d.SetDirty(t.fd, 99, 2), EOPNOTSUPP);
  EXPECT_EQ(t.d.SetDirty(t.fd, t.a, 1), ENOENT);
  EXPECT_EQ(t.d.SetDirty(t.fd, hwpt, 1), EOPNOTSUPP);  // edu-iommufd, call 579
  EXPECT_EQ(t.d.GetDirty(t.fd, 99, 2, 0, 0x1000, 0x1000), EOPNOTSUPP);
  EXPECT_EQ(t.d.GetDirty(t.fd, t.a, 0, 0, 0x1000, 0x1000), ENOENT);
  EXPECT_EQ(t.d.GetDirty(t.fd, hwpt, 0, kAll, 2, 0x1000), EOVERFLOW);
  EXPECT_EQ(t.d.GetDirty(t.fd, hwpt, 0, 0x1000, 0, 0), EOVERFLOW);  // 7.2: length 0
  EXPECT_EQ(t.d.GetDirty(t.fd, hwpt, 0, 0x800, 0x800, 0x1000), EINVAL);
  EXPECT_EQ(t.d.GetDirty(t.fd, hwpt, 0, 0x1000, 0x1000, 0), EINVAL);
  EXPECT_EQ(t.d.GetDirty(t.fd, hwpt, 0, 0x1000, 0x1000, 0x2000), EINVAL);
  EXPECT_EQ(t.d.GetDirty(t.fd, hwpt, 1, 0x1000, 0x1000, 0x1000), EOPNOTSUPP);
}

// ---- 14 fault queues
// -----------------------------------------------------------------------------

// edu-iommufd-late, calls 578..594.
TEST(FaultQueue, Life) {
  Two t;
  EXPECT_EQ(t.d.Fault(t.fd, 1).err, EOPNOTSUPP);
  const Outcome queue = t.d.Fault(t.fd);
  ASSERT_EQ(queue.err, 0);
  Op alloc = t.d.HwptOp(t.fd, t.dev, t.a, 4);
  alloc.hwptAlloc.faultId = t.a;
  EXPECT_EQ(t.d.Do(alloc).err, ENOENT);
  alloc.hwptAlloc.faultId = queue.id;
  const Outcome hwpt = t.d.Do(alloc);
  ASSERT_EQ(hwpt.err, 0);
  EXPECT_EQ(t.d.Read(queue.fd, 64).err, ESPIPE);
  EXPECT_EQ(t.d.Read(queue.fd, 80).err, 0);
  EXPECT_EQ(t.d.Read(queue.fd, 80).ret, 0);
  Op respond = t.d.Make(OpKind::kWrite, queue.fd);
  EXPECT_EQ(t.d.Do(respond).err, 0);
  respond.blob.assign(8, '\1');
  EXPECT_EQ(t.d.Do(respond).err, EINVAL);  // an unknown cookie
  respond.blob.assign(9, '\1');
  EXPECT_EQ(t.d.Do(respond).err, ESPIPE);
  Op poll = t.d.Make(OpKind::kPoll, queue.fd);
  poll.poll.events = 0x145;
  EXPECT_EQ(t.d.Do(poll).ret, 4);
  EXPECT_EQ(t.d.Attach(t.cdev, hwpt.id).err, 0);  // SMMUv3 takes it
  EXPECT_EQ(t.d.Attach(t.cdev, t.a).err, 0);
  EXPECT_EQ(t.d.Destroy(t.fd, queue.id).err, EBUSY);
  t.d.Close(queue.fd);
  EXPECT_EQ(t.d.Destroy(t.fd, queue.id).err, EBUSY);  // the HWPT holds it
  EXPECT_EQ(t.d.Destroy(t.fd, hwpt.id).err, 0);
  EXPECT_EQ(t.d.Destroy(t.fd, queue.id).err, 0);
  EXPECT_EQ(t.d.Destroy(t.fd, queue.id).err, ENOENT);
}

TEST(FaultQueue, KeepsTheContext) {
  More d;
  const uint32_t fd = d.OpenIommu();
  const uint32_t ioas = d.Ioas(fd).id;
  const Outcome queue = d.Fault(fd);
  EXPECT_EQ(queue.id, ioas + 1);
  d.Close(fd);
  EXPECT_EQ(d.Seen().ioases.size(), 1u);
  d.Close(queue.fd);
  EXPECT_EQ(d.Seen().ioases.size(), 0u);
}

// VT-d takes no HWPT with a queue for a device without page requests (edu-iommufd, call 593).
TEST(FaultQueue, NotWithoutPageRequestsOnVtd) {
  World world;
  world.smmus.clear();
  world.vtds.resize(1);
  world.devices.resize(1);
  Two t(world);
  const Outcome queue = t.d.Fault(t.fd);
  Op alloc = t.d.HwptOp(t.fd, t.dev, t.a, 4);
  alloc.hwptAlloc.faultId = queue.id;
  const Outcome hwpt = t.d.Do(alloc);
  ASSERT_EQ(hwpt.err, 0);
  EXPECT_EQ(t.d.Attach(t.cdev, hwpt.id).err, ENODEV);
  EXPECT_EQ(t.d.Attach(t.cdev, t.a).err, 0);
}

// A counted allocation: area by copy and by file, but no fault queue.
TEST(MoreAllocations, FailOnDemand) {
  Two t;
  const uint32_t file = t.d.Memfd(0x1000);
  t.d.Map(t.fd, t.a, 0x10000, kVa, 0x1000);
  t.d.FailAlloc(1);
  EXPECT_EQ(t.d.Fault(t.fd).err, 0);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0x10000, 0x10000, 0x1000).err, ENOMEM);
  EXPECT_EQ(t.d.Copy(t.fd, t.b, t.a, 0x10000, 0x10000, 0x1000).err, 0);
  t.d.FailAlloc(1);
  EXPECT_EQ(t.d.MapFile(t.fd, t.b, 0x20000, file, 0, 0x1000).err, ENOMEM);
  EXPECT_EQ(t.d.MapFile(t.fd, t.b, 0x20000, file, 0, 0x1000).err, 0);
  EXPECT_EQ(t.d.Area(t.b, 0x20000).pages, 2u);
}

}  // namespace
}  // namespace twinwalk
