#include "fuzz/fault_names.h"

namespace twinwalk::fuzz {

bool SetFault(const std::string& name, ModelFaults* faults) {
  for (const ModelFaultName& f : kModelFaults) {
    if (name != f.name) continue;
    faults->*f.fault = true;
    return true;
  }
  return false;
}

}  // namespace twinwalk::fuzz
