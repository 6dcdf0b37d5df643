// An iommufd as a VFIO container. Expectations: iommufd sheet 8; "recorded": the capture
// edu-compat-v1 of the real kernel.
#include "model/compat.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "model/test_calls.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kVa = Plain::kVa, kPage = 4096;
constexpr int kEBADFD = 77;

// The MSI window of the recorded machine.
World Recorded() {
  World world = TwoDevices();
  world.swMsiFirst = 0xfee00000, world.swMsiLast = 0xfeefffff;
  return world;
}
std::string Bytes(const char* hex) {
  std::string out;
  for (; hex[0] != 0; hex += 2)
    out.push_back(static_cast<char>(std::stoi(std::string(hex, 2), nullptr, 16)));
  return out;
}

// A device beneath the compat IOAS, through its cdev.
struct Compat {
  Driver d;
  uint32_t iommu, cdev, dev, ioas;
  Calls c;
  explicit Compat(const ModelFaults& faults = {}, uint64_t type = 1)
      : d(Recorded(), faults), iommu(d.OpenIommu()), cdev(d.OpenDevice(0)), c{d, iommu} {
    ioas = d.Ioas(iommu);
    dev = d.Bind(cdev, iommu).id;
    c.VfioIoas(1, ioas);
    d.Attach(cdev, ioas);
    c.SetIommu(type);
    d.Mmap(kVa, 64 * kPage);
  }
  int Unmap(uint64_t iova, uint64_t length, uint64_t expect, uint32_t flags = 0) {
    const Outcome out = c.UnmapDma(iova, length, flags);
    EXPECT_EQ(out.values[0], expect);
    return out.err;
  }
};

TEST(Compat, BeforeThereIsAnIoas) {
  Driver d;
  Calls c{d, d.OpenIommu()};
  EXPECT_EQ(d.Run(d.Make(OpKind::kVfioGetApiVersion, c.fd)).ret, 0);
  // Recorded.
  const int answers[14] = {0, 1, 0, 1, -1, 0, 0, 0, 1, 1, 0, 0, 0, 0};
  for (int i = 0; i < 14; ++i) {
    if (i == 4)
      EXPECT_EQ(c.Extension(i).err, ENODEV);
    else
      EXPECT_EQ(c.Extension(i).ret, answers[i]) << i;
  }
  EXPECT_EQ(c.SetIommu(1).err, ENODEV);
  EXPECT_EQ(c.SetIommu(7).err, EINVAL);
  EXPECT_EQ(c.MapDma(0x10000, 0, kPage).err, ENODEV);
  // Arguments first.
  EXPECT_EQ(c.MapDma(0x10000, 0, kPage, 4).err, EINVAL);
  EXPECT_EQ(c.UnmapDma(0, kPage).err, ENODEV);
  EXPECT_EQ(c.UnmapDma(0, kPage, 1).err, EINVAL);
  EXPECT_EQ(c.UnmapDma(0, kPage, 0, 23).err, EINVAL);
  EXPECT_EQ(c.GetInfo(15).err, EINVAL);
  EXPECT_EQ(c.GetInfo(16).err, ENODEV);
  Op op = d.Make(OpKind::kVfioIommuGetInfo, c.fd);
  op.readable = 15;
  EXPECT_EQ(d.Run(op).err, EFAULT);
  EXPECT_EQ(d.Run(d.Make(OpKind::kVfioIommuDirtyPages, c.fd)).err, ENOTTY);
  EXPECT_EQ(d.Run(d.Make(OpKind::kVfioGroupGetStatus, c.fd)).err, ENOTTY);
}

TEST(Compat, SetIommu) {
  Compat p;
  EXPECT_EQ(p.c.SetIommu(99).err, EINVAL);
  EXPECT_EQ(p.c.SetIommu(8).err, EINVAL);
  EXPECT_EQ(p.c.SetIommu(1).err, 0);
  EXPECT_EQ(p.c.Option(1, 1, p.ioas).values[0], 0u);  // no large pages
  EXPECT_EQ(p.c.SetIommu(3).err, 0);                  // takes nothing back
  EXPECT_EQ(p.c.Option(1, 1, p.ioas).values[0], 0u);
  EXPECT_EQ(p.c.Extension(4).ret, 0);  // recorded
  Compat q({}, 3);
  q.c.MapDma(kVa, 0, kPage);
  EXPECT_EQ(q.c.SetIommu(1).err, EINVAL);  // a page table and an area
}

