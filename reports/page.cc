#include "reports/page.h"

#include <algorithm>

#include "reports/page_style.h"

namespace twinwalk::reports {

namespace {

struct Sum {
  size_t rows = 0, passed = 0;
};

Sum Passed(const std::vector<ReplayReport>& reports) {
  Sum sum;
  for (const ReplayReport& r : reports) ++sum.rows, sum.passed += r.passed();
  return sum;
}

Sum PassedProofs(const std::vector<ProofRow>& rows, bool canaries) {
  Sum sum;
  for (const ProofRow& row : rows)
    if (row.must_be_refuted() == canaries && !row.not_run()) ++sum.rows, sum.passed += row.passed();
  return sum;
}

void Tile(Html* page, const std::string& cls, const std::string& big, const std::string& small) {
  page->Open("div", "tile " + cls);
  page->Element("b", big);
  page->Element("span", small);
  page->Close("div");
}

void SumTile(Html* page, Sum sum, const std::string& small) {
  const bool good = sum.rows != 0 && sum.passed == sum.rows;
  Tile(page,
       good            ? "good"
       : sum.rows == 0 ? "warn"
                       : "bad",
       Grouped(sum.passed) + " of " + Grouped(sum.rows), small);
}

std::string VerdictWords(const Verification& v) {
  size_t findings = v.findings().size();
  for (const FuzzRow& row : v.fuzz) findings += row.finds != 0 || row.status != 0;
  if (findings != 0)
    return Grouped(findings) + (findings == 1 ? " finding" : " findings") + " to act on";
  if (!v.passed()) return "Not everything came out as expected";
  return "No divergence, no violation";
}

std::string VerdictLead(const Verification& v) {
  uint64_t ops = 0, unexplained = 0, undecided = 0;
  for (const auto* reports : {&v.captures, &v.goldens}) {
    for (const ReplayReport& r : *reports)
      ops += r.ops, unexplained += r.unexplained(), undecided += r.undecided;
  }
  std::string text = "The model and the reference took " + Grouped(ops) + " Ops in lockstep. ";
  if (unexplained != 0)
    text += "Recorded answers that differ without a known reason: " + Grouped(unexplained) + ". ";
  if (undecided != 0) text += Grouped(undecided) + " Ops are undecided. ";
  const Sum theorems = PassedProofs(v.proofs, false), canaries = PassedProofs(v.proofs, true);
  const auto not_run = std::count_if(v.proofs.begin(), v.proofs.end(),
                                     [](const ProofRow& row) { return row.not_run(); });
  if (not_run != 0) {
    text += Grouped(static_cast<uint64_t>(not_run)) +
            " theorems were left out of these quick proofs; `ninja prove` runs them. ";
  }
  if (theorems.passed != theorems.rows)
    text += Grouped(theorems.rows - theorems.passed) + " theorems do not hold. ";
  if (canaries.passed != canaries.rows)
    text += Grouped(canaries.rows - canaries.passed) + " planted faults were not refuted. ";
  if (!v.proofs_ran) text += "Proofs were not run. ";
  if (!v.fuzz_ran) text += "Fuzzing was not run. ";
  return text +
         "This is a verdict about our model of a kernel's text and behaviour, never about a "
         "kernel itself.";
}

void Head(const Verification& v, Html* page) {
  page->Raw("<header><div>\n");
  page->Element("div", "Twinwalk verification report", "brand");
  page->Element("h1", "Can a device touch memory that it must not?");
  page->Open("div", v.passed() ? "verdict good" : "verdict bad");
  page->Element("strong", VerdictWords(v), v.passed() ? "good" : "bad");
  page->Element("p", VerdictLead(v));
  page->Close("div");
  page->Open("div", "tiles");
  SumTile(page, Passed(v.captures),
          "recordings of a real kernel agree or differ for a listed reason");
  SumTile(page, Passed(v.goldens), "golden traces end as they must");
  SumTile(page, PassedProofs(v.proofs, false), "theorems hold at the stated bounds");
  SumTile(page, PassedProofs(v.proofs, true), "planted faults refuted, as they must be");
  uint64_t runs = 0, finds = 0;
  for (const FuzzRow& row : v.fuzz) {
    runs += row.runs;
    finds += row.finds == 0 && row.status != 0 ? 1 : row.finds;
  }
  Tile(page,
       !v.fuzz_ran  ? "warn"
       : finds == 0 ? "good"
                    : "bad",
       Grouped(finds), "finds in " + Grouped(runs) + " fuzz runs");
  page->Close("div");
  page->Open("nav");
  page->Link("findings", "Findings");
  page->Link("captures", "Recordings");
  page->Link("goldens", "Goldens");
  page->Link("proofs", "Proofs");
  page->Link("fuzz", "Fuzzing");
  page->Link("rules", "Contested facts");
  page->Link("freedoms", "Freedoms");
  page->Link("limits", "What is not claimed");
  page->Close("nav");
  page->Raw("</div></header>\n");
}

}  // namespace

std::string PageHtml(const Verification& v) {
  Html page;
  page.Raw(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>Twinwalk report</title>\n<style>");
  page.Raw(kPageStyle);
  page.Raw("</style></head><body>\n");
  Head(v, &page);
  page.Raw("<main>\n");
  FindingsSection(v, &page);
  CapturesSection(v, &page);
  GoldensSection(v, &page);
  ProofsSection(v, &page);
  FuzzSection(v, &page);
  RulesSection(v, &page);
  FreedomsSection(v, &page);
  LimitsSection(&page);
  page.Raw("</main>\n<footer>");
  page.Prose(
      "Made by `ninja verify`. The same tree gives the same verdicts: seeds are fixed and the "
      "solver's budget is counted in its own units, not in time.");
  page.Raw("</footer>\n</body></html>\n");
  return page.text();
}

}  // namespace twinwalk::reports
