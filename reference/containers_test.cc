// Containers and groups, call by call as the recorded 7.2 kernel answered (edu-type1v2, edu-type1,
// groups and no-intremap captures); what those do not show is from the sheet (type1 4, 5, 7).
#include <gtest/gtest.h>

#include "reference/test_vfio.h"
#include "traces/invariants.h"

namespace twinwalk {
namespace {

using V = VfioDriver;

void ExpectSound(const Driver& d) {
  const View<Concrete> view = d.Seen();
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&& check) {
    check(view, [&](bool ok, const char* what, const auto&) {
      EXPECT_TRUE(ok) << info.id << ": " << what;
    });
  });
}

TEST(Containers, AnswersBeforeAnyGroup) {
  V d;
  const uint32_t c = d.Container();
  EXPECT_EQ(c, 3u);
  EXPECT_EQ(d.Do(d.Make(OpKind::kVfioGetApiVersion, c)).err, 0);
  const int expected[14] = {0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
  for (uint64_t i = 0; i < 14; ++i) EXPECT_EQ(d.Extension(c, i).ret, expected[i]) << i;
  EXPECT_EQ(d.SetIommu(c, 3), EINVAL);
  EXPECT_EQ(d.MapDma(c, 3, 0x10000, 0, 0x1000), EINVAL);
}

TEST(Containers, TheRecordedWayToABackend) {
  V d;
  const uint32_t c = d.Container(), g = d.Group(6);
  EXPECT_EQ(g, 4u);
  EXPECT_EQ(d.Node(Node::kVfioGroup, 6).err, EBUSY);
  EXPECT_EQ(V::Hex(d.Status(g).out), "0800000001000000");
  Op small = d.Make(OpKind::kVfioGroupGetStatus, g);
  small.size = 4;
  EXPECT_EQ(d.Do(small).err, EINVAL);
  EXPECT_EQ(d.DeviceFd(g, "0000:00:10.0").err, EINVAL);
  EXPECT_EQ(d.Unset(g), EINVAL);
  EXPECT_EQ(d.SetContainer(g, 0xffffffff), EBADF);
  EXPECT_EQ(d.SetContainer(g, 1), EBADFD);
  EXPECT_EQ(d.SetContainer(g, g), EBADFD);
  EXPECT_EQ(d.SetContainer(g, c), 0);
  EXPECT_EQ(d.SetContainer(g, c), EINVAL);
  EXPECT_EQ(V::Hex(d.Status(g).out), "0800000003000000");
  EXPECT_EQ(d.DeviceFd(g, "0000:00:10.0").err, EINVAL);
  EXPECT_EQ(d.SetIommu(c, 7), ENODEV);
  EXPECT_EQ(d.SetIommu(c, 99), ENODEV);
  EXPECT_EQ(d.SetIommu(c, 8), ENODEV);
  EXPECT_EQ(d.SetIommu(c, 3), 0);
  EXPECT_EQ(d.SetIommu(c, 3), EINVAL);
  const int expected[14] = {0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0};
  for (uint64_t i = 0; i < 14; ++i) EXPECT_EQ(d.Extension(c, i).ret, expected[i]) << i;
  EXPECT_EQ(d.DeviceFd(g, "0000:ff:1f.7").err, ENODEV);
  const Outcome fd = d.DeviceFd(g, "0000:00:10.0");
  EXPECT_EQ(fd.err, 0);
  EXPECT_EQ(fd.fd, 5u);
  EXPECT_EQ(d.DeviceFd(g, "0000:00:10.0").fd, 6u);
  EXPECT_EQ(d.Do(d.Make(OpKind::kVfioIommuGetInfo, 5)).err, ENOTTY);  // of another kind of file
  EXPECT_EQ(d.Unset(g), EBUSY);
  d.Close(6), d.Close(5);
  EXPECT_EQ(d.Unset(g), 0);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, 0x1000000, 0x1000), EINVAL);
  EXPECT_EQ(d.Unset(g), EINVAL);
  ExpectSound(d);
}

TEST(Containers, RowsComeAndGo) {
  V d;
  d.Bring(3);
  ASSERT_EQ(d.MapDma(d.container, 3, V::kVa, 0x1000000, 0x10000), 0);
  View<Concrete> v = d.Seen();
  ASSERT_NE(v.ioases.Find(ObjectKey(1, 1)), nullptr);
  const HwptRow<Concrete>* domain = v.hwpts.Find(ObjectKey(1, 2));
  ASSERT_NE(domain, nullptr);
  EXPECT_EQ(domain->users, 1u);
  EXPECT_EQ(domain->automatic, 1u);
  EXPECT_EQ(domain->nestParent, 0u);
  EXPECT_EQ(domain->vmid, 1u);  // VT-d: a domain id
  EXPECT_EQ(v.devices.Find(1)->context, 1u);
  EXPECT_EQ(v.devices.Find(1)->attached, ObjectKey(1, 2));
  EXPECT_EQ(v.devices.Find(1)->object, 0u);
  EXPECT_EQ(v.devices.Find(2)->context, 0u);
  ExpectSound(d);
  // The group's last file takes the backend along, in whichever order files are closed.
  d.Close(d.container);
  EXPECT_EQ(d.Seen().areas.size(), 1u);
  d.Close(d.group);
  v = d.Seen();
  EXPECT_EQ(v.ioases.size() + v.hwpts.size() + v.areas.size() + v.tags.size(), 0u);
  EXPECT_EQ(v.devices.Find(1)->context, 0u);
  EXPECT_EQ(v.accounts.Find((uint64_t{1} << 32) + 1)->pinned, 0u);
}

