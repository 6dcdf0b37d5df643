#include "model/model.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "model/test_driver.h"

namespace twinwalk::model {
namespace {

// ---- Paging
// ----------------------------------------------------------------------------------------

TEST(Model, DmaReachesMappedMemoryAndNothingElse) {
  Plain p;
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 2 * 4096, Plain::kIova).err, 0);
  const Outcome write = p.d.DmaWrite(0, Plain::kIova + 0xffe, "abcd");
  ASSERT_EQ(write.pieces.size(), 2u);
  EXPECT_EQ(write.pieces[0], (Piece{Plain::kIova + 0xffe, 2, 0, kRead | kWrite, 1, 0xffe}));
  EXPECT_EQ(write.pieces[1], (Piece{Plain::kIova + 0x1000, 2, 0, kRead | kWrite, 1, 0x1000}));
  EXPECT_EQ(p.d.DmaRead(0, Plain::kIova + 0xffd, 6).data, std::string("\0abcd\0", 6));
  const Outcome beyond = p.d.DmaRead(0, Plain::kIova + 2 * 4096 - 2, 4);
  ASSERT_EQ(beyond.pieces.size(), 2u);
  EXPECT_EQ(beyond.pieces[0].fault, 0);
  EXPECT_EQ(beyond.pieces[1].fault, 0x10);
  ASSERT_EQ(beyond.events.size(), 1u);
  EXPECT_EQ(beyond.events[0].queue, 0u);
  // F_TRANSLATION, stream 0x10, read, CLASS IN, S2 = 0.
  EXPECT_EQ(beyond.events[0].words,
            (std::array<uint64_t, 4>{0x1000000010, 0x20800000000, Plain::kIova + 0x2000, 0}));
}

TEST(Model, UnmapTakesTheMappingAndItsTlbEntry) {
  Plain p;
  p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, Plain::kIova);
  ASSERT_EQ(p.d.DmaRead(0, Plain::kIova, 8).pieces[0].fault, 0);
  const Outcome unmap = p.d.Unmap(p.iommu, p.ioas, Plain::kIova, 4096);
  EXPECT_EQ(unmap.err, 0);
  EXPECT_EQ(unmap.values[0], 4096u);
  EXPECT_EQ(p.d.DmaRead(0, Plain::kIova, 8).pieces[0].fault, 0x10);
  EXPECT_EQ(p.d.GetView().accounts.Find(1)->pinned, 0u);
}

TEST(Model, UnboundUnattachedAndDetachedAreSilent) {
  Driver d;
  EXPECT_EQ(d.DmaRead(0, 0, 4).pieces[0].fault, kAbortedSilently);
  Plain p;
  p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, Plain::kIova);
  p.d.DmaRead(0, Plain::kIova, 4);
  ASSERT_EQ(p.d.Detach(p.cdev).err, 0);
  const Outcome after = p.d.DmaRead(0, Plain::kIova, 4);
  EXPECT_EQ(after.pieces[0].fault, kAbortedSilently);
  EXPECT_TRUE(after.events.empty());
  EXPECT_EQ(p.d.DmaRead(7, 0, 4).err, ENODEV);
  EXPECT_EQ(p.d.DmaRead(0, ~uint64_t{0} - 1, 4).err, EINVAL);
  EXPECT_EQ(p.d.DmaRead(0, 0, (1 << 16) + 1).err, EINVAL);
}

TEST(Model, ReadOnlyAreaRefusesWrites) {
  Plain p;
  p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, Plain::kIova, 1 | 4);
  EXPECT_EQ(p.d.DmaRead(0, Plain::kIova, 4).pieces[0].rights, kRead);
  const Outcome write = p.d.DmaWrite(0, Plain::kIova, "x");
  EXPECT_EQ(write.pieces[0].fault, 0x13);
  EXPECT_EQ(p.d.DmaRead(0, Plain::kIova, 1).data, std::string(1, '\0'));
}

