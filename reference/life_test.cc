// Processes, files that are handed on, eventfds (TRACE 8). Expectations are worked out by hand.
#include <gtest/gtest.h>

#include "reference/test_vfio.h"

namespace twinwalk {
namespace {

using V = VfioDriver;

World Family() {
  World world = V::Recorded();
  world.processes[1].unborn = true;
  return world;
}
Outcome Fork(V* d, uint32_t child) {
  Op op = d->Make(OpKind::kFork, 0);
  op.fork.child = child;
  return d->Do(op);
}
Outcome Pass(V* d, uint32_t fd, uint32_t to) {
  Op op = d->Make(OpKind::kPassFd, fd);
  op.passFd.to = to;
  return d->Do(op);
}

TEST(Life, UnbornBornEnded) {
  V d(Family());
  d.process = 1;
  EXPECT_EQ(d.Node(Node::kVfioContainer).err, ESRCH);
  d.process = 0;
  const uint32_t c = d.Container();
  EXPECT_EQ(Pass(&d, c, 1).err, ESRCH);
  EXPECT_EQ(Fork(&d, 7).err, EINVAL);
  EXPECT_EQ(Fork(&d, 0).err, EAGAIN);
  EXPECT_EQ(Fork(&d, 1).err, 0);
  EXPECT_EQ(Fork(&d, 1).err, EAGAIN);
  d.process = 1;
  EXPECT_EQ(d.Do(d.Make(OpKind::kVfioGetApiVersion, c)).err, 0);  // the same file
  EXPECT_EQ(d.Do(d.Make(OpKind::kExit, 0)).err, 0);
  EXPECT_EQ(d.Do(d.Make(OpKind::kVfioGetApiVersion, c)).err, ESRCH);
  d.process = 0;
  EXPECT_EQ(Fork(&d, 1).err, EAGAIN);  // it was
  EXPECT_EQ(d.Do(d.Make(OpKind::kVfioGetApiVersion, c)).err, 0);
  EXPECT_EQ(Pass(&d, c, 99).err, EINVAL);
  EXPECT_EQ(Pass(&d, 99, 2).err, EBADF);
  EXPECT_EQ(Pass(&d, c, 2).fd, 3u);
}

TEST(Life, ForkCopiesPrivateMemory) {
  V d(Family());
  d.Bring(3);
  Op memfd = d.Make(OpKind::kMemfd, 0);
  memfd.memfd.length = 0x1000;
  const uint32_t file = d.Do(memfd).fd;
  ASSERT_EQ(d.MmapFd(file, 0x80000000, 0x1000).err, 0);
  d.Write64(V::kVa, 0x11);
  d.Write64(0x80000000, 0x22);
  ASSERT_EQ(Fork(&d, 1).err, 0);
  d.process = 1;
  ASSERT_EQ(d.MapDma(d.container, 3, V::kVa, 0, 0x1000), 0);
  ASSERT_EQ(d.MapDma(d.container, 3, 0x80000000, 0x1000, 0x1000), 0);
  EXPECT_EQ(d.Dma(0, 0).data, Driver::Words({0x11}));
  d.Write64(V::kVa, 0x33);  // its own
  d.Write64(0x80000000, 0x44);
  d.process = 0;
  ASSERT_EQ(d.MapDma(d.container, 3, V::kVa, 0x2000, 0x1000), 0);
  ASSERT_EQ(d.MapDma(d.container, 3, 0x80000000, 0x3000, 0x1000), 0);
  EXPECT_EQ(d.Dma(0, 0).data, Driver::Words({0x33}));
  EXPECT_EQ(d.Dma(0, 0x2000).data, Driver::Words({0x11}));
  EXPECT_EQ(d.Dma(0, 0x3000).data, Driver::Words({0x44}));
  EXPECT_EQ(d.Dma(0, 0).pieces[0].backing, 3u);  // made by fork
  EXPECT_EQ(d.Dma(0, 0x1000).pieces[0].backing, 2u);
}

TEST(Life, PinsOutliveTheirProcess) {
  V d(Family());
  d.Bring(3);
  ASSERT_EQ(Fork(&d, 1).err, 0);
  d.process = 1;
  ASSERT_EQ(d.MapDma(d.container, 3, V::kVa, 0, 0x2000), 0);
  d.Do(d.Make(OpKind::kExit, 0));
  d.process = 0;
  const uint64_t account = (uint64_t{1} << 32) + 2;
  EXPECT_EQ(d.Seen().accounts.Find(account)->pinned, 2u);
  EXPECT_EQ(d.Dma(0, 0).pieces[0].fault, 0);
  EXPECT_EQ(d.UnmapDma(d.container, 2, 0, 0).values[0], 0x2000u);
  EXPECT_EQ(d.Seen().accounts.Find(account)->pinned, 0u);
}

TEST(Life, ExitClosesInOrder) {
  V d;
  d.Bring(3);
  d.DeviceFd(d.group, "0000:00:10.0");
  ASSERT_EQ(d.MapDma(d.container, 3, V::kVa, 0, 0x1000), 0);
  d.Do(d.Make(OpKind::kExit, 0));
  const View<Concrete> v = d.Seen();
  EXPECT_EQ(v.ioases.size() + v.hwpts.size() + v.areas.size() + v.tags.size(), 0u);
  d.process = 1;
  EXPECT_EQ(d.Node(Node::kVfioGroup, 6).err, 0);
}

TEST(Life, ExecClosesWhatIoctlsMade) {
  V d;
  d.Bring(3);
  const uint32_t device = d.DeviceFd(d.group, "0000:00:10.0").fd;
  const uint32_t dup = d.Do(d.Make(OpKind::kDup, device)).fd;
  const uint32_t event = d.Eventfd();
  EXPECT_EQ(d.Do(d.Make(OpKind::kExec, 0)).err, 0);
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetInfo, device, 24).err, EBADF);
  EXPECT_EQ(d.Info(OpKind::kVfioDeviceGetInfo, dup, 24).err, 0);  // dup drops close-on-exec
  EXPECT_EQ(d.Do(d.Make(OpKind::kVfioGetApiVersion, d.container)).err, 0);
  EXPECT_EQ(d.Read(event, 8).err, EAGAIN);
  EXPECT_EQ(d.MapDma(d.container, 3, V::kVa, 0, 0x1000), EFAULT);  // no memory is mapped
}

