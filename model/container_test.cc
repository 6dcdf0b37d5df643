// Containers and groups: errnos in the order of the recordings of Linux 7.2 (edu-type1v2,
// group-not-viable, no-intremap), lifetimes and ownership of the type1 sheet 1, 5, 7, 14.
#include "model/container.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "model/vfio_driver.h"

namespace twinwalk::model {
namespace {

constexpr int kEBADFD = 77;
constexpr uint32_t kStdout = 1;

DeviceRow<Concrete> RowOf(VfioDriver* d, uint32_t device) {
  return *d->GetView().devices.Find(device + 1);
}

TEST(Container, AsRecordedBeforeABackend) {
  VfioDriver d;
  const uint32_t c = d.Container();
  EXPECT_EQ(d.Run(d.Make(OpKind::kVfioGetApiVersion, c)).ret, 0);
  for (uint64_t e = 0; e <= 13; ++e)
    EXPECT_EQ(d.Extension(c, e).ret, e == 1 || e == 3 || e == 9) << e;
  EXPECT_EQ(d.SetIommu(c, 3).err, EINVAL);
  EXPECT_EQ(d.MapDma(c, 0x10000, 0, 0x1000).err, EINVAL);
  const uint32_t g = d.Group(6);
  EXPECT_EQ(d.Open(Node::kVfioGroup, 6).err, EBUSY);
  EXPECT_EQ(d.Open(Node::kVfioGroup, 7).err, ENOENT);
  EXPECT_EQ(d.Status(g), 1u);
  Op op = d.Make(OpKind::kVfioGroupGetStatus, g);
  op.size = 4;
  EXPECT_EQ(d.Run(op).err, EINVAL);
  op.readable = 7;
  EXPECT_EQ(d.Run(op).err, EFAULT);
  EXPECT_EQ(d.DeviceFd(g, "0000:00:10.0").err, EINVAL);
  EXPECT_EQ(d.Unset(g).err, EINVAL);
  EXPECT_EQ(d.SetContainer(g, 0xffffffff).err, EBADF);
  EXPECT_EQ(d.SetContainer(g, kStdout).err, kEBADFD);
  EXPECT_EQ(d.SetContainer(g, g).err, kEBADFD);
  EXPECT_EQ(d.SetContainer(g, c).err, 0);
  EXPECT_EQ(d.SetContainer(g, c).err, EINVAL);
  EXPECT_EQ(d.Status(g), 3u);
  EXPECT_EQ(d.DeviceFd(g, "0000:00:10.0").err, EINVAL);
  EXPECT_EQ(d.SetIommu(c, 7).err, ENODEV);
  EXPECT_EQ(d.SetIommu(c, 99).err, ENODEV);
  EXPECT_EQ(d.SetIommu(c, 8).err, ENODEV);
  EXPECT_EQ(d.SetIommu(c, 3).err, 0);
  EXPECT_EQ(d.SetIommu(c, 3).err, EINVAL);
  for (uint64_t e = 0; e <= 13; ++e)
    EXPECT_EQ(d.Extension(c, e).ret, e == 1 || e == 3 || e == 9 || e == 10) << e;
  EXPECT_EQ(d.DeviceFd(g, "0000:ff:1f.7").err, ENODEV);
}

// The bytes that the recorded kernel wrote.
TEST(Container, GetInfoAsRecorded) {
  Type1 t;
  Op op = t.d.Make(OpKind::kVfioIommuGetInfo, t.container);
  op.size = 4;
  EXPECT_EQ(t.d.Run(op).err, EINVAL);
  op.size = 24;
  EXPECT_EQ(t.d.Run(op).out, VfioDriver::Bytes("780000000300000000102040000000000000000000000000"));
  op.size = 120;
  const std::string caps =
      "7800000003000000001020400000000018000000000000000200010038000000000000000000000000100000"
      "0000000000000010000000000300010048000000ffff00000000000001000100000000000200000000000000"
      "0000000000000000ffffdffe000000000000f0fe00000000ffffffffffff0000";
  EXPECT_EQ(t.d.Run(op).out, VfioDriver::Bytes(caps));
  op.writable = 119;
  EXPECT_EQ(t.d.Run(op).err, EFAULT);
  op.writable = 0xffff;
  t.d.MapDma(t.container, Type1::kVa, Type1::kIova, 0x1000);
  EXPECT_EQ(VfioDriver::Word(t.d.Run(op).out, 64), 65534u);  // DMA_AVAIL
}

TEST(Container, ANotViableGroupIsRefused) {
  World world = RecordedPc();
  const auto add = [&](uint32_t rid, PciFunction::Kind kind, uint32_t parent, uint32_t device,
                       PciFunction::Driver driver) {
    PciFunction f;
    f.rid = rid, f.kind = kind, f.parent = parent, f.device = device, f.driver = driver;
    world.functions.push_back(f);
  };
  add(0x10, PciFunction::kPcieToPci, 0, 0, PciFunction::kNone);
  add(0x308, PciFunction::kConventional, 1, 1, PciFunction::kVfio);
  add(0x318, PciFunction::kConventional, 1, 0, PciFunction::kHost);
  VfioDriver d(world);
  const uint32_t c = d.Container(), g = d.Group(6);
  EXPECT_EQ(d.Status(g), 0u);
  EXPECT_EQ(d.SetContainer(g, c).err, EPERM);
  EXPECT_EQ(d.SetIommu(c, 3).err, EINVAL);
  EXPECT_EQ(d.Status(g), 0u);
  d.Close(g);
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenDevice(0);
  EXPECT_EQ(d.Bind(cdev, iommu).err, EPERM);
}

TEST(Container, NeedsIsolatedInterrupts) {
  World world = RecordedPc();
  world.vtds[0].interruptRemapping = false;
  VfioDriver d(world);
  const uint32_t c = d.Container(), g = d.Group(6);
  EXPECT_EQ(d.SetContainer(g, c).err, 0);
  EXPECT_EQ(d.SetIommu(c, 3).err, EPERM);
  EXPECT_EQ(RowOf(&d, 0).attached, 0u);
  EXPECT_EQ(d.GetView().ioases.size(), 0u);
  EXPECT_EQ(d.Extension(c, 10).ret, 0);
  world.allowUnsafeInterrupts = true;
  EXPECT_NE(Type1({}, world).d.GetView().hwpts.size(), 0u);
}

TEST(Container, ViewOfSpaceDomainAndOwner) {
  VfioDriver d;
  const uint32_t c = d.Container(), g = d.Group(6), g2 = d.Group(8);
  d.SetContainer(g, c);
  EXPECT_EQ(RowOf(&d, 0).context, 1u);
  EXPECT_EQ(RowOf(&d, 0).attached, 0u);
  EXPECT_EQ(d.GetView().ioases.size(), 0u);
  d.SetIommu(c, 1);
  EXPECT_EQ(RowOf(&d, 0).attached, ObjectKey(1, 2));
  EXPECT_EQ(RowOf(&d, 0).object, 0u);
  d.SetContainer(g2, c);  // shares the domain: one IOMMU
  EXPECT_EQ(RowOf(&d, 1).attached, ObjectKey(1, 2));
  const View<Concrete> view = d.GetView();
  EXPECT_EQ(view.ioases.Find(ObjectKey(1, 1))->users, 1u);
  const HwptRow<Concrete> domain = *view.hwpts.Find(ObjectKey(1, 2));
  EXPECT_EQ(domain.users, 2u);
  EXPECT_EQ(domain.automatic, 1u);
  EXPECT_EQ(domain.vmid, 1u);  // the lowest free domain id
  EXPECT_EQ(d.Unset(g).err, 0);
  EXPECT_EQ(RowOf(&d, 0).context, 0u);
  EXPECT_EQ(d.GetView().hwpts.size(), 1u);
  EXPECT_EQ(d.Unset(g2).err, 0);
  EXPECT_EQ(d.GetView().hwpts.size(), 0u);
  EXPECT_EQ(d.GetView().ioases.size(), 0u);
}

// Type1 sheet 1: any order of closing; the DMA context lives until the last device is gone.
TEST(Container, LivesUntilTheLastDeviceIsClosed) {
  Type1 t;
  t.d.MapDma(t.container, Type1::kVa, Type1::kIova, 0x1000);
  const uint32_t device = t.d.DeviceFd(t.group, "0000:00:10.0").fd;
  const uint32_t again = t.d.DeviceFd(t.group, "0000:00:10.0").fd;
  EXPECT_EQ(t.d.Unset(t.group).err, EBUSY);
  t.d.Close(t.container);
  t.d.Close(t.group);
  t.d.Close(device);
  EXPECT_EQ(t.d.DmaRead(0, Type1::kIova, 8).pieces[0].fault, 0);
  EXPECT_EQ(t.d.Open(Node::kVfioGroup, 6).err, EBUSY);
  t.d.Close(again);
  EXPECT_NE(t.d.DmaRead(0, Type1::kIova, 8).pieces[0].fault, 0);
  EXPECT_EQ(t.d.Charged(0), 0u);
  EXPECT_EQ(t.d.Open(Node::kVfioGroup, 6).err, 0);
}

TEST(Container, OneOwnerAtATime) {
  VfioDriver d;
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenDevice(0);
  const uint32_t g = d.Group(6);
  EXPECT_EQ(d.Bind(cdev, iommu).err, EBUSY);
  d.Close(g);
  EXPECT_EQ(d.Bind(cdev, iommu).err, 0);
  EXPECT_EQ(d.Open(Node::kVfioGroup, 6).err, EBUSY);
  d.Close(cdev);
  EXPECT_EQ(d.Open(Node::kVfioGroup, 6).err, 0);
}

TEST(Container, TwoContainersAreApart) {
  Type1 t;
  const uint32_t c2 = t.d.Container(), g2 = t.d.Group(8);
  t.d.SetContainer(g2, c2);
  t.d.SetIommu(c2, 3);
  t.d.MapDma(t.container, Type1::kVa, Type1::kIova, 0x1000);
  t.d.MapDma(c2, Type1::kVa + 0x1000, Type1::kIova, 0x1000);
  EXPECT_EQ(t.d.DmaRead(0, Type1::kIova, 8).pieces[0].offset, 0u);
  EXPECT_EQ(t.d.DmaRead(1, Type1::kIova, 8).pieces[0].offset, 0x1000u);
  EXPECT_EQ(t.d.UnmapDma(t.container, 0, 0, 2).values[0], 0x1000u);
  EXPECT_NE(t.d.DmaRead(0, Type1::kIova, 8).pieces[0].fault, 0);
  EXPECT_EQ(t.d.DmaRead(1, Type1::kIova, 8).pieces[0].fault, 0);
}

// Two IOMMUs: a domain each, every mapping in both; a window beneath a mapping refuses the group.
TEST(Container, ADomainForEachIommu) {
  World world = RecordedPc();
  world.vtds.resize(2, world.vtds[0]);
  world.devices[1].smmu = 1;
  Type1 t({}, world);
  t.d.MapDma(t.container, Type1::kVa, Type1::kIova, 0x2000);
  const uint32_t g2 = t.d.Group(8);
  EXPECT_EQ(t.d.SetContainer(g2, t.container).err, 0);
  EXPECT_EQ(t.d.GetView().hwpts.size(), 2u);
  EXPECT_EQ(t.d.DmaRead(1, Type1::kIova + 0x1000, 8).pieces[0].offset, 0x1000u);
  EXPECT_EQ(t.d.Charged(0), 2u);  // pinned once
  EXPECT_EQ(t.d.Unset(t.group).err, 0);
  EXPECT_EQ(t.d.DmaRead(1, Type1::kIova, 8).pieces[0].fault, 0);
  EXPECT_EQ(t.d.MapDma(t.container, Type1::kVa, Type1::kIova, 0x1000).err, EEXIST);
}

TEST(Container, AttachIsRefusedWhereMappingsAreInTheWay) {
  World world = RecordedPc();
  world.smmus.resize(1);  // device 1 behind an SMMUv3, whose MSI window is another
  world.devices[0].smmu = 1;
  world.devices[1].smmu = 0;
  Type1 t({}, world);
  t.d.MapDma(t.container, Type1::kVa, 0x08001000, 0x1000);
  const uint32_t g2 = t.d.Group(8);
  EXPECT_EQ(t.d.SetContainer(g2, t.container).err, EINVAL);
  EXPECT_EQ(RowOf(&t.d, 1).context, 0u);
  EXPECT_EQ(t.d.GetView().hwpts.size(), 1u);
  EXPECT_EQ(t.d.UnmapDma(t.container, 0, 0, 2).err, 0);
  EXPECT_EQ(t.d.SetContainer(g2, t.container).err, 0);
  EXPECT_EQ(t.d.MapDma(t.container, Type1::kVa, 0x08001000, 0x1000).err, EINVAL);
}

TEST(Container, RefusesAGroupWhileUserAddressesAreGone) {
  Type1 t;
  t.d.MapDma(t.container, Type1::kVa, Type1::kIova, 0x1000);
  t.d.UnmapDma(t.container, Type1::kIova, 0x1000, 4);
  const uint32_t g2 = t.d.Group(8);
  EXPECT_EQ(t.d.SetContainer(g2, t.container).err, EBUSY);
  t.d.MapDma(t.container, Type1::kVa, Type1::kIova, 0x1000, 4);
  EXPECT_EQ(t.d.SetContainer(g2, t.container).err, 0);
}

TEST(Container, GroupsWithoutIommu) {
  World world = RecordedPc();
  world.devices[1].smmu = kNoIommu;
  EXPECT_EQ(VfioDriver(RecordedPc()).Open(Node::kVfioNoiommuGroup, 8).err, ENOENT);
  world.noiommu = true;
  VfioDriver d(world);
  EXPECT_EQ(d.Open(Node::kVfioNoiommuGroup, 6).err, ENOENT);
  d.process = 1;
  EXPECT_EQ(d.Open(Node::kVfioNoiommuGroup, 8).err, EPERM);
  d.process = 0;
  const uint32_t c = d.Container(), c2 = d.Container();
  const uint32_t g = d.Group(6), none = d.Open(Node::kVfioNoiommuGroup, 8).fd;
  EXPECT_EQ(d.Extension(c, 8).ret, 1);
  EXPECT_EQ(d.SetContainer(g, c).err, 0);
  EXPECT_EQ(d.Extension(c, 8).ret, 0);
  EXPECT_EQ(d.SetContainer(none, c).err, EPERM);
  EXPECT_EQ(d.SetContainer(none, c2).err, 0);
  EXPECT_EQ(d.Extension(c2, 1).ret, 0);
  EXPECT_EQ(d.SetIommu(c2, 3).err, ENODEV);
  EXPECT_EQ(d.SetIommu(c2, 8).err, 0);
  EXPECT_EQ(d.MapDma(c2, 0x10000, 0, 0x1000).err, ENOTTY);
  EXPECT_EQ(d.DeviceFd(none, "0000:00:11.0").err, 0);
  EXPECT_EQ(d.DmaRead(1, 0, 8).pieces[0].fault, kAbortedSilently);
}

TEST(Container, FailingAllocationsLeaveNothing) {
  VfioDriver d;
  const uint32_t c = d.Container(), g = d.Group(6);
  d.SetContainer(g, c);
  d.FailAlloc(1);
  EXPECT_EQ(d.SetIommu(c, 3).err, ENOMEM);
  EXPECT_EQ(d.GetView().hwpts.size(), 0u);
  EXPECT_EQ(d.GetView().ioases.size(), 0u);
  EXPECT_EQ(RowOf(&d, 0).attached, 0u);
  EXPECT_EQ(d.SetIommu(c, 3).err, 0);
  d.Mmap(0x10000000, 4096);
  d.FailAlloc(1);
  EXPECT_EQ(d.MapDma(c, 0x10000000, 0, 4096).err, ENOMEM);
  EXPECT_EQ(d.MapDma(c, 0x10000000, 0, 4096).err, 0);
}

TEST(Container, DomainIdsRunOut) {
  World world = RecordedPc();
  world.vtds[0].didLimit = 2;
  Type1 t({}, world);
  const uint32_t c2 = t.d.Container(), g2 = t.d.Group(8);
  t.d.SetContainer(g2, c2);
  EXPECT_EQ(t.d.SetIommu(c2, 3).err, ENOSPC);
  EXPECT_EQ(t.d.Unset(t.group).err, 0);
  EXPECT_EQ(t.d.SetIommu(c2, 3).err, 0);
}

}  // namespace
}  // namespace twinwalk::model