TEST(Containers, ADeviceFileHoldsItsGroup) {
  V d;
  d.Bring(3);
  const uint32_t device = d.DeviceFd(d.group, "0000:00:10.0").fd;
  d.Close(d.container), d.Close(d.group);
  EXPECT_EQ(d.Seen().hwpts.size(), 1u);
  EXPECT_EQ(d.Node(Node::kVfioGroup, 6).err, EBUSY);
  d.Close(device);
  EXPECT_EQ(d.Seen().hwpts.size(), 0u);
  EXPECT_EQ(d.Node(Node::kVfioGroup, 6).err, 0);
}

TEST(Containers, ASecondGroupSharesTheDomainOfItsIommu) {
  V d;
  d.Bring(3);
  const uint32_t other = d.Group(8);
  EXPECT_EQ(d.SetContainer(other, d.container), 0);
  EXPECT_EQ(d.Seen().hwpts.size(), 1u);
  EXPECT_EQ(d.Seen().hwpts.Find(ObjectKey(1, 2))->users, 2u);
  EXPECT_EQ(d.Unset(d.group), 0);
  EXPECT_EQ(d.Seen().hwpts.size(), 1u);
  EXPECT_EQ(d.Seen().devices.Find(1)->attached, 0u);
  EXPECT_EQ(d.Seen().devices.Find(2)->attached, ObjectKey(1, 2));
  ExpectSound(d);
}

TEST(Containers, DomainsOfTwoIommusAndConflicts) {
  World world = V::Recorded();
  world.vtds.push_back(world.vtds[0]);
  world.vtds[1].cap = 0x80d20084222f0686;  // 39-bit tables only, 2 MiB pages only
  world.vtds[1].interruptRemapping = false;
  world.devices[1].smmu = 1;
  V d(world);
  d.Bring(3);
  const uint32_t other = d.Group(8);
  EXPECT_EQ(d.SetContainer(other, d.container), EPERM);  // no isolation of MSI
  world.allowUnsafeInterrupts = true;
  V e(world);
  e.Bring(3);
  const uint32_t second = e.Group(8);
  ASSERT_EQ(e.MapDma(e.container, 3, V::kVa, 0x1000000, 0x1000), 0);
  ASSERT_EQ(e.UnmapDma(e.container, 4, 0x1000000, 0x1000).err, 0);
  EXPECT_EQ(e.SetContainer(second, e.container), EBUSY);  // an address is forgotten
  ASSERT_EQ(e.MapDma(e.container, 4, V::kVa, 0x1000000, 0x1000), 0);
  EXPECT_EQ(e.SetContainer(second, e.container), 0);
  EXPECT_EQ(e.Seen().hwpts.size(), 2u);
  EXPECT_EQ(e.Seen().hwpts.Find(ObjectKey(1, 3))->smmu, 1u);
  ExpectSound(e);
  EXPECT_EQ(e.Unset(e.group), 0);
  EXPECT_EQ(e.Seen().areas.size(), 1u);  // of the other domain
  EXPECT_EQ(e.Unset(second), 0);
  EXPECT_EQ(e.Seen().areas.size(), 0u);
}

TEST(Containers, InfoAsRecorded) {
  V d;
  d.Bring(3);
  EXPECT_EQ(d.Info(OpKind::kVfioIommuGetInfo, d.container, 4).err, EINVAL);
  EXPECT_EQ(V::Hex(d.Info(OpKind::kVfioIommuGetInfo, d.container, 24).out),
            "780000000300000000102040000000000000000000000000");
  EXPECT_EQ(V::Hex(d.Info(OpKind::kVfioIommuGetInfo, d.container, 120).out),
            "780000000300000000102040000000001800000000000000"
            "0200010038000000000000000000000000100000000000000000001000000000"
            "0300010048000000ffff000000000000"
            "01000100000000000200000000000000"
            "0000000000000000ffffdffe000000000000f0fe00000000ffffffffffff0000");
  Op op = d.Make(OpKind::kVfioIommuGetInfo, d.container);
  op.writable = 20;
  EXPECT_EQ(d.Do(op).err, EFAULT);
}

