#include "proofs/sym.h"

#include "traces/check.h"

namespace twinwalk::proofs {

void RequireContract(const B& holds, const char* what) {
  if (holds.is_constant()) {
    CHECK(holds.constant(), "%s", what);
    return;
  }
  holds.explorer()->Prove(kContractGroup, what, holds);
}

}  // namespace twinwalk::proofs
