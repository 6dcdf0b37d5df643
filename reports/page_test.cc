#include "reports/page.h"

#include <gtest/gtest.h>

#include "reports/test_sample.h"

namespace twinwalk::reports {
namespace {

Verification PassedSample() {
  Verification v;
  v.captures = {AgreedSample()};
  v.goldens = {PlantedSample()};
  v.proofs_ran = v.fuzz_ran = true;
  v.proofs = {ProofSample("ioas_map", "no-stale", "holds"),
              ProofSample("ioas_unmap", "no-stale", "framed"),
              ProofSample("ioas_unmap", "tag-owner", "refuted", true)};
  v.fuzz = {{"trace_fuzzer", 20000, 7, 0, {{"ops", 400000}}, 0, "", ""}};
  return v;
}

size_t Occurrences(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST(Page, SaysWhenAllIsWell) {
  const std::string page = PageHtml(PassedSample());
  EXPECT_NE(page.find("No divergence, no violation"), std::string::npos);
  EXPECT_EQ(page.find("to act on"), std::string::npos);
  EXPECT_NE(page.find("emulator: a quirk"), std::string::npos);
  EXPECT_NE(page.find("a stale one (member 1)"), std::string::npos);
  EXPECT_NE(page.find("400,000"), std::string::npos);
}

TEST(Page, TellsAFindingFirst) {
  Verification v = PassedSample();
  v.goldens = {ViolatedSample()};
  const std::string page = PageHtml(v);
  EXPECT_NE(page.find("1 finding to act on"), std::string::npos);
  const size_t should = page.find("a retained translation agrees with a live area");
  ASSERT_NE(should, std::string::npos);
  EXPECT_LT(should, page.find("id=\"captures\""));
  EXPECT_NE(page.find("replay --level touched traces/golden/bad_unmap.txt"), std::string::npos);
}

// Each way to fail changes the verdict.
TEST(Page, EveryFailureShows) {
  const auto fails = [](auto&& change) {
    Verification v = PassedSample();
    EXPECT_TRUE(v.passed());
    change(&v);
    return !v.passed() && PageHtml(v).find("No divergence, no violation") == std::string::npos;
  };
  EXPECT_TRUE(fails([](Verification* v) { v->captures[0].differences[0].reason = ""; }));
  EXPECT_TRUE(fails([](Verification* v) { v->captures[0].undecided = 1; }));
  EXPECT_TRUE(fails([](Verification* v) { v->captures[0].error = "byte 7: torn"; }));
  EXPECT_TRUE(fails([](Verification* v) { v->goldens[0].met = false; }));
  EXPECT_TRUE(fails([](Verification* v) { v->goldens = {ViolatedSample()}; }));
  EXPECT_TRUE(fails([](Verification* v) { v->goldens.clear(); }));
  EXPECT_TRUE(fails([](Verification* v) { v->captures.clear(); }));
  EXPECT_TRUE(fails([](Verification* v) { v->proofs[0].verdict = "unknown"; }));
  EXPECT_TRUE(fails([](Verification* v) { v->proofs[1].verdict = "refuted, not realised"; }));
  EXPECT_TRUE(fails([](Verification* v) { v->proofs[2].verdict = "holds"; }));
  EXPECT_TRUE(fails([](Verification* v) { v->proofs[0].fault = "planted"; }));
  EXPECT_TRUE(fails([](Verification* v) { v->mutants = {{"x", true, false, "", 0, 0}}; }));
  EXPECT_TRUE(fails([](Verification* v) { v->fuzz[0].finds = 1; }));
  EXPECT_TRUE(fails([](Verification* v) { v->fuzz[0].status = 77; }));
}

TEST(Page, SaysWhatWasNotRun) {
  Verification v = PassedSample();
  v.proofs_ran = v.fuzz_ran = false;
  v.proofs.clear();
  v.fuzz.clear();
  const std::string page = PageHtml(v);
  EXPECT_NE(page.find("Proofs were not run."), std::string::npos);
  EXPECT_NE(page.find("Fuzzing was not run."), std::string::npos);
}

TEST(Page, TextOfATraceIsNeverMarkup) {
  Verification v = PassedSample();
  v.goldens = {ViolatedSample()};
  v.goldens[0].trace = "x<script>alert(1)</script>\".txt";
  v.goldens[0].findings[0].is = "</code><img src=x onerror=alert(1)>\x01`<b>`";
  v.captures[0].differences[0].recorded = "<svg onload='x'>";
  const std::string page = PageHtml(v);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(page.find("<svg"), std::string::npos);
  EXPECT_EQ(page.find('\x01'), std::string::npos);
}

TEST(Page, TellsWhatFuzzingFound) {
  Verification v = PassedSample();
  v.fuzz[0].status = 77;
  v.fuzz[0].told = "divergence at Op 7 (dma) <b>";
  v.fuzz[0].replay = "build/fuzz/trace_fuzzer build/finds/crash-1";
  const std::string page = PageHtml(v);
  const size_t told = page.find("divergence at Op 7 (dma) &lt;b&gt;");
  ASSERT_NE(told, std::string::npos);
  EXPECT_LT(told, page.find("id=\"captures\""));
  EXPECT_NE(page.find("build/fuzz/trace_fuzzer build/finds/crash-1"), std::string::npos);
  EXPECT_NE(page.find("1 finding to act on"), std::string::npos);
}

TEST(Page, LoadsNothing) {
  const std::string page = PageHtml(PassedSample());
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_EQ(page.find("url("), std::string::npos);
  EXPECT_EQ(Occurrences(page, "<section"), Occurrences(page, "</section>"));
  EXPECT_EQ(Occurrences(page, "<table"), Occurrences(page, "</table>"));
  EXPECT_EQ(Occurrences(page, "<div"), Occurrences(page, "</div>"));
}

TEST(Page, EachBoundHasItsLetter) {
  Verification v = PassedSample();
  EXPECT_EQ(PageHtml(v).find("(a)"), std::string::npos);
  v.proofs[1].bounds = "vm 1";
  const std::string page = PageHtml(v);
  EXPECT_NE(page.find("(a) vm 2, dev 3, area 3; (b) vm 1"), std::string::npos);
  EXPECT_NE(page.find(">framed b<"), std::string::npos);
}

}  // namespace
}  // namespace twinwalk::reports
