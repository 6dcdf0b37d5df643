// An iommufd as a VFIO container. Expectations are typed in from iommufd.md section 8 and from the
// recording edu-compat-v1 of Linux 7.2.13 on VT-d (call numbers are the recording's).
#include <gtest/gtest.h>

#include "reference/test_driver.h"

namespace twinwalk {
namespace {

constexpr uint64_t kVa = 0x40000000;
constexpr uint64_t kBase = 0x1000000;

// The machine of the recordings: one VT-d, an edu behind it.
World Edu() {
  World world;
  world.smmus.clear();
  world.vtds.resize(1);
  world.vtds[0].cap = 0x80d2008c222f0686, world.vtds[0].ecap = 0xf00f4e;
  world.devices.resize(1);
  world.devices[0].streamId = 0x80;
  world.devices[0].group = 6;
  world.devices[0].vfio.name = "0000:00:10.0";
  return world;
}

class Container : public Driver {
 public:
  explicit Container(World world = Edu()) : Driver(std::move(world)) { fd = OpenIommu(); }
  // A device and an IOAS, which becomes the compat one: what a group does by itself.
  void Populate() {
    ioas = Ioas(fd).id;
    cdev = OpenCdev(0);
    Bind(cdev, fd);
    Attach(cdev, ioas);
    Op op = Make(OpKind::kVfioIoas, fd);
    op.vfioIoas.op = 1, op.vfioIoas.ioasId = ioas;
    Do(op);
    Mmap(kVa, 0x40000);
    Mmap(0x50000000, 0x1000, kProtRead);
  }
  Outcome Extension(uint64_t arg) {
    Op op = Make(OpKind::kVfioCheckExtension, fd);
    op.vfioCheckExtension.arg = arg;
    return Do(op);
  }
  int SetIommu(uint64_t arg) {
    Op op = Make(OpKind::kVfioSetIommu, fd);
    op.vfioSetIommu.arg = arg;
    return Do(op).err;
  }
  Op InfoOp(uint32_t argsz) const {
    Op op = Make(OpKind::kVfioIommuGetInfo, fd);
    op.size = argsz;
    if (argsz > 24) op.blob.assign(argsz - 24, '\0');
    return op;
  }
  Op MapDmaOp(uint64_t iova, uint64_t vaddr, uint64_t length, uint32_t flags) const {
    Op op = Make(OpKind::kVfioIommuMapDma, fd);
    op.size = 32;
    op.vfioIommuMapDma.flags = flags, op.vfioIommuMapDma.vaddr = vaddr;
    op.vfioIommuMapDma.iova = iova, op.vfioIommuMapDma.length = length;
    return op;
  }
  int MapDma(uint64_t iova, uint64_t vaddr, uint64_t length, uint32_t flags = 3) {
    return Do(MapDmaOp(iova, vaddr, length, flags)).err;
  }
  Op UnmapDmaOp(uint64_t iova, uint64_t length, uint32_t flags) const {
    Op op = Make(OpKind::kVfioIommuUnmapDma, fd);
    op.size = 24;
    op.vfioIommuUnmapDma.flags = flags;
    op.vfioIommuUnmapDma.iova = iova, op.vfioIommuUnmapDma.length = length;
    return op;
  }
  // {errno, size}
  std::pair<int, uint64_t> UnmapDma(uint64_t iova, uint64_t length, uint32_t flags = 0) {
    const Outcome out = Do(UnmapDmaOp(iova, length, flags));
    return {out.err, out.values[0]};
  }
  uint32_t fd = 0, ioas = 0, cdev = 0;
};
using Size = std::pair<int, uint64_t>;

// Calls 5 to 37.
TEST(Compat, WithoutAnIoas) {
  Container c;
  EXPECT_EQ(c.Do(c.Make(OpKind::kVfioGetApiVersion, c.fd)).ret, 0);
  const int wanted[14] = {0, 1, 0, 1, -ENODEV, 0, 0, 0, 1, 1, 0, 0, 0, 0};
  for (uint64_t i = 0; i < 14; ++i) {
    const Outcome out = c.Extension(i);
    EXPECT_EQ(out.err == 0 ? static_cast<int>(out.ret) : -out.err, wanted[i]) << i;
  }
  EXPECT_EQ(c.SetIommu(1), ENODEV);
  EXPECT_EQ(c.SetIommu(7), EINVAL);
  EXPECT_EQ(c.MapDma(0x1000, 0x1000, 0x1000), ENODEV);
  EXPECT_EQ(c.MapDma(0x1000, 0x1000, 0x1000, 4), EINVAL);  // before ENODEV
  EXPECT_EQ(c.UnmapDma(0, 1, 2), Size(ENODEV, 0));
  EXPECT_EQ(c.UnmapDma(0, 1, 1), Size(EINVAL, 0));
  EXPECT_EQ(c.Do(c.InfoOp(24)).err, ENODEV);
  EXPECT_EQ(c.Do(c.InfoOp(15)).err, EINVAL);
}

// Calls 65 to 106.
TEST(Compat, BackendAndInfo) {
  Container c;
  c.Populate();
  EXPECT_EQ(c.SetIommu(7), EINVAL);
  EXPECT_EQ(c.SetIommu(99), EINVAL);
  EXPECT_EQ(c.SetIommu(8), EINVAL);
  EXPECT_EQ(c.SetIommu(1), 0);
  EXPECT_EQ(c.SetIommu(1), 0);
  EXPECT_EQ(c.Extension(4).ret, 0);  // its ECAP.SC is 0
  EXPECT_EQ(c.Do(c.InfoOp(4)).err, EINVAL);
  const uint64_t sizes = 0x40201000;
  EXPECT_EQ(c.Do(c.InfoOp(24)).out, Driver::Words({uint64_t{3} << 32 | 88, sizes, 0}));
  EXPECT_EQ(c.Do(c.InfoOp(88)).out,
            Driver::Words({uint64_t{3} << 32 | 88, sizes, 24,  // the struct
                           0x0000002800010003, 0xffffffff,     // DMA avail, next at 40
                           0x0000000000010001, 2,              // IOVA range, 2 of them
                           0, 0xfedfffff, 0xfef00000, 0xffffffffffff}));
  // What fits whole is written, what does not is left alone: 40 bytes take the first capability.
  EXPECT_EQ(c.Do(c.InfoOp(40)).out,
            Driver::Words({uint64_t{3} << 32 | 88, sizes, 0, 0x0000002800010003, 0xffffffff}));
  EXPECT_EQ(c.Do(c.InfoOp(16)).out, Driver::Words({uint64_t{3} << 32 | 88, sizes}));
  Op op = c.InfoOp(88);
  op.writable = 87;
  EXPECT_EQ(c.Do(op).err, EFAULT);
  op.readable = 15;
  EXPECT_EQ(c.Do(op).err, EFAULT);
}

TEST(Compat, SnoopingUnitsEnforceCoherency) {
  World world = Edu();
  world.vtds[0].ecap |= 1 << 7;  // SC
  Container c(world);
  c.Populate();
  EXPECT_EQ(c.Extension(4).ret, 1);
}

// Calls 320 to 407.
TEST(Compat, MapErrnos) {
  Container c;
  c.Populate();
  c.SetIommu(1);
  EXPECT_EQ(c.MapDma(kBase, kVa, 0x10000), 0);
  EXPECT_EQ(c.MapDma(kBase, kVa, 0x10000), EEXIST);
  EXPECT_EQ(c.MapDma(0x100f000, kVa, 0x2000), EEXIST);
  EXPECT_EQ(c.MapDma(0xfff000, kVa, 0x2000), EEXIST);
  EXPECT_EQ(c.MapDma(0xfff000, kVa, 0x14000), EEXIST);
  EXPECT_EQ(c.MapDma(0x2000001, kVa, 0x1000), EINVAL);
  EXPECT_EQ(c.MapDma(0x2000000, kVa, 0x1001), EINVAL);
  EXPECT_EQ(c.MapDma(0x2000000, kVa + 1, 0x1000), EINVAL);
  EXPECT_EQ(c.MapDma(0x2000000, kVa, 0), EINVAL);
  EXPECT_EQ(c.MapDma(0x2000000, kVa, 0x1000, 0), EINVAL);
  EXPECT_EQ(c.MapDma(0x2000000, kVa, 0x1000, 0x83), EINVAL);
  EXPECT_EQ(c.MapDma(0xfffffffffffff000, kVa, 0x2000), EOVERFLOW);
  EXPECT_EQ(c.MapDma(0x2000000, 0xfffffffffffff000, 0x2000), EOVERFLOW);
  EXPECT_EQ(c.MapDma(0x4000000000000000, kVa, 0x1000), EINVAL);
  EXPECT_EQ(c.MapDma(0xfee00000, kVa, 0x1000), EINVAL);
  EXPECT_EQ(c.MapDma(0x2000000, 0x10000, 0x1000), EFAULT);
  EXPECT_EQ(c.MapDma(0x2000000, 0xffff888000000000, 0x1000), EFAULT);
  Op op = c.MapDmaOp(0x2000000, kVa, 0x1000, 3);
  op.size = 16;
  EXPECT_EQ(c.Do(op).err, EINVAL);
  op.size = 64, op.blob.assign(32, 'x');
  EXPECT_EQ(c.Do(op).err, 0);
  EXPECT_EQ(c.UnmapDma(0x2000000, 0x1000), Size(0, 0x1000));
  EXPECT_EQ(c.MapDma(0x2000000, 0x50000000, 0x1000), EFAULT);
  EXPECT_EQ(c.MapDma(0x2000000, 0x50000000, 0x1000, 1), 0);
}

// Calls 430 to 519: with type1 any page can be unmapped.
TEST(Compat, UnmapAnyPart) {
  Container c;
  c.Populate();
  c.SetIommu(1);
  c.MapDma(kBase, kVa, 0x10000);
  EXPECT_EQ(c.UnmapDma(kBase, 0x1000), Size(0, 0x1000));
  EXPECT_EQ(c.UnmapDma(0x1004000, 0x1000), Size(0, 0x1000));
  EXPECT_EQ(c.UnmapDma(0x100f000, 0x1000), Size(0, 0x1000));
  EXPECT_EQ(c.UnmapDma(0xfff000, 0x2000), Size(0, 0));
  EXPECT_EQ(c.UnmapDma(0x8000000, 0x1000), Size(0, 0));
  EXPECT_EQ(c.UnmapDma(0x1000800, 0x1000), Size(EINVAL, 0));
  EXPECT_EQ(c.UnmapDma(kBase, 0), Size(EINVAL, 0));
  EXPECT_EQ(c.UnmapDma(0xfffffffffffff000, 0x2000), Size(EOVERFLOW, 0));
  EXPECT_EQ(c.UnmapDma(kBase, 0x1000, 0x40), Size(EINVAL, 0));
  EXPECT_EQ(c.UnmapDma(kBase, 0x10000, 4), Size(EINVAL, 0));
  EXPECT_EQ(c.UnmapDma(0, 0x1000, 2), Size(EINVAL, 0));
  const View<Concrete> view = c.Seen();
  EXPECT_EQ(view.areas.size(), 2u);  // pages 1..3 and 5..14, each an area of its own
  const AreaRow<Concrete>* area = view.areas.Containing(ObjectKey(1, c.ioas), 0x1005000);
  ASSERT_NE(area, nullptr);
  EXPECT_EQ(area->mapFirst, 0x1005000u);
  EXPECT_EQ(area->mapLast, 0x100efffu);
  EXPECT_EQ(area->va, kVa + 0x5000);
  EXPECT_EQ(area->offset, 0x5000u);
  EXPECT_EQ(area->pinned, 10u);
  EXPECT_EQ(view.accounts.Find(1)->pinned, 13u);
  EXPECT_EQ(c.UnmapDma(kBase, 0x10000), Size(0, 0xd000));
  EXPECT_EQ(c.Seen().accounts.Find(1)->pinned, 0u);
  EXPECT_EQ(c.MapDma(kBase, kVa, 0x10000), 0);
  EXPECT_EQ(c.MapDma(0x1010000, kVa + 0x10000, 0x10000), 0);
  EXPECT_EQ(c.UnmapDma(kBase, 0x20000), Size(0, 0x20000));
  c.MapDma(kBase, kVa, 0x10000);
  for (uint64_t i = 0; i < 5; ++i)
    EXPECT_EQ(c.MapDma(0x6000000 + 0x2000 * i, kVa + 0x1000 * i, 0x1000), 0);
  EXPECT_EQ(c.UnmapDma(0, 0, 2), Size(0, 0x15000));
  EXPECT_EQ(c.UnmapDma(0, 0, 2), Size(0, 0));
}

// 8.2: type1v2 does not split; what was removed below a cut is told.
TEST(Compat, Type1v2DoesNotSplit) {
  Container c;
  c.Populate();
  EXPECT_EQ(c.SetIommu(3), 0);
  c.MapDma(kBase, kVa, 0x4000);
  c.MapDma(kBase + 0x4000, kVa, 0x4000);
  EXPECT_EQ(c.UnmapDma(kBase + 0x1000, 0x1000), Size(ENOENT, 0));
  EXPECT_EQ(c.UnmapDma(kBase, 0x5000), Size(ENOENT, 0x4000));
  EXPECT_EQ(c.UnmapDma(kBase, 0x8000), Size(0, 0x4000));
  EXPECT_EQ(c.SetIommu(1), 0);  // empty: large pages can go
  c.MapDma(kBase, kVa, 0x4000);
  EXPECT_EQ(c.SetIommu(1), 0);
  Op op = c.UnmapDmaOp(kBase, 0x1000, 0);
  op.writable = 23;
  EXPECT_EQ(c.Do(op).err, EFAULT);
  EXPECT_EQ(c.UnmapDma(kBase, 0x4000), Size(0, 0x3000));
}

TEST(Compat, LargePagesGoOnlyWhileNothingIsMapped) {
  Container c;
  c.Populate();
  c.MapDma(kBase, kVa, 0x4000);
  EXPECT_EQ(c.SetIommu(1), EINVAL);
}

// Calls 483 to 500, 522: what type1 has and an iommufd has not.
TEST(Compat, NoDirtyPages) {
  Container c;
  c.Populate();
  Op op = c.Make(OpKind::kVfioIommuDirtyPages, c.fd);
  op.vfioIommuDirtyPages.flags = 1;
  EXPECT_EQ(c.Do(op).err, ENOTTY);
}

// ---- With a group
// --------------------------------------------------------------------------------

// Calls 40 to 110 and 528 to 550.
TEST(Compat, GroupMakesTheIoas) {
  Container c;
  Op open = c.Make(OpKind::kOpen, 0);
  open.open.node = static_cast<uint32_t>(Node::kVfioGroup), open.open.device = 6;
  const uint32_t group = c.Do(open).fd;
  Op set = c.Make(OpKind::kVfioGroupSetContainer, group);
  set.vfioGroupSetContainer.container = c.fd;
  EXPECT_EQ(c.Do(set).err, 0);
  EXPECT_EQ(c.Do(set).err, EINVAL);
  Op get = c.Make(OpKind::kVfioIoas, c.fd);
  EXPECT_EQ(c.Do(get).id, 1u);
  EXPECT_TRUE(c.Seen().hwpts.size() == 0);
  Op device = c.Make(OpKind::kVfioGroupGetDeviceFd, group);
  device.blob = std::string("0000:00:10.0\0", 13);
  const Outcome opened = c.Do(device);
  ASSERT_EQ(opened.err, 0);
  const View<Concrete> view = c.Seen();
  EXPECT_EQ(view.devices.Find(1)->object, ObjectKey(1, 2));
  EXPECT_EQ(view.devices.Find(1)->attached, ObjectKey(1, 3));
  EXPECT_EQ(c.SetIommu(1), 0);
  c.Mmap(kVa, 0x10000);
  EXPECT_EQ(c.MapDma(kBase, kVa, 0x10000), 0);
  EXPECT_EQ(c.Dma(0, kBase, 8).pieces[0].fault, 0);
  EXPECT_EQ(c.Destroy(c.fd, 1).err, EBUSY);
  EXPECT_EQ(c.Do(c.Make(OpKind::kVfioGroupUnsetContainer, group)).err, 0);
  EXPECT_EQ(c.Close(opened.fd).err, 0);
  EXPECT_EQ(c.Seen().devices.Find(1)->object, 0u);
  EXPECT_EQ(c.MapDma(kBase, kVa, 0x1000), EEXIST);  // the IOAS stays
  EXPECT_EQ(c.MapDma(0x2000000, kVa, 0x1000), 0);
  c.Close(group);
  c.Close(c.fd);
  EXPECT_EQ(c.Seen().ioases.size(), 0u);
}

}  // namespace
}  // namespace twinwalk
