#include "fuzz/mutate.h"

#include <gtest/gtest.h>

#include <set>

#include "fuzz/edit.h"
#include "fuzz/generate.h"

namespace twinwalk::fuzz {
namespace {

void ExpectGood(const Trace& trace, const MutateOptions& options) {
  ASSERT_EQ(ValidateWorld(trace.world), "");
  ASSERT_LE(trace.ops.size(), options.max_ops);
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    ASSERT_EQ(CheckOp(trace.ops[i], i), "") << i << " " << OpName(trace.ops[i].kind);
    ASSERT_LE(trace.ops[i].blob.size(), options.max_blob);
  }
}

TEST(Mutate, KeepsBoundsAndForm) {
  MutateOptions options;
  options.max_ops = 40, options.max_blob = 256, options.rules = true;
  Trace trace = RandomTrace(1);
  Random random(5);
  for (int i = 0; i < 4000; ++i) {
    if (i % 200 == 0) trace = RandomTrace(static_cast<uint64_t>(i));
    Mutate(&trace, random, options);
    ExpectGood(trace, options);
  }
}

TEST(Mutate, GrowsFromNothing) {
  Trace trace;
  trace.world.devices.resize(3);
  for (uint32_t i = 0; i < 3; ++i) trace.world.devices[i].streamId = i;
  Random random(9);
  for (int i = 0; i < 200; ++i) Mutate(&trace, random);
  EXPECT_GT(trace.ops.size(), 8u);
  ExpectGood(trace, {});
}

TEST(Mutate, SameSeedSameResult) {
  Trace a = RandomTrace(3), b = a;
  Random x(4), y(4);
  for (int i = 0; i < 100; ++i) Mutate(&a, x), Mutate(&b, y);
  EXPECT_TRUE(SameTrace(a, b));
}

TEST(Mutate, SpliceKeepsBoundsAndForm) {
  Random random(6);
  for (uint64_t i = 0; i < 500; ++i)
    ExpectGood(Splice(RandomTrace(i), RandomTrace(i + 1), random), {});
}

TEST(Mutate, WorldStaysWhenNotAsked) {
  MutateOptions options;
  options.world = false;
  Trace trace = RandomTrace(8);
  const World world = trace.world;
  Random random(2);
  for (int i = 0; i < 300; ++i) Mutate(&trace, random, options);
  EXPECT_TRUE(trace.world == world);
}

}  // namespace
}  // namespace twinwalk::fuzz
