// Errnos and their order: framing (docs/TRACE.md 2), then the checks of each ioctl (iommufd sheet).
#include "model/front.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>

#include "model/test_driver.h"

namespace twinwalk::model {
namespace {

TEST(Framing, InOrder) {
  Driver d;
  const uint32_t iommu = d.OpenIommu();
  const auto alloc = [&](uint32_t size, uint16_t readable, uint16_t writable, std::string blob) {
    Op op = d.Make(OpKind::kIoasAlloc, iommu);
    op.size = size, op.readable = readable, op.writable = writable, op.blob = std::move(blob);
    return d.Run(op).err;
  };
  EXPECT_EQ(alloc(12, 3, 65535, ""), EFAULT);
  EXPECT_EQ(alloc(11, 65535, 65535, ""), EINVAL);
  EXPECT_EQ(alloc(11, 5, 65535, ""), EINVAL);
  EXPECT_EQ(alloc(16, 16, 65535, std::string("\0\0\1\0", 4)), E2BIG);
  EXPECT_EQ(alloc(16, 14, 65535, std::string("\0\1", 2)), E2BIG);
  EXPECT_EQ(alloc(16, 14, 65535, std::string("\0\0", 2)), EFAULT);
  EXPECT_EQ(alloc(12, 11, 65535, ""), EFAULT);
  EXPECT_EQ(alloc(16, 16, 65535, std::string(4, '\0')), 0);
  EXPECT_EQ(alloc(12, 65535, 11, ""), EFAULT);
  EXPECT_EQ(d.GetView().ioases.size(), 1u);  // the last one was undone
}

TEST(Files, WrongKinds) {
  Driver d;
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenDevice(0);
  EXPECT_EQ(d.Run(d.Make(OpKind::kIoasAlloc, 99)).err, EBADF);
  EXPECT_EQ(d.Run(d.Make(OpKind::kIoasAlloc, cdev)).err, EINVAL);  // unbound
  EXPECT_EQ(d.Attach(cdev, 1).err, EINVAL);
  EXPECT_EQ(d.Attach(iommu, 1).err, ENOTTY);
  EXPECT_EQ(d.Bind(cdev, cdev).err, 77);  // EBADFD
  EXPECT_EQ(d.Bind(cdev, 50).err, EBADF);
  EXPECT_EQ(d.Bind(cdev, 0x80000000).err, EINVAL);
  ASSERT_EQ(d.Bind(cdev, iommu).err, 0);
  EXPECT_EQ(d.Bind(cdev, iommu).err, EINVAL);
  EXPECT_EQ(d.Bind(d.OpenDevice(0), iommu).err, EINVAL);
  EXPECT_EQ(d.Run(d.Make(OpKind::kIoasAlloc, cdev)).err, ENOTTY);
  EXPECT_EQ(d.Run(d.Make(OpKind::kRaw, cdev)).err, ENOTTY);
  Op poll = d.Make(OpKind::kPoll, 99);
  EXPECT_EQ(d.Run(poll).ret, 0x20);
}

TEST(Files, OneContextOwnsAGroup) {
  World world = TwoDevices();
  world.devices[1].group = world.devices[0].group;
  Driver d(world);
  const uint32_t a = d.OpenIommu(), b = d.OpenIommu();
  ASSERT_EQ(d.Bind(d.OpenDevice(0), a).err, 0);
  const uint32_t cdev = d.OpenDevice(1);
  EXPECT_EQ(d.Bind(cdev, b).err, EPERM);
  EXPECT_EQ(d.Bind(cdev, a).err, 0);
}

TEST(Files, Mappings) {
  Driver d;
  EXPECT_EQ(d.Mmap(0x1000, 0).err, EINVAL);
  EXPECT_EQ(d.Mmap(0x1001, 0x1000).err, EINVAL);
  EXPECT_EQ(d.Mmap((uint64_t{1} << 48) - 0x1000, 0x2000).err, ENOMEM);
  EXPECT_EQ(d.Mmap(0x1000, ~uint64_t{0}).err, ENOMEM);
  EXPECT_EQ(d.Mmap(0x1000, 0x2001).ret, 0x1000);
  EXPECT_EQ(d.Mmap(0x3000, 0x1000).err, EEXIST);  // 0x2001 became three pages
  Op memfd = d.Make(OpKind::kMemfd);
  memfd.memfd.length = 0x1800;
  const uint32_t fd = d.Run(memfd).fd;
  EXPECT_EQ(d.Mmap(0x10000, 0x3000, 3, fd).err, EINVAL);
  EXPECT_EQ(d.Mmap(0x10000, 0x1000, 3, fd, 0x1000).err, 0);
  EXPECT_EQ(d.Mmap(0x20000, 0x1000, 3, d.OpenIommu()).err, ENXIO);
  EXPECT_EQ(d.Poke(0x1fff, "ab").err, 0);
  EXPECT_EQ(d.Poke(0x3fff, "ab").err, EFAULT);
  EXPECT_EQ(d.Munmap(0x2000, 1).err, 0);
  EXPECT_EQ(d.Poke(0x1fff, "ab").err, EFAULT);
}

TEST(IoasMap, ChecksInOrder) {
  Plain p;
  const uint64_t top = ~uint64_t{0};
  const auto map = [&](uint32_t flags, uint32_t ioas, uint64_t va, uint64_t length, uint64_t iova) {
    return p.d.Map(p.iommu, ioas, va, length, iova, flags).err;
  };
  EXPECT_EQ(map(8, 99, 0, top, top), EOPNOTSUPP);
  EXPECT_EQ(map(1, 99, 0, top, 0), EOVERFLOW);
  EXPECT_EQ(map(1, 99, 0, 0, 0), EINVAL);  // neither readable nor writeable
  EXPECT_EQ(map(7, 99, top, 2, 0), ENOENT);
  EXPECT_EQ(map(7, p.ioas, top, 2, 0), EOVERFLOW);
  EXPECT_EQ(map(7, p.ioas, 0, 0, 0), EINVAL);
  EXPECT_EQ(map(7, p.ioas, Plain::kVa, 4096, 0x08000000), EINVAL);  // MSI window
  EXPECT_EQ(map(7, p.ioas, 0x70000000, 4096, 0), EFAULT);
  EXPECT_EQ(map(7, p.ioas, Plain::kVa, 4096, 0), 0);
  EXPECT_EQ(map(7, p.ioas, Plain::kVa, 4096, 0), EEXIST);
  EXPECT_EQ(p.d.GetView().accounts.Find(1)->pinned, 1u);
}

TEST(IoasUnmap, EdgesAndPartialEffect) {
  Plain p;
  p.d.Map(p.iommu, p.ioas, Plain::kVa, 0x1000, 0x1000);
  p.d.Map(p.iommu, p.ioas, Plain::kVa, 0x2000, 0x4000);
  const auto unmap = [&](uint64_t iova, uint64_t length) {
    return p.d.Unmap(p.iommu, p.ioas, iova, length).err;
  };
  EXPECT_EQ(unmap(0x1000, 0), EINVAL);
  EXPECT_EQ(unmap(~uint64_t{0} - 1, 5), EOVERFLOW);
  EXPECT_EQ(unmap(0x8000, 0x1000), ENOENT);
  EXPECT_EQ(unmap(0x5000, 0x1000), ENOENT);
  EXPECT_EQ(p.d.GetView().areas.size(), 2u);
  EXPECT_EQ(unmap(0x1000, 0x4000), ENOENT);  // cuts the second: the first is gone
  EXPECT_EQ(p.d.GetView().areas.size(), 1u);
  EXPECT_EQ(p.d.Unmap(p.iommu, p.ioas, 0, ~uint64_t{0}).values[0], 0x2000u);
  EXPECT_EQ(p.d.Unmap(p.iommu, p.ioas, 0, ~uint64_t{0}).err, 0);
}

TEST(Pins, LimitsAreKept) {
  World world = TwoDevices();
  world.processes[0].memlockPages = 3;
  Plain p({}, world);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 0x2000, 0x10000).err, 0);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 0x2000, 0x20000).err, ENOMEM);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 0x1000, 0x20000).err, 0);
  EXPECT_EQ(p.d.GetView().accounts.Find(1)->pinned, 3u);
}

