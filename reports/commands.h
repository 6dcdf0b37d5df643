// The subcommands of twinwalk, each a function from its options to an exit status: 0 agreed,
// 1 divergence or violation, 2 bad input, 3 our own failure.
#ifndef TWINWALK_REPORTS_COMMANDS_H_
#define TWINWALK_REPORTS_COMMANDS_H_

#include <string>
#include <vector>

#include "traces/lockstep.h"

namespace twinwalk::reports {

enum ExitStatus { kAgreed = 0, kDisagreed = 1, kBadInput = 2, kOurFailure = 3 };

inline constexpr const char* kCaptureFolder = "traces/testdata";
inline constexpr const char* kKnownDifferencesFile = "traces/captures/known_differences.txt";

struct ReplayArgs {
  std::vector<std::string> files;
  CheckLevel level = CheckLevel::kTouched;
  bool json = false;
  std::string junit;                          // file to write, or ""
  std::string fault;                          // planted in the model, or ""
  std::string known = kKnownDifferencesFile;  // used when it exists
};
int ReplayCommand(const ReplayArgs& args);

struct ShowArgs {
  std::string file;
};
int ShowCommand(const ShowArgs& args);

struct ImportArgs {
  std::string capture;
  std::string out;    // ends in .txt: text form; else binary
  std::string world;  // a text file with world lines: what is known of the machine; or ""
};
int ImportCommand(const ImportArgs& args);

struct ProveArgs {
  std::string op, invariant, preset, fault;  // "": all, all, all, none
  std::string json;                          // file to write, or ""
  bool quick = false;                        // leave out the Ops that take minutes
};
int ProveCommand(const ProveArgs& args);

struct ReportArgs {
  std::string out = "reports/out";
  std::string proofs, fuzz, mutants;  // what those steps left, or "" when they were not run
  std::string captures = kCaptureFolder, goldens = "traces/golden";
  std::string traces = "traces/captures";  // recordings imported before
  std::string known = kKnownDifferencesFile;
};
int ReportCommand(const ReportArgs& args);

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_COMMANDS_H_