TEST(Compat, GetInfo) {
  Compat p;
  EXPECT_EQ(p.c.GetInfo(12).err, EINVAL);
  // Recorded: argsz 24 and 88.
  EXPECT_EQ(p.c.GetInfo(24).out, Bytes("580000000300000000102040000000000000000000000000"));
  EXPECT_EQ(p.c.GetInfo(88).out,
            Bytes("58000000030000000010204000000000180000000000000003000100280000"
                  "00ffffffff00000000010001000000000002000000000000000000000000000"
                  "000ffffdffe000000000000f0fe00000000ffffffffffff0000"));
  // What fits whole is written; the chain is announced only when all did.
  EXPECT_EQ(p.c.GetInfo(16).out, Bytes("58000000030000000010204000000000"));
  EXPECT_EQ(p.c.GetInfo(40).out, Bytes("580000000300000000102040000000000000000000000000"
                                       "0300010028000000ffffffff00000000"));
  EXPECT_EQ(p.c.GetInfo(72).out,
            Bytes("580000000300000000102040000000000000000000000000"
                  "0300010028000000ffffffff00000000"
                  "0000000000000000000000000000000000000000000000000000000000000000"));
  Op op = p.d.Make(OpKind::kVfioIommuGetInfo, p.iommu);
  op.size = 88;
  op.writable = 87;
  EXPECT_EQ(p.d.Run(op).err, EFAULT);
  // Without a page table: every size of a page and above.
  Driver d;
  Calls c{d, d.OpenIommu()};
  c.VfioIoas(1, d.Ioas(c.fd));
  EXPECT_EQ(c.GetInfo(16).out, Bytes("480000000300000000f0ffffffffffff"));
}

TEST(Compat, MapChecks) {
  Compat p;
  ASSERT_EQ(p.c.MapDma(kVa, 0x1000000, 16 * kPage).err, 0);
  // Recorded, in this order.
  EXPECT_EQ(p.c.MapDma(kVa, 0x1000000, 16 * kPage).err, EEXIST);
  EXPECT_EQ(p.c.MapDma(kVa, 0x100f000, 2 * kPage).err, EEXIST);
  EXPECT_EQ(p.c.MapDma(kVa, 0xfff000, 2 * kPage).err, EEXIST);
  EXPECT_EQ(p.c.MapDma(kVa, 0xfff000, 20 * kPage).err, EEXIST);
  EXPECT_EQ(p.c.MapDma(kVa, 0x2000001, kPage).err, EINVAL);
  EXPECT_EQ(p.c.MapDma(kVa, 0x2000000, kPage + 1).err, EINVAL);
  EXPECT_EQ(p.c.MapDma(kVa + 1, 0x2000000, kPage).err, EINVAL);
  EXPECT_EQ(p.c.MapDma(kVa, 0x2000000, 0).err, EINVAL);
  EXPECT_EQ(p.c.MapDma(kVa, 0x2000000, kPage, 0).err, EINVAL);  // no right: no table entry
  EXPECT_EQ(p.c.MapDma(kVa, 0x2000000, kPage, 0x83).err, EINVAL);
  EXPECT_EQ(p.c.MapDma(kVa, 0xfffffffffffff000, 2 * kPage).err, EOVERFLOW);
  EXPECT_EQ(p.c.MapDma(0xfffffffffffff000, 0x2000000, 2 * kPage).err, EOVERFLOW);
  EXPECT_EQ(p.c.MapDma(kVa, uint64_t{0x40000000000000}, kPage).err, EINVAL);
  EXPECT_EQ(p.c.MapDma(kVa, 0xfee00000, kPage).err, EINVAL);
  EXPECT_EQ(p.c.MapDma(0x10000, 0x2000000, kPage).err, EFAULT);
  EXPECT_EQ(p.c.MapDma(0xffff888000000000, 0x2000000, kPage).err, EFAULT);
  EXPECT_EQ(p.c.MapDma(kVa, 0x2000000, kPage, 3, 16).err, EINVAL);
  EXPECT_EQ(p.c.MapDma(kVa, 0x2000000, kPage, 3, 64).err, 0);
  p.d.Mmap(0x50000000, kPage, kProtRead);
  EXPECT_EQ(p.c.MapDma(0x50000000, 0x3000000, kPage).err, EFAULT);
  EXPECT_EQ(p.c.MapDma(0x50000000, 0x3000000, kPage, 1).err, 0);
  EXPECT_EQ(p.d.GetView().accounts.Find(1)->pinned, 18u);
}