TEST(HwptAlloc, ChecksInOrder) {
  Guest g;
  const auto alloc = [&](const std::function<void(HwptAllocArgs*)>& change, uint32_t pt) {
    Op op = g.d.Make(OpKind::kHwptAlloc, g.iommu);
    op.hwptAlloc.devId = g.dev;
    op.hwptAlloc.ptId = pt;
    change(&op.hwptAlloc);
    return g.d.Run(op).err;
  };
  EXPECT_EQ(alloc([](auto* a) { a->reserved = 1, a->dataType = 2; }, 99), EOPNOTSUPP);
  EXPECT_EQ(alloc([](auto* a) { a->dataType = 2, a->devId = 99; }, 99), EINVAL);
  EXPECT_EQ(alloc([](auto* a) { a->devId = 99; }, 99), ENOENT);
  EXPECT_EQ(alloc([](auto*) {}, 99), EINVAL);
  EXPECT_EQ(alloc([](auto*) {}, g.nested), EINVAL);
  EXPECT_EQ(alloc([](auto*) {}, g.parent), EOPNOTSUPP);
  EXPECT_EQ(alloc([](auto* a) { a->flags = 2; }, g.ioas), EOPNOTSUPP);
  EXPECT_EQ(alloc([](auto* a) { a->flags = 9; }, g.ioas), EOPNOTSUPP);
  EXPECT_EQ(alloc([](auto* a) { a->flags = 16; }, g.ioas), EOPNOTSUPP);
  EXPECT_EQ(alloc([](auto* a) { a->flags = 4; }, g.ioas), ENOENT);
  EXPECT_EQ(alloc([](auto*) {}, g.viommu), EOPNOTSUPP);  // no data
  EXPECT_EQ(alloc([](auto* a) { a->dataType = 1, a->dataLen = 16; }, g.viommu), EINVAL);
  EXPECT_EQ(alloc([](auto* a) { a->dataType = 2, a->dataLen = 8; }, g.viommu), EINVAL);
  EXPECT_EQ(alloc([](auto* a) { a->dataType = 2, a->dataLen = 16; }, g.viommu), EFAULT);
  // Refused stream table entries (SMMUv3 sheet 9), then accepted ones.
  for (uint64_t ste0 : {uint64_t{7} << 1 | 1, uint64_t{6} << 1 | 1, uint64_t{1} << 52 | 0xb})
    EXPECT_EQ(g.d.Nested(g.iommu, g.dev, g.viommu, ste0).err, EIO);
  EXPECT_EQ(g.d.Nested(g.iommu, g.dev, g.viommu, 0xb, uint64_t{2} << 28).err, EIO);
  EXPECT_EQ(g.d.Nested(g.iommu, g.dev, g.viommu, 0xb, uint64_t{1} << 28).err, 0);
  EXPECT_EQ(g.d.Nested(g.iommu, g.dev, g.viommu, ~uint64_t{1}, ~uint64_t{0}).err, 0);
}

