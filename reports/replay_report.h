// What a report says, as plain data: one struct for text, JSON, JUnit and the page. Filled from a
// replay (FillReplayReport) and from the files that proofs and fuzzing left (json.h); judges
// nothing but whether what came out is what was expected.
#ifndef TWINWALK_REPORTS_REPLAY_REPORT_H_
#define TWINWALK_REPORTS_REPLAY_REPORT_H_

#include <map>
#include <string>
#include <vector>

#include "traces/known_differences.h"
#include "traces/replay.h"

namespace twinwalk::reports {

// One thing that is wrong. Equal clauses are told once, with all of their rows.
struct Clause {
  std::string kind;       // "divergence", "violation", ...
  std::string invariant;  // id, or ""
  std::string should_be;
  std::string is;                 // the first row, or what differs
  std::vector<std::string> rows;  // the culprit rows, `is` among them
};

// A Divergence or violation, told as "what should be, what is, how to replay".
struct FindingReport {
  std::string kind;                 // "divergence", "violation", ...
  std::string trace;                // file
  size_t ordinal = 0;               // of the Op
  std::string op;                   // its text form
  std::vector<std::string> before;  // the Ops that led there, at most kShownBefore
  std::string invariant;            // id, or ""
  std::string words;                // the invariant in words
  std::string should_be;
  std::string is;
  std::vector<std::string> rows;  // the culprit rows
  std::vector<Clause> also;       // what else is wrong after the same Op
  std::string sheet;              // where the expected behaviour is written
  std::string replay;             // the command
};
inline constexpr size_t kShownBefore = 3;

// A recorded answer that the reference would not give.
struct DifferenceReport {
  size_t ordinal = 0;
  std::string op;
  std::string field;
  std::string recorded;
  std::string reference;
  std::string reason;  // from the list of known differences; "": nobody has explained it
};

// An access that may be answered in more than one way.
struct PermittedReport {
  size_t ordinal = 0;
  std::string op;
  size_t members = 0;
  int recorded_member = -1;  // 0: present memory's answer; -1: unknown
};

struct ReplayReport {
  std::string trace;  // file
  std::string world;  // name
  std::string level;
  std::string expect;  // of a golden: its last line (golden.h)
  bool met = true;     // the expectation is met
  std::string why;     // why not
  std::string error;   // bad input: what and where; the rest is then about what was intact
  uint64_t ops = 0, ioctls = 0, raw_ioctls = 0;
  uint64_t recorded_agree = 0, recorded_differ = 0;
  uint64_t environment = 0;  // facts about the recorded machine, taken, not compared
  uint64_t divergences = 0, violations = 0, known_defects = 0, undecided = 0, probes = 0;
  uint64_t accesses = 0, other_member = 0;  // device accesses; those not answered by present memory
  std::map<std::string, uint64_t> freedoms;
  double ops_per_second = 0;  // of thread CPU time; in JSON only
  std::vector<FindingReport> findings;
  std::vector<FindingReport> planted;  // of a golden that names a fault: what was found with it
  std::vector<DifferenceReport> differences;
  std::vector<PermittedReport> permitted_sets;  // those with more than one member

  uint64_t unexplained() const;  // differences without a reason
  // "agrees", "violation of no-stale", "divergence", "differs from the recording", "bad input"
  std::string result() const;
  // Nothing was found, the expectation is met, every recorded difference has a reason, and nothing
  // was undecided.
  bool passed() const;
};

struct ProofRow {
  std::string shape;  // "keeps", "equals", "refines"
  std::string op, invariant, preset;
  std::string verdict;  // "holds", "refuted", "framed", "unknown", ...
  std::string bounds;
  std::string fault;           // planted in the reference: must be refuted; "" none
  std::string clause;          // of a row that does not hold: what does not
  std::string counterexample;  // state and Op, readable
  std::string trace;           // the counterexample as a trace in text form, when it replays
  uint64_t paths = 0, queries = 0;
  double seconds = 0;
  bool canary = false;  // must be refuted

  std::string known;  // the known defect that it shows: must be refuted; "" none

  bool must_be_refuted() const { return canary || !fault.empty() || !known.empty(); }
  bool not_run() const { return verdict == "not run"; }  // left out: claims nothing
  // A canary and a planted fault are refuted; any other row holds or is framed.
  bool passed() const;
};

struct FuzzRow {
  std::string target;
  uint64_t runs = 0, seeds = 0, finds = 0;
  std::map<std::string, uint64_t> counts;  // what the target itself counted
  int status = 0;
  std::string told, replay;  // of a find: what the target said, and the command
};

// A fault planted in the model, and whether fuzzing found it.
struct MutantRow {
  std::string fault;
  bool required = false;  // must be found
  bool found = false;
  std::string finding;  // how it was reported
  uint64_t ops = 0;     // until it was found
  uint64_t shrunk = 0;  // Ops of the shrunk trace
};

// All that `ninja verify` found out.
struct Verification {
  std::vector<ReplayReport> captures;
  std::vector<ReplayReport> goldens;
  bool proofs_ran = false;
  std::vector<ProofRow> proofs;
  bool fuzz_ran = false;
  std::vector<FuzzRow> fuzz;
  std::vector<MutantRow> mutants;

  std::vector<FindingReport> findings() const;  // of captures and of goldens that did not pass
  bool passed() const;
};

// Where the expected behaviour of this kind of Op is written.
const char* SheetOf(OpKind kind);

struct ReplaySource {
  std::string file;
  std::string fault = "";  // planted in the model, or ""
  uint64_t environment = 0;
  CheckLevel level = CheckLevel::kTouched;
  double cpu_seconds = 0;
};
const char* LevelName(CheckLevel level);

// `known` excuses recorded differences and remembers which of its lines were needed.
ReplayReport FillReplayReport(const ReplaySource& source, const Trace& trace,
                              const ReplayResult& result, KnownDifferences* known);
// What a replay with a planted fault found, told with the command that plants it.
std::vector<FindingReport> FillFindings(const ReplaySource& source, const Trace& trace,
                                        const ReplayResult& result, const std::string& fault);

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_REPLAY_REPORT_H_