TEST(Model, LargePagesAreUsedAndRemovedWhole) {
  Plain p;
  const uint64_t size = 8 << 20, va = 0x40000000, iova = 0x80000000;
  ASSERT_EQ(p.d.Mmap(va, size).err, 0);
  ASSERT_EQ(p.d.Map(p.iommu, p.ioas, va, size, iova).err, 0);
  p.d.DmaRead(0, iova + 0x234567, 4);
  bool large = false;
  p.d.GetView().retained.EachIndex([&](bool, const RetainedRow<Concrete>& r) {
    large = large || (r.kind == kLeafStage1 && r.last - r.first == (2 << 20) - 1);
  });
  EXPECT_TRUE(large);
  ASSERT_EQ(p.d.Unmap(p.iommu, p.ioas, iova, size).err, 0);
  EXPECT_EQ(p.d.DmaRead(0, iova + 0x234567, 4).pieces[0].fault, 0x10);
}

TEST(Model, AutomaticHwptLivesWithItsDevices) {
  Driver d;
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenDevice(0);
  d.Bind(cdev, iommu);
  const uint32_t ioas = d.Ioas(iommu);
  const Outcome attach = d.Attach(cdev, ioas);
  ASSERT_EQ(attach.err, 0);
  EXPECT_EQ(attach.id, 3u);  // device 1, ioas 2
  EXPECT_EQ(d.GetView().hwpts.size(), 1u);
  EXPECT_EQ(d.Destroy(iommu, ioas).err, EBUSY);
  EXPECT_EQ(d.Attach(cdev, ioas).id, 3u);
  d.Detach(cdev);
  EXPECT_EQ(d.GetView().hwpts.size(), 0u);
  EXPECT_EQ(d.Destroy(iommu, ioas).err, 0);
}

TEST(Model, FailingReplaceLeavesEverything) {
  Plain p;
  const uint32_t other = p.d.Ioas(p.iommu);
  p.d.Map(p.iommu, other, Plain::kVa, 4096, 0x08000000);  // under the MSI window
  EXPECT_EQ(p.d.Attach(p.cdev, other).err, EADDRINUSE);
  const View<Concrete> view = p.d.GetView();
  EXPECT_EQ(view.devices.Find(1)->attached, ObjectKey(1, p.hwpt));
  EXPECT_EQ(view.hwpts.size(), 1u);
  EXPECT_EQ(view.tags.size(), 1u);
}

TEST(Model, ClosingEverythingReturnsEverything) {
  Guest g;
  ASSERT_EQ(g.d.Attach(g.cdev, g.nested).err, 0);
  g.d.DmaRead(0, 0, 8);
  g.d.Close(g.iommu);
  EXPECT_EQ(g.d.DmaRead(0, 0, 8).pieces[0].fault, 0);  // the bound device holds the context
  g.d.Close(g.cdev);
  EXPECT_EQ(g.d.DmaRead(0, 0, 8).pieces[0].fault, kAbortedSilently);
  const View<Concrete> view = g.d.GetView();
  EXPECT_EQ(view.hwpts.size() + view.viommus.size() + view.nesteds.size() + view.vdevices.size() +
                view.ioases.size() + view.tags.size() + view.areas.size() + view.retained.size(),
            0u);
  EXPECT_EQ(view.accounts.Find(1)->pinned, 0u);
}

TEST(Model, FailedAllocationChangesNothing) {
  Plain p;
  p.d.FailAlloc(1);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, Plain::kIova + 1).err,
            EINVAL);  // not counted
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, Plain::kIova).err, ENOMEM);
  EXPECT_EQ(p.d.GetView().accounts.Find(1)->pinned, 0u);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, Plain::kIova).err, 0);
  p.d.FailAlloc(2);
  EXPECT_EQ(p.d.Run(p.d.Make(OpKind::kIoasAlloc, p.iommu)).err, 0);
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 0).err, ENOMEM);
  EXPECT_EQ(p.d.GetView().tags.size(), 1u);
}

// ---- Nesting
// ---------------------------------------------------------------------------------------

TEST(Model, NestedTranslatesThroughBothStages) {
  Guest g;
  ASSERT_NE(g.nested, 0u);
  ASSERT_EQ(g.d.Attach(g.cdev, g.nested).err, 0);
  const Outcome write = g.d.DmaWrite(0, 0x3010, "guest");
  ASSERT_EQ(write.pieces.size(), 1u);
  EXPECT_EQ(write.pieces[0], (Piece{0x3010, 5, 0, kRead | kWrite, 1, 0xb010}));  // IPA page 8 + 3
  EXPECT_EQ(g.d.DmaRead(0, 0x3010, 5).data, "guest");
}

