// The page's section on proofs: one matrix Op x invariant for each preset, the other theorems, and
// the planted faults that must be refuted.
#include <algorithm>
#include <map>

#include "reports/page.h"

namespace twinwalk::reports {

namespace {

// Values in order of first appearance.
std::vector<std::string> Distinct(const std::vector<const ProofRow*>& rows,
                                  std::string ProofRow::*member) {
  std::vector<std::string> values;
  for (const ProofRow* row : rows)
    if (std::find(values.begin(), values.end(), row->*member) == values.end())
      values.push_back(row->*member);
  return values;
}

std::string ClassOf(const ProofRow& row) {
  if (row.verdict == "holds" || row.verdict == "framed" || row.verdict == "unknown")
    return row.verdict;
  if (row.not_run()) return "absent";
  return row.verdict.rfind("refuted", 0) == 0 ? "refuted" : "unknown";
}

std::string Cost(const ProofRow& row) {
  std::string text = Grouped(row.paths) + " paths, " + Grouped(row.queries) + " queries";
  if (!row.bounds.empty()) text += "; bounds: " + row.bounds;
  if (!row.clause.empty()) text += "; " + row.clause;
  return text;
}

// A letter for each distinct vector of bounds, when there are several.
class BoundsKey {
 public:
  explicit BoundsKey(const std::vector<const ProofRow*>& rows)
      : bounds_(Distinct(rows, &ProofRow::bounds)) {}
  std::string Mark(const ProofRow& row) const {
    if (bounds_.size() < 2) return "";
    const auto at = std::find(bounds_.begin(), bounds_.end(), row.bounds) - bounds_.begin();
    return at < 26 ? std::string(" ") + static_cast<char>('a' + at) : " +";
  }
  void Write(Html* page) const {
    std::string text;
    for (size_t i = 0; i < bounds_.size(); ++i) {
      if (bounds_[i].empty()) continue;
      if (!text.empty()) text += "; ";
      if (bounds_.size() > 1) text += std::string("(") + static_cast<char>('a' + i % 26) + ") ";
      text += bounds_[i];
    }
    if (!text.empty()) page->Element("p", "Objects of each kind, at most: " + text + ".", "lead");
  }

