// The model's planted faults by name, for command lines and tests.
#ifndef TWINWALK_FUZZ_FAULT_NAMES_H_
#define TWINWALK_FUZZ_FAULT_NAMES_H_

#include <string>

#include "model/faults.h"

namespace twinwalk::fuzz {

// False: there is no such fault.
bool SetFault(const std::string& name, ModelFaults* faults);

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_FAULT_NAMES_H_
