#include "proofs/prove.h"

#include <atomic>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "proofs/invariants.h"
#include "proofs/keeps.h"
#include "proofs/realise.h"
#include "proofs/theorem.h"
#include "proofs/walks.h"

namespace twinwalk {
namespace {

using namespace proofs;  // NOLINT: this file is its front door

// A planted fault and where it must show.
struct Planted {
  const char* name;
  bool ReferenceFaults::*fault;
  const char* op;
  const char* invariant;
};
constexpr Planted kPlanted[] = {
    {"skipInvalidation", &ReferenceFaults::skipInvalidation, "ioas_unmap", "no-stale"},
    {"unmapForgetsSpace", &ReferenceFaults::unmapForgetsSpace, "ioas_unmap", "no-stale"},
    {"uncountedReference", &ReferenceFaults::uncountedReference, "attach_iommufd_pt", "lifetime"},
    {"wrongRightsAnd", &ReferenceFaults::wrongRightsAnd, "dma (guest tables)",
     "nested-confinement"},
};

// What no function of the reference's state serves: files and process memory.
constexpr const char* kOutside[] = {"open",  "dup",       "poll",       "mmap", "munmap",
                                    "memfd", "mem_write", "fail_alloc", "raw"};

struct Task {
  const OpProof* op = nullptr;  // null: rows about the invariants, and walks
  bool walks = false;
  Rules rules;
  const char* preset = "";
  ReferenceFaults faults;
  std::string fault;
  std::string invariant;
  std::vector<TheoremRow> rows;
};

void Run(Task* task) {
  if (task->walks) {
    task->rows = ProveWalks();
    return;
  }
  if (task->op == nullptr) {
    task->rows = ProveInvariantRows(task->rules);
    return;
  }
  Limits limits;
  if (!task->fault.empty()) limits.stop_at = task->invariant;
  for (KeepsRow& keeps : ProveKeeps(*task->op, task->rules, task->preset, task->faults, task->fault,
                                    task->invariant, limits)) {
    if (keeps.counterexample != nullptr)
      Realise(*keeps.counterexample, task->rules, task->faults, &keeps.row);
    if (!task->fault.empty() && keeps.row.invariant != task->invariant) continue;
    task->rows.push_back(std::move(keeps.row));
  }
}

std::vector<TheoremRow> OutsideRows(const ProofOptions& options) {
  std::vector<TheoremRow> rows;
  for (const char* op : kOutside) {
    if (!options.op.empty() && options.op != op) continue;
    ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&&) {
      if (!options.invariant.empty() && options.invariant != info.id) return;
      TheoremRow row;
      row.op = op, row.invariant = info.id, row.preset = "all", row.verdict = "framed";
      row.bounds = "by type: writes nothing that a View shows";
      rows.push_back(row);
    });
  }
  return rows;
}

// The quick proofs are proofs of less, and each row says so.
Bounds Fewer(Bounds bounds) {
  bounds.devices = bounds.hwpts = 2, bounds.ioases = 2;
  bounds.nesteds = bounds.viommus = bounds.vdevices = bounds.veventqs = 1;
  bounds.areas = 2, bounds.retained = 1;
  bounds.note += std::string(bounds.note.empty() ? "" : "; ") + "quick: fewer than the full proofs";
  return bounds;
}

// What the quick proofs leave out is told, so that nobody takes it for proved.
void AddNotRun(const OpProof& op, const ProofOptions& options, std::vector<TheoremRow>* rows) {
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&&) {
    if (!options.invariant.empty() && options.invariant != info.id) return;
    TheoremRow row;
    row.op = op.name, row.invariant = info.id, row.preset = "all", row.verdict = "not run";
    row.bounds = "left out of the quick proofs; `ninja prove` runs it";
    rows->push_back(row);
  });
}

bool Known(const ProofOptions& options, const std::vector<OpProof>& ops, std::ostream& out) {
  bool fault = options.fault.empty() || options.fault == "all";
  for (const Planted& planted : kPlanted) fault = fault || options.fault == planted.name;
  bool op = options.op.empty() || options.op == "walks" || options.op == "invariants";
  for (const OpProof& proof : ops) op = op || options.op == proof.name;
  for (const char* name : kOutside) op = op || options.op == name;
  const bool preset = options.preset.empty() || PresetOf(options.preset).has_value();
  if (!fault) out << "no such fault: " << options.fault << "\n";
  if (!op) out << "no such op: " << options.op << "\n";
  if (!preset) out << "no such preset: " << options.preset << "\n";
  return fault && op && preset;
}

}  // namespace