// Recorded, from "unmap head part" to "unmap both at once".
TEST(Compat, Version1CutsAreas) {
  Compat p;
  ASSERT_EQ(p.c.MapDma(kVa, 0x1000000, 16 * kPage).err, 0);
  EXPECT_EQ(p.Unmap(0x1000000, kPage, kPage), 0);
  EXPECT_EQ(p.Unmap(0x1004000, kPage, kPage), 0);
  EXPECT_EQ(p.Unmap(0x100f000, kPage, kPage), 0);
  EXPECT_EQ(p.Unmap(0xfff000, 2 * kPage, 0), 0);
  EXPECT_EQ(p.Unmap(0x8000000, kPage, 0), 0);
  EXPECT_EQ(p.c.UnmapDma(0x1000800, kPage).err, EINVAL);
  EXPECT_EQ(p.Unmap(0x1000000, 0, 0), EINVAL);
  EXPECT_EQ(p.Unmap(0xfffffffffffff000, 2 * kPage, 0), EOVERFLOW);
  EXPECT_EQ(p.c.UnmapDma(0x1000000, kPage, 0x40).err, EINVAL);
  EXPECT_EQ(p.c.UnmapDma(0x1000000, 16 * kPage, 4).err, EINVAL);
  EXPECT_EQ(p.c.UnmapDma(0, kPage, 2).err, EINVAL);
  // What is left goes on working, page by page, and is what it was.
  for (uint64_t page = 0; page < 16; ++page) {
    const Outcome dma = p.d.DmaRead(0, 0x1000000 + page * kPage, 1);
    if (page == 0 || page == 4 || page == 15)
      EXPECT_EQ(dma.pieces[0].fault, 0x10) << page;
    else
      EXPECT_EQ(dma.pieces[0].offset, page * kPage);
  }
  EXPECT_EQ(p.d.GetView().accounts.Find(1)->pinned, 13u);
  EXPECT_EQ(p.Unmap(0x1000000, 16 * kPage, 13 * kPage), 0);
  EXPECT_EQ(p.d.GetView().accounts.Find(1)->pinned, 0u);
  ASSERT_EQ(p.c.MapDma(kVa, 0x1000000, 16 * kPage).err, 0);
  ASSERT_EQ(p.c.MapDma(kVa + 16 * kPage, 0x1010000, 16 * kPage).err, 0);
  EXPECT_EQ(p.Unmap(0x1000000, 32 * kPage, 32 * kPage), 0);
  for (uint64_t i = 0; i < 5; ++i) p.c.MapDma(kVa, 0x6000000 + i * 0x2000, kPage);
  EXPECT_EQ(p.Unmap(0, 0, 5 * kPage, 2), 0);
  EXPECT_EQ(p.Unmap(0, 0, 0, 2), 0);
}

TEST(Compat, CutsAreAnnounced) {
  Compat p;
  ASSERT_EQ(p.c.MapDma(kVa, 0x1000000, 4 * kPage).err, 0);
  ASSERT_EQ(p.c.UnmapDma(0x1001000, kPage).err, 0);
  std::vector<std::pair<uint64_t, uint64_t>> cuts;
  for (const auto& s : p.d.steps)
    if (s.kind == MicroStepKind::kMapSplit) cuts.emplace_back(s.first, s.length);
  // Its end first.
  EXPECT_EQ(cuts, (std::vector<std::pair<uint64_t, uint64_t>>{{0x1000000, 2 * kPage},
                                                              {0x1000000, kPage}}));
  const View<Concrete> view = p.d.GetView();
  const auto* left = view.areas.Containing(uint64_t{1} << 32 | p.ioas, 0x1000000);
  const auto* right = view.areas.Containing(uint64_t{1} << 32 | p.ioas, 0x1002000);
  ASSERT_TRUE(left != nullptr && right != nullptr);
  EXPECT_EQ(left->mapLast, 0x1000fffu);
  EXPECT_EQ(right->mapFirst, 0x1002000u);
  EXPECT_EQ(right->va, kVa + 2 * kPage);
  EXPECT_EQ(right->pages, left->pages);
  EXPECT_EQ(right->pinned, 2u);
}

