// Makes a trace that shows a finding as small as it gets while the same finding remains.
#ifndef TWINWALK_FUZZ_SHRINK_H_
#define TWINWALK_FUZZ_SHRINK_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "traces/lockstep.h"
#include "traces/trace.h"

namespace twinwalk::fuzz {

// Runs a trace; its first finding, if any.
using Judge = std::function<std::optional<Finding>(const Trace&)>;

// What makes two findings the same: kind, invariant and clause; of a divergence also the kind of Op
// and the field that differs, without positions in lists.
std::string FindingKey(const Trace& trace, const Finding& finding);

struct Shrunk {
  Trace trace;
  size_t runs = 0;
};
// REQUIRES: judge(trace) gives a finding. Deterministic; at most `budget` runs.
Shrunk Shrink(const Trace& trace, const Judge& judge, size_t budget = 20000);

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_SHRINK_H_
