#include "reports/golden.h"

#include <sstream>
#include <vector>

#include "model/faults.h"
#include "model/model.h"
#include "reference/reference.h"

namespace twinwalk {
namespace {

MachineFactory Factory(const ModelFaults& faults) {
  return [faults] { return MachinePair{MakeModel(faults), MakeReference()}; };
}

std::string Describe(const ReplayResult& r) {
  if (!r.findings.empty()) {
    const Finding& f = r.findings[0];
    std::string text = std::string(FindingKindName(f.kind)) + " at Op " +
                       std::to_string(f.ordinal) + ": " + f.invariant + " " + f.clause;
    for (const Difference& d : f.differences)
      text += "; " + d.field + " should be " + d.should_be + ", is " + d.is;
    for (const std::string& row : f.rows) text += "; " + row;
    return text;
  }
  if (!r.recorded_differ.empty()) {
    const RecordedDifference& d = r.recorded_differ[0];
    return "the expected Outcome of Op " + std::to_string(d.ordinal) +
           " differs: " + d.differences[0].field + " should be " + d.differences[0].should_be +
           ", is " + d.differences[0].is;
  }
  if (r.counts.undecided != 0) return "undecided accesses";
  return "";
}

}  // namespace

GoldenVerdict CheckGolden(const Trace& trace, CheckLevel level) {
  GoldenVerdict verdict;
  verdict.result = Replay(trace, level, Factory({}));
  verdict.why = Describe(verdict.result);
  std::istringstream words(trace.expect);
  std::string what, invariant, with, side, name;
  words >> what;
  if (what == "agree") {
    verdict.met = verdict.why.empty();
    return verdict;
  }
  if (what == "violation") words >> invariant;
  words >> with >> side >> name;
  ModelFaults faults;
  bool known = false;
  for (const ModelFaultName& entry : kModelFaults) {
    if (name == entry.name) faults.*entry.fault = known = true;
  }
  if ((what != "violation" && what != "finding") || with != "with" || side != "model" || !known) {
    verdict.why = "the expectation is not understood: " + trace.expect;
    return verdict;
  }
  if (!verdict.why.empty()) return verdict;  // it must agree without the fault
  verdict.faulty = Replay(trace, level, Factory(faults));
  for (const Finding& f : verdict.faulty.findings)
    if (invariant.empty() || f.invariant == invariant) verdict.met = true;
  if (!verdict.met) {
    const std::string came = Describe(verdict.faulty);
    verdict.why = "expected " + trace.expect + ", came " + (came.empty() ? "nothing" : came);
  }
  return verdict;
}

}  // namespace twinwalk