TEST(Compat, Version2UnmapsWholeAreasOnly) {
  Compat p({}, 3);
  ASSERT_EQ(p.c.MapDma(kVa, 0x1000000, 2 * kPage).err, 0);
  ASSERT_EQ(p.c.MapDma(kVa, 0x1002000, 2 * kPage).err, 0);
  EXPECT_EQ(p.Unmap(0x1001000, kPage, 0), ENOENT);
  EXPECT_EQ(p.Unmap(0x1000000, 3 * kPage, 2 * kPage), ENOENT);  // and says how much went
  EXPECT_EQ(p.Unmap(0x1000000, 4 * kPage, 2 * kPage), 0);
}

TEST(Compat, ACopyOfACutAreaPinsNothingNew) {
  Compat p;
  ASSERT_EQ(p.c.MapDma(kVa, 0x1000000, 4 * kPage).err, 0);
  ASSERT_EQ(p.c.Copy(p.ioas, 0x2000000, p.ioas, 0x1000000, 4 * kPage).err, 0);
  ASSERT_EQ(p.Unmap(0x1001000, kPage, kPage), 0);
  EXPECT_EQ(p.d.GetView().accounts.Find(1)->pinned, 4u);  // the copy pays for page 1 now
  const uint64_t space = uint64_t{1} << 32 | p.ioas;
  EXPECT_EQ(AreaAt(&p.d, space, 0x1000000).pinned, 1u);
  EXPECT_EQ(AreaAt(&p.d, space, 0x1002000).pinned, 2u);
  EXPECT_EQ(AreaAt(&p.d, space, 0x2000000).pinned, 1u);
  ASSERT_EQ(p.Unmap(0x2000000, 4 * kPage, 4 * kPage), 0);
  EXPECT_EQ(p.d.GetView().accounts.Find(1)->pinned, 3u);
}

// ---- Groups and devices
// ----------------------------------------------------------------------------------------

struct Grouped {
  Driver d;
  uint32_t iommu, group = 0;
  Calls c;
  explicit Grouped(const World& world) : d(world), iommu(d.OpenIommu()), c{d, iommu} {
    group = OpenGroup(0);
  }
  uint32_t OpenGroup(uint32_t number) {
    Op op = d.Make(OpKind::kOpen);
    op.open.node = static_cast<uint32_t>(Node::kVfioGroup);
    op.open.device = number;
    return d.Run(op).fd;
  }
  Outcome Join(uint32_t fd) {
    Op op = d.Make(OpKind::kVfioGroupSetContainer, group);
    op.vfioGroupSetContainer.container = fd;
    return d.Run(op);
  }
  Outcome Leave() { return d.Run(d.Make(OpKind::kVfioGroupUnsetContainer, group)); }
  Outcome DeviceFd(const std::string& name) {
    Op op = d.Make(OpKind::kVfioGroupGetDeviceFd, group);
    op.blob = name + '\0';
    return d.Run(op);
  }
};
World Named() {
  World world = Recorded();
  world.devices[0].vfio.name = "0000:00:10.0";
  world.devices[1].vfio.name = "0000:00:11.0";
  return world;
}