TEST(Model, StaleUntilTheGuestInvalidates) {
  Guest g;
  g.d.Attach(g.cdev, g.nested);
  EXPECT_EQ(g.d.DmaRead(0, 0x1000, 1).pieces[0].offset, 0x9000u);
  g.SetPage(1, 20);
  EXPECT_EQ(g.d.DmaRead(0, 0x1000, 1).pieces[0].offset, 0x9000u);  // the TLB still has it
  // TLBI_NH_VA of another ASID does not help, that of ours does; the VMID field is not ours.
  g.d.Invalidate(g.iommu, g.viommu, {{0x0022000500000012, 0x1000}});
  EXPECT_EQ(g.d.DmaRead(0, 0x1000, 1).pieces[0].offset, 0x9000u);
  EXPECT_EQ(g.d.Invalidate(g.iommu, g.viommu, {{0x0011000500000012, 0x1000}}).values[0], 1u);
  EXPECT_EQ(g.d.DmaRead(0, 0x1000, 1).pieces[0].offset, 20 * 4096u);
}

TEST(Model, BadCommandDropsItsBatch) {
  for (bool drops : {true, false}) {
    World world = TwoDevices();
    world.rules.badCommandDropsBatch = drops;
    Guest g({}, world);
    g.d.Attach(g.cdev, g.nested);
    g.d.DmaRead(0, 0x1000, 1);
    g.SetPage(1, 20);
    const Outcome out =
        g.d.Invalidate(g.iommu, g.viommu, {{0x10, 0}, {0x03, 0}});  // CFGI_STE: refused
    EXPECT_EQ(out.err, EIO);
    EXPECT_EQ(out.values[0], 1u);
    EXPECT_EQ(g.d.DmaRead(0, 0x1000, 1).pieces[0].offset, drops ? 0x9000u : 20 * 4096u);
  }
}

TEST(Model, ConfigurationStaysUntilCfgiCd) {
  Guest g;
  g.d.Attach(g.cdev, g.nested);
  EXPECT_EQ(g.d.DmaRead(0, 0, 1).pieces[0].fault, 0);
  g.d.Poke64(Guest::kVa + 0x1000, 0);  // CD.V = 0
  EXPECT_EQ(g.d.DmaRead(0, 0, 1).pieces[0].fault, 0);
  EXPECT_EQ(g.d.Invalidate(g.iommu, g.viommu, {{uint64_t{0x78} << 32 | 5, 1}}).err,
            EIO);  // not ours
  EXPECT_EQ(g.d.Invalidate(g.iommu, g.viommu, {{uint64_t{Guest::kVsid} << 32 | 5, 1}}).err, 0);
  EXPECT_EQ(g.d.DmaRead(0, 0, 1).pieces[0].fault, 0x0a);
}

TEST(Model, FaultsGoWhereTheyBelong) {
  Guest g;
  const Outcome queue = g.d.Veventq(g.iommu, g.viommu, 2);
  ASSERT_EQ(queue.err, 0);
  g.d.Attach(g.cdev, g.nested);
  const Outcome stage1 = g.d.DmaRead(0, 0x9000, 4);  // no stage-1 leaf
  ASSERT_EQ(stage1.events.size(), 1u);
  EXPECT_EQ(stage1.events[0].queue, ObjectKey(1, queue.id));
  EXPECT_EQ(stage1.events[0].words[0], uint64_t{Guest::kVsid} << 32 | 0x10);
  g.SetPage(8, 100);  // an IPA that stage 2 lacks
  const Outcome stage2 = g.d.DmaRead(0, 0x8000, 4);
  ASSERT_EQ(stage2.events.size(), 1u);
  EXPECT_EQ(stage2.events[0].queue, 0u);
  EXPECT_EQ(stage2.events[0].words,
            (std::array<uint64_t, 4>{0x1000000010, 0x28800000000, 0x8000, 100 * 4096}));
  // Depth 2: the third and fourth are lost; the marker says sequence 3.
  for (int i = 0; i < 3; ++i) g.d.DmaRead(0, 0x9000, 4);
  EXPECT_EQ(g.d.ReadQueue(queue.fd, 7).err, EINVAL);
  EXPECT_EQ(g.d.ReadQueue(queue.fd, 39).err, EINVAL);
  const Outcome read = g.d.ReadQueue(queue.fd, 4096);
  EXPECT_EQ(read.ret, 40 + 40 + 8);
  EXPECT_EQ(read.out.substr(80), std::string("\1\0\0\0\3\0\0\0", 8));
  EXPECT_EQ(g.d.ReadQueue(queue.fd, 4096).ret, 0);
}

