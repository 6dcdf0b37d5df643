// Every golden trace meets its expectation; the checker of expectations can fail; and one trace
// shows that both members of a permitted set pass, a third value does not.
#include "reports/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "model/model.h"
#include "reference/reference.h"
#include "traces/text.h"

namespace twinwalk {
namespace {

std::vector<std::string> GoldenFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator("traces/golden"))
    files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

Trace Load(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  Result<Trace> trace = ParseTrace(text.str(), path);
  EXPECT_TRUE(trace.ok()) << trace.status().ToString();
  return trace.ok() ? *trace : Trace{};
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, MeetsItsExpectation) {
  const Trace trace = Load(GetParam());
  ASSERT_FALSE(trace.expect.empty());
  const GoldenVerdict verdict = CheckGolden(trace, CheckLevel::kFull);
  EXPECT_TRUE(verdict.met) << verdict.why;
  EXPECT_EQ(verdict.result.counts.undecided, 0u);
}

std::string NameOf(const testing::TestParamInfo<std::string>& info) {
  return std::filesystem::path(info.param).stem().string();
}
INSTANTIATE_TEST_SUITE_P(Files, Golden, testing::ValuesIn(GoldenFiles()), NameOf);

TEST(GoldenChecker, AWrongExpectationIsNotMet) {
  Trace trace = Load("traces/golden/good_ioas.txt");
  for (Op& op : trace.ops)
    if (op.kind == OpKind::kIoasUnmap) op.recorded->values[0] ^= 1;
  EXPECT_FALSE(CheckGolden(trace, CheckLevel::kFull).met);
  trace = Load("traces/golden/good_ioas.txt");
  trace.expect = "violation no-stale with model unpinBeforeInvDone";  // nothing here can show it
  EXPECT_FALSE(CheckGolden(trace, CheckLevel::kFull).met);
  trace.expect = "violation no-stale with model noSuchFault";
  EXPECT_FALSE(CheckGolden(trace, CheckLevel::kFull).met);
}

// Passes Ops on, but answers one of them with another page.
class Forger : public Machine {
 public:
  explicit Forger(size_t ordinal) : machine_(MakeModel()), ordinal_(ordinal) {}
  const char* name() const override { return "forger"; }
  void Reset(const World& world) override { machine_->Reset(world), steps_ = 0; }
  Outcome Step(const Op& op) override {
    Outcome outcome = machine_->Step(op);
    if (steps_++ == ordinal_) outcome.pieces.at(0).offset = 0xb000;
    return outcome;
  }
  void GetView(ViewScope scope, View<Concrete>* view) const override {
    machine_->GetView(scope, view);
  }
  Outcome Peek(const Op& op) const override { return machine_->Peek(op); }
  void SetObserver(MicroStepObserver* observer) override { machine_->SetObserver(observer); }

 private:
  std::unique_ptr<Machine> machine_;
  size_t ordinal_, steps_ = 0;
};

struct StaleRun {
  LockstepCounts counts;
  std::vector<Finding> findings;
  uint64_t offset = 0;  // where the access with a choice went
};

// Ordinal of the access that has a choice: the second that the file leaves open.
size_t ChoiceOrdinal(const Trace& trace) {
  for (size_t i = 0; i < trace.ops.size(); ++i)
    if (trace.ops[i].kind == OpKind::kDma && (trace.ops[i].recorded->known & Outcome::kPieces) == 0)
      return i;
  return 0;
}

StaleRun RunStale(Machine* model, uint32_t tlb_entries) {
  Trace trace = Load("traces/golden/good_stale_choice.txt");
  trace.world.smmus[0].tlbEntries = tlb_entries;
  auto reference = MakeReference();
  Lockstep lockstep(model, reference.get(), CheckLevel::kFull);
  lockstep.Reset(trace.world);
  StaleRun run;
  const size_t choice = ChoiceOrdinal(trace);
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    if (!lockstep.Step(trace.ops[i])) break;
    if (i == choice) run.offset = lockstep.outcome().pieces.at(0).offset;
  }
  run.counts = lockstep.counts();
  run.findings = lockstep.findings();
  return run;
}

TEST(PermittedSet, WarmCacheAnswersWithTheOldPageColdCacheWithTheNew) {
  auto model = MakeModel();
  const StaleRun warm = RunStale(model.get(), 64);
  EXPECT_TRUE(warm.findings.empty());
  EXPECT_EQ(warm.offset, 0x8000u);
  EXPECT_GT(warm.counts.other_member, 0u);
  const StaleRun cold = RunStale(model.get(), 1);
  EXPECT_TRUE(cold.findings.empty());
  EXPECT_EQ(cold.offset, 0xa000u);
}

TEST(PermittedSet, AThirdValueIsRejected) {
  const Trace trace = Load("traces/golden/good_stale_choice.txt");
  Forger forger(ChoiceOrdinal(trace));
  const StaleRun run = RunStale(&forger, 64);
  ASSERT_EQ(run.findings.size(), 1u);
  EXPECT_EQ(run.findings[0].kind, Finding::Kind::kDivergence);
  EXPECT_EQ(run.findings[0].ordinal, ChoiceOrdinal(trace));
}

}  // namespace
}  // namespace twinwalk
