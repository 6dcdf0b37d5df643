// How messages stand in a trace file. All numbers are little-endian.
//
//   offset 0   "TWINWALK", schema version u32, zero u32
//   offset 16  a header frame (schema::Header), then frames of Ops (schema::Frame), then an end
//   frame
//
// A frame is a FrameHeader and `length` bytes. Each has a magic word of its own, so that a reader
// finds the next one behind damage; the end frame tells a file that was cut from one that ends.
// Handles in Ops are ordinals in the whole file, so a frame says the ordinal of its first Op.
#ifndef TWINWALK_TRACES_FRAME_H_
#define TWINWALK_TRACES_FRAME_H_

#include <bit>
#include <cstdint>

namespace twinwalk {

static_assert(std::endian::native == std::endian::little, "frames and Ops are copied as they are");

struct FileHeader {
  char magic[8];
  uint32_t version;
  uint32_t zero;
};
static_assert(sizeof(FileHeader) == 16);
inline constexpr char kFileMagic[9] = "TWINWALK";
inline constexpr uint32_t kSchemaVersion = 1;

enum class FrameCodec : uint8_t { kPlain = 0, kLz4 = 1 };
enum class FrameKind : uint8_t { kOps = 0, kHeader = 1, kEnd = 2 };

struct FrameHeader {
  uint64_t magic;
  uint32_t length;        // bytes that follow
  uint32_t plain_length;  // bytes of the message; equals length when plain
  uint64_t first;         // ordinal of the first Op; of an end frame: Ops in the whole trace
  uint32_t ops;           // Ops in the frame, 1..kMaxFrameOps; 0 in other kinds
  FrameCodec codec;
  FrameKind kind;
  uint16_t zero;
  uint64_t checksum;  // xxh3-64 of what follows, seeded with the xxh3-64 of the fields above
};
static_assert(sizeof(FrameHeader) == 40);
inline constexpr int kChecksummedHeaderBytes = 32;
inline constexpr uint64_t kFrameMagic = 0x0a1d9c45f2a67754;  // "Tw\xa6\xf2E\x9c\x1d\n"

// Limits, for writers and readers alike. Each Op fits (see the limits in trace.h).
inline constexpr uint32_t kMaxFrameOps = 4096;
inline constexpr uint32_t kMaxFrameBytes = 16 << 20;  // of the message
// Writers close a frame at this many Ops, or before it passes so many bytes.
inline constexpr uint32_t kFrameOps = 512;
inline constexpr uint32_t kFrameBytes = 4 << 20;

// The message inside a frame is one Cap'n Proto stream message of exactly one segment:
// zero u32 (segments - 1), words u32, then that many words and nothing else.
inline constexpr uint32_t kMessagePrefixBytes = 8;
// Words of an Op in the list: the data section, and two pointers.
inline constexpr uint32_t kOpWords = 14;

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_FRAME_H_
