// Bytes to Ops under hard limits, one frame in memory at a time. Rejects with a reason, never
// crashes and never throws. Every frame whose checksum holds is kept; what is damaged loses only
// its own Ops and is named with its offset.
//
// Handles are ordinals in the file. Where Ops were lost the reader renumbers, so that the Ops that
// it gives count from 0 without gaps: a handle to a lost Op becomes the literal kDanglingHandle.
#ifndef TWINWALK_TRACES_READER_H_
#define TWINWALK_TRACES_READER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "traces/status.h"
#include "traces/trace.h"

namespace twinwalk {

class Source;

class TraceReader {
 public:
  // Reads the header; without a World no Op means anything, so damage there is an error.
  static Result<TraceReader> Open(const std::string& path);
  // REQUIRES: `bytes` outlive the reader. `name` is for messages.
  static Result<TraceReader> OpenBytes(std::string_view bytes, const std::string& name);
  static Result<TraceReader> OpenSource(std::unique_ptr<Source> source, const std::string& name);
  TraceReader(TraceReader&&);
  ~TraceReader();

  const World& world() const;
  const std::string& expect() const;
  // The next Op into *op, reusing its memory; false at the end.
  bool Next(Op* op);
  // What was damaged so far; all of it once Next answered false. At most kMaxDamages, the last of
  // which then stands for the rest.
  const std::vector<Damage>& damages() const;
  uint64_t lost_ops() const;  // known to be lost so far

  static constexpr size_t kMaxDamages = 1000;

 private:
  class Impl;
  explicit TraceReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A whole trace in memory, from a file or from text (told apart by the first bytes). Damage is in
// Trace::damages; an error means that nothing can be kept, or that a limit is passed.
Result<Trace> ReadTrace(const std::string& path, const ReadLimits& limits = {});
Result<Trace> ReadTraceBytes(std::string_view bytes, const std::string& name,
                             const ReadLimits& limits = {});

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_READER_H_
