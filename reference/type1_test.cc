// MAP_DMA, UNMAP_DMA, DIRTY_PAGES, call by call as the recorded 7.2 kernel answered (edu-type1v2
// and edu-type1 captures); accounting, limits and micro-steps from the sheet (type1 9 to 11).
#include <gtest/gtest.h>

#include "reference/test_vfio.h"
#include "traces/invariants.h"
#include "traces/monitor.h"

namespace twinwalk {
namespace {

using V = VfioDriver;
constexpr uint64_t kI = 0x1000000, kTop = 0xfffffffffffff000;

// Judges the order of micro-steps, and writes them down.
class Order : public MicroStepObserver {
 public:
  void OnMicroStep(const MicroStep<uint64_t>& step) override {
    kinds.push_back(step.kind);
    monitor.OnStep(step, [](bool ok, const char* what, const auto&) { EXPECT_TRUE(ok) << what; });
  }
  Monitor<Concrete> monitor;
  std::vector<MicroStepKind> kinds;
};

void ExpectSound(const Driver& d) {
  const View<Concrete> view = d.Seen();
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&& check) {
    check(view, [&](bool ok, const char* what, const auto&) {
      EXPECT_TRUE(ok) << info.id << ": " << what;
    });
  });
}

uint64_t Charged(const Driver& d, uint64_t process) {
  const View<Concrete> view = d.Seen();
  const AccountRow<Concrete>* row = view.accounts.Find((uint64_t{1} << 32) + process + 1);
  return row == nullptr ? ~uint64_t{0} : row->pinned;
}

TEST(MapDma, Recorded) {
  V d;
  d.Bring(3);
  const uint32_t c = d.container;
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, kI, 0x10000), 0);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, kI, 0x10000), EEXIST);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, kI + 0xf000, 0x2000), EEXIST);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, kI - 0x1000, 0x2000), EEXIST);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, kI - 0x1000, 0x14000), EEXIST);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, 0x2000001, 0x1000), EINVAL);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, 0x2000000, 0x1001), EINVAL);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa + 1, 0x2000000, 0x1000), EINVAL);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, 0x2000000, 0), EINVAL);
  EXPECT_EQ(d.MapDma(c, 0, V::kVa, 0x2000000, 0x1000), EINVAL);
  EXPECT_EQ(d.MapDma(c, 0x83, V::kVa, 0x2000000, 0x1000), EINVAL);
  EXPECT_EQ(d.MapDma(c, 7, V::kVa, 0x2000000, 0x1000), EINVAL);  // VADDR and an access
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, kTop, 0x2000), EOVERFLOW);
  EXPECT_EQ(d.MapDma(c, 3, kTop, 0x2000000, 0x2000), EOVERFLOW);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, 0x4000000000000000, 0x1000), EINVAL);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, 0xfee00000, 0x1000), EINVAL);
  EXPECT_EQ(d.MapDma(c, 3, 0x10000, 0x2000000, 0x1000), EFAULT);
  EXPECT_EQ(d.MapDma(c, 3, 0xffff888000000000, 0x2000000, 0x1000), EFAULT);
  Op op = d.MapDmaOp(c, 3, V::kVa, 0x2000000, 0x1000);
  op.size = 16;
  EXPECT_EQ(d.Do(op).err, EINVAL);
  op.readable = 31, op.size = 32;
  EXPECT_EQ(d.Do(op).err, EFAULT);
  op.readable = 65535, op.size = 64;
  EXPECT_EQ(d.Do(op).err, 0);
  EXPECT_EQ(d.UnmapDma(c, 0, 0x2000000, 0x1000).values[0], 0x1000u);
  d.Mmap(0x50000000, 0x1000, kProtRead);
  EXPECT_EQ(d.MapDma(c, 3, 0x50000000, 0x2000000, 0x1000), EFAULT);
  EXPECT_EQ(d.MapDma(c, 1, 0x50000000, 0x2000000, 0x1000), 0);
  ExpectSound(d);
}