// Recorded, in this order.
TEST(Compat, LifeOfAGroup) {
  Grouped g(Named());
  EXPECT_EQ(g.DeviceFd("0000:00:10.0").err, EINVAL);
  EXPECT_EQ(g.Leave().err, EINVAL);
  EXPECT_EQ(g.Join(0xffffffff).err, EBADF);
  EXPECT_EQ(g.Join(g.group).err, kEBADFD);
  EXPECT_EQ(g.Join(g.iommu).err, 0);
  EXPECT_EQ(g.Join(g.iommu).err, EINVAL);
  const Outcome device = g.DeviceFd("0000:00:10.0");
  ASSERT_EQ(device.err, 0);
  EXPECT_EQ(g.c.SetIommu(1).err, 0);
  EXPECT_EQ(g.c.Extension(4).ret, 0);
  EXPECT_EQ(g.c.GetInfo(24).out, Bytes("580000000300000000102040000000000000000000000000"));
  EXPECT_EQ(g.DeviceFd("0000:ff:1f.7").err, ENODEV);
  const Outcome again = g.DeviceFd("0000:00:10.0");
  ASSERT_EQ(again.err, 0);
  g.d.Mmap(kVa, 64 * kPage);
  EXPECT_EQ(g.c.MapDma(kVa, 0x1000000, 16 * kPage).err, 0);
  EXPECT_EQ(g.d.DmaRead(0, 0x1000000, 4).pieces[0].fault, 0);
  EXPECT_EQ(g.c.VfioIoas(0).id, 1u);
  EXPECT_EQ(g.d.Destroy(g.iommu, 1).err, EBUSY);
  EXPECT_EQ(g.Leave().err, 0);  // with a device open
  EXPECT_EQ(g.d.DmaRead(0, 0x1000000, 4).pieces[0].fault, 0);
  EXPECT_EQ(g.d.Close(again.fd).err, 0);
  EXPECT_EQ(g.d.DmaRead(0, 0x1000000, 4).pieces[0].fault, 0);
  EXPECT_EQ(g.d.Close(device.fd).err, 0);
  EXPECT_EQ(g.d.DmaRead(0, 0x1000000, 4).pieces[0].fault, kAbortedSilently);
  EXPECT_EQ(g.c.UnmapDma(0, 0, 2).err, 0);
  EXPECT_EQ(g.c.MapDma(kVa, 0x1000000, kPage).err, 0);
  EXPECT_EQ(g.Leave().err, EINVAL);
  EXPECT_EQ(g.c.MapDma(kVa, 0x1000000, kPage).err, EEXIST);
  EXPECT_EQ(g.d.Close(g.group).err, 0);
  EXPECT_EQ(g.d.Close(g.iommu).err, 0);
  EXPECT_EQ(g.d.GetView().ioases.size(), 0u);
}

TEST(Compat, AnOpenDeviceIsAnObjectOfTheContext) {
  Grouped g(Named());
  g.Join(g.iommu);
  const Outcome device = g.DeviceFd("0000:00:10.0");
  ASSERT_EQ(device.err, 0);
  const View<Concrete> view = g.d.GetView();
  const auto* row = view.devices.Find(1);
  EXPECT_EQ(row->context, 1u);
  EXPECT_EQ(row->object, uint64_t{1} << 32 | 2);  // IOAS 1, DEVICE 2, HWPT 3
  EXPECT_EQ(row->attached, uint64_t{1} << 32 | 3);
  EXPECT_EQ(g.d.Destroy(g.iommu, 2).err, EBUSY);
  // The context lives on with the device, without its own file.
  g.d.Close(g.iommu);
  g.d.Close(g.group);
  EXPECT_EQ(g.d.GetView().ioases.size(), 1u);
  g.d.Close(device.fd);
  EXPECT_EQ(g.d.GetView().ioases.size(), 0u);
}

TEST(Compat, AFailedAttachUndoesTheBind) {
  Grouped g(Named());
  g.Join(g.iommu);
  g.d.Mmap(kVa, kPage);
  ASSERT_EQ(g.c.MapDma(kVa, 0xfee00000, kPage).err, 0);  // beneath the MSI window to come
  EXPECT_EQ(g.DeviceFd("0000:00:10.0").err, EADDRINUSE);
  EXPECT_EQ(g.d.GetView().devices.Find(1)->context, 0u);
  EXPECT_EQ(g.c.UnmapDma(0, 0, 2).err, 0);
  EXPECT_EQ(g.DeviceFd("0000:00:10.0").err, 0);
}

TEST(Compat, TheContainerNodeServedByIommufdAccountsPerProcess) {
  World world = Named();
  world.iommufdContainer = true;
  Driver d(world);
  Op op = d.Make(OpKind::kOpen);
  op.open.node = static_cast<uint32_t>(Node::kVfioContainer);
  Calls c{d, d.Run(op).fd};
  EXPECT_EQ(c.Option(0, 1, 0).values[0], 1u);
  EXPECT_EQ(c.Extension(9).ret, 1);
}

}  // namespace
}  // namespace twinwalk::model
