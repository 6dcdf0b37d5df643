#include "proofs/theorem.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace twinwalk::proofs {
namespace {

const char* ShapeName(Shape shape) {
  switch (shape) {
    case Shape::kKeeps:
      return "keeps";
    case Shape::kEquals:
      return "equals";
    case Shape::kRefines:
      return "refines";
  }
  return "";
}

}  // namespace

bool AsItMust(const TheoremRow& row) {
  if (row.canary || !row.fault.empty() || !row.known.empty())
    return row.verdict.rfind("refuted", 0) == 0;
  return row.verdict == "holds" || row.verdict == "framed" || row.verdict == "not run";
}

std::string VerdictText(const Group& group, const Explorer& explorer) {
  if (group.verdict == Verdict::kHolds) {
    if (explorer.completed() == 0 || explorer.out_of_paths()) return "unknown";
    return group.obligations == group.unchanged ? "framed" : "holds";
  }
  return group.verdict == Verdict::kRefuted ? "refuted, not realised" : "unknown";
}

std::string RowText(const TheoremRow& row) {
  char line[400];
  std::snprintf(line, sizeof line, "%-22s %-18s x %-20s [%s]%s%s  %llu paths, %llu queries, %.2f s",
                row.verdict.c_str(), row.op.c_str(), row.invariant.c_str(), row.preset.c_str(),
                row.canary          ? " canary"
                : row.known.empty() ? ""
                                    : " known defect",
                row.fault.empty() ? "" : (" planted " + row.fault).c_str(),
                static_cast<unsigned long long>(row.paths),
                static_cast<unsigned long long>(row.queries), row.seconds);
  std::string text = line;
  if (!row.clause.empty()) text += "\n    not shown: " + row.clause;
  return text;
}

std::string RowsJson(const std::vector<TheoremRow>& rows) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const TheoremRow& row : rows) {
    nlohmann::ordered_json one;
    one["shape"] = ShapeName(row.shape);
    one["op"] = row.op, one["invariant"] = row.invariant, one["preset"] = row.preset;
    one["verdict"] = row.verdict, one["bounds"] = row.bounds;
    one["paths"] = row.paths, one["queries"] = row.queries, one["seconds"] = row.seconds;
    one["canary"] = row.canary;
    if (!row.fault.empty()) one["fault"] = row.fault;
    if (!row.known.empty()) one["known_defect"] = row.known;
    if (!row.clause.empty()) one["clause"] = row.clause;
    if (!row.counterexample.empty()) one["counterexample"] = row.counterexample;
    if (!row.trace.empty()) one["trace"] = row.trace;
    all.push_back(one);
  }
  return all.dump(1) + "\n";
}

std::vector<TheoremRow> ProveEquals(const std::string& function, const std::string& bounds,
                                    Shape shape, const std::function<void(Explorer*)>& f) {
  Explorer explorer;
  explorer.Explore([&] { f(&explorer); });
  std::vector<TheoremRow> rows;
  for (const Group& group : explorer.groups()) {
    TheoremRow row;
    row.shape = shape;
    row.op = function, row.invariant = group.name, row.preset = "all", row.bounds = bounds;
    row.verdict = VerdictText(group, explorer);
    if (row.verdict == "framed") row.verdict = "holds";  // both sides are the same term
    row.paths = explorer.paths(), row.queries = group.queries, row.seconds = group.seconds;
    row.clause = group.what;
    row.canary = group.name.rfind("canary", 0) == 0;
    if (row.canary && group.verdict == Verdict::kRefuted) row.verdict = "refuted", row.clause = "";
    rows.push_back(row);
  }
  return rows;
}

}  // namespace twinwalk::proofs
