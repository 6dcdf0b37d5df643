// The proof matrix as a library: what `twinwalk prove` calls. Prints one line a row, writes
// build/proofs.json.
#ifndef TWINWALK_PROOFS_PROVE_H_
#define TWINWALK_PROOFS_PROVE_H_

#include <ostream>
#include <string>

namespace twinwalk {

struct ProofOptions {
  std::string op;         // only rows of this Op ("" all); "walks" the Equals and Refines rows
  std::string invariant;  // only this invariant ("" all)
  std::string preset;     // "linux-7.2", "repaired"; "" both
  std::string json;       // where to write the rows as JSON; "" nowhere
  // A fault of reference/faults.h, planted: its Op must be refuted. "" none, "all" each in turn.
  std::string fault;
  bool list_counterexamples = true;
  // Fewer rows a table, and without the Ops that take longest (it says which); for each build.
  bool quick = false;
  std::ostream* progress = nullptr;  // told what begins and ends; not part of the result
};

// 0: every row is as it must be (canaries and planted faults refuted, the rest holds or is framed).
// 1: a row is refuted or unknown, or something that must be refuted is not. 2: bad options.
int RunProofs(const ProofOptions& options, std::ostream& out);

}  // namespace twinwalk

#endif  // TWINWALK_PROOFS_PROVE_H_
