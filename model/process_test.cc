// Processes, eventfds and what fork, exec and exit do to files and memory (docs/TRACE.md 1, 8).
#include <gtest/gtest.h>

#include <cerrno>

#include "model/vfio_driver.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kVa = Type1::kVa, kIova = Type1::kIova;

Outcome Write(VfioDriver* d, uint32_t fd, uint64_t value, size_t bytes = 8) {
  Op op = d->Make(OpKind::kWrite, fd);
  Driver::AppendWord(&op.blob, value);
  op.blob.resize(bytes);
  return d->Run(op);
}

TEST(Process, EventfdCounts) {
  VfioDriver d;
  Op make = d.Make(OpKind::kEventfd);
  make.eventfd.initval = 2;
  const uint32_t fd = d.Run(make).fd;
  EXPECT_EQ(d.ReadQueue(fd, 7).err, EINVAL);
  EXPECT_EQ(Write(&d, fd, 5).ret, 8);
  EXPECT_EQ(Write(&d, fd, 5, 7).err, EINVAL);
  const Outcome out = d.ReadQueue(fd, 8);
  EXPECT_EQ(out.ret, 8);
  EXPECT_EQ(out.out, VfioDriver::Bytes("0700000000000000"));
  EXPECT_EQ(d.ReadQueue(fd, 8).err, EAGAIN);
  Op poll = d.Make(OpKind::kPoll, fd);
  poll.poll.events = 1;
  EXPECT_EQ(d.Run(poll).ret, 0);
  Write(&d, fd, 1);
  EXPECT_EQ(d.Run(poll).ret, 1);
  EXPECT_EQ(Write(&d, fd, ~uint64_t{0}).err, EINVAL);
  EXPECT_EQ(Write(&d, fd, ~uint64_t{0} - 1).err, EAGAIN);
}

TEST(Process, UnbornAndDeadAnswerEsrch) {
  VfioDriver d;
  d.process = 2;
  EXPECT_EQ(d.Open(Node::kIommu).err, ESRCH);
  d.process = 0;
  EXPECT_EQ(d.Process(OpKind::kFork, 1).err, EAGAIN);
  EXPECT_EQ(d.Process(OpKind::kFork, 3).err, EINVAL);
  EXPECT_EQ(d.Process(OpKind::kFork, 2).err, 0);
  EXPECT_EQ(d.Process(OpKind::kFork, 2).err, EAGAIN);
  d.process = 2;
  EXPECT_EQ(d.Open(Node::kIommu).err, 0);
  EXPECT_EQ(d.Process(OpKind::kExit).err, 0);
  EXPECT_EQ(d.Open(Node::kIommu).err, ESRCH);
}

TEST(Process, ForkCopiesPrivateMemoryAndSharesFiles) {
  Type1 t;
  Op priv = t.d.Make(OpKind::kMmap);
  priv.mmap.base = 0x50000000, priv.mmap.length = 0x2000, priv.mmap.prot = 3;
  t.d.Run(priv);  // backing 2
  t.d.Poke(0x50000000, "parent");
  t.d.Poke(kVa, "shared");
  EXPECT_EQ(t.d.Process(OpKind::kFork, 2).err, 0);
  t.d.Poke(0x50000000, "PARENT");
  t.d.process = 2;
  EXPECT_EQ(t.d.MapDma(t.container, 0x50000000, kIova, 0x1000).err, 0);  // the same container
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova + 0x1000, 0x1000).err, 0);
  Outcome out = t.d.DmaRead(0, kIova, 6);
  EXPECT_EQ(out.data, "parent");
  EXPECT_EQ(out.pieces[0].backing, 3u);
  out = t.d.DmaRead(0, kIova + 0x1000, 6);
  EXPECT_EQ(out.data, "shared");
  EXPECT_EQ(out.pieces[0].backing, 1u);
  EXPECT_EQ(t.d.Charged(2), 2u);
  EXPECT_EQ(t.d.Process(OpKind::kExit).err, 0);
  EXPECT_EQ(t.d.DmaRead(0, kIova, 6).data, "parent");  // pinned, and still mapped
  EXPECT_EQ(t.d.Charged(2), 2u);
  t.d.process = 0;
  EXPECT_EQ(t.d.Status(t.group), 3u);
  EXPECT_EQ(t.d.UnmapDma(t.container, 0, 0, 2).values[0], 0x2000u);
  EXPECT_EQ(t.d.Charged(2), 0u);
}

TEST(Process, ExecUnmapsAndClosesWhatIoctlsMade) {
  Type1 t;
  const uint32_t device = t.d.DeviceFd(t.group, "0000:00:10.0").fd;
  EXPECT_EQ(t.d.MapDma(t.container, kVa, kIova, 0x1000).err, 0);
  EXPECT_EQ(t.d.Process(OpKind::kExec).err, 0);
  EXPECT_EQ(t.d.Close(device).err, EBADF);
  EXPECT_EQ(t.d.Status(t.group), 3u);
  EXPECT_EQ(t.d.Poke(kVa, "x").err, EFAULT);
  EXPECT_EQ(t.d.DmaRead(0, kIova, 8).pieces[0].fault, 0);
  EXPECT_EQ(t.d.Unset(t.group).err, 0);
}

TEST(Process, ExitEndsWhatItAloneHeld) {
  Type1 t;
  t.d.MapDma(t.container, kVa, kIova, 0x1000);
  EXPECT_EQ(t.d.Process(OpKind::kExit).err, 0);
  EXPECT_NE(t.d.DmaRead(0, kIova, 8).pieces[0].fault, 0);
  EXPECT_EQ(t.d.GetView().ioases.size(), 0u);
  EXPECT_EQ(t.d.Charged(0), 0u);
}

TEST(Process, FilesArePassedOn) {
  Type1 t;
  EXPECT_EQ(t.d.Pass(99, 1).err, EBADF);
  EXPECT_EQ(t.d.Pass(t.container, 2).err, ESRCH);
  const Outcome passed = t.d.Pass(t.container, 1);
  EXPECT_EQ(passed.fd, 3u);
  t.d.Close(t.container);
  t.d.process = 1;
  t.d.Mmap(kVa, 0x40000);
  EXPECT_EQ(t.d.MapDma(passed.fd, kVa, kIova, 0x15000).err, ENOMEM);  // its own limit: 20 pages
  EXPECT_EQ(t.d.MapDma(passed.fd, kVa, kIova, 0x14000).err, 0);
  EXPECT_EQ(t.d.Charged(1), 20u);
  const auto limit = [&] { return t.d.GetView().accounts.Find((uint64_t{1} << 32) + 2)->limit; };
  EXPECT_EQ(limit(), 20u);
  Op op = t.d.Make(OpKind::kSetrlimit);
  op.setrlimit.memlockPages = 5;
  t.d.Run(op);
  EXPECT_EQ(limit(), 20u);  // no lower than what is pinned
  EXPECT_EQ(t.d.MapDma(passed.fd, kVa, kIova + 0x20000, 0x1000).err, ENOMEM);
  EXPECT_EQ(t.d.UnmapDma(passed.fd, kIova, 0x14000).values[0], 0x14000u);
  EXPECT_EQ(limit(), 5u);
}

}  // namespace
}  // namespace twinwalk::model