TEST(MapDma, RowsOfSeveralMappings) {
  V d;
  d.Bring(3);
  d.Mmap(V::kVa + V::kBytes, 0x2000);
  ASSERT_EQ(d.MapDma(d.container, 2, V::kVa + V::kBytes - 0x1000, kI, 0x2000), 0);
  ASSERT_EQ(d.MapDma(d.container, 1, V::kVa, 0, 0x1000), 0);
  const View<Concrete> v = d.Seen();
  const AreaRow<Concrete>* first = v.areas.Containing(ObjectKey(1, 1), kI);
  const AreaRow<Concrete>* second = v.areas.Containing(ObjectKey(1, 1), kI + 0x1000);
  ASSERT_TRUE(first != nullptr && second != nullptr && first != second);
  EXPECT_EQ(first->mapFirst, kI);
  EXPECT_EQ(first->mapLast, kI + 0x1fff);
  EXPECT_EQ(second->mapFirst, kI);
  EXPECT_EQ(second->va, V::kVa + V::kBytes);
  EXPECT_EQ(first->backing, 1u);
  EXPECT_EQ(first->offset, V::kBytes - 0x1000);
  EXPECT_EQ(second->backing, 2u);
  EXPECT_EQ(first->rights, uint64_t{kWrite});
  EXPECT_EQ(first->pages, 1u);
  EXPECT_EQ(second->pages, 1u);
  EXPECT_EQ(v.areas.Containing(ObjectKey(1, 1), 0)->pages, 2u);
  EXPECT_EQ(v.areas.Containing(ObjectKey(1, 1), 0)->rights, uint64_t{kRead});
  EXPECT_EQ(first->account, (uint64_t{1} << 32) + 1);
  EXPECT_EQ(Charged(d, 0), 3u);
  EXPECT_EQ(d.UnmapDma(d.container, 0, kI, 0x2000).values[0], 0x2000u);
  EXPECT_EQ(Charged(d, 0), 1u);
}

TEST(MapDma, DevicesReachWhatIsMapped) {
  V d;
  d.Bring(3);
  ASSERT_EQ(d.MapDma(d.container, 1, V::kVa, 0x3000000, 0x1000), 0);
  d.Write64(V::kVa + 8, 0x1122334455667788);
  EXPECT_EQ(d.Dma(0, 0x3000008).data, Driver::Words({0x1122334455667788}));
  EXPECT_NE(d.Dma(0, 0x3000008, 8, Driver::Words({1})).pieces[0].fault, 0);
  EXPECT_NE(d.Dma(0, 0x5000000).pieces[0].fault, 0);
  EXPECT_NE(d.Dma(1, 0x3000008).pieces[0].fault, 0);  // of no container
}

TEST(MapDma, ChargesTheProcess) {
  V d;
  d.Bring(3);                                                    // process 0: CAP_IPC_LOCK
  EXPECT_EQ(Charged(d, 0), ~uint64_t{0});                        // never charged
  ASSERT_EQ(d.MapDma(d.container, 3, V::kVa, 0, V::kBytes), 0);  // 64 pages, limit 16
  EXPECT_EQ(Charged(d, 0), 64u);
  Op pass = d.Make(OpKind::kPassFd, d.container);
  pass.passFd.to = 1;
  const uint32_t c = d.Do(pass).fd;
  d.process = 1;
  d.Mmap(V::kVa, V::kBytes);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, kI, 0x11000), ENOMEM);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, kI, 0x10000), 0);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, 2 * kI, 0x1000), ENOMEM);  // the same memory counts twice
  EXPECT_EQ(Charged(d, 1), 16u);
  Op limit = d.Make(OpKind::kSetrlimit, 0);
  limit.setrlimit.memlockPages = 17;
  EXPECT_EQ(d.Do(limit).err, 0);
  EXPECT_EQ(d.MapDma(c, 3, V::kVa, 2 * kI, 0x1000), 0);
  d.process = 2;
  EXPECT_EQ(Charged(d, 2), ~uint64_t{0});
  d.process = 0;
  EXPECT_EQ(d.UnmapDma(d.container, 2, 0, 0).values[0], V::kBytes + 0x11000);
  EXPECT_EQ(Charged(d, 0) + Charged(d, 1), 0u);
  const View<Concrete> view = d.Seen();
  EXPECT_EQ(view.accounts.Find(1001)->pinned, 0u);  // never the user's
}

