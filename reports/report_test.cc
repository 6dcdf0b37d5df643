#include "reports/report.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "reports/test_sample.h"

namespace twinwalk::reports {
namespace {

// reports/golden/ holds what each kind of report must look like; people wrote and read them.
std::string Golden(const std::string& name) {
  std::ifstream file("reports/golden/" + name);
  EXPECT_TRUE(file.good()) << name << " is missing (run from the root)";
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

FindingReport DivergenceSample() {
  FindingReport f;
  f.kind = "divergence";
  f.trace = "traces/captures/vsmmu-stale.jsonl.gz";
  f.ordinal = 17;
  f.op = "17 dma device=0 flags=1 iova=0x3000 length=8";
  f.before = {"15 p0 ioas_unmap fd=%0", "16 p0 ioas_map fd=%0"};
  f.should_be = "pieces[0] = 0x3000+8 -> backing 2 offset 0x0; err = 0x0";
  f.is = "pieces[0] = 0x3000+8 -> backing 1 offset 0x0; err = 0x5";
  f.sheet = SheetOf(OpKind::kDma);
  f.replay = "build/opt/twinwalk replay --level full traces/captures/vsmmu-stale.jsonl.gz";
  return f;
}

TEST(Report, Violation) {
  EXPECT_EQ(FindingText(FindingSample()), Golden("violation.txt"));
}
TEST(Report, Divergence) {
  EXPECT_EQ(FindingText(DivergenceSample()), Golden("divergence.txt"));
}

TEST(Report, Order) {
  FindingReport f = FindingSample();
  f.invariant = "monitor";
  f.words = "no page is unpinned while hardware may still use it";
  f.should_be = "a page is unpinned only after its invalidation is done";
  f.is = "not so";
  f.rows = {"exposure a", "exposure b", "exposure c", "exposure d", "exposure e"};
  f.also = {{"violation",
             "no-stale",
             "a retained translation agrees with a live area",
             "retained a",
             {"retained a", "retained b"}}};
  EXPECT_EQ(FindingText(f), Golden("order.txt"));
}

TEST(Report, PassedTraceIsOneLine) {
  EXPECT_EQ(ReplayText(AgreedSample()),
            "traces/captures/vsmmu-basic.jsonl.gz: agrees, 120 Ops, 80 ioctls (and 2 not typed); "
            "recorded: 77 agree, 1 differ (0 unexplained); 1 permitted set of several answers\n");
  EXPECT_EQ(ReplayText(PlantedSample()),
            "traces/golden/bad_unmap.txt: violation no-stale with model configCacheSurvivesDetach, "
            "as expected, 10 Ops, 6 ioctls\n");
}

TEST(Report, FailedTraceTellsAll) {
  EXPECT_EQ(ReplayText(ViolatedSample()),
            "traces/golden/bad_unmap.txt: FAILED, violation of no-stale, 10 Ops, 6 ioctls\n" +
                Golden("violation.txt"));
  ReplayReport differs = AgreedSample();
  differs.differences[0].reason = "";
  EXPECT_EQ(ReplayText(differs), Golden("unexplained.txt"));
  ReplayReport damaged = AgreedSample();
  damaged.error = "byte 4096: checksum of frame 2";
  EXPECT_NE(ReplayText(damaged).find("FAILED, bad input"), std::string::npos);
  EXPECT_NE(ReplayText(damaged).find("byte 4096: checksum of frame 2"), std::string::npos);
  ReplayReport unmet = PlantedSample();
  unmet.planted.clear();
  unmet.met = false;
  unmet.why = "came nothing";
  EXPECT_FALSE(unmet.passed());
  EXPECT_NE(ReplayText(unmet).find("but        came nothing"), std::string::npos);
}

// The recording says which Op and field, the list of known differences why.
TEST(Report, KnownDifferencesExcuseWhatTheyName) {
  Trace trace;
  trace.ops.resize(3);
  ReplayResult result;
  result.recorded_differ = {{1, {{"pieces[0]", "recorded", "ours"}}}};
  const ReplaySource source{"a/vsmmu-x.jsonl"};
  EXPECT_EQ(FillReplayReport(source, trace, result, nullptr).unexplained(), 1u);
  auto known = KnownDifferences::Parse("vsmmu-x 1 pieces a quirk of the emulator\n", "k");
  ASSERT_TRUE(known.ok()) << known.status().ToString();
  const ReplayReport excused = FillReplayReport(source, trace, result, &*known);
  EXPECT_TRUE(excused.passed()) << excused.why;
  EXPECT_EQ(excused.differences.at(0).reason, "a quirk of the emulator");
  EXPECT_EQ(excused.differences.at(0).recorded, "recorded");
  EXPECT_EQ(excused.differences.at(0).reference, "ours");
  // A line that excuses nothing fails too.
  result.recorded_differ.clear();
  auto rotten = KnownDifferences::Parse("vsmmu-x 1 pieces a quirk of the emulator\n", "k");
  EXPECT_FALSE(FillReplayReport(source, trace, result, &*rotten).passed());
}

// Findings of each kind come through, named and counted.
TEST(Report, FillsFindings) {
  Trace trace;
  trace.ops.resize(5);
  trace.ops[4].kind = OpKind::kIoasUnmap;
  ReplayResult result;
  Finding finding;
  finding.kind = Finding::Kind::kViolation;
  finding.ordinal = 4;
  finding.invariant = "tag-owner";
  finding.clause = "a tag in use has a live owner";
  finding.rows = {"tag key=0x1"};
  result.findings = {finding};
  ReplayReport report = FillReplayReport({"x.txt"}, trace, result, nullptr);
  EXPECT_EQ(report.violations, 1u);
  EXPECT_EQ(report.divergences, 0u);
  EXPECT_FALSE(report.passed());
  EXPECT_EQ(report.result(), "violation of tag-owner");
  const FindingReport& told = report.findings.at(0);
  EXPECT_EQ(told.before.size(), kShownBefore);
  EXPECT_EQ(told.should_be, "a tag in use has a live owner");
  EXPECT_EQ(told.is, "tag key=0x1");
  EXPECT_EQ(told.sheet, "iommufd sheet 6.8");
  EXPECT_NE(told.words.find("VMID"), std::string::npos);
  EXPECT_EQ(told.replay, "build/opt/twinwalk replay --level touched x.txt");
  result.findings[0].kind = Finding::Kind::kDivergence;
  result.findings[0].differences = {{"err", "0x0", "0x16"}};
  report = FillReplayReport({"x.txt", "someFault"}, trace, result, nullptr);
  EXPECT_EQ(report.divergences, 1u);
  EXPECT_EQ(report.findings.at(0).should_be, "err = 0x0");
  EXPECT_EQ(report.findings.at(0).is, "err = 0x16");
  EXPECT_NE(report.findings.at(0).replay.find("--fault someFault"), std::string::npos);
}

// Many rows of one clause are one finding; what else broke after the same Op is told with it.
TEST(Report, GroupsFindingsOfOneOp) {
  Trace trace;
  trace.ops.resize(1);
  Finding order, stale;
  order.kind = Finding::Kind::kOrder;
  order.invariant = "monitor";
  order.clause = "no page is unpinned";
  order.rows = {"exposure a"};
  stale.kind = Finding::Kind::kViolation;
  stale.invariant = "no-stale";
  stale.clause = "agrees";
  stale.rows = {"retained a"};
  ReplayResult result;
  result.findings = {order, stale, stale};
  result.findings[2].rows = {"retained b"};
  const ReplayReport report = FillReplayReport({"x.txt"}, trace, result, nullptr);
  EXPECT_EQ(report.violations, 2u);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].invariant, "monitor");
  ASSERT_EQ(report.findings[0].also.size(), 1u);
  EXPECT_EQ(report.findings[0].also[0].rows,
            (std::vector<std::string>{"retained a", "retained b"}));
}

TEST(Report, JUnit) {
  ReplayReport bad = ViolatedSample();
  bad.trace = "a<b>&\".txt";
  const std::string xml = JUnitText({AgreedSample(), bad});
  EXPECT_NE(xml.find("tests=\"2\" failures=\"1\""), std::string::npos);
  EXPECT_NE(xml.find("name=\"a&lt;b&gt;&amp;&quot;.txt\""), std::string::npos);
  EXPECT_EQ(xml.find("<b>"), std::string::npos);
}

}  // namespace
}  // namespace twinwalk::reports
