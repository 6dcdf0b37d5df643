// What all importers share: the trace under construction, who returned which number, and the
// counts.
#ifndef TWINWALK_TRACES_IMPORT_BUILDER_H_
#define TWINWALK_TRACES_IMPORT_BUILDER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "traces/import.h"
#include "traces/import_facts.h"
#include "traces/import_handles.h"

namespace twinwalk {

class ImportBuilder {
 public:
  ImportBuilder(ImportedCapture* out, const ReadLimits& limits)
      : out_(out), limits_(limits), facts_(&out->trace.world, &out->stats.environment) {
    out_->trace.world.processes.clear();
  }

  World& world() { return out_->trace.world; }
  ImportStats& stats() { return out_->stats; }
  // Counts under a name of the recording; there may be kMaxNames of them, then they become one.
  static constexpr size_t kMaxNames = 256, kMaxName = 64;
  static void Count(std::map<std::string, uint64_t>* counts, const std::string& name);
  ImportHandles& handles() { return handles_; }
  Op& op(Handle ordinal) { return out_->trace.ops[ordinal]; }

  // Appends; the ordinal. Beyond the limits nothing is appended any more and full() is true.
  Handle Add(Op op);
  bool full() const { return full_; }

  // Index of a process, made at its first call. nullopt: more than kMaxProcesses.
  std::optional<uint8_t> Process(uint64_t pid);
  ImportFacts& facts() { return facts_; }

  // The next ordinal of memory (Piece::backing).
  uint64_t NewBacking() { return ++backings_; }

  // Makes `*handle` (number `bit` of its Op) the result of Op `from`.
  static void Name(Op* op, int bit, Handle* handle, std::optional<Handle> from) {
    if (!from.has_value()) return;
    *handle = *from;
    op->results |= static_cast<uint8_t>(1 << bit);
  }

 private:
  ImportedCapture* out_;
  ReadLimits limits_;
  ImportHandles handles_;
  ImportFacts facts_;
  std::map<uint64_t, uint8_t> processes_;
  uint64_t backings_ = 0;
  uint64_t payload_ = 0;
  bool full_ = false;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_IMPORT_BUILDER_H_
