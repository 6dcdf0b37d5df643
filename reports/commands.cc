#include "reports/commands.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "reports/json.h"
#include "reports/page.h"
#include "reports/replay_file.h"
#include "reports/report.h"
#include "traces/reader.h"
#include "traces/text.h"
#include "traces/writer.h"

namespace twinwalk::reports {

namespace {

constexpr uintmax_t kLargeTraceBytes = 1 << 20;  // see ReportCommand

// Progress on a terminal, one line that is written over.
void Progress(const std::string& what) {
  if (isatty(STDERR_FILENO)) std::fprintf(stderr, "\r\033[K%s", what.c_str());
}

void Complain(const std::string& what) {
  Progress("");
  std::fprintf(stderr, "twinwalk: %s\n", what.c_str());
}

bool WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return true;
  Complain(path + ": cannot be written");
  return false;
}

// Nothing when the file does not exist.
Result<KnownDifferences> ReadKnown(const std::string& path) {
  if (path.empty() || !std::filesystem::exists(path)) return KnownDifferences();
  return KnownDifferences::Read(path);
}

// The files of a folder that end so, sorted.
std::vector<std::string> FilesIn(const std::string& folder,
                                 const std::vector<std::string>& endings) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string path = entry.path().string();
    for (const std::string& ending : endings)
      if (path.ends_with(ending)) files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<ReplayReport> ReplayAll(const std::vector<std::string>& files,
                                    const ReplayOptions& options) {
  std::vector<ReplayReport> reports;
  for (const std::string& file : files) {
    Progress("replaying " + std::to_string(reports.size() + 1) + " of " +
             std::to_string(files.size()) + ": " + file);
    reports.push_back(ReplayFile(file, options));
  }
  Progress("");
  return reports;
}

int StatusOf(const std::vector<ReplayReport>& reports) {
  int status = kAgreed;
  for (const ReplayReport& report : reports) {
    const int one = report.passed() ? kAgreed : !report.error.empty() ? kBadInput : kDisagreed;
    status = std::max(status, one);
  }
  return status;
}

template <class Row>
bool ReadRows(const std::string& path,
              Result<std::vector<Row>> (*parse)(std::string_view, const std::string&),
              std::vector<Row>* rows) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  Result<std::vector<Row>> parsed = parse(text.str(), path);
  if (!parsed.ok()) {
    Complain(parsed.status().ToString());
    return false;
  }
  *rows = std::move(*parsed);
  return true;
}

}  // namespace

int ReplayCommand(const ReplayArgs& args) {
  if (!args.fault.empty() && !IsModelFault(args.fault)) {
    Complain("no planted fault is named " + args.fault + " (see model/faults.h)");
    return kBadInput;
  }
  Result<KnownDifferences> known = ReadKnown(args.known);
  if (!known.ok()) {
    Complain(known.status().ToString());
    return kBadInput;
  }
  ReplayOptions options{args.level, args.fault, args.fault.empty() ? &*known : nullptr};
  const std::vector<ReplayReport> reports = ReplayAll(args.files, options);
  for (const ReplayReport& report : reports)
    std::fputs(args.json ? (ReplayJson(report) + "\n").c_str() : ReplayText(report).c_str(),
               stdout);
  if (!args.junit.empty() && !WriteFile(args.junit, JUnitText(reports))) return kOurFailure;
  return StatusOf(reports);
}

int ShowCommand(const ShowArgs& args) {
  const LoadedTrace loaded = LoadTrace(args.file);
  if (!loaded.unusable) std::fputs(TraceText(loaded.trace).c_str(), stdout);
  if (loaded.error.empty()) return kAgreed;
  Complain(loaded.error);
  return kBadInput;
}

int ImportCommand(const ImportArgs& args) {
  ImportOptions options;
  // "FOLDER/FILE" without the file's ending: where the recording is.
  const std::filesystem::path path(args.capture);
  const std::string file = path.filename().string();
  options.provenance =
      (path.parent_path().filename() / file.substr(0, file.find(".jsonl"))).string();
  if (!args.world.empty()) {
    const Result<Trace> world = ReadTrace(args.world);
    if (!world.ok()) {
      Complain(world.status().ToString());
      return kBadInput;
    }
    options.world = world->world;
  }
  const ImportedCapture capture = ImportCapture(args.capture, options);
  for (const std::string& error : capture.errors) Complain(error);
  if (capture.trace.ops.empty() && !capture.ok()) return kBadInput;
  if (args.out.ends_with(".txt")) {
    if (!WriteFile(args.out, TraceText(capture.trace))) return kOurFailure;
  } else {
    const Status status = WriteTrace(capture.trace, args.out, {FrameCodec::kLz4});
    if (!status.ok()) {
      Complain(status.ToString());
      return kOurFailure;
    }
  }
  std::fputs(ImportStatsText(capture.stats).c_str(), stdout);
  return capture.ok() ? kAgreed : kBadInput;
}

int ReportCommand(const ReportArgs& args) {
  Verification v;
  v.proofs_ran = !args.proofs.empty();
  v.fuzz_ran = !args.fuzz.empty();
  bool readable = true;
  if (v.proofs_ran) readable &= ReadRows(args.proofs, ParseProofs, &v.proofs);
  if (v.fuzz_ran) readable &= ReadRows(args.fuzz, ParseFuzz, &v.fuzz);
  if (!args.mutants.empty()) readable &= ReadRows(args.mutants, ParseMutants, &v.mutants);
  Result<KnownDifferences> known = ReadKnown(args.known);
  if (!known.ok()) {
    Complain(known.status().ToString());
    return kBadInput;
  }
  v.captures = ReplayAll(FilesIn(args.captures, {".jsonl", ".jsonl.gz"}),
                         {CheckLevel::kTouched, "", &*known});
  // What invariants cost grows with the areas that there are: a recording of 65,535 mappings is
  // replayed without them.
  for (const std::string& file : FilesIn(args.traces, {".trace"})) {
    std::error_code unknown;
    const bool large = std::filesystem::file_size(file, unknown) > kLargeTraceBytes;
    const CheckLevel level = large ? CheckLevel::kOutcome : CheckLevel::kTouched;
    v.captures.push_back(ReplayAll({file}, {level, "", &*known}).front());
  }
  v.goldens = ReplayAll(FilesIn(args.goldens, {".txt"}), {CheckLevel::kFull, "", nullptr});
  std::set<std::string> names;
  for (const ReplayReport& report : v.captures)
    names.insert(KnownDifferences::CaptureName(report.trace));
  for (const Status& stranger : known->Strangers(names)) {
    Complain(stranger.ToString());
    readable = false;
  }
  std::error_code error;
  std::filesystem::create_directories(args.out, error);
  if (!WriteFile(args.out + "/index.html", PageHtml(v))) return kOurFailure;
  std::string lines, text;
  std::vector<ReplayReport> all = v.captures;
  all.insert(all.end(), v.goldens.begin(), v.goldens.end());
  for (const ReplayReport& report : all) {
    lines += ReplayJson(report) + "\n";
    text += ReplayText(report);
  }
  if (!WriteFile(args.out + "/replay.jsonl", lines)) return kOurFailure;
  if (!WriteFile(args.out + "/junit.xml", JUnitText(all))) return kOurFailure;
  std::fputs(text.c_str(), stdout);
  if (!readable) return kBadInput;
  const int status = StatusOf(all);
  return status == kAgreed && !v.passed() ? kDisagreed : status;
}

}  // namespace twinwalk::reports
