// The user structs of the ioctls: how long the kernel's own is, how long the user's must be at
// least, and where the blob of an Op divides into struct and buffer. The reference's own table,
// from the sheets (iommufd 3, 19; type1 5 to 11).
#ifndef TWINWALK_REFERENCE_STRUCTS_H_
#define TWINWALK_REFERENCE_STRUCTS_H_

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

#include "traces/op.h"

namespace twinwalk::reference {

struct StructSizes {
  uint32_t known = 0;    // bytes of the kernel's own; 0: the argument is no struct
  uint32_t minimum = 0;  // a shorter one is EINVAL
};
StructSizes SizesOf(OpKind kind);
inline uint32_t KnownSize(OpKind kind) {
  return SizesOf(kind).known;
}

// Bytes of the struct that can be read.
inline uint64_t ReadableBytes(const OpData& op) {
  return op.readable == 65535 ? ~uint64_t{0} : op.readable;
}
inline uint64_t WritableBytes(const OpData& op) {
  return op.writable == 65535 ? ~uint64_t{0} : op.writable;
}

// Of the blob: the user's struct beyond the kernel's own, and the buffer that it points to.
inline std::string_view TailOf(const Op& op) {
  const uint64_t known = KnownSize(op.kind);
  const uint64_t there = std::min<uint64_t>(op.size, op.readable);
  const uint64_t tail = known != 0 && there > known ? there - known : 0;
  return std::string_view(op.blob).substr(0, tail);
}
inline std::string_view BufferOf(const Op& op) {
  return std::string_view(op.blob).substr(TailOf(op).size());
}

// TRACE 8, Framing: 0, or why a VFIO struct cannot be copied in.
inline int VfioFramingError(const OpData& op) {
  const StructSizes sizes = SizesOf(op.kind);
  if (ReadableBytes(op) < sizes.minimum) return EFAULT;
  return op.size < sizes.minimum ? EINVAL : 0;
}

// A user's struct that a call writes into: its bytes before (the fields as the Op tells them, then
// the tail), and after. Bytes beyond the user's are written, too, but seen by nobody.
class UserStruct {
 public:
  explicit UserStruct(const Op& op);
  void Write(size_t offset, std::string_view bytes);
  void Write32(size_t offset, uint32_t value);
  void Write64(size_t offset, uint64_t value);
  // Whether all that was written could be.
  bool Writable() const { return end_ <= writable_; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  uint64_t writable_ = 0;
  uint64_t end_ = 0;  // of what was written
};

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_STRUCTS_H_
