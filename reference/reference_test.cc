// Behaviour of whole Ops: life of objects, memory, micro-step order, events (iommufd 4, 5, 10, 15,
// 16).
#include "reference/reference.h"

#include <gtest/gtest.h>

#include "reference/test_driver.h"
#include "traces/invariants.h"
#include "traces/monitor.h"

namespace twinwalk {
namespace {

void ExpectInvariants(const Driver& d) {
  const View<Concrete> view = d.Seen();
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&& check) {
    check(view, [&](bool ok, const char* what, const auto&) {
      EXPECT_TRUE(ok) << info.id << ": " << what;
    });
  });
}

// Every micro-step, judged by the monitor as it comes.
class Judge : public MicroStepObserver {
 public:
  void OnMicroStep(const MicroStep<uint64_t>& step) override {
    kinds.push_back(step.kind);
    monitor_.OnStep(step, [&](bool ok, const char* what, const auto&) {
      if (!ok) broken.push_back(what);
    });
  }
  std::vector<MicroStepKind> kinds;
  std::vector<std::string> broken;

 private:
  Monitor<Concrete> monitor_;
};

TEST(Reference, GuestTranslatesThroughBothStages) {
  Driver d;
  Guest g(&d);
  ASSERT_EQ(g.attached.err, 0);
  EXPECT_EQ(g.attached.id, g.nested);
  g.Page(5, 0x110000);
  const Outcome out = d.Dma(0, 0x5010, 8, "ABCDEFGH");
  ASSERT_EQ(out.pieces.size(), 1u);
  EXPECT_EQ(out.pieces[0].fault, 0);
  EXPECT_EQ(out.pieces[0].backing, 1u);
  EXPECT_EQ(out.pieces[0].offset, 0x10010u);
  EXPECT_EQ(out.pieces[0].rights, 3);
  EXPECT_EQ(d.Dma(0, 0x5010).data, "ABCDEFGH");
  ExpectInvariants(d);
}

TEST(Reference, PieceByPieceAcrossPages) {
  Driver d;
  Guest g(&d);
  g.Page(5, 0x110000);
  g.Page(7, 0x112000);
  const Outcome out = d.Dma(0, 0x5ffc, 0x1008);
  ASSERT_EQ(out.pieces.size(), 3u);
  EXPECT_EQ(out.pieces[0].length, 4u);
  EXPECT_EQ(out.pieces[0].fault, 0);
  EXPECT_EQ(out.pieces[1].length, 0x1000u);
  EXPECT_EQ(out.pieces[1].fault, 0x10);
  EXPECT_EQ(out.pieces[2].length, 4u);
  EXPECT_EQ(out.pieces[2].offset, 0x12000u);
  ASSERT_EQ(out.events.size(), 1u);
  EXPECT_EQ(out.events[0].queue, 0u);  // no vEVENTQ: the host's log
  EXPECT_EQ(out.events[0].words[0], 0x1000000010u);
  EXPECT_EQ(out.events[0].words[1], 0x20800000000u);
  EXPECT_EQ(out.events[0].words[2], 0x6000u);
}

TEST(Reference, EventsGoToTheVeventqUntilItOverflows) {
  Driver d;
  Guest g(&d);
  const Outcome queue = d.Veventq(g.iommu, g.viommu, 2);
  ASSERT_EQ(queue.err, 0);
  for (int i = 0; i < 4; ++i) d.Dma(0, 0x9000);
  const Outcome lost = d.Dma(0, 0x9000);
  ASSERT_EQ(lost.events.size(), 1u);
  EXPECT_EQ(lost.events[0].queue, ObjectKey(1, queue.id));
  EXPECT_EQ(lost.events[0].position, 4u);
  EXPECT_EQ(lost.events[0].words[0], 0u);
  EXPECT_EQ(d.Read(queue.fd, 7).err, EINVAL);
  EXPECT_EQ(d.Read(queue.fd, 39).err, EINVAL);
  const Outcome read = d.Read(queue.fd, 4096);
  ASSERT_EQ(read.out.size(), 40u + 40 + 8);
  EXPECT_EQ(read.ret, 88);
  uint64_t words[11];
  std::memcpy(words, read.out.data(), 88);
  EXPECT_EQ(words[0], 0u);
  EXPECT_EQ(words[1], 0x7700000010u);  // stream id 0x10 became 0x77
  EXPECT_EQ(words[5], uint64_t{1} << 32);
  EXPECT_EQ(words[10], uint64_t{4} << 32 | 1);  // marker: the last lost is number 4
  EXPECT_EQ(d.Read(queue.fd, 4096).ret, 0);
  EXPECT_EQ(d.Destroy(g.iommu, queue.id).err, EBUSY);
  d.Close(queue.fd);
  EXPECT_EQ(d.Destroy(g.iommu, queue.id).err, 0);
}

