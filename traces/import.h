// Captures to traces: the one entry of all importers. A capture is a recording of a client's system
// calls (format vrec-1, plain or gzipped); what known clients printed about guest memory and device
// accesses is read too (import_vsmmucli.h, import_educli.h).
#ifndef TWINWALK_TRACES_IMPORT_H_
#define TWINWALK_TRACES_IMPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "traces/trace.h"

namespace twinwalk {

// What became of a capture. Names are those of the recording ("IOMMU_HWPT_ALLOC", "pwrite64").
struct ImportStats {
  uint64_t records = 0;                   // lines with a record
  uint64_t ops = 0;                       // of the trace
  uint64_t ioctls = 0;                    // recorded ioctls that became typed Ops
  std::map<std::string, uint64_t> typed;  // these, and the other typed calls, by name
  std::map<std::string, uint64_t> raw;    // calls on files that matter, out of scope: kRaw, by name
  std::map<std::string, uint64_t> skipped;  // records that became nothing, by name
  uint64_t guest_writes = 0;                // writes to guest memory that the client printed
  uint64_t memory_writes =
      0;  // writes that put memory as the client had it: fills, put back after DMA
  uint64_t dmas = 0;
  uint64_t derived = 0;      // Ops that nobody called: import_vrec.h says which
  uint64_t environment = 0;  // facts about the machine taken into the World
  uint64_t errors = 0;       // also those beyond kMaxErrors
};

struct ImportedCapture {
  // With damages: everything that was intact, before and after them.
  Trace trace;
  ImportStats stats;
  static constexpr size_t kMaxErrors = 32;
  std::vector<std::string> errors;  // "FILE:LINE: what"; the first kMaxErrors
  bool ok() const { return errors.empty(); }
};

struct ImportOptions {
  ReadLimits limits;
  // What is known of the machine from elsewhere; what the recording tells goes over it. Devices are
  // matched by their names. Its own name is a remark on it.
  std::optional<World> world;
  // Goes in front of the recording's title in the World's name: where the recording is.
  std::string provenance;
};

ImportedCapture ImportCapture(const std::string& path,
                              const ImportOptions& options = ImportOptions());

// "417 records: 300 Ops, ..." on a few lines, for people.
std::string ImportStatsText(const ImportStats& stats);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_IMPORT_H_
