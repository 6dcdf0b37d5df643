// Goldens: traces with an expectation in their last line.
//   expect agree                            both Machines agree with every written Outcome
//   expect violation <invariant> with model <fault>  with that planted fault, that invariant (or
//                                           the monitor) must report; without it the trace agrees
//   expect finding with model <fault>       as above, but whatever check sees it first
#ifndef TWINWALK_REPORTS_GOLDEN_H_
#define TWINWALK_REPORTS_GOLDEN_H_

#include <string>

#include "traces/replay.h"

namespace twinwalk {

struct GoldenVerdict {
  bool met = false;
  std::string why;      // what was expected and what came, when not met
  ReplayResult result;  // of the run without faults
  ReplayResult faulty;  // of the run with the fault, when there is one
};

// REQUIRES: trace.expect is not empty.
GoldenVerdict CheckGolden(const Trace& trace, CheckLevel level);

}  // namespace twinwalk

#endif  // TWINWALK_REPORTS_GOLDEN_H_
