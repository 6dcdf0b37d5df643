#include "fuzz/grow.h"

#include <gtest/gtest.h>

#include <set>

#include "fuzz/edit.h"
#include "fuzz/generate.h"
#include "fuzz/guest.h"

namespace twinwalk::fuzz {
namespace {

GrowOptions Clean() {
  GrowOptions options;
  options.broken_one_in = options.odd_one_in = 0;
  return options;
}

// The table test: a kind of Op that was added must get a rule, and the rule must make that kind.
TEST(Grow, EveryKindHasARuleThatWorks) {
  for (int k = 0; k < kOpKinds; ++k) {
    const auto kind = static_cast<OpKind>(k);
    const std::vector<Step> steps = StepsOf(kind);
    EXPECT_FALSE(steps.empty()) << OpName(kind);
    for (Step step : steps) {
      Random random(7);
      World world = RandomWorld(random, false);
      Builder builder(world, &random, Clean());
      builder.Want(step, 64);
      ASSERT_FALSE(builder.ops().empty()) << OpName(kind);
      EXPECT_EQ(builder.ops().back().kind, kind);
    }
  }
}

TEST(Grow, NeedsComeFirst) {
  Random random(3);
  const World world = RandomWorld(random, false);
  Builder builder(world, &random, Clean());
  builder.Want(Step::kAttachNested, 64);
  std::set<OpKind> kinds;
  for (const Op& op : builder.ops()) kinds.insert(op.kind);
  for (OpKind kind :
       {OpKind::kOpen, OpKind::kBindIommufd, OpKind::kIoasAlloc, OpKind::kIoasMap,
        OpKind::kHwptAlloc, OpKind::kViommuAlloc, OpKind::kVdeviceAlloc, OpKind::kAttachIommufdPt})
    EXPECT_EQ(kinds.count(kind), 1u) << OpName(kind);
}

// Without breakage every handle that an Op has names an earlier Op that makes such a thing.
TEST(Grow, HandlesOfCleanTracesAreRight) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const World world = RandomWorld(random, false);
    Builder builder(world, &random, Clean());
    for (int i = 0; i < 20; ++i) builder.Want(static_cast<Step>(random.Below(kSteps)), 64);
    Scene scene(world);
    for (size_t i = 0; i < builder.ops().size(); ++i) {
      Op op = builder.ops()[i];
      EXPECT_EQ(CheckOp(op, i), "");
      for (const HandleUse& use : HandlesOf(op))
        if ((op.results >> use.index & 1) != 0)
          EXPECT_NE(scene.Find(*use.handle, use.role), kNone) << OpName(op.kind);
      scene.Note(op);
    }
  }
}

TEST(Scene, SamplesAddressesThatTheTablesMap) {
  // One page of memory at IPA 0x4000: entry 3 of level 1 is a table (itself), entry 5 a page.
  World world;
  world.devices.resize(1);
  Scene scene(world);
  const auto note = [&](OpKind kind, auto&& fill) {
    Op op;
    op.kind = kind;
    fill(op);
    scene.Note(op);
  };
  note(OpKind::kMmap, [](Op& op) { op.mmap.base = 0x10000, op.mmap.length = 0x1000; });
  note(OpKind::kIoasAlloc, [](Op&) {});
  note(OpKind::kIoasMap, [](Op& op) {
    op.results = 6, op.ioasMap.ioasId = 1, op.ioasMap.userMap = 0;
    op.ioasMap.iova = 0x4000, op.ioasMap.length = 0x1000, op.ioasMap.flags = 7;
  });
  note(OpKind::kHwptAlloc,
       [](Op& op) { op.results = 4, op.hwptAlloc.ptId = 1, op.hwptAlloc.flags = 1; });
  note(OpKind::kViommuAlloc, [](Op& op) { op.results = 4, op.viommuAlloc.hwptId = 3; });
  note(OpKind::kHwptAlloc, [](Op& op) {
    op.results = 4, op.hwptAlloc.ptId = 4, op.size = op.readable = 48;
    op.blob = VsteBytes(5, 0x4800);
  });
  note(OpKind::kMemWrite, [](Op& op) {
    op.results = 2, op.memWrite.map = 0, op.memWrite.address = 0x18;
    AppendWord(&op.blob, TableWord(0x4000));
    AppendWord(&op.blob, 0);
    AppendWord(&op.blob, PageWord(0x9000, true));
  });
  note(OpKind::kMemWrite, [](Op& op) {
    op.results = 2, op.memWrite.map = 0, op.memWrite.address = 0x800;
    op.blob = ContextBytes({.ttb = 0x4000, .asid = 9, .input_bits = 39});
  });
  std::set<uint64_t> complete;
  const int nested = scene.Find(5, HandleRole::kId);
  ASSERT_NE(nested, kNone);
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    const auto walk = scene.Sample(random, nested);
    ASSERT_TRUE(walk.has_value());
    EXPECT_EQ(walk->asid, 9);
    if (walk->complete) complete.insert(walk->va);
  }
  // By hand: indices 3, 3, then 3 (the table as a page) or 5. The CD lies at index 256 of the same
  // page, and T0SZ = 25 reads as a block or, at level 3, as what the walker may call invalid.
  EXPECT_EQ(complete,
            (std::set<uint64_t>{0xc0603000, 0xc0605000, 0xc0700000, 0xe0000000, 0x4000000000}));
}

}  // namespace
}  // namespace twinwalk::fuzz