int RunProofs(const ProofOptions& options, std::ostream& out) {
  const std::vector<OpProof> whole = AllOpProofs();
  std::vector<OpProof> ops = whole;
  if (options.quick)
    for (OpProof& op : ops) op.bounds = Fewer(op.bounds);
  if (!Known(options, ops, out)) return 2;
  std::vector<Task> tasks;
  std::vector<TheoremRow> not_run;
  const auto wanted = [&](const std::string& op) { return options.op.empty() || options.op == op; };
  if (options.fault.empty()) {
    for (const OpProof& op : ops) {
      if (!wanted(op.name)) continue;
      if (options.quick && op.slow && options.op.empty()) {
        out << "left out of the quick proofs: " << op.name << "\n";
        AddNotRun(op, options, &not_run);
        continue;
      }
      for (Preset preset : {Preset::kLinux72, Preset::kRepaired}) {
        const bool both = !op.reads_rules && options.preset.empty();
        if (both && preset == Preset::kRepaired) continue;
        if (!options.preset.empty() && options.preset != PresetName(preset)) continue;
        Task task;
        task.op = &op, task.rules = PresetRules(preset), task.invariant = options.invariant;
        task.preset = both ? "all" : PresetName(preset);
        tasks.push_back(task);
      }
    }
    if (wanted("invariants")) tasks.emplace_back().preset = "all";
    if (wanted("walks")) tasks.emplace_back().walks = true;
  }
  for (const Planted& planted : kPlanted) {
    // A full run ends with the planted faults; with a filter they are asked for by name.
    const bool full = options.fault.empty() && options.op.empty() && options.invariant.empty();
    if (options.fault != planted.name && options.fault != "all" && !full) continue;
    for (const OpProof& op : whole) {
      if (op.name != std::string(planted.op)) continue;
      Task task;
      task.op = &op, task.rules = PresetRules(Preset::kLinux72);
      task.preset = PresetName(Preset::kLinux72);
      task.faults.*planted.fault = true;
      task.fault = planted.name, task.invariant = planted.invariant;
      tasks.push_back(task);
    }
  }

  std::atomic<size_t> next{0};
  std::mutex mutex;
  size_t shown = 0;
  std::vector<bool> done(tasks.size());
  const auto tell = [&](const char* what, const Task& task) {
    if (options.progress == nullptr) return;
    const std::lock_guard<std::mutex> lock(mutex);
    *options.progress << what << " "
                      << (task.walks           ? "walks"
                          : task.op == nullptr ? "invariants"
                                               : task.op->name)
                      << " [" << task.preset << "] " << task.fault << std::endl;
  };
  const auto work = [&] {
    for (size_t n = next++; n < tasks.size(); n = next++) {
      const size_t i = tasks.size() - 1 - n;  // the long ones, DMA, stand last: they begin first
      tell("proving", tasks[i]);
      Run(&tasks[i]);
      tell("done", tasks[i]);
      const std::lock_guard<std::mutex> lock(mutex);
      done[i] = true;
      // In the order of the list, whatever was ready first.
      for (; shown < tasks.size() && done[shown]; ++shown)
        for (const TheoremRow& row : tasks[shown].rows) {
          out << RowText(row) << "\n";
          if (options.list_counterexamples && !AsItMust(row)) out << row.counterexample;
          // Who plants a fault by name wants to see what it does: the trace replays.
          if (!options.fault.empty()) out << row.trace;
          out.flush();
        }
    }
  };
  std::thread other(work);
  work();
  other.join();

  std::vector<TheoremRow> rows;
  for (const Task& task : tasks) rows.insert(rows.end(), task.rows.begin(), task.rows.end());
  rows.insert(rows.end(), not_run.begin(), not_run.end());
  if (options.fault.empty())
    for (TheoremRow& row : OutsideRows(options)) rows.push_back(std::move(row));
  std::map<std::string, int> verdicts;
  int wrong = 0;
  for (const TheoremRow& row : rows) {
    ++verdicts[(row.canary ? "canary " : row.fault.empty() ? "" : "planted ") + row.verdict];
    if (!AsItMust(row)) ++wrong;
  }
  for (const auto& [verdict, count] : verdicts) out << verdict << ": " << count << "\n";
  out << rows.size() << " rows, " << wrong << " not as they must be\n";
  if (!options.json.empty()) {
    std::ofstream json(options.json);
    json << RowsJson(rows);
    if (!json) {
      out << "cannot write " << options.json << "\n";
      return 2;
    }
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace twinwalk
