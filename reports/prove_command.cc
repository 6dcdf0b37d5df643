#include <iostream>

#include "proofs/prove.h"
#include "reports/commands.h"

namespace twinwalk::reports {

int ProveCommand(const ProveArgs& args) {
  ProofOptions options;
  options.op = args.op;
  options.invariant = args.invariant;
  options.preset = args.preset;
  options.fault = args.fault;
  options.json = args.json;
  options.quick = args.quick;
  return RunProofs(options, std::cout);
}

}  // namespace twinwalk::reports
