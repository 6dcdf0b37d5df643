#include "fuzz/generate.h"

#include <gtest/gtest.h>

#include <set>

#include "fuzz/edit.h"

namespace twinwalk::fuzz {
namespace {

TEST(Generate, TracesAreWellFormedAndBounded) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const Trace trace = RandomTrace(seed);
    EXPECT_EQ(ValidateWorld(trace.world), "");
    EXPECT_LE(trace.ops.size(), 64u);
    EXPECT_GE(trace.ops.size(), 16u);
    for (size_t i = 0; i < trace.ops.size(); ++i) {
      EXPECT_EQ(CheckOp(trace.ops[i], i), "") << seed << " Op " << i;
      EXPECT_LE(trace.ops[i].blob.size(), 4096u);
    }
  }
}

TEST(Generate, SameSeedSameTrace) {
  for (uint64_t seed = 0; seed < 50; ++seed)
    EXPECT_TRUE(SameTrace(RandomTrace(seed), RandomTrace(seed)));
  EXPECT_FALSE(SameTrace(RandomTrace(1), RandomTrace(2)));
}

TEST(Generate, EveryKindAppears) {
  std::set<OpKind> kinds;
  for (uint64_t seed = 0; seed < 200; ++seed)
    for (const Op& op : RandomTrace(seed).ops) kinds.insert(op.kind);
  EXPECT_EQ(kinds.size(), static_cast<size_t>(kOpKinds));
}

TEST(Generate, StartersAreWellFormed) {
  for (const Starter& starter : StarterTraces()) {
    EXPECT_EQ(ValidateWorld(starter.trace.world), "") << starter.name;
    EXPECT_GE(starter.trace.ops.size(), 12u) << starter.name;
    for (size_t i = 0; i < starter.trace.ops.size(); ++i)
      EXPECT_EQ(CheckOp(starter.trace.ops[i], i), "") << starter.name;
  }
}

TEST(Generate, ExhaustiveIsAllSequencesOnce) {
  Trace prefix;
  std::vector<Op> alphabet(3);
  for (uint32_t i = 0; i < 3; ++i)
    alphabet[i].kind = OpKind::kFailAlloc, alphabet[i].failAlloc.nth = i;
  std::set<std::vector<uint32_t>> seen;
  EachTrace(prefix, alphabet, 4, [&](const Trace& trace) {
    std::vector<uint32_t> word;
    for (const Op& op : trace.ops) word.push_back(op.failAlloc.nth);
    EXPECT_TRUE(seen.insert(word).second);
    return true;
  });
  EXPECT_EQ(seen.size(), 81u);
  int calls = 0;
  EachTrace(prefix, alphabet, 0, [&](const Trace&) { return ++calls < 5; });
  EXPECT_EQ(calls, 1);
  EachTrace(prefix, alphabet, 2, [&](const Trace&) { return ++calls < 5; });
  EXPECT_EQ(calls, 5);
}

TEST(Generate, NestedAlphabetStandsOnItsPrefix) {
  Trace prefix;
  std::vector<Op> alphabet;
  NestedAlphabet(&prefix, &alphabet);
  EXPECT_GE(alphabet.size(), 8u);
  for (const Op& op : alphabet) EXPECT_EQ(CheckOp(op, prefix.ops.size()), "");
}

}  // namespace
}  // namespace twinwalk::fuzz