TEST(Model, Stage2UnmapReachesNestedEntries) {
  Guest g;
  const uint64_t more = 0x30000000;
  g.d.Mmap(more, 4096);
  g.d.Map(g.iommu, g.ioas, more, 4096, 0x50000);
  g.SetPage(2, 0x50);
  g.d.Attach(g.cdev, g.nested);
  ASSERT_EQ(g.d.DmaRead(0, 0x2000, 1).pieces[0].backing, 2u);
  ASSERT_EQ(g.d.Unmap(g.iommu, g.ioas, 0x50000, 4096).err, 0);
  EXPECT_EQ(g.d.DmaRead(0, 0x2000, 1).pieces[0].fault, 0x10);
}

TEST(Model, TranslatingNeedsAVdeviceAtAttach) {
  Guest g;
  ASSERT_EQ(g.d.Destroy(g.iommu, g.vdevice).err, 0);
  EXPECT_EQ(g.d.Attach(g.cdev, g.nested).err, ENOENT);
  const uint32_t bypass = g.d.Nested(g.iommu, g.dev, g.viommu, 4 << 1 | 1).id;
  EXPECT_EQ(g.d.Attach(g.cdev, bypass).err, 0);
  EXPECT_EQ(g.d.DmaRead(0, 0x9000, 1).pieces[0].offset, 0x9000u);  // IPA as it is
  EXPECT_EQ(g.d.DmaRead(0, 0x90000, 1).pieces[0].fault, 0x10);
  const uint32_t abort = g.d.Nested(g.iommu, g.dev, g.viommu, ~uint64_t{1}).id;  // V = 0: anything
  EXPECT_EQ(g.d.Attach(g.cdev, abort).err, 0);
  EXPECT_EQ(g.d.DmaRead(0, 0x9000, 1).pieces[0].fault, kAbortedSilently);
}

TEST(Model, ClosedDeviceLeavesATombstone) {
  Guest g;
  g.d.Close(g.cdev);
  EXPECT_EQ(g.d.Destroy(g.iommu, g.vdevice).err, ENOENT);
  g.cdev = g.d.OpenDevice(0);
  g.dev = g.d.Bind(g.cdev, g.iommu).id;
  const Outcome again = g.d.Vdevice(g.iommu, g.viommu, g.dev, Guest::kVsid);
  EXPECT_EQ(again.err, 0);
  EXPECT_NE(again.id, g.vdevice);
}

// ---- Peek, determinism
// ---------------------------------------------------------------------------

TEST(Model, PeekFillsNothing) {
  Guest g;
  g.d.Attach(g.cdev, g.nested);
  const View<Concrete> before = g.d.GetView();
  EXPECT_EQ(before.retained.size(), 0u);
  const Outcome peek = g.d.machine().Peek(g.d.DmaOp(0, 0x1000, 8));
  EXPECT_EQ(peek.pieces[0].offset, 0x9000u);
  EXPECT_EQ(g.d.machine().Peek(g.d.DmaOp(0, 0x9000, 8)).pieces[0].fault, 0x10);
  EXPECT_EQ(g.d.GetView().retained.size(), 0u);
  g.d.DmaRead(0, 0x1000, 8);
  EXPECT_GT(g.d.GetView().retained.size(), 0u);
}

TEST(Model, ResetForgetsEverything) {
  Guest g;
  g.d.Attach(g.cdev, g.nested);
  g.d.DmaWrite(0, 0x1000, "secret");
  g.d.machine().Reset(g.d.world());
  const View<Concrete> view = g.d.GetView();
  EXPECT_EQ(view.retained.size() + view.hwpts.size() + view.areas.size(), 0u);
  EXPECT_EQ(g.d.DmaRead(0, 0x1000, 8).pieces[0].fault, kAbortedSilently);
  EXPECT_EQ(g.d.OpenIommu(), 3u);
  g.d.Mmap(Guest::kVa, 64 * 4096);
}

}  // namespace
}  // namespace twinwalk::model