 private:
  std::vector<std::string> bounds_;
};

void Matrix(const std::string& preset, const std::vector<const ProofRow*>& rows,
            const BoundsKey& bounds, Html* page) {
  const std::vector<std::string> ops = Distinct(rows, &ProofRow::op);
  const std::vector<std::string> invariants = Distinct(rows, &ProofRow::invariant);
  std::map<std::pair<std::string, std::string>, const ProofRow*> at;
  for (const ProofRow* row : rows) at[{row->op, row->invariant}] = row;
  page->Element("h3", "Every Op keeps every invariant: preset " + preset);
  page->Raw("<div class=\"scroll\"><table class=\"matrix\"><thead>");
  std::vector<Html::Cell> cells{{"Op", "", ""}};
  for (const std::string& invariant : invariants) cells.push_back({invariant, "", ""});
  page->Cells("th", cells.data(), cells.size());
  page->Raw("</thead><tbody>\n");
  for (const std::string& op : ops) {
    cells = {{op, "name", ""}};
    for (const std::string& invariant : invariants) {
      const auto it = at.find({op, invariant});
      if (it == at.end())
        cells.push_back({"not run", "absent", ""});
      else
        cells.push_back({it->second->verdict + bounds.Mark(*it->second), ClassOf(*it->second),
                         Cost(*it->second)});
    }
    page->Cells("td", cells.data(), cells.size());
  }
  page->EndTable();
}

// What a refuted row is refuted by, in a few words.
std::string RefutedBy(const ProofRow& row) {
  if (row.trace.empty()) return row.counterexample.empty() ? "" : "a state, not realised";
  const auto ops = std::count(row.trace.begin(), row.trace.end(), '\n');
  return "a trace of " + std::to_string(ops) + " lines that replays";
}

void List(const std::vector<const ProofRow*>& rows, Html* page) {
  page->BeginTable({{"theorem", "", ""},
                    {"of", "", ""},
                    {"preset", "", ""},
                    {"verdict", "", ""},
                    {"what does not hold", "", ""},
                    {"shown by", "", ""},
                    {"bounds", "", ""},
                    {"queries", "num", ""}});
  for (const ProofRow* row : rows) {
    std::string of = row->op + (row->invariant.empty() ? "" : ": " + row->invariant);
    if (!row->fault.empty()) of += ", with fault " + row->fault;
    page->Row({{row->shape, "", ""},
               {of, "strong", ""},
               {row->preset, "", ""},
               {row->verdict, row->passed() ? "good strong" : "bad strong", ""},
               {row->clause, "", ""},
               {RefutedBy(*row), "", ""},
               {row->bounds, "", ""},
               {Grouped(row->queries), "num", Cost(*row)}});
  }
  page->EndTable();
  for (const ProofRow* row : rows) {
    const std::string& shown = row->trace.empty() ? row->counterexample : row->trace;
    if (shown.empty()) continue;
    page->BeginDetails("Counterexample of " + row->op + ": " + row->invariant +
                       (row->fault.empty() ? "" : ", with fault " + row->fault));
    page->Open("pre", "cmd");
    page->Text(shown);
    page->Close("pre");
    page->EndDetails();
  }
}

void Legend(const std::vector<ProofRow>& rows, Html* page) {
  std::map<std::string, uint64_t> counts;
  uint64_t paths = 0, queries = 0;
  double seconds = 0;
  for (const ProofRow& row : rows) {
    if (!row.must_be_refuted()) ++counts[row.verdict];
    paths += row.paths, queries += row.queries, seconds += row.seconds;
  }
  page->Open("div", "legend");
  for (const auto& [verdict, count] : counts) {
    ProofRow example;
    example.verdict = verdict;
    page->Raw("<span>");
    page->Element("span", verdict, ClassOf(example));
    page->Text(Grouped(count));
    page->Raw("</span>");
  }
  page->Raw("<span>");
  page->Text(Grouped(paths) + " paths, " + Grouped(queries) + " solver queries, " +
             Grouped(static_cast<uint64_t>(seconds + 0.5)) + " s of one core");
  page->Raw("</span>");
  page->Close("div");
}

}  // namespace

void ProofsSection(const Verification& v, Html* page) {
  page->BeginSection(
      "proofs", "Proofs",
      "Z3 runs the reference's own source over symbolic words. `holds`: no "
      "counterexample within the stated numbers of objects. `framed`: by its types the "
      "Op cannot touch what the invariant reads. `refuted`: a trace shows it.");
  if (v.proofs.empty()) {
    page->Element("p",
                  v.proofs_ran ? "The proofs left no row." : "Not run: `ninja prove` fills this.",
                  "warn");
    page->EndSection();
    return;
  }
  std::map<std::string, std::vector<const ProofRow*>> keeps;  // by preset
  std::vector<const ProofRow*> all_keeps, others, canaries;
  for (const ProofRow& row : v.proofs) {
    if (row.must_be_refuted())
      canaries.push_back(&row);
    else if (row.shape == "keeps")
      keeps[row.preset].push_back(&row), all_keeps.push_back(&row);
    else
      others.push_back(&row);
  }
  Legend(v.proofs, page);
  const BoundsKey bounds(all_keeps);
  bounds.Write(page);
  for (const auto& [preset, rows] : keeps) Matrix(preset, rows, bounds, page);
  std::vector<const ProofRow*> refuted;
  for (const ProofRow* row : all_keeps)
    if (!row->passed()) refuted.push_back(row);
  if (!refuted.empty()) {
    page->Element("h3", "Rows that do not hold");
    List(refuted, page);
  }
  if (!others.empty()) {
    page->Element("h3", "The model's pure functions against the reference's, and its table writer");
    List(others, page);
  }
  page->Element("h3", "Canaries and planted faults: must be refuted");
  if (canaries.empty())
    page->Element("p", "None was run, so a blind prover would not show.", "warn");
  else
    List(canaries, page);
  page->EndSection();
}

}  // namespace twinwalk::reports
