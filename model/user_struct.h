// The user's struct of a VFIO ioctl: what can be read of it, and how it looks after the call
// (docs/TRACE.md 8).
#ifndef TWINWALK_MODEL_USER_STRUCT_H_
#define TWINWALK_MODEL_USER_STRUCT_H_

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "model/struct_sizes.h"

namespace twinwalk::model {

inline bool CanRead(const Op& op, uint64_t bytes) {
  return op.readable == 0xffff || op.readable >= bytes;
}
inline bool CanWrite(const Op& op, uint64_t bytes) {
  return op.writable == 0xffff || op.writable >= bytes;
}
// The copy of the mandatory part, and its size word (type1 sheet 3): 0 or an errno.
inline int CheckVfioStruct(const Op& op) {
  const uint32_t least = SizesOf(op.kind).least;
  if (!CanRead(op, least)) return EFAULT;
  return op.size < least ? EINVAL : 0;
}
// The readable bytes of the one buffer that the struct points to.
inline std::string_view BufferOf(const Op& op) {
  const std::string_view blob = op.blob;
  return blob.substr(std::min<size_t>(BytesBehind(op), blob.size()));
}

class UserStruct {
 public:
  // As the caller had it: its size word, then what Put32 and Put64 say of the rest of the kernel's
  // part, then the bytes behind.
  explicit UserStruct(const Op& op) : bytes_(std::min<uint32_t>(op.size, op.readable), '\0') {
    Put32(0, op.size);
    const uint32_t known = SizesOf(op.kind).known;
    if (bytes_.size() > known)
      Put(known, std::string_view(op.blob).substr(0, bytes_.size() - known));
  }
  void Put(size_t at, std::string_view value) {
    if (at < bytes_.size()) value.copy(&bytes_[at], std::min(value.size(), bytes_.size() - at));
  }
  void Put32(size_t at, uint32_t value) { Put(at, {reinterpret_cast<const char*>(&value), 4}); }
  void Put64(size_t at, uint64_t value) { Put(at, {reinterpret_cast<const char*>(&value), 8}); }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// A chain of capabilities behind an info struct of `base` bytes (type1 sheet 3).
class Capabilities {
 public:
  explicit Capabilities(uint32_t base) : base_(base) {}
  // `body`: behind the 8 bytes of header, padded to 8 bytes.
  void Add(uint16_t id, uint16_t version, std::string_view body) {
    if (!bytes_.empty()) {
      const uint32_t next = base_ + static_cast<uint32_t>(bytes_.size());
      std::memcpy(&bytes_[last_ + 4], &next, 4);
    }
    last_ = bytes_.size();
    const uint16_t header[4] = {id, version, 0, 0};
    bytes_.append(reinterpret_cast<const char*>(header), 8);
    bytes_.append(body);
    bytes_.resize((bytes_.size() + 7) & ~size_t{7}, '\0');
  }
  const std::string& bytes() const { return bytes_; }
  uint32_t base() const { return base_; }

 private:
  uint32_t base_;
  size_t last_ = 0;
  std::string bytes_;
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_USER_STRUCT_H_
