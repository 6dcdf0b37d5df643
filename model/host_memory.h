// Simulated physical memory: 4 KiB frames, each with an owner, so that a physical address leads
// back to the memory of a process (backing, offset) and a freed frame can be seen to change hands.
#ifndef TWINWALK_MODEL_HOST_MEMORY_H_
#define TWINWALK_MODEL_HOST_MEMORY_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace twinwalk::model {

inline constexpr uint64_t kPageSize = 4096;

// INVARIANTS: a frame given out reads as zeroes until written. Free frames are given out last in,
// first out; frame numbers are dense from 0, and frame 0 is an ordinary one.
class HostMemory {
 public:
  struct Frame {
    char* bytes = nullptr;  // null: all zero
    uint64_t backing = 0;   // owner; 0: a table or queue of ours, or free
    uint64_t page = 0;      // page of the backing; for tables the number of entries in use
    uint32_t pins = 0;      // areas that pin it
    bool used = false;
  };

  // Everything free and zero. Costs what was used.
  void Reset();

  uint64_t Allocate(uint64_t backing, uint64_t page);
  // `count` frames in a row, the first a multiple of `align`, pages counted from `page`.
  uint64_t AllocateRun(uint64_t count, uint64_t align, uint64_t backing, uint64_t page);
  void Free(uint64_t frame);

  Frame& At(uint64_t frame) { return frames_[frame]; }
  // Null when no such frame exists.
  const Frame* Find(uint64_t pa) const {
    const uint64_t n = pa / kPageSize;
    return n < frames_.size() && frames_[n].used ? &frames_[n] : nullptr;
  }

  // REQUIRES of the next four: inside one page. Outside of memory: reads zero, drops writes.
  void Read(uint64_t pa, void* out, uint64_t size) const {
    const Frame* frame = Find(pa);
    if (frame != nullptr && frame->bytes != nullptr)
      std::memcpy(out, frame->bytes + pa % kPageSize, size);
    else
      std::memset(out, 0, size);
  }
  void Write(uint64_t pa, const void* in, uint64_t size) {
    if (char* bytes = Bytes(pa)) std::memcpy(bytes + pa % kPageSize, in, size);
  }
  bool Read64(uint64_t pa, uint64_t* value) const {
    const Frame* frame = Find(pa);
    *value = 0;
    if (frame == nullptr) return false;
    if (frame->bytes != nullptr) std::memcpy(value, frame->bytes + pa % kPageSize, 8);
    return true;
  }
  void Write64(uint64_t pa, uint64_t value) { Write(pa, &value, 8); }

 private:
  using Page = std::array<char, kPageSize>;
  char* Bytes(uint64_t pa);
  void Own(uint64_t frame, uint64_t backing, uint64_t page);

  std::vector<Frame> frames_;
  std::vector<uint64_t> free_;                // frames, last in first out
  std::vector<std::unique_ptr<Page>> pages_;  // every page ever made
  std::vector<char*> spare_;                  // those not in use
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_HOST_MEMORY_H_
