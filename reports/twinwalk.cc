// The program: reads the command line, calls one subcommand.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>

#include "reports/commands.h"

namespace {

using namespace twinwalk::reports;  // NOLINT: main's own names

constexpr const char* kExamples = R"(Examples:
  twinwalk replay traces/golden/good_nested.txt
  twinwalk replay --level full --json traces/testdata/vsmmu-stale.jsonl.gz
  twinwalk replay --fault configCacheSurvivesDetach traces/golden/bad_fault_config_survives.txt
  twinwalk show traces/testdata/vsmmu-basic.jsonl.gz
  twinwalk import vsmmu-basic.jsonl -o vsmmu-basic.trace
  twinwalk prove --op ioas_unmap --invariant no-stale
  twinwalk report -o reports/out --proofs build/proofs.json --fuzz build/fuzz.json

Exit status: 0 agreed; 1 a divergence, a violation, or a row that does not hold;
2 bad input, named with file and place; 3 our own failure.)";

// A broken CHECK ends in the status that says so, after its message.
void OnAbort(int) {
  _exit(kOurFailure);
}

void AddReplay(CLI::App* app, ReplayArgs* args) {
  static const std::map<std::string, twinwalk::CheckLevel> kLevels = {
      {"outcome", twinwalk::CheckLevel::kOutcome},
      {"touched", twinwalk::CheckLevel::kTouched},
      {"full", twinwalk::CheckLevel::kFull}};
  app->add_option("file", args->files, "traces (binary or text) or captures (.jsonl, .jsonl.gz)")
      ->required();
  app->add_option("--level", args->level, "what is checked after each Op: outcome, touched, full")
      ->transform(CLI::CheckedTransformer(kLevels))
      ->default_str("touched");
  app->add_flag("--json", args->json, "one JSON object a trace instead of text");
  app->add_option("--junit", args->junit, "also write a JUnit file")->type_name("FILE");
  app->add_option("--fault", args->fault, "plant a fault of model/faults.h in the model")
      ->type_name("NAME");
  app->add_option("--known", args->known, "list of known differences to recordings")
      ->type_name("FILE")
      ->capture_default_str();
}

void AddProve(CLI::App* app, ProveArgs* args) {
  app->add_option("--op", args->op, "only this kind of Op");
  app->add_option("--invariant", args->invariant, "only this invariant");
  app->add_option("--preset", args->preset, "only this preset of rules");
  app->add_option("--fault", args->fault, "plant this fault in the reference: it must be refuted");
  app->add_option("--json", args->json, "also write the rows to a file")->type_name("FILE");
  app->add_flag("--quick", args->quick,
                "fewer objects, without the Ops that take minutes; each row says so");
}

void AddReport(CLI::App* app, ReportArgs* args) {
  app->add_option("-o,--out", args->out, "folder to write index.html into")->capture_default_str();
  app->add_option("--proofs", args->proofs, "rows that prove left")->type_name("FILE");
  app->add_option("--fuzz", args->fuzz, "counts that fuzzing left")->type_name("FILE");
  app->add_option("--mutants", args->mutants, "planted faults and finds")->type_name("FILE");
  app->add_option("--captures", args->captures, "folder of captures")->capture_default_str();
  app->add_option("--traces", args->traces, "folder of imported captures")->capture_default_str();
  app->add_option("--goldens", args->goldens, "folder of golden traces")->capture_default_str();
  app->add_option("--known", args->known, "list of known differences")->capture_default_str();
}

int Run(int argc, char** argv) {
  CLI::App app{
      "twinwalk: can any sequence of calls, guest writes and device accesses make a "
      "device touch memory that it must not?"};
  app.footer(kExamples);
  app.require_subcommand(1);
  ReplayArgs replay;
  ShowArgs show;
  ImportArgs import;
  ProveArgs prove;
  ReportArgs report;
  CLI::App* replay_app =
      app.add_subcommand("replay", "Replays traces: model, reference and recording, in lockstep");
  CLI::App* show_app = app.add_subcommand("show", "Prints a trace as text");
  CLI::App* import_app = app.add_subcommand("import", "Makes a trace of a capture");
  CLI::App* prove_app = app.add_subcommand("prove", "Proves that Ops keep the invariants");
  CLI::App* report_app = app.add_subcommand("report", "Replays everything and writes the page");
  AddReplay(replay_app, &replay);
  show_app->add_option("file", show.file, "a trace or a capture")->required();
  import_app->add_option("capture", import.capture, "a .jsonl or .jsonl.gz file")->required();
  import_app->add_option("--world", import.world,
                         "world lines (text form): what the capture cannot tell of its machine");
  import_app->add_option("-o,--out", import.out, "the trace to write; .txt for text")->required();
  AddProve(prove_app, &prove);
  AddReport(report_app, &report);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kAgreed : kBadInput;
  }
  if (replay_app->parsed()) return ReplayCommand(replay);
  if (show_app->parsed()) return ShowCommand(show);
  if (import_app->parsed()) return ImportCommand(import);
  if (prove_app->parsed()) return ProveCommand(prove);
  return ReportCommand(report);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, OnAbort);
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "twinwalk: our own failure: %s\n", error.what());
    return kOurFailure;
  }
}