TEST(Life, Eventfds) {
  V d;
  Op make = d.Make(OpKind::kEventfd, 0);
  make.eventfd.initval = 5, make.eventfd.flags = 0x80000;
  const uint32_t fd = d.Do(make).fd;
  make.eventfd.flags = 4;
  EXPECT_EQ(d.Do(make).err, EINVAL);
  Op poll = d.Make(OpKind::kPoll, fd);
  poll.poll.events = 5;
  EXPECT_EQ(d.Do(poll).ret, 5);
  EXPECT_EQ(d.Read(fd, 7).err, EINVAL);
  const Outcome five = d.Read(fd, 8);
  EXPECT_EQ(five.ret, 8);
  EXPECT_EQ(five.out, Driver::Words({5}));
  EXPECT_EQ(d.Read(fd, 8).err, EAGAIN);
  EXPECT_EQ(d.Do(poll).ret, 4);
  Op write = d.Make(OpKind::kWrite, fd);
  write.blob = Driver::Words({1});
  EXPECT_EQ(d.Do(write).ret, 8);
  EXPECT_EQ(d.Do(write).ret, 8);
  EXPECT_EQ(d.Read(fd, 8).out, Driver::Words({2}));
  write.blob = "1234";
  EXPECT_EQ(d.Do(write).err, EINVAL);
  write.fd = d.Container();
  EXPECT_EQ(d.Do(write).err, EINVAL);
}

}  // namespace
}  // namespace twinwalk
