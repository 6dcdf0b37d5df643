// Reports as JSON: what `replay --json` prints, and the files that proofs and fuzzing leave for the
// page. Keys are stable; other programs read them.
#ifndef TWINWALK_REPORTS_JSON_H_
#define TWINWALK_REPORTS_JSON_H_

#include <string>
#include <string_view>
#include <vector>

#include "reports/replay_report.h"
#include "traces/status.h"

namespace twinwalk::reports {

// One object, one line.
std::string ReplayJson(const ReplayReport& report);

// build/proofs.json: an array of rows {shape, op, invariant, preset, verdict, bounds, paths,
// queries, seconds, canary, fault, clause, counterexample, trace}, or {"rows": [...]}. Unknown keys
// are skipped.
Result<std::vector<ProofRow>> ParseProofs(std::string_view text, const std::string& file);

// build/fuzz.json, as .ci/verify.py writes it.
Result<std::vector<FuzzRow>> ParseFuzz(std::string_view text, const std::string& file);
// build/mutants.json, likewise.
Result<std::vector<MutantRow>> ParseMutants(std::string_view text, const std::string& file);

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_JSON_H_
