// Ops to bytes, deterministic: the same trace gives the same bytes (plain frames: for ever; lz4: as
// long as the library compresses alike). See frame.h for the format.
#ifndef TWINWALK_TRACES_WRITER_H_
#define TWINWALK_TRACES_WRITER_H_

#include <memory>
#include <string>
#include <vector>

#include "traces/frame.h"
#include "traces/status.h"
#include "traces/trace.h"

namespace twinwalk {

struct WriteOptions {
  FrameCodec codec = FrameCodec::kPlain;
};

// Appends to a string that the caller drains into its file whenever it likes.
class TraceWriter {
 public:
  // Writes the header. REQUIRES: `out` outlives this.
  TraceWriter(const World& world, const std::string& expect, const WriteOptions& options,
              std::string* out);
  ~TraceWriter();
  // Takes one Op; bytes appear when a frame is full. An Op beyond the limits of trace.h is refused
  // and does not count.
  Status Add(const Op& op);
  // Closes the frame (a recorder does so every 100 ms).
  void Flush();
  // Writes the end frame. Nothing may follow. Without it a reader tells of a cut file.
  void Finish();
  uint64_t ops() const { return first_ + pending_.size(); }

 private:
  void Frame(FrameKind kind, uint64_t first, uint32_t ops, const std::string& message);

  WriteOptions options_;
  std::string* out_;
  std::vector<Op> pending_;
  uint64_t pending_bytes_ = 0;
  uint64_t first_ = 0;  // ordinal of pending_[0]
};

Result<std::string> TraceBytes(const Trace& trace, const WriteOptions& options = {});
Status WriteTrace(const Trace& trace, const std::string& path, const WriteOptions& options = {});

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_WRITER_H_