TEST(Tags, RunOut) {
  World world = TwoDevices();
  world.smmus[0].vmidLimit = 2, world.smmus[0].asidLimit = 3;
  Plain p({}, world);  // takes ASID 1
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 0).err, 0);
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 0).err, EBUSY);
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 1).err, 0);
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 1).err, ENOSPC);
}

TEST(HwptInvalidate, EntryNumIsAlwaysSaid) {
  Guest g;
  const auto run = [&](const std::function<void(Op*)>& change) {
    Op op = g.d.Make(OpKind::kHwptInvalidate, g.iommu);
    op.hwptInvalidate.hwptId = g.viommu;
    op.hwptInvalidate.dataType = 1;
    op.hwptInvalidate.entryLen = 16, op.hwptInvalidate.entryNum = 1;
    op.hwptInvalidate.dataPtr = 0x1000;
    op.blob.assign(16, '\0');
    op.blob[0] = 0x10;
    change(&op);
    const Outcome out = g.d.Run(op);
    return std::make_pair(int{out.err}, out.values[0]);
  };
  using R = std::pair<int, uint64_t>;
  EXPECT_EQ(run([](Op*) {}), R(0, 1));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.reserved = 1; }), R(EOPNOTSUPP, 0));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.entryNum = 0; }), R(EINVAL, 0));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.dataPtr = 0; }), R(EINVAL, 0));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.entryLen = 4097; }), R(EINVAL, 0));
  EXPECT_EQ(run([&](Op* o) { o->hwptInvalidate.hwptId = g.nested; }), R(EOPNOTSUPP, 0));
  EXPECT_EQ(run([&](Op* o) { o->hwptInvalidate.hwptId = g.ioas; }), R(EINVAL, 0));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.hwptId = 99; }), R(ENOENT, 0));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.dataType = 0; }), R(EINVAL, 0));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.entryNum = 2; }), R(EFAULT, 0));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.entryNum = 1 << 19; }), R(ENOMEM, 1 << 19));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.entryNum = 1 << 20; }), R(EINVAL, 0));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.entryLen = 8; }), R(0, 1));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.entryLen = 24, o->blob.append(8, '\1'); }),
            R(E2BIG, 0));
  EXPECT_EQ(run([](Op* o) { o->hwptInvalidate.entryLen = 24, o->blob.append(8, '\0'); }), R(0, 1));
}

