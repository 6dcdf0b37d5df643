#include "proofs/ops.h"

namespace twinwalk::proofs {

W OpRun::Arg(const char* name, uint64_t mask) {
  return e->Fresh(std::string("op.") + name, mask);
}
W OpRun::Context() {
  const W context = Arg("context", 3);
  e->Assume(context != W(0));
  return context;
}
bool OpRun::Either(const char*) {
  return e->Fork(2) == 0;
}

std::vector<OpProof> AllOpProofs() {
  std::vector<OpProof> all;
  for (const auto& group : {IoasOpProofs(), ObjectOpProofs(), VfioOpProofs(), DmaOpProofs()})
    all.insert(all.end(), group.begin(), group.end());
  return all;
}

}  // namespace twinwalk::proofs