TEST(MapDma, RegistersAreNeitherPinnedNorCharged) {
  V d;
  d.Bring(3);
  const uint32_t device = d.DeviceFd(d.group, "0000:00:10.0").fd;
  ASSERT_EQ(d.MmapFd(device, 0x60000000, 0x100000).err, 0);
  ASSERT_EQ(d.MapDma(d.container, 3, 0x60000000, 0x7000000, 0x10000), 0);
  const View<Concrete> v = d.Seen();
  const AreaRow<Concrete>* area = v.areas.Containing(ObjectKey(1, 1), 0x7000000);
  ASSERT_NE(area, nullptr);
  EXPECT_EQ(area->pinned, 0u);
  EXPECT_EQ(area->account, 0u);
  EXPECT_EQ(area->backing, 2u);  // behind the memory of Bring
  EXPECT_EQ(Charged(d, 0), ~uint64_t{0});
  ExpectSound(d);
  EXPECT_EQ(d.UnmapDma(d.container, 0, 0x7000000, 0x10000).values[0], 0x10000u);
}

TEST(MapDma, LimitsOfEntriesAndMemory) {
  World world = V::Recorded();
  world.dmaEntryLimit = 2;
  world.frames = 4;
  V d(world);
  d.Bring(3);
  EXPECT_EQ(d.MapDma(d.container, 3, V::kVa, 0, 0x5000), ENOMEM);
  EXPECT_EQ(d.MapDma(d.container, 3, V::kVa, 0, 0x1000), 0);
  EXPECT_EQ(d.MapDma(d.container, 3, V::kVa, kI, 0x1000), 0);
  EXPECT_EQ(d.MapDma(d.container, 3, V::kVa, kI, 0x1000), EEXIST);
  EXPECT_EQ(d.MapDma(d.container, 3, V::kVa, 2 * kI, 0x1000), ENOSPC);
  EXPECT_EQ(d.UnmapDma(d.container, 0, 0, 0x1000).err, 0);
  EXPECT_EQ(d.MapDma(d.container, 3, V::kVa, 2 * kI, 0x4000), ENOMEM);
  d.FailAlloc(1);
  EXPECT_EQ(d.MapDma(d.container, 3, V::kVa, 2 * kI, 0x1000), ENOMEM);
  EXPECT_EQ(d.Seen().areas.size(), 1u);
  EXPECT_EQ(d.MapDma(d.container, 3, V::kVa, 2 * kI, 0x1000), 0);
}

TEST(MapDma, MovesToAnotherProcess) {
  V d;
  d.Bring(3);
  ASSERT_EQ(d.MapDma(d.container, 3, V::kVa, kI, 0x2000), 0);
  EXPECT_EQ(d.MapDma(d.container, 4, V::kVa, 0, 0x1000), ENOENT);
  EXPECT_EQ(d.MapDma(d.container, 4, V::kVa, kI, 0x2000), EINVAL);  // not forgotten
  ASSERT_EQ(d.UnmapDma(d.container, 4, kI, 0x2000).values[0], 0x2000u);
  EXPECT_EQ(d.UnmapDma(d.container, 4, kI, 0x2000).err, EINVAL);
  EXPECT_EQ(d.Dma(0, kI).pieces[0].fault, 0);  // DMA goes on
  EXPECT_EQ(d.MapDma(d.container, 4, V::kVa, kI, 0x1000), EINVAL);
  Op pass = d.Make(OpKind::kPassFd, d.container);
  pass.passFd.to = 1;
  const uint32_t c = d.Do(pass).fd;
  d.process = 1;
  Op limit = d.Make(OpKind::kSetrlimit, 0);
  limit.setrlimit.memlockPages = 1;
  d.Do(limit);
  EXPECT_EQ(d.MapDma(c, 4, 0x77000, kI, 0x2000), ENOMEM);
  limit.setrlimit.memlockPages = 2;
  d.Do(limit);
  EXPECT_EQ(d.MapDma(c, 4, 0x77000, kI, 0x2000), 0);
  EXPECT_EQ(Charged(d, 0), 0u);
  EXPECT_EQ(Charged(d, 1), 2u);
  const View<Concrete> v = d.Seen();
  const AreaRow<Concrete>* area = v.areas.Containing(ObjectKey(1, 1), kI);
  EXPECT_EQ(area->process, 2u);
  EXPECT_EQ(area->va, 0x77000u);
  EXPECT_EQ(area->vaddrInvalid, 0u);
  EXPECT_EQ(area->backing, 1u);
}

