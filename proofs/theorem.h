// What a proof came to: one record per row of the matrix, and how it is printed.
//
// Three shapes. Keeps: from every View in which the invariants hold, an Op leads to one in which
// they hold. Equals: a pure function of the model gives what the reference's gives, for all words.
// Refines: a step of the model's table writer keeps the table in agreement with the Areas.
#ifndef TWINWALK_PROOFS_THEOREM_H_
#define TWINWALK_PROOFS_THEOREM_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "proofs/explorer.h"

namespace twinwalk::proofs {

enum class Shape { kKeeps, kEquals, kRefines };

struct TheoremRow {
  Shape shape = Shape::kKeeps;
  std::string op;         // Op, or function with its parameters
  std::string invariant;  // id; of Equals and Refines what is equal
  std::string preset;
  std::string fault;  // planted fault, "" none
  // "holds", "framed" (the Op changed nothing that it reads), "refuted" (a trace shows it),
  // "refuted, not realised", "unknown", "not run" (left out of the quick proofs: claims nothing)
  std::string verdict;
  std::string bounds;
  uint64_t paths = 0, queries = 0;
  double seconds = 0;   // in the solver
  bool canary = false;  // must be refuted
  std::string known;    // the defect of traces/known_defects.h that it shows: must be refuted
  std::string clause;   // of a refuted or unknown row: what does not hold
  std::string counterexample;  // state and Op, readable
  std::string trace;           // text form, when realised
};

// Whether the row is as it must be.
bool AsItMust(const TheoremRow& row);
// The verdict of a group, without a counterexample's realisation.
std::string VerdictText(const Group& group, const Explorer& explorer);
// "holds     ioas_map x no-stale  [linux-7.2]  11 paths ..."
std::string RowText(const TheoremRow& row);
std::string RowsJson(const std::vector<TheoremRow>& rows);

// One row for each group that `f` proves, all paths explored. A row without a path that reaches its
// end is unknown: it would be vacuous.
std::vector<TheoremRow> ProveEquals(const std::string& function, const std::string& bounds,
                                    Shape shape, const std::function<void(Explorer*)>& f);

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_THEOREM_H_
