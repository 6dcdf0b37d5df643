#include "model/iotlb.h"

#include <gtest/gtest.h>

namespace twinwalk::model {
namespace {

RangeEntry Leaf(EntryKind kind, uint16_t vmid, uint16_t asid, uint64_t first, int log2,
                uint64_t output = 0x100000) {
  RangeEntry e;
  e.kind = kind, e.vmid = vmid, e.asid = asid, e.first = first, e.output = output;
  e.log2Size = static_cast<uint8_t>(log2);
  e.permissions1 = e.permissions2 = 0x3f;
  return e;
}

TEST(RangeCache, FindsByTagAndRange) {
  RangeCache cache;
  cache.Reset(16);
  cache.Insert(Leaf(EntryKind::kCombined, 3, 7, 0x200000, 21));
  EXPECT_NE(cache.Find(EntryKind::kCombined, 3, 7, 0x3fffff), nullptr);
  EXPECT_EQ(cache.Find(EntryKind::kCombined, 3, 7, 0x400000), nullptr);
  EXPECT_EQ(cache.Find(EntryKind::kCombined, 3, 8, 0x200000), nullptr);
  EXPECT_EQ(cache.Find(EntryKind::kCombined, 4, 7, 0x200000), nullptr);
  EXPECT_EQ(cache.Find(EntryKind::kStage2, 3, 7, 0x200000), nullptr);
}

TEST(RangeCache, GlobalServesEveryAsidOfItsVmid) {
  RangeCache cache;
  cache.Reset(16);
  RangeEntry global = Leaf(EntryKind::kCombined, 3, 7, 0x1000, 12);
  global.global = true;
  cache.Insert(global);
  EXPECT_NE(cache.Find(EntryKind::kCombined, 3, 99, 0x1000), nullptr);
  EXPECT_EQ(cache.Find(EntryKind::kCombined, 4, 99, 0x1000), nullptr);
  cache.Invalidate(TlbiCommand(kTlbiNhAsid, 3, 7), 0);  // non-global only
  EXPECT_NE(cache.Find(EntryKind::kCombined, 3, 7, 0x1000), nullptr);
  cache.Invalidate(TlbiRange(kTlbiNhVa, 3, 55, 0x1000, 0, 0), 0);  // any ASID reaches a global one
  EXPECT_EQ(cache.Find(EntryKind::kCombined, 3, 7, 0x1000), nullptr);
}

TEST(RangeCache, SmallestSizeFirst) {
  RangeCache cache;
  cache.Reset(16);
  cache.Insert(Leaf(EntryKind::kStage2, 1, 0, 0x200000, 21, 1));
  cache.Insert(Leaf(EntryKind::kStage2, 1, 0, 0x201000, 12, 2));
  EXPECT_EQ(cache.Find(EntryKind::kStage2, 1, 0, 0x201234)->output, 2u);
  EXPECT_EQ(cache.Find(EntryKind::kStage2, 1, 0, 0x202234)->output, 1u);
}

TEST(RangeCache, BoundedAndDeterministic) {
  for (uint32_t capacity : {1u, 3u, 4u, 64u}) {
    RangeCache a, b;
    a.Reset(capacity), b.Reset(capacity);
    for (uint64_t i = 0; i < 1000; ++i) {
      const RangeEntry e = Leaf(EntryKind::kStage2, i % 3, 0, i * 7919 % 128 << 12, 12, i << 12);
      EXPECT_EQ(a.Insert(e), b.Insert(e));
    }
    size_t count = 0;
    a.Each([&](const RangeEntry&) { ++count; });
    EXPECT_LE(count, capacity);
    EXPECT_GT(count, 0u);
    a.Invalidate({kTlbiNsnhAll, 0}, 0);
    a.Each([&](const RangeEntry&) { ADD_FAILURE(); });
    EXPECT_EQ(a.Find(EntryKind::kStage2, 0, 0, 0), nullptr);
  }
}

// What each command removes (sheet 7 and 8), entry kind by entry kind.
TEST(RangeCache, CommandsRemoveWhatTheSheetSays) {
  struct Case {
    Command command;
    bool stage2, combined, walk1, walk2;  // removed
  };
  const Case cases[] = {
      {TlbiCommand(kTlbiNhAll, 3, 0), false, true, true, false},
      {TlbiCommand(kTlbiNhAll, 4, 0), false, false, false, false},
      {TlbiCommand(kTlbiNhAsid, 3, 7), false, true, true, false},
      {TlbiCommand(kTlbiNhAsid, 3, 8), false, false, false, false},
      {TlbiRange(kTlbiNhVa, 3, 7, 0x5000, 0, 0), false, true, true, false},
      {{TlbiRange(kTlbiNhVa, 3, 7, 0x5000, 0, 0).word0, 0x5001}, false, true, false, false},
      {TlbiRange(kTlbiNhVa, 3, 7, 0x400000, 0, 0), false, false, false, false},
      {TlbiRange(kTlbiNhVaa, 3, 9, 0x5000, 0, 0), false, true, true, false},
      {TlbiCommand(kTlbiS12Vmall, 3, 0), true, true, true, true},
      {TlbiRange(kTlbiS2Ipa, 3, 0, 0x5000, 0, 0), true, false, false, true},
      {{TlbiRange(kTlbiS2Ipa, 3, 0, 0x5000, 0, 0).word0, 0x5001}, true, false, false, false},
      {{kTlbiNsnhAll, 0}, true, true, true, true},
      {{kSync, 0}, false, false, false, false},
      {{kCfgiSte, 0}, false, false, false, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.command.word0);
    RangeCache cache;
    cache.Reset(16);
    cache.Insert(Leaf(EntryKind::kStage2, 3, 0, 0x5000, 12));
    cache.Insert(Leaf(EntryKind::kCombined, 3, 7, 0x5000, 12));
    RangeEntry walk = Leaf(EntryKind::kWalkStage1, 3, 7, 0, 21);
    walk.level = 3;
    cache.Insert(walk);
    walk.kind = EntryKind::kWalkStage2, walk.asid = 0;
    cache.Insert(walk);
    cache.Invalidate(c.command, 0);
    EXPECT_EQ(cache.Find(EntryKind::kStage2, 3, 0, 0x5000) == nullptr, c.stage2);
    EXPECT_EQ(cache.Find(EntryKind::kCombined, 3, 7, 0x5000) == nullptr, c.combined);
    EXPECT_EQ(cache.Find(EntryKind::kWalkStage1, 3, 7, 0x5000) == nullptr, c.walk1);
    EXPECT_EQ(cache.Find(EntryKind::kWalkStage2, 3, 0, 0x5000) == nullptr, c.walk2);
  }
}

TEST(ConfigCache, DroppedByStreamAndBySubstream) {
  const auto fill = [](ConfigCache* cache) {
    cache->Reset(4, 2);
    ConfigEntry e;
    e.device = 0, e.sid = 0x10;
    e.config.stage1 = true;
    cache->Insert(e);
    e.hasSsid = true, e.ssid = e.config.ssid = 5;
    cache->Insert(e);
    e = ConfigEntry();
    e.device = 1, e.sid = 0x11;
    cache->Insert(e);
  };
  const auto count = [](const ConfigCache& cache) {
    int n = 0;
    cache.Each([&](const ConfigEntry&) { ++n; });
    return n;
  };
  ConfigCache cache;
  fill(&cache);
  EXPECT_NE(cache.Find(0, false, 0), nullptr);
  EXPECT_NE(cache.Find(0, true, 5), nullptr);
  EXPECT_EQ(cache.Find(0, true, 6), nullptr);
  cache.Invalidate({kCfgiCd | uint64_t{5} << 12 | uint64_t{0x10} << 32, 0}, 0);
  EXPECT_EQ(count(cache), 2);
  EXPECT_EQ(cache.Find(0, true, 5), nullptr);
  cache.Invalidate({kCfgiCdAll | uint64_t{0x11} << 32, 0}, 0);  // no CD there: nothing to drop
  EXPECT_EQ(count(cache), 2);
  cache.Invalidate(CfgiSte(0x11), 0);
  EXPECT_EQ(cache.Find(1, false, 0), nullptr);
  fill(&cache);
  cache.Invalidate({kCfgiSteRange | uint64_t{0x10} << 32, 0}, 0);  // 0x10 and 0x11
  EXPECT_EQ(count(cache), 0);
}

TEST(ConfigCache, HoldsNoMoreThanItsCapacity) {
  ConfigCache cache;
  cache.Reset(2, 4);
  for (uint32_t i = 0; i < 4; ++i) {
    ConfigEntry e;
    e.device = i, e.sid = i;
    cache.Insert(e);
  }
  EXPECT_EQ(cache.Find(0, false, 0), nullptr);
  EXPECT_EQ(cache.Find(1, false, 0), nullptr);
  EXPECT_NE(cache.Find(2, false, 0), nullptr);
  EXPECT_NE(cache.Find(3, false, 0), nullptr);
}

}  // namespace
}  // namespace twinwalk::model