TEST(UnmapDma, RecordedV2) {
  V d;
  d.Bring(3);
  const uint32_t c = d.container;
  ASSERT_EQ(d.MapDma(c, 3, V::kVa, kI, 0x10000), 0);
  EXPECT_EQ(d.UnmapDma(c, 0, kI, 0x1000).err, EINVAL);
  EXPECT_EQ(d.UnmapDma(c, 0, kI + 0x4000, 0x1000).err, EINVAL);
  EXPECT_EQ(d.UnmapDma(c, 0, kI + 0xf000, 0x1000).err, EINVAL);
  EXPECT_EQ(d.UnmapDma(c, 0, kI - 0x1000, 0x2000).err, EINVAL);
  const Outcome nothing = d.UnmapDma(c, 0, 0x8000000, 0x1000);
  EXPECT_EQ(nothing.err, 0);
  EXPECT_EQ(nothing.values[0], 0u);
  EXPECT_EQ(d.UnmapDma(c, 0, kI + 0x800, 0x1000).err, EINVAL);
  EXPECT_EQ(d.UnmapDma(c, 0, kI, 0).err, EINVAL);
  EXPECT_EQ(d.UnmapDma(c, 0, kTop, 0x2000).err, EOVERFLOW);
  EXPECT_EQ(d.UnmapDma(c, 0x40, kI, 0x1000).err, EINVAL);
  EXPECT_EQ(d.UnmapDma(c, 4, kI, 0x10000).values[0], 0x10000u);
  EXPECT_EQ(d.UnmapDma(c, 2, 0, 0x1000).err, EINVAL);
  EXPECT_EQ(d.UnmapDma(c, 0, kI, 0x10000).values[0], 0x10000u);
  ASSERT_EQ(d.MapDma(c, 3, V::kVa, kI, 0x10000), 0);
  ASSERT_EQ(d.MapDma(c, 3, V::kVa + 0x10000, kI + 0x10000, 0x10000), 0);
  EXPECT_EQ(d.UnmapDma(c, 0, kI, 0x20000).values[0], 0x20000u);
  for (uint64_t i = 0; i < 5; ++i)
    ASSERT_EQ(d.MapDma(c, 3, V::kVa + i * 0x1000, 0x6000000 + i * 0x2000, 0x1000), 0);
  EXPECT_EQ(d.UnmapDma(c, 2, 0, 0).values[0], 0x5000u);
  EXPECT_EQ(d.UnmapDma(c, 2, 0, 0).values[0], 0u);
  Op op = d.UnmapDmaOp(c, 0, 0, 0x1000);
  op.writable = 23;
  EXPECT_EQ(d.Do(op).err, EFAULT);
}

TEST(UnmapDma, RecordedV1) {
  V d;
  d.Bring(1);
  const uint32_t c = d.container;
  ASSERT_EQ(d.MapDma(c, 3, V::kVa, kI, 0x10000), 0);
  EXPECT_EQ(d.UnmapDma(c, 0, kI + 0x4000, 0x1000).values[0], 0u);  // inside: stops there
  EXPECT_EQ(d.UnmapDma(c, 0, kI + 0xf000, 0x2000).values[0], 0u);
  EXPECT_EQ(d.UnmapDma(c, 0, kI, 0x1000).values[0], 0x10000u);  // its first byte: all of it
  EXPECT_EQ(d.UnmapDma(c, 0, kI - 0x1000, 0x2000).values[0], 0u);
  ASSERT_EQ(d.MapDma(c, 3, V::kVa, kI, 0x2000), 0);
  ASSERT_EQ(d.MapDma(c, 3, V::kVa, kI + 0x2000, 0x3000), 0);
  EXPECT_EQ(d.UnmapDma(c, 0, kI - 0x1000, 0x4000).values[0], 0x5000u);
  EXPECT_EQ(d.Dirty(c, 1), EACCES);
  EXPECT_EQ(d.Dirty(c, 3), EACCES);
  EXPECT_EQ(d.Do(d.GetDirtyOp(OpKind::kVfioIommuDirtyPages, c, kI, 0x10000)).err, EACCES);
  EXPECT_EQ(d.Do(d.GetDirtyOp(OpKind::kVfioIommuUnmapDma, c, kI, 0x10000)).err, EINVAL);
}

