#include "reports/report.h"

#include <fmt/core.h>

#include "reports/escape.h"

namespace twinwalk::reports {

namespace {

// "3 Ops", "1 Op"
std::string Count(uint64_t n, const char* one) {
  return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s");
}

void Field(std::string* text, const char* name, const std::string& value) {
  if (!value.empty()) *text += fmt::format("  {:<10} {}\n", name, value);
}

// The rows beside the one that was told already.
void Rows(std::string* text, const std::vector<std::string>& rows, const std::string& told) {
  constexpr size_t kShown = 3;
  size_t others = 0;
  for (const std::string& row : rows)
    if (row != told && ++others <= kShown) Field(text, "row", row);
  if (others > kShown) Field(text, "row", fmt::format("and {} more", others - kShown));
}

std::string Opinions(const ReplayReport& r) {
  std::string text = Count(r.ops, "Op") + ", " + Count(r.ioctls, "ioctl");
  if (r.raw_ioctls != 0) text += fmt::format(" (and {} not typed)", r.raw_ioctls);
  if (r.recorded_agree + r.recorded_differ != 0) {
    text += fmt::format("; {}: {} agree, {} differ", r.expect.empty() ? "recorded" : "written",
                        r.recorded_agree, r.recorded_differ);
    if (r.recorded_differ != 0) text += fmt::format(" ({} unexplained)", r.unexplained());
  }
  if (!r.permitted_sets.empty())
    text += "; " + Count(r.permitted_sets.size(), "permitted set") + " of several answers";
  if (r.known_defects != 0) text += "; " + Count(r.known_defects, "known defect");
  if (r.undecided != 0) text += fmt::format("; {} UNDECIDED", r.undecided);
  return text;
}

}  // namespace

std::string FindingText(const FindingReport& f) {
  std::string text = f.trace + ": " + f.kind;
  if (!f.invariant.empty()) text += " of " + f.invariant;
  text += fmt::format(" at Op {}\n", f.ordinal);
  Field(&text, "in words", f.words);
  for (const std::string& op : f.before) Field(&text, "before", op);
  Field(&text, "Op", f.op);
  Field(&text, "should be", f.should_be);
  Field(&text, "is", f.is);
  Rows(&text, f.rows, f.is);
  for (const Clause& clause : f.also) {
    Field(&text, "also", clause.kind + (clause.invariant.empty() ? "" : " of " + clause.invariant));
    Field(&text, "should be", clause.should_be);
    Field(&text, "is", clause.is);
    Rows(&text, clause.rows, clause.is);
  }
  Field(&text, "sheet", f.sheet);
  Field(&text, "replay", f.replay);
  return text;
}

std::string ReplayText(const ReplayReport& r) {
  if (r.passed()) {
    const bool plain = r.expect.empty() || r.expect == "agree";
    return r.trace + ": " + (plain ? "agrees" : r.expect + ", as expected") + ", " + Opinions(r) +
           "\n";
  }
  std::string text = fmt::format("{}: FAILED, {}, {}\n", r.trace, r.result(), Opinions(r));
  Field(&text, "error", r.error);
  if (!r.met) Field(&text, "expected", r.expect);
  if (!r.met) Field(&text, "but", r.why);
  for (const FindingReport& finding : r.findings) text += FindingText(finding);
  for (const DifferenceReport& d : r.differences) {
    if (!d.reason.empty()) continue;
    Field(&text, "Op", d.op);
    Field(&text, "recorded", d.field + " = " + d.recorded);
    Field(&text, "reference", d.field + " = " + d.reference);
  }
  return text;
}

std::string JUnitText(const std::vector<ReplayReport>& reports) {
  size_t failures = 0;
  std::string cases;
  for (const ReplayReport& r : reports) {
    cases += fmt::format("  <testcase classname=\"replay\" name=\"{}\"", Escaped(r.trace));
    if (r.passed()) {
      cases += "/>\n";
      continue;
    }
    ++failures;
    cases += fmt::format("><failure message=\"{}\">{}</failure></testcase>\n",
                         Escaped(r.error.empty() ? r.result() : r.error), Escaped(ReplayText(r)));
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuite name=\"twinwalk replay\" tests=\"{}\" failures=\"{}\">\n{}"
      "</testsuite>\n",
      reports.size(), failures, cases);
}

}  // namespace twinwalk::reports
