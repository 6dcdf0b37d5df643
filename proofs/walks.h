// Rows about pure functions: the model's equal the reference's, for all words; and the model's
// table writer keeps its tables in agreement with what they are to say.
#ifndef TWINWALK_PROOFS_WALKS_H_
#define TWINWALK_PROOFS_WALKS_H_

#include <vector>

#include "proofs/theorem.h"

namespace twinwalk::proofs {

std::vector<TheoremRow> ProveWalks();

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_WALKS_H_