TEST(DirtyPages, Recorded) {
  V d;
  d.Bring(3);
  const uint32_t c = d.container;
  ASSERT_EQ(d.MapDma(c, 3, V::kVa, kI, 0x10000), 0);
  EXPECT_EQ(d.Dirty(c, 4), EINVAL);
  EXPECT_EQ(d.Dirty(c, 1), 0);
  EXPECT_EQ(d.Dirty(c, 1), 0);
  const Op get = d.GetDirtyOp(OpKind::kVfioIommuDirtyPages, c, kI, 0x10000);
  EXPECT_EQ(d.Do(get).out, Driver::Words({0xffff}));
  EXPECT_EQ(d.Do(d.GetDirtyOp(OpKind::kVfioIommuDirtyPages, c, kI, 0x10000, 0x2000)).err, EINVAL);
  EXPECT_EQ(d.Do(d.GetDirtyOp(OpKind::kVfioIommuDirtyPages, c, kI, 0x8000)).err, EINVAL);
  Op denied = get;
  denied.vfioIommuDirtyPages.bufWritable = 4;
  EXPECT_EQ(d.Do(denied).err, EFAULT);
  // Bits count from the range's first page; a record that begins inside a word keeps what is there.
  Op early = d.GetDirtyOp(OpKind::kVfioIommuDirtyPages, c, kI - 0x4000, 0x14000);
  early.blob = Driver::Words({1});
  EXPECT_EQ(d.Do(early).out, Driver::Words({0xffff1}));
  EXPECT_EQ(d.Do(d.GetDirtyOp(OpKind::kVfioIommuUnmapDma, c, kI, 0x10000, 0x2000)).err, EINVAL);
  Op unmap = d.GetDirtyOp(OpKind::kVfioIommuUnmapDma, c, kI, 0x10000);
  unmap.blob = Driver::Words({0xffff});
  const Outcome gone = d.Do(unmap);
  EXPECT_EQ(gone.values[0], 0x10000u);
  EXPECT_EQ(gone.out, Driver::Words({0xffff}));
  EXPECT_EQ(d.Dirty(c, 2), 0);
  EXPECT_EQ(d.Dirty(c, 2), 0);
  EXPECT_EQ(d.Dirty(c, 3), EINVAL);
  EXPECT_EQ(d.Dirty(c, 0), EINVAL);
  EXPECT_EQ(d.Do(get).err, EINVAL);  // off again
}

TEST(DirtyPages, WhatCannotBeCopiedStays) {
  V d;
  d.Bring(3);
  const uint32_t c = d.container;
  ASSERT_EQ(d.MapDma(c, 3, V::kVa, 0, 0x1000), 0);
  ASSERT_EQ(d.MapDma(c, 3, V::kVa, 0x40000, 0x1000), 0);  // bit 64
  ASSERT_EQ(d.Dirty(c, 1), 0);
  Op unmap = d.GetDirtyOp(OpKind::kVfioIommuUnmapDma, c, 0, 0x41000);
  EXPECT_EQ(d.Do(unmap).err, EINVAL);  // too small for 65 pages
  unmap.vfioIommuUnmapDma.bitmapSize = 16;
  EXPECT_EQ(d.Do(unmap).err, EFAULT);
  EXPECT_EQ(d.Seen().areas.size(), 1u);  // the one before it is gone
  EXPECT_EQ(d.UnmapDma(c, 2, 0, 0).values[0], 0x1000u);
}

TEST(UnmapDma, InvalidatesBeforeItUnpins) {
  V d;
  Order order;
  order.monitor.StartFrom(d.Seen());
  d.machine->SetObserver(&order);
  d.Bring(3);
  ASSERT_EQ(d.MapDma(d.container, 3, V::kVa, kI, 0x1000), 0);
  order.kinds.clear();
  ASSERT_EQ(d.UnmapDma(d.container, 0, kI, 0x1000).values[0], 0x1000u);
  ASSERT_GE(order.kinds.size(), 4u);
  EXPECT_EQ(order.kinds.front(), MicroStepKind::kMapGone);
  EXPECT_EQ(order.kinds.back(), MicroStepKind::kPageUnpinned);
  ASSERT_EQ(d.MapDma(d.container, 3, V::kVa, kI, 0x1000), 0);
  d.Dma(0, kI);
  EXPECT_GT(d.Seen().retained.size(), 0u);
  ASSERT_EQ(d.Unset(d.group), 0);  // detach, unmap, free: judged by the monitor
  EXPECT_EQ(d.Seen().retained.size(), 0u);
  EXPECT_EQ(order.kinds.back(), MicroStepKind::kTagFreed);
}

}  // namespace
}  // namespace twinwalk
