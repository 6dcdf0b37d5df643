// The orders that the monitor must accept, and for each rule the shortest order that breaks it.
#include "traces/monitor.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace twinwalk {
namespace {

using Step = MicroStep<uint64_t>;
using Kind = MicroStepKind;

Step Make(Kind kind, InvScope scope = InvScope::kVmid) {
  Step s;
  s.kind = kind, s.scope = scope;
  s.tag.vmid = 1;
  s.first = 0x10000, s.last = 0x11fff;
  s.backing = 5, s.offset = 0x1000, s.length = 0x2000;
  s.owner = 9, s.sid = 0x80;
  return s;
}

std::vector<std::string> Judge(const std::vector<Step>& steps) {
  Monitor<Concrete> monitor;
  std::vector<std::string> broken;
  for (const Step& s : steps) {
    monitor.OnStep(s, [&](bool ok, const char* what, const auto&) {
      if (!ok) broken.push_back(what);
    });
  }
  return broken;
}
const std::vector<std::string> kFine;

TEST(Monitor, WholeLifeOfAMapping) {
  EXPECT_EQ(Judge({Make(Kind::kTagAllocated), Make(Kind::kPagePinned), Make(Kind::kMapVisible),
                   Make(Kind::kConfigWrite), Make(Kind::kMapGone), Make(Kind::kInvIssued),
                   Make(Kind::kInvDone), Make(Kind::kTableFrameFreed), Make(Kind::kPageUnpinned),
                   Make(Kind::kTagFreed), Make(Kind::kTagAllocated)}),
            kFine);
}

TEST(Monitor, BothHalvesOfAStage2RangeAreNeeded) {
  const auto range = Make(Kind::kInvDone, InvScope::kStage2Range);
  const auto stage1 = Make(Kind::kInvDone, InvScope::kStage1Vmid);
  const std::vector<std::string> early{"no page is unpinned that hardware may still reach"};
  const auto with = [](std::vector<Step> done) {
    std::vector<Step> all{Make(Kind::kMapVisible), Make(Kind::kMapGone)};
    all.insert(all.end(), done.begin(), done.end());
    all.push_back(Make(Kind::kPageUnpinned));
    return Judge(all);
  };
  EXPECT_EQ(with({range, stage1}), kFine);
  EXPECT_EQ(with({range}), early);
  EXPECT_EQ(with({stage1}), early);
  EXPECT_EQ(with({}), early);
}

TEST(Monitor, InvalidationBeforeTheMappingIsGoneDoesNotCount) {
  EXPECT_EQ(Judge({Make(Kind::kMapVisible), Make(Kind::kInvDone), Make(Kind::kMapGone),
                   Make(Kind::kPageUnpinned)}),
            std::vector<std::string>{"no page is unpinned that hardware may still reach"});
}

TEST(Monitor, TheWrongTagDoesNotCount) {
  Step other = Make(Kind::kInvDone);
  other.tag.vmid = 2;
  EXPECT_EQ(
      Judge({Make(Kind::kMapVisible), Make(Kind::kMapGone), other, Make(Kind::kPageUnpinned)}),
      std::vector<std::string>{"no page is unpinned that hardware may still reach"});
}

TEST(Monitor, ARangeThatIsTooShortDoesNotCount) {
  Step shorter = Make(Kind::kInvDone, InvScope::kVaRange);
  shorter.last = 0x10fff;
  EXPECT_EQ(
      Judge({Make(Kind::kMapVisible), Make(Kind::kMapGone), shorter, Make(Kind::kPageUnpinned)}),
      std::vector<std::string>{"no page is unpinned that hardware may still reach"});
}

TEST(Monitor, OtherPagesMayBeUnpinned) {
  Step before = Make(Kind::kPageUnpinned), after = Make(Kind::kPageUnpinned);
  before.offset = 0, before.length = 0x1000;
  after.offset = 0x3000;
  EXPECT_EQ(Judge({Make(Kind::kMapVisible), before, after}), kFine);
}

TEST(Monitor, ATagIsCleanedBeforeItIsFreed) {
  EXPECT_EQ(Judge({Make(Kind::kTagAllocated), Make(Kind::kConfigWrite), Make(Kind::kTagFreed)}),
            std::vector<std::string>{"no tag is freed before all of it is invalidated"});
  EXPECT_EQ(Judge({Make(Kind::kTagAllocated), Make(Kind::kConfigWrite), Make(Kind::kInvDone),
                   Make(Kind::kTagFreed)}),
            kFine);
  EXPECT_EQ(Judge({Make(Kind::kTagAllocated), Make(Kind::kTagAllocated)}),
            std::vector<std::string>{"a tag in use is not given again"});
}

TEST(Monitor, ATagIsNotFreedUnderAMapping) {
  const auto broken = Judge({Make(Kind::kTagAllocated), Make(Kind::kMapVisible),
                             Make(Kind::kInvDone), Make(Kind::kTagFreed)});
  EXPECT_EQ(broken, std::vector<std::string>{"no tag is freed while memory is reachable under it"});
}

TEST(Monitor, ATableIsNotFreedWhileWalked) {
  EXPECT_EQ(Judge({Make(Kind::kMapVisible), Make(Kind::kTableFrameFreed)}),
            std::vector<std::string>{"no table is freed that hardware may still walk"});
}

// Its halves go by themselves, and the other stays reachable.
TEST(Monitor, AMappingIsSplit) {
  Step split = Make(Kind::kMapSplit);
  split.length = 0x1000;
  Step gone = Make(Kind::kMapGone), done = Make(Kind::kInvDone, InvScope::kVaRange);
  gone.first = done.first = 0x11000;
  Step unpinned = Make(Kind::kPageUnpinned), other = unpinned;
  unpinned.offset = 0x2000, unpinned.length = other.length = 0x1000;
  EXPECT_EQ(Judge({Make(Kind::kMapVisible), split, gone, done, unpinned}), kFine);
  const std::vector<std::string> early{"no page is unpinned that hardware may still reach"};
  EXPECT_EQ(Judge({Make(Kind::kMapVisible), split, gone, done, other}), early);
  EXPECT_EQ(Judge({Make(Kind::kMapVisible), gone, done, unpinned}), early);
  EXPECT_EQ(Judge({split}), std::vector<std::string>{"only what is mapped is split"});
}

TEST(Monitor, ARangeIsMappedOnce) {
  EXPECT_EQ(Judge({Make(Kind::kMapVisible), Make(Kind::kMapVisible)}),
            std::vector<std::string>{"a range is mapped once under a tag"});
}

TEST(Monitor, StartsFromAView) {
  View<Concrete> view;
  HwptRow<Concrete> h;
  h.key = 9, h.ioas = 2, h.vmid = 1, h.nestParent = 1;
  view.hwpts.Insert(h);
  AreaRow<Concrete> a;
  a.space = 2, a.first = 0x10000, a.last = 0x11fff, a.backing = 5, a.offset = 0x1000;
  view.areas.Insert(a);
  Monitor<Concrete> monitor;
  monitor.StartFrom(view);
  std::vector<std::string> broken;
  monitor.OnStep(Make(Kind::kPageUnpinned), [&](bool ok, const char* what, const auto&) {
    if (!ok) broken.push_back(what);
  });
  EXPECT_EQ(broken.size(), 1u);
}

}  // namespace
}  // namespace twinwalk
