// Lockstep over tiny Machines: a scripted subject against a scripted reference, so that each way of
// being wrong is planted and seen.
#include "traces/lockstep.h"

#include <gtest/gtest.h>

#include <functional>

namespace twinwalk {
namespace {

Outcome Landed(uint64_t backing) {
  Outcome o;
  o.pieces.push_back({.iova = 0x1000, .length = 4, .rights = kRead, .backing = backing});
  return o;
}

class Subject : public Machine {
 public:
  const char* name() const override { return "subject"; }
  void Reset(const World&) override {}
  Outcome Step(const Op& op) override {
    if (during && observer_ != nullptr) during(observer_);
    return answer ? answer(op) : Outcome{};
  }
  void GetView(ViewScope, View<Concrete>* view) const override { *view = this->view; }
  Outcome Peek(const Op&) const override { return peeked; }
  void SetObserver(MicroStepObserver* observer) override { observer_ = observer; }

  std::function<Outcome(const Op&)> answer;
  std::function<void(MicroStepObserver*)> during;
  View<Concrete> view;
  Outcome peeked = Landed(1);

 private:
  MicroStepObserver* observer_ = nullptr;
};

class Reference : public PermittingMachine {
 public:
  const char* name() const override { return "reference"; }
  void Reset(const World&) override {}
  Outcome Step(const Op& op) override { return StepTowards(op, {}).outcome; }
  void GetView(ViewScope, View<Concrete>* view) const override { *view = this->view; }
  Outcome Peek(const Op&) const override { return permitted[0]; }
  void SetObserver(MicroStepObserver*) override {}
  GuidedStep StepTowards(const Op& op, const Outcome& wanted) override {
    if (op.kind != OpKind::kDma) {
      if (!later.empty()) permitted = later;
      return {other, Match::kEqual, 1};
    }
    for (size_t i = 0; i < permitted.size(); ++i)
      if (permitted[i] == wanted) return {wanted, Match::kEqual, static_cast<uint32_t>(i + 1)};
    return {permitted[0], Match::kDifferent, 2};
  }
  std::vector<Outcome> Permitted(const Op&, size_t) const override { return permitted; }