TEST(IovaRanges, HolesAndCounts) {
  Plain p;
  Op op = p.d.Make(OpKind::kIoasIovaRanges, p.iommu);
  op.ioasIovaRanges.ioasId = p.ioas;
  op.ioasIovaRanges.numIovas = 1;
  op.ioasIovaRanges.bufWritable = 16;
  const Outcome one = p.d.Run(op);
  EXPECT_EQ(one.err, EMSGSIZE);
  EXPECT_EQ(one.values[0], 2u);
  EXPECT_EQ(one.values[1], 4096u);
  EXPECT_EQ(one.out, std::string("\0\0\0\0\0\0\0\0\xff\xff\xff\7\0\0\0\0", 16));
  op.ioasIovaRanges.numIovas = 2;
  EXPECT_EQ(p.d.Run(op).err, EFAULT);
  op.ioasIovaRanges.bufWritable = 32;
  EXPECT_EQ(p.d.Run(op).out.size(), 32u);
}

TEST(GetHwInfo, RegistersAsTheyAre) {
  Plain p;
  Op op = p.d.Make(OpKind::kGetHwInfo, p.iommu);
  op.getHwInfo.devId = p.dev;
  op.getHwInfo.dataLen = 48;
  op.getHwInfo.bufWritable = 48;
  const Outcome out = p.d.Run(op);
  EXPECT_EQ(out.values, (std::array<uint64_t, 3>{40, 2, 8}));
  ASSERT_EQ(out.out.size(), 48u);
  EXPECT_EQ(out.out.substr(8, 4), std::string("\x1b\x10\x44\x0d", 4));
  EXPECT_EQ(out.out.substr(36, 12), std::string("\1\0\0\0\0\0\0\0\0\0\0\0", 12));
  op.getHwInfo.bufWritable = 47;
  EXPECT_EQ(p.d.Run(op).err, EFAULT);
}

}  // namespace
}  // namespace twinwalk::model