TEST(Reference, Stage2FaultsStayWithTheHost) {
  Driver d;
  Guest g(&d);
  d.Veventq(g.iommu, g.viommu, 8);
  g.Page(5, 0x900000);  // an IPA that is not mapped
  const Outcome out = d.Dma(0, 0x5000);
  ASSERT_EQ(out.events.size(), 1u);
  EXPECT_EQ(out.events[0].queue, 0u);
  EXPECT_EQ(out.events[0].words[1], 0x28800000000u);
  EXPECT_EQ(out.events[0].words[3], 0x900000u);
}

TEST(Reference, UnmapTakesEffectAtOnceAndUnpins) {
  Driver d;
  Guest g(&d);
  g.Page(5, 0x110000);
  d.Dma(0, 0x5000);
  EXPECT_EQ(d.Seen().accounts.Find(1001)->pinned, 64u);
  EXPECT_EQ(d.Unmap(g.iommu, g.ioas, Guest::kIpa, Guest::kBytes).values[0], Guest::kBytes);
  EXPECT_EQ(d.Seen().accounts.Find(1001)->pinned, 0u);
  const Outcome out = d.Dma(0, 0x5000);
  EXPECT_EQ(out.pieces[0].fault, 0x10);
  // The CD may still be cached, so the fault may come from its page or from the table's.
  const auto permitted = d.machine->Permitted(d.DmaOp(0, 0x5000, 8), 16);
  EXPECT_EQ(permitted.size(), 2u);
  for (const Outcome& member : permitted) EXPECT_EQ(member.pieces[0].fault, 0x10);
  ExpectInvariants(d);
}

TEST(Reference, AutomaticHwptIsSharedAndGoesWithItsLastDevice) {
  Driver d;
  const uint32_t iommu = d.OpenIommu(), a = d.OpenCdev(0), b = d.OpenCdev(1);
  EXPECT_EQ(d.Bind(a, iommu).id, 1u);
  EXPECT_EQ(d.Bind(b, iommu).id, 2u);
  const uint32_t ioas = d.Ioas(iommu).id;
  EXPECT_EQ(ioas, 3u);
  d.Mmap(0x10000, 0x2000);
  EXPECT_EQ(d.Map(iommu, ioas, 0x100000, 0x10000, 0x2000).err, 0);
  EXPECT_EQ(d.Seen().accounts.Find(1001)->pinned, 0u);  // nobody uses it yet
  EXPECT_EQ(d.Attach(a, ioas).id, 4u);
  EXPECT_EQ(d.Attach(b, ioas).id, 4u);
  EXPECT_EQ(d.Seen().hwpts.Find(ObjectKey(1, 4))->users, 2u);
  EXPECT_EQ(d.Seen().accounts.Find(1001)->pinned, 2u);
  EXPECT_EQ(d.Dma(0, 0x100000, 4, "abcd").pieces[0].fault, 0);
  EXPECT_EQ(d.Dma(1, 0x100000, 4).data, "abcd");
  EXPECT_EQ(d.Destroy(iommu, ioas).err, EBUSY);
  EXPECT_EQ(d.Detach(a).err, 0);
  EXPECT_EQ(d.Dma(0, 0x100000).pieces[0].fault, kAbortedSilently);
  EXPECT_EQ(d.Detach(b).err, 0);
  EXPECT_EQ(d.Destroy(iommu, 4).err, ENOENT);
  EXPECT_EQ(d.Destroy(iommu, ioas).err, 0);
  EXPECT_EQ(d.Seen().tags.size(), 0u);
  EXPECT_EQ(d.Seen().retained.size(), 0u);
}

TEST(Reference, GroupsHaveOneOwnerAndMoveTogether) {
  Driver d;
  const uint32_t one = d.OpenIommu(), two = d.OpenIommu();
  const uint32_t a = d.OpenCdev(2), b = d.OpenCdev(3);
  d.Bind(a, one);
  EXPECT_EQ(d.Bind(b, two).err, EPERM);
  d.Bind(b, one);
  const uint32_t x = d.Ioas(one).id, y = d.Ioas(one).id;
  EXPECT_EQ(d.Attach(a, x).err, 0);
  EXPECT_EQ(d.Attach(b, y).err, EINVAL);
  EXPECT_EQ(d.Attach(b, x).err, 0);
  EXPECT_EQ(d.Attach(a, y).err, 0);  // moves b as well
  EXPECT_EQ(d.Seen().devices.Find(3)->attached, d.Seen().devices.Find(4)->attached);
  ExpectInvariants(d);
}

