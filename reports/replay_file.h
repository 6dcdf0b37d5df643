// A file on disk to a ReplayReport: reads a trace (binary or text) or a capture, and replays it
// with the model against the reference.
#ifndef TWINWALK_REPORTS_REPLAY_FILE_H_
#define TWINWALK_REPORTS_REPLAY_FILE_H_

#include <string>

#include "reports/replay_report.h"
#include "traces/import.h"

namespace twinwalk::reports {

struct LoadedTrace {
  Trace trace;        // what was intact
  std::string error;  // what was not, and where; "" when all was
  uint64_t environment = 0;
  bool unusable = false;  // nothing can be replayed
};

// Tells by the first bytes what kind of file it is.
LoadedTrace LoadTrace(const std::string& path);

struct ReplayOptions {
  CheckLevel level = CheckLevel::kTouched;
  std::string fault;                  // of model/faults.h, planted for a test; "" for none
  KnownDifferences* known = nullptr;  // excuses for recordings
};

// Bad input is told in ReplayReport::error. REQUIRES: fault is "" or IsModelFault.
ReplayReport ReplayFile(const std::string& path, const ReplayOptions& options);

bool IsModelFault(const std::string& name);

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_REPLAY_FILE_H_
