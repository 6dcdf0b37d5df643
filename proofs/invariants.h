// Rows about the invariants themselves.
#ifndef TWINWALK_PROOFS_INVARIANTS_H_
#define TWINWALK_PROOFS_INVARIANTS_H_

#include <vector>

#include "proofs/theorem.h"
#include "traces/rules.h"

namespace twinwalk::proofs {

std::vector<TheoremRow> ProveInvariantRows(const Rules& rules);

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_INVARIANTS_H_
