// Turns a counterexample into a trace that shows it: builds the state by Recipe, appends the Op,
// replays all of it on the concrete reference with the same fault planted, and looks whether the
// invariant is violated after the last Op.
#ifndef TWINWALK_PROOFS_REALISE_H_
#define TWINWALK_PROOFS_REALISE_H_

#include "proofs/keeps.h"

namespace twinwalk::proofs {

// Sets row->verdict to "refuted" and row->trace when the replay shows the violation.
void Realise(const Counterexample& counterexample, const Rules& rules,
             const ReferenceFaults& faults, TheoremRow* row);

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_REALISE_H_
