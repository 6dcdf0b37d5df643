// The optimised Machine: the whole stack as a real system builds it, from errnos down to table
// bits, caches and queues. It shares nothing with reference/ but traces/.
#ifndef TWINWALK_MODEL_MODEL_H_
#define TWINWALK_MODEL_MODEL_H_

#include <memory>

#include "model/faults.h"
#include "traces/machine.h"

namespace twinwalk {

// faults: only tests set any.
std::unique_ptr<Machine> MakeModel(const ModelFaults& faults = {});

}  // namespace twinwalk

#endif  // TWINWALK_MODEL_MODEL_H_