  std::vector<Outcome> permitted{Landed(1), Landed(2)};
  std::vector<Outcome> later;  // permitted once another Op was taken; empty: no change
  Outcome other;
  View<Concrete> view;
};

Op Dma() {
  Op op;
  op.kind = OpKind::kDma;
  op.dma.iova = 0x1000, op.dma.length = 4;
  return op;
}
Op Call() {
  Op op;
  op.kind = OpKind::kIoasAlloc;
  return op;
}

struct Pair {
  explicit Pair(CheckLevel level = CheckLevel::kFull) : lockstep(&subject, &reference, level) {
    lockstep.Reset(World{});
  }
  Subject subject;
  Reference reference;
  Lockstep lockstep;
};

TEST(Lockstep, BothMembersOfAPermittedSetPassAndAThirdValueDoesNot) {
  Pair p;
  p.subject.answer = [](const Op&) { return Landed(1); };
  EXPECT_TRUE(p.lockstep.Step(Dma()));
  EXPECT_EQ(p.lockstep.counts().other_member, 0u);
  p.subject.answer = [](const Op&) { return Landed(2); };
  EXPECT_TRUE(p.lockstep.Step(Dma()));
  EXPECT_EQ(p.lockstep.counts().other_member, 1u);
  p.subject.answer = [](const Op&) { return Landed(3); };
  EXPECT_FALSE(p.lockstep.Step(Dma()));
  ASSERT_EQ(p.lockstep.findings().size(), 1u);
  const Finding& f = p.lockstep.findings()[0];
  EXPECT_EQ(f.kind, Finding::Kind::kDivergence);
  EXPECT_EQ(f.ordinal, 2u);
  ASSERT_EQ(f.differences.size(), 1u);
  EXPECT_EQ(f.differences[0].should_be, "iova 0x1000 length 4 -> backing 1 offset 0x0 rights 1");
  EXPECT_EQ(f.differences[0].is, "iova 0x1000 length 4 -> backing 3 offset 0x0 rights 1");
}

TEST(Lockstep, AnotherErrnoIsADivergence) {
  Pair p;
  p.subject.answer = [](const Op&) {
    Outcome o;
    o.err = 22;
    return o;
  };
  EXPECT_FALSE(p.lockstep.Step(Call()));
  EXPECT_EQ(p.lockstep.findings()[0].differences[0].field, "err");
}

TEST(Lockstep, AViolationNamesInvariantAndRow) {
  Pair p;
  p.subject.view.ioases.Insert({5, 1});  // counts an HWPT that is not there
  p.reference.view = p.subject.view;
  EXPECT_FALSE(p.lockstep.Step(Call()));
  const Finding& f = p.lockstep.findings()[0];
  EXPECT_EQ(f.kind, Finding::Kind::kViolation);
  EXPECT_EQ(f.invariant, "lifetime");
  EXPECT_EQ(f.rows, std::vector<std::string>{"ioas key=0x5 users=0x1"});
}

TEST(Lockstep, LevelOutcomeDoesNotLookAtViews) {
  Pair p(CheckLevel::kOutcome);
  p.subject.view.ioases.Insert({5, 1});
  EXPECT_TRUE(p.lockstep.Step(Call()));
}

TEST(Lockstep, ViewsAreComparedAtLevelFull) {
  Pair p;
  p.subject.view.ioases.Insert({5, 0});
  EXPECT_FALSE(p.lockstep.Step(Call()));
  EXPECT_EQ(p.lockstep.findings()[0].kind, Finding::Kind::kViewDiffers);
  EXPECT_EQ(p.lockstep.findings()[0].rows, std::vector<std::string>{"+ ioas key=0x5"});
}

TEST(Lockstep, MicroStepsInABadOrderAreReported) {
  Pair p(CheckLevel::kTouched);
  p.subject.during = [](MicroStepObserver* o) {
    MicroStep<uint64_t> s;
    s.backing = 1, s.last = 0xfff, s.length = 0x1000;
    s.kind = MicroStepKind::kMapVisible;
    o->OnMicroStep(s);
    s.kind = MicroStepKind::kPageUnpinned;
    o->OnMicroStep(s);
  };
  EXPECT_FALSE(p.lockstep.Step(Call()));
  EXPECT_EQ(p.lockstep.findings()[0].kind, Finding::Kind::kOrder);
}

void Announce(MicroStepObserver* o, MicroStepKind kind) {
  MicroStep<uint64_t> s;
  s.kind = kind;
  o->OnMicroStep(s);
}

TEST(Lockstep, AProbeInsideAnOpMustMeetBeforeOrAfter) {
  Pair p;
  p.subject.answer = [](const Op& op) { return op.kind == OpKind::kDma ? Landed(1) : Outcome{}; };
  ASSERT_TRUE(p.lockstep.Step(Dma()));  // becomes a probe
  p.subject.during = [](MicroStepObserver* o) { Announce(o, MicroStepKind::kMapGone); };
  EXPECT_TRUE(p.lockstep.Step(Call()));
  EXPECT_EQ(p.lockstep.counts().probes, 1u);
  p.subject.peeked = Landed(3);
  EXPECT_FALSE(p.lockstep.Step(Call()));
  EXPECT_EQ(p.lockstep.findings()[0].kind, Finding::Kind::kProbe);
}

TEST(Lockstep, AProbeMustNotMeetAPageThatWasJustFreed) {
  Pair p;
  p.subject.answer = [](const Op& op) { return op.kind == OpKind::kDma ? Landed(1) : Outcome{}; };
  ASSERT_TRUE(p.lockstep.Step(Dma()));
  p.subject.during = [](MicroStepObserver* o) {
    MicroStep<uint64_t> s;
    s.kind = MicroStepKind::kPageUnpinned;
    s.backing = 2, s.length = 0x1000;
    o->OnMicroStep(s);  // another page
    s.backing = 1;
    o->OnMicroStep(s);
  };
  EXPECT_TRUE(p.lockstep.Step(Call()));  // still permitted after the Op
  Outcome fault = Landed(0);
  fault.pieces[0].fault = 0x10;
  p.reference.later = {fault};
  EXPECT_FALSE(p.lockstep.Step(Call()));
  EXPECT_EQ(p.lockstep.findings()[0].kind, Finding::Kind::kProbe);
}

TEST(Lockstep, APlacedAccessHappensAtItsStepOnly) {
  Pair p(CheckLevel::kTouched);
  Op placed = Dma();
  placed.dma.placeKind = static_cast<uint16_t>(MicroStepKind::kMapGone) + 1;
  placed.dma.placeNth = 1;
  p.subject.during = [&](MicroStepObserver* o) {
    p.subject.peeked = Landed(3);
    Announce(o, MicroStepKind::kMapGone);  // the first: not the place
    p.subject.peeked = Landed(1);
    Announce(o, MicroStepKind::kMapGone);
    p.subject.peeked = Landed(3);
    Announce(o, MicroStepKind::kInvDone);
  };
  EXPECT_TRUE(p.lockstep.Step(placed));
  EXPECT_TRUE(p.lockstep.Step(Call()));
  EXPECT_EQ(p.lockstep.counts().probes, 1u);
}

TEST(Lockstep, KnownDefectsAreCountedNotPassedOver) {
  Pair p(CheckLevel::kTouched);
  EventRow<Concrete> e;
  e.device = 1, e.queue = (uint64_t{1} << 32) + 7, e.streamId = 0x10;
  p.subject.view.events.Insert(e);
  World frozen;
  frozen.rules.eventVsidFrozenAtAttach = true;
  p.lockstep.Reset(frozen);
  EXPECT_FALSE(p.lockstep.Step(Call()));  // fault-routing still says it
  EXPECT_EQ(p.lockstep.counts().known_defects, 1u);
  EXPECT_EQ(p.lockstep.findings().size(), 1u);
  World repaired;
  repaired.rules.eventVsidFrozenAtAttach = false;
  p.lockstep.Reset(repaired);
  EXPECT_FALSE(p.lockstep.Step(Call()));
  EXPECT_EQ(p.lockstep.findings().size(), 2u);
}

}  // namespace
}  // namespace twinwalk
