// Shrinking against tiny Machines: a subject that goes wrong when a given pair of Ops has come.
#include "fuzz/shrink.h"

#include <gtest/gtest.h>

#include <functional>

#include "fuzz/edit.h"
#include "fuzz/generate.h"
#include "fuzz/harness.h"

namespace twinwalk::fuzz {
namespace {

// Answers id 1 to everything; from Op `second` on, once `first` was seen, err 5.
class Subject : public Machine {
 public:
  Subject(OpKind first, OpKind second) : first_(first), second_(second) {}
  const char* name() const override { return "subject"; }
  void Reset(const World&) override { seen_ = false; }
  Outcome Step(const Op& op) override {
    Outcome outcome;
    outcome.id = 1;
    if (seen_ && op.kind == second_) outcome.err = 5;
    seen_ |= op.kind == first_ && Wanted(op);
    return outcome;
  }
  void GetView(ViewScope, View<Concrete>*) const override {}
  Outcome Peek(const Op&) const override { return {}; }
  void SetObserver(MicroStepObserver*) override {}
  std::function<bool(const Op&)> wanted;

 private:
  bool Wanted(const Op& op) const { return !wanted || wanted(op); }
  OpKind first_, second_;
  bool seen_ = false;
};

class Reference : public PermittingMachine {
 public:
  const char* name() const override { return "reference"; }
  void Reset(const World&) override {}
  Outcome Step(const Op&) override {
    Outcome outcome;
    outcome.id = 1;
    return outcome;
  }
  void GetView(ViewScope, View<Concrete>*) const override {}
  Outcome Peek(const Op&) const override { return {}; }
  void SetObserver(MicroStepObserver*) override {}
  GuidedStep StepTowards(const Op& op, const Outcome& wanted) override {
    GuidedStep step;
    step.outcome = Step(op);
    step.match = step.outcome == wanted ? Match::kEqual : Match::kDifferent;
    return step;
  }
  std::vector<Outcome> Permitted(const Op&, size_t) const override { return {}; }
};

// A random trace on which the pair goes wrong.
Trace Failing(Harness& harness) {
  for (uint64_t seed = 0;; ++seed)
    if (Trace trace = RandomTrace(seed); harness.Run(trace)) return trace;
}

TEST(Shrink, FindsThePairAlone) {
  Subject subject(OpKind::kIoasMap, OpKind::kDma);
  Reference reference;
  Harness harness(&subject, &reference, CheckLevel::kOutcome);
  const Trace trace = Failing(harness);
  ASSERT_GT(trace.ops.size(), 4u);
  const Shrunk shrunk = Shrink(trace, [&](const Trace& t) { return harness.Run(t); });
  ASSERT_EQ(shrunk.trace.ops.size(), 2u);
  EXPECT_EQ(shrunk.trace.ops[0].kind, OpKind::kIoasMap);
  EXPECT_EQ(shrunk.trace.ops[1].kind, OpKind::kDma);
  for (uint64_t word : shrunk.trace.ops[1].words) EXPECT_EQ(word, 0u);
  EXPECT_TRUE(shrunk.trace.ops[1].blob.empty());
  EXPECT_LT(shrunk.runs, 2000u);
}

TEST(Shrink, KeepsWhatTheFindingNeeds) {
  Subject subject(OpKind::kIoasMap, OpKind::kDma);
  subject.wanted = [](const Op& op) { return op.ioasMap.length >= 0x3000; };
  Reference reference;
  Harness harness(&subject, &reference, CheckLevel::kOutcome);
  const Shrunk shrunk = Shrink(Failing(harness), [&](const Trace& t) { return harness.Run(t); });
  ASSERT_EQ(shrunk.trace.ops.size(), 2u);
  EXPECT_GE(shrunk.trace.ops[0].ioasMap.length, 0x3000u);
  EXPECT_EQ(shrunk.trace.ops[0].ioasMap.iova, 0u);
  EXPECT_EQ(shrunk.trace.world.devices.size(), 1u);
}

TEST(Shrink, AnotherFindingIsNotTheSame) {
  Trace trace = RandomTrace(1);
  Finding a;
  a.differences.push_back({"pieces[1].backing", "1", "2"});
  Finding b = a;
  b.differences[0].field = "pieces[7].backing";
  EXPECT_EQ(FindingKey(trace, a), FindingKey(trace, b));
  b.differences[0].field = "err";
  EXPECT_NE(FindingKey(trace, a), FindingKey(trace, b));
  Finding c;
  c.kind = Finding::Kind::kViolation;
  c.invariant = "no-stale";
  EXPECT_NE(FindingKey(trace, a), FindingKey(trace, c));
}

TEST(Harness, CoverageIsDeterministicAndNewsRunsOut) {
  Subject subject(OpKind::kRaw, OpKind::kRaw);
  Reference reference;
  std::string texts[2];
  for (std::string& text : texts) {
    Harness harness(&subject, &reference, CheckLevel::kTouched);
    harness.Run(RandomTrace(1));
    EXPECT_TRUE(harness.novel());
    for (int i = 0; i < 100; ++i) harness.Run(RandomTrace(1));
    EXPECT_FALSE(harness.novel());
    text = harness.coverage().Text();
  }
  EXPECT_EQ(texts[0], texts[1]);
}

}  // namespace
}  // namespace twinwalk::fuzz
