#include "reports/replay_file.h"

#include <time.h>

#include <fstream>

#include "model/faults.h"
#include "model/model.h"
#include "reference/reference.h"
#include "reports/golden.h"
#include "traces/reader.h"

namespace twinwalk::reports {

namespace {

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// A capture is JSON lines, plain or gzipped; a trace is neither.
bool LooksLikeCapture(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const int first = file.get();
  const int second = file.get();
  return first == '{' || (first == 0x1f && second == 0x8b);
}

// "violation no-stale with model configCacheSurvivesDetach" -> "configCacheSurvivesDetach"
std::string FaultOf(const std::string& expect) {
  const size_t at = expect.find(" with model ");
  return at == std::string::npos ? "" : expect.substr(at + sizeof " with model " - 1);
}

ReplayResult ReplayWith(const Trace& trace, const ReplayOptions& options) {
  ModelFaults faults;
  for (const ModelFaultName& entry : kModelFaults)
    if (options.fault == entry.name) faults.*entry.fault = true;
  return Replay(trace, options.level, [&] {
    return MachinePair{MakeModel(faults), MakeReference()};
  });
}

}  // namespace

bool IsModelFault(const std::string& name) {
  for (const ModelFaultName& entry : kModelFaults)
    if (name == entry.name) return true;
  return false;
}

LoadedTrace LoadTrace(const std::string& path) {
  LoadedTrace loaded;
  if (LooksLikeCapture(path)) {
    ImportedCapture capture = ImportCapture(path);
    loaded.trace = std::move(capture.trace);
    loaded.environment = capture.stats.environment;
    for (const std::string& error : capture.errors)
      loaded.error += (loaded.error.empty() ? "" : "; ") + error;
    loaded.unusable = loaded.trace.ops.empty() && !capture.ok();
    return loaded;
  }
  Result<Trace> trace = ReadTrace(path);
  if (!trace.ok()) {
    loaded.error = trace.status().ToString();
    loaded.unusable = true;
    return loaded;
  }
  loaded.trace = std::move(*trace);
  for (const Damage& damage : loaded.trace.damages) {
    loaded.error += loaded.error.empty() ? "" : "; ";
    loaded.error += path + ": " + DamageText(damage);
  }
  return loaded;
}

ReplayReport ReplayFile(const std::string& path, const ReplayOptions& options) {
  LoadedTrace loaded = LoadTrace(path);
  const Trace& trace = loaded.trace;
  ReplaySource source{path, options.fault, loaded.environment, options.level};
  ReplayReport report;
  if (loaded.unusable) {
    report.trace = path;
    report.error = loaded.error;
    return report;
  }
  const double begun = ThreadSeconds();
  if (trace.expect.empty() || !options.fault.empty()) {
    const ReplayResult result = ReplayWith(trace, options);
    source.cpu_seconds = ThreadSeconds() - begun;
    report = FillReplayReport(source, trace, result, options.known);
  } else {
    const GoldenVerdict verdict = CheckGolden(trace, options.level);
    source.cpu_seconds = ThreadSeconds() - begun;
    report = FillReplayReport(source, trace, verdict.result, nullptr);
    report.met = verdict.met;
    report.why = verdict.why;
    report.planted = FillFindings(source, trace, verdict.faulty, FaultOf(trace.expect));
  }
  report.error = loaded.error;
  return report;
}

}  // namespace twinwalk::reports