TEST(Containers, NoInterruptRemapping) {
  World world = V::Recorded();
  world.vtds[0].interruptRemapping = false;
  V d(world);
  d.Bring(3);
  EXPECT_EQ(d.SetIommu(d.container, 7), ENODEV);
  EXPECT_EQ(d.SetIommu(d.container, 3), EPERM);
  EXPECT_EQ(d.SetIommu(d.container, 3), EPERM);
  EXPECT_EQ(d.Extension(d.container, 10).ret, 0);
  EXPECT_EQ(d.Info(OpKind::kVfioIommuGetInfo, d.container, 24).err, EINVAL);
  EXPECT_EQ(d.DeviceFd(d.group, "0000:ff:1f.7").err, ENODEV);
  EXPECT_EQ(d.DeviceFd(d.group, "0000:00:10.0").err, EINVAL);
  EXPECT_EQ(d.Seen().ioases.size() + d.Seen().hwpts.size() + d.Seen().tags.size(), 0u);
  d.Close(d.group);
  const uint32_t iommu = d.OpenIommu();
  EXPECT_EQ(d.Bind(d.OpenCdev(0), iommu).err, EPERM);
  world.allowUnsafeInterrupts = true;
  V e(world);
  e.Bring(3);
  EXPECT_EQ(e.Seen().hwpts.size(), 1u);
}

TEST(Containers, AGroupThatIsNotViable) {
  World world = V::Recorded();
  world.functions.resize(2);
  world.functions[0].rid = 0x80, world.functions[0].device = 1;
  world.functions[0].driver = PciFunction::kVfio, world.functions[0].multifunction = true;
  world.functions[1].rid = 0x81, world.functions[1].driver = PciFunction::kHost;
  V d(world);
  const uint32_t c = d.Container(), g = d.Group(6);
  EXPECT_EQ(V::Hex(d.Status(g).out), "0800000000000000");
  EXPECT_EQ(d.SetContainer(g, c), EPERM);
  EXPECT_EQ(d.SetContainer(g, c), EPERM);
  EXPECT_EQ(V::Hex(d.Status(g).out), "0800000000000000");
  EXPECT_EQ(d.SetIommu(c, 3), EINVAL);
  d.Close(g);
  EXPECT_EQ(d.Bind(d.OpenCdev(0), d.OpenIommu()).err, EPERM);
}

TEST(Containers, OneOwnerAtATime) {
  V d;
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenCdev(0);
  const uint32_t g = d.Group(6);
  EXPECT_EQ(d.Bind(cdev, iommu).err, EBUSY);  // iommufd 19.1: the group is open
  d.Close(g);
  EXPECT_EQ(d.Bind(cdev, 1).err, EBADFD);
  EXPECT_EQ(d.Bind(cdev, iommu).err, 0);
  EXPECT_EQ(d.Node(Node::kVfioGroup, 6).err, EBUSY);
  d.Close(cdev);
  d.Bring(3);
  const uint32_t device = d.DeviceFd(d.group, "0000:00:10.0").fd;
  EXPECT_EQ(d.Bind(device, iommu).err, EINVAL);  // a device file of a group
}

TEST(Containers, DevicesWithoutIommu) {
  World world = V::Recorded();
  world.noiommu = true;
  world.devices[1].smmu = kNoIommu;
  V d(world);
  EXPECT_EQ(d.Extension(d.Container(), 8).ret, 1);
  EXPECT_EQ(d.Node(Node::kVfioGroup, 8).err, ENOENT);
  d.process = 1;
  EXPECT_EQ(d.Node(Node::kVfioNoiommuGroup, 8).err, EPERM);
  d.process = 0;
  EXPECT_EQ(d.Node(Node::kVfioNoiommuGroup, 6).err, ENOENT);
  const uint32_t g = d.Node(Node::kVfioNoiommuGroup, 8).fd, c = d.Container();
  EXPECT_EQ(d.SetContainer(g, c), 0);
  EXPECT_EQ(d.Extension(c, 1).ret, 0);
  EXPECT_EQ(d.Extension(c, 8).ret, 1);
  EXPECT_EQ(d.SetContainer(d.Group(6), c), EPERM);  // the two kinds never mix
  EXPECT_EQ(d.SetIommu(c, 3), ENODEV);
  EXPECT_EQ(d.SetIommu(c, 8), 0);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, 0, 0x1000), ENOTTY);
  EXPECT_EQ(d.DeviceFd(g, "0000:01:00.0").err, 0);
  EXPECT_EQ(d.Seen().ioases.size(), 0u);
  EXPECT_EQ(d.Seen().devices.Find(2)->context, 2u);
}

TEST(Containers, FailingAllocationsLeaveNothing) {
  V d;
  const uint32_t c = d.Container(), g = d.Group(6);
  d.SetContainer(g, c);
  d.FailAlloc(1);
  EXPECT_EQ(d.SetIommu(c, 7), ENODEV);  // would fail anyway: does not count
  EXPECT_EQ(d.SetIommu(c, 3), ENOMEM);
  EXPECT_EQ(d.Seen().ioases.size() + d.Seen().hwpts.size() + d.Seen().tags.size(), 0u);
  EXPECT_EQ(d.Seen().devices.Find(1)->attached, 0u);
  EXPECT_EQ(d.SetIommu(c, 3), 0);
}

}  // namespace
}  // namespace twinwalk
