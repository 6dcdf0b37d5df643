// A whole trace in memory: a World and a list of Ops, and what was lost on the way in.
#ifndef TWINWALK_TRACES_TRACE_H_
#define TWINWALK_TRACES_TRACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "traces/op.h"
#include "traces/world.h"

namespace twinwalk {

inline constexpr uint64_t kLostUnknown = ~uint64_t{0};

// One torn or rotten place of a trace file.
struct Damage {
  uint64_t offset = 0;  // bytes from the start of the file
  std::string what;
  uint64_t first = 0;  // ordinal, in the file, of the first Op lost
  uint64_t lost = 0;   // Ops lost from there; kLostUnknown: the end of the trace is missing. When
                       // damages touch, the first of them carries the count of all.
  bool operator==(const Damage&) const = default;
};

// "byte 4096: the checksum of a frame does not hold; Ops 6..8 are lost"
inline std::string DamageText(const Damage& damage) {
  std::string out = "byte " + std::to_string(damage.offset) + ": " + damage.what;
  if (damage.lost == kLostUnknown)
    return out + "; Ops from " + std::to_string(damage.first) + " on may be lost";
  if (damage.lost == 0) return out;
  return out + "; Ops " + std::to_string(damage.first) + ".." +
         std::to_string(damage.first + damage.lost - 1) + " are lost";
}

// Handles in `ops` are indices into `ops`. Where a file had lost Ops, the reader renumbered: a
// handle to a lost Op is the literal kDanglingHandle.
struct Trace {
  World world;
  std::vector<Op> ops;
  std::string expect;  // of a golden: "agree", "violation <invariant>", "divergence"; "": not said
  std::vector<Damage> damages;
};

// Every byte of the Op, its blob and its recorded Outcome.
inline bool SameOp(const Op& a, const Op& b) {
  return std::memcmp(static_cast<const OpData*>(&a), static_cast<const OpData*>(&b),
                     sizeof(OpData)) == 0 &&
         a.blob == b.blob && a.recorded == b.recorded;
}

// Memory that the Op keeps besides itself.
inline uint64_t PayloadBytes(const Op& op) {
  uint64_t bytes = op.blob.size();
  if (op.recorded.has_value())
    bytes += op.recorded->out.size() + op.recorded->data.size() +
             op.recorded->pieces.size() * sizeof(Piece) +
             op.recorded->events.size() * sizeof(FaultRecord);
  return bytes;
}

// All but `damages`, which tells about a file and not about the trace.
inline bool SameTrace(const Trace& a, const Trace& b) {
  if (a.world != b.world || a.expect != b.expect || a.ops.size() != b.ops.size()) return false;
  for (size_t i = 0; i < a.ops.size(); ++i)
    if (!SameOp(a.ops[i], b.ops[i])) return false;
  return true;
}

// How much of an input may come into memory. Beyond it reading ends with an error.
struct ReadLimits {
  uint64_t ops = 1 << 21;
  uint64_t payload_bytes = 256 << 20;  // blobs and recorded Outcomes, together
  uint64_t file_bytes = 1 << 30;
  uint64_t text_bytes = 256 << 20;  // a file in text form
};

// Limits on one Op, everywhere.
inline constexpr uint32_t kMaxBlobBytes = 1 << 20;  // of blob, Outcome::out, Outcome::data each
inline constexpr uint32_t kMaxPieces = 4096;
inline constexpr uint32_t kMaxEvents = 65536;
inline constexpr uint32_t kMaxLineBytes = 16 << 20;  // of text: the largest Op fits
inline constexpr uint32_t kMaxNameBytes = 4096;      // World::name, Trace::expect
inline constexpr uint64_t kMaxOrdinal = 0xfffffffe;  // handles are 32 bits wide

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_TRACE_H_
