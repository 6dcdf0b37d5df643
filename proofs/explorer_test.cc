#include "proofs/explorer.h"

#include <gtest/gtest.h>

#include <random>

#include "proofs/sym.h"

namespace twinwalk::proofs {
namespace {

// A small function with branches whose meaning a native run gives too.
template <class Word>
Word Branchy(Word x, Word y) {
  Word r = 0;
  if (x < y) r = r + 1;
  if ((x & Word(7)) == Word(3)) {
    r = r + 10;
    if (y > Word(100)) r = r + 20;
  }
  for (int i = 0; i < 2; ++i)
    if ((y >> Word(static_cast<uint64_t>(i)) & Word(1)) == Word(1)) r = r + 100;
  return r;
}

// Each sampled input satisfies the condition of exactly one path, and that path's result is the
// native one.
TEST(Explorer, PathsPartitionTheInputs) {
  Explorer e;
  std::vector<std::pair<B, W>> paths;
  W x, y;
  e.Explore([&] {
    x = e.Fresh("x"), y = e.Fresh("y");
    const W r = Branchy(x, y);
    paths.emplace_back(e.PathCondition(), r);
  });
  EXPECT_EQ(paths.size(), e.completed());
  std::mt19937_64 random(7);
  for (int i = 0; i < 30; ++i) {
    const uint64_t a = random() >> (random() % 64), b = random() >> (random() % 64);
    int taken = 0;
    e.Explore([&] {
      e.Assume(x == a && y == b);
      for (size_t k = 0; k < paths.size(); ++k) {
        const std::string not_taken = std::to_string(i) + " not on path " + std::to_string(k);
        e.Prove(not_taken, "", !paths[k].first);
        if (e.FindGroup(not_taken).verdict == Verdict::kHolds) continue;
        ++taken;
        e.Prove("result", not_taken, paths[k].second == W(Branchy<uint64_t>(a, b)));
      }
    });
    EXPECT_EQ(taken, 1) << a << " " << b;
  }
  EXPECT_EQ(e.FindGroup("result").verdict, Verdict::kHolds) << e.FindGroup("result").what;
}

TEST(Explorer, CountsOnlyFeasiblePaths) {
  Explorer e;
  e.Explore([&] {
    const W x = e.Fresh("x");
    if (x < W(10)) {
      if (x > W(20)) FAIL();
    }
  });
  EXPECT_EQ(e.paths(), 2u);
}

TEST(Explorer, CanaryIsRefutedWithAModel) {
  Explorer e;
  W x;
  e.Explore([&] {
    x = e.Fresh("x");
    e.Prove("good", "x <= x + 1 unless it wraps", x == W(~uint64_t{0}) || x <= x + 1);
    e.Prove("canary", "x <= x + 1", x <= x + 1);
  });
  EXPECT_EQ(e.FindGroup("good").verdict, Verdict::kHolds);
  ASSERT_EQ(e.FindGroup("canary").verdict, Verdict::kRefuted);
  EXPECT_EQ(e.FindGroup("canary").counterexample->Value(x), ~uint64_t{0});
}

TEST(Explorer, VacuousAssumptionIsSeen) {
  Explorer e;
  e.Explore([&] {
    const W x = e.Fresh("x");
    e.Assume(x < W(3) && x > W(7));
    e.Prove("anything", "false", B(false));
  });
  EXPECT_EQ(e.paths(), 1u);
  EXPECT_EQ(e.completed(), 0u);
  Explorer constant;
  constant.Explore([&] { constant.Assume(false); });
  EXPECT_EQ(constant.completed(), 0u);
}

TEST(Explorer, CoverTellsReachableFromNot) {
  Explorer e;
  e.Explore([&] {
    const W x = e.Fresh("x");
    e.Assume(x < W(3));
    e.Cover("two", x == W(2));
    e.Cover("three", x == W(3));
  });
  EXPECT_EQ(e.covers()[0], (std::pair<std::string, bool>("two", true)));
  EXPECT_EQ(e.covers()[1], (std::pair<std::string, bool>("three", false)));
}

TEST(Explorer, ForkTakesEachAlternative) {
  Explorer e;
  std::vector<int> seen;
  e.Explore([&] {
    const int a = e.Fork(3);
    const int b = a == 1 ? e.Fork(2) : 0;
    seen.push_back(a * 10 + b);
  });
  EXPECT_EQ(seen, (std::vector<int>{0, 10, 11, 20}));
}

TEST(Explorer, AnAssumptionEndsWithItsPath) {
  Explorer e;
  e.Explore([&] {
    const W x = e.Fresh("x");
    if (e.Fork(2) == 0)
      e.Assume(x == W(1));
    else
      e.Prove("free again", "x is 1 here too", x == W(1));
  });
  EXPECT_EQ(e.FindGroup("free again").verdict, Verdict::kRefuted);
}

TEST(Explorer, TooSmallBudgetIsUnknownNeverHolds) {
  Limits limits;
  limits.budgets = {1000, 1000, 1000};
  Explorer e(limits);
  e.Explore([&] {
    const W x = e.Fresh("x", 0xffffffff), y = e.Fresh("y", 0xffffffff);
    e.Prove("hard", "a product of two primes has no factors",
            x * y != W(4294967291 * 4294967279) || x == W(1) || y == W(1));
  });
  EXPECT_EQ(e.FindGroup("hard").verdict, Verdict::kUnknown);
}

TEST(Explorer, MergedEqualsUnmerged) {
  Explorer e;
  e.Explore([&] {
    Sym d(&e);
    const W x = e.Fresh("x"), y = e.Fresh("y");
    const W joined = d.Merged([&] { return Branchy(x, y); });
    const W nested = d.Merged([&] {
      const W inner = d.Merged([&] { return Branchy(x, y); });
      if (x < W(5)) return inner + 1;
      return inner;
    });
    e.Prove("nested", "", nested == Select(x < W(5), joined + 1, joined));
    e.Prove("same", "", joined == Branchy(x, y));  // forks here
    e.Prove("canary", "", joined == W(1));
  });
  EXPECT_EQ(e.FindGroup("same").verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("nested").verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("canary").verdict, Verdict::kRefuted);
  EXPECT_GT(e.completed(), 5u);
}

// A contract required on inner paths and used on the join.
TEST(Explorer, AxiomsOfInnerPathsReachTheJoin) {
  Explorer e;
  e.Explore([&] {
    Sym d(&e);
    const W x = e.Fresh("x");
    const W r = d.Merged([&] {
      const W y = e.Fresh("y");
      if (x < W(10)) {
        d.Axiom(y > x, "havoc");
        d.Require(y > x, "contract");
        return y;
      }
      return x + 0;
    });
    e.Prove("inner fact", "", x >= W(10) || r > x);
    e.Prove("no more than that", "", r > x);
  });
  EXPECT_EQ(e.FindGroup(kContractGroup).verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("inner fact").verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("no more than that").verdict, Verdict::kRefuted);
}

TEST(ExplorerDeathTest, NondeterminismIsNoticed) {
  EXPECT_DEATH(
      {
        Explorer e;
        uint64_t run = 0;
        e.Explore([&] {
          const W x = e.Fresh("x");
          if (x < W(++run)) (void)0;
        });
      },
      "not deterministic");
}

// What was proved is remembered for the paths that share the reason, and for no other.
TEST(Explorer, WhatIsProvedOnOneSideIsAskedOnTheOther) {
  Explorer e;
  e.Explore([&] {
    const W x = e.Fresh("x"), y = e.Fresh("y");
    e.Assume(x < W(100));
    if (y == W(1)) e.Fork(2);
    const bool small = x < W(10) ? true : false;
    e.Fork(2);
    e.Prove("always", "", x < W(101));
    e.Prove("on one side", "", x < W(11));
    if (small) e.Prove("there it holds", "", x < W(12));
  });
  EXPECT_EQ(e.paths(), 12u);
  EXPECT_EQ(e.FindGroup("always").verdict, Verdict::kHolds);
  EXPECT_LE(e.FindGroup("always").queries, 3u);
  EXPECT_EQ(e.FindGroup("on one side").verdict, Verdict::kRefuted);
  EXPECT_EQ(e.FindGroup("there it holds").verdict, Verdict::kHolds);
}

// What is heavy is known all the same, when it is needed.
TEST(Explorer, HeavyAssumptionsCount) {
  Explorer e;
  e.Explore([&] {
    const W x = e.Fresh("x");
    e.Assume(x < W(100), Solver::Weight::kHeavy);
    e.Prove("needs it", "", x < W(101));
    e.Prove("is not true", "", x < W(99));
  });
  EXPECT_EQ(e.FindGroup("needs it").verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("is not true").verdict, Verdict::kRefuted);
}

}  // namespace
}  // namespace twinwalk::proofs