TEST(Reference, ClosingTheCdevEndsAllThatHangsOnIt) {
  Driver d;
  Guest g(&d);
  d.Close(g.cdev);
  EXPECT_EQ(d.Seen().vdevices.size(), 0u);
  EXPECT_EQ(d.Destroy(g.iommu, g.vdevice).err, ENOENT);
  EXPECT_EQ(d.Destroy(g.iommu, g.nested).err, 0);
  EXPECT_EQ(d.Destroy(g.iommu, g.viommu).err, 0);
  // The tombstone is not given again, every other number is.
  std::vector<uint32_t> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(d.Ioas(g.iommu).id);
  EXPECT_EQ(ids, (std::vector<uint32_t>{g.dev, g.viommu, g.nested, 7, 8, 9}));
  EXPECT_EQ(g.vdevice, 5u);
}

TEST(Reference, ContextLivesWhileADeviceIsBound) {
  Driver d;
  Guest g(&d);
  g.Page(5, 0x110000);
  d.Close(g.iommu);
  EXPECT_EQ(d.Dma(0, 0x5000).pieces[0].fault, 0);
  d.Close(g.cdev);
  EXPECT_EQ(d.Seen().ioases.size(), 0u);
  EXPECT_EQ(d.Seen().areas.size(), 0u);
  EXPECT_EQ(d.Seen().hwpts.size(), 0u);
  EXPECT_EQ(d.Seen().accounts.Find(1001)->pinned, 0u);
}

TEST(Reference, FailAllocCountsWhatWouldSucceed) {
  Driver d;
  const uint32_t iommu = d.OpenIommu();
  d.FailAlloc(2);
  EXPECT_EQ(d.Ioas(iommu, 1).err, EOPNOTSUPP);
  EXPECT_EQ(d.Ioas(iommu).err, 0);
  EXPECT_EQ(d.Ioas(iommu).err, ENOMEM);
  EXPECT_EQ(d.Ioas(iommu).id, 2u);
}

TEST(Reference, PinnedAreaIsSplitByMappingAndMergedAgain) {
  Driver d;
  const uint32_t iommu = d.OpenIommu(), cdev = d.OpenCdev(0);
  d.Bind(cdev, iommu);
  const uint32_t ioas = d.Ioas(iommu).id;
  d.Mmap(0x10000, 0x1000), d.Mmap(0x11000, 0x1000);
  d.Map(iommu, ioas, 0x200000, 0x10000, 0x2000);
  EXPECT_EQ(d.Seen().areas.size(), 1u);
  d.Attach(cdev, ioas);
  EXPECT_EQ(d.Seen().areas.size(), 2u);
  EXPECT_EQ(d.Dma(0, 0x201004).pieces[0].backing, 2u);
  d.Detach(cdev);
  EXPECT_EQ(d.Seen().areas.size(), 1u);
  EXPECT_EQ(d.Seen().areas.Containing(ObjectKey(1, ioas), 0x201000)->backing, 0u);
}

TEST(Reference, MicroStepsKeepTheOrder) {
  Driver d;
  Judge judge;
  d.machine->SetObserver(&judge);
  Guest g(&d);
  g.Page(5, 0x110000);
  d.Dma(0, 0x5000);
  d.Unmap(g.iommu, g.ioas, 0, ~uint64_t{0});
  d.Map(g.iommu, g.ioas, Guest::kIpa, Guest::kVa, Guest::kBytes);
  judge.kinds.clear();
  d.Close(g.cdev);
  d.Close(g.iommu);
  EXPECT_TRUE(judge.broken.empty()) << judge.broken.front();
  const std::vector<MicroStepKind> end{
      MicroStepKind::kConfigWrite,  MicroStepKind::kInvIssued,       MicroStepKind::kInvDone,
      MicroStepKind::kMapGone,      MicroStepKind::kInvIssued,       MicroStepKind::kInvDone,
      MicroStepKind::kPageUnpinned, MicroStepKind::kTableFrameFreed, MicroStepKind::kTagFreed};
  EXPECT_EQ(judge.kinds, end);
}

}  // namespace
}  // namespace twinwalk
