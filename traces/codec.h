// Raw ioctl bytes to and from typed Ops: moves bytes, judges nothing. A truncated struct, a foreign
// size word or garbage in reserved words is as good as any other; Machines say what it means.
#ifndef TWINWALK_TRACES_CODEC_H_
#define TWINWALK_TRACES_CODEC_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "traces/op.h"

namespace twinwalk {

// A buffer that the user's struct points to.
struct RawBuffer {
  std::string name;  // "data", "allowed_iovas", "token_uuid": for people, never compared
  uint64_t address = 0;
  std::string bytes;      // those that can be read
  uint32_t writable = 0;  // bytes that can be written, where the kernel writes there; else 0
  bool operator==(const RawBuffer&) const = default;
};

// What kind of file an ioctl is made on: its numbers mean other things on each.
enum class Frontend : uint8_t {
  kContainer = 0,  // an iommufd or a VFIO container (an iommufd can be used as one)
  kGroup = 1,
  kDevice = 2,  // from a group or a cdev
};

// Recorders look at so many bytes of a struct, whatever its size word says.
inline constexpr uint32_t kMinSeen = 8;

// One ioctl as a recorder sees it.
struct RawIoctl {
  uint8_t process = 0;
  uint32_t fd = 0;
  uint32_t command = 0;
  Frontend file = Frontend::kContainer;
  uint64_t arg = 0;  // address of the struct, which typed Ops do not keep; or the number itself
  std::string in;    // readable bytes of the struct, at most its size word; or the string
  uint16_t writable = 0;  // bytes of it that can be written
  std::vector<RawBuffer> buffers;
  bool operator==(const RawIoctl&) const = default;
};

// Fills *op (all of it; handles are literals, `recorded` is empty). False: this ioctl has no typed
// kind that gives all its bytes back, and *op is a raw Op with the bytes of the struct.
bool Decode(const RawIoctl& raw, Op* op);

// What a handle that is a result stands for: an fd, an object id, or the base of an mmap.
using HandleNumber = std::function<uint64_t(Handle ordinal, HandleRole role)>;
// The bytes that a recorder would see. Encode(Decode(raw)) == raw but for the address
// `arg` of a struct and buffers without a byte in them. `number` is only called for results.
RawIoctl Encode(const Op& op, const HandleNumber& number);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_CODEC_H_
