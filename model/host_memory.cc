#include "model/host_memory.h"

#include "traces/check.h"

namespace twinwalk::model {

void HostMemory::Reset() {
  for (Frame& frame : frames_)
    if (frame.bytes != nullptr) spare_.push_back(frame.bytes);
  frames_.clear();
  free_.clear();
}

void HostMemory::Own(uint64_t frame, uint64_t backing, uint64_t page) {
  Frame& f = frames_[frame];
  CHECK(!f.used);
  f.backing = backing;
  f.page = page;
  f.pins = 0;
  f.used = true;
}

uint64_t HostMemory::Allocate(uint64_t backing, uint64_t page) {
  uint64_t frame = frames_.size();
  if (!free_.empty()) {
    frame = free_.back();
    free_.pop_back();
  } else {
    frames_.emplace_back();
  }
  Own(frame, backing, page);
  return frame;
}

uint64_t HostMemory::AllocateRun(uint64_t count, uint64_t align, uint64_t backing, uint64_t page) {
  const uint64_t end = frames_.size();
  const uint64_t first = (end + align - 1) / align * align;
  frames_.resize(first + count);
  for (uint64_t n = first; n > end; --n) free_.push_back(n - 1);
  for (uint64_t i = 0; i < count; ++i) Own(first + i, backing, page + i);
  return first;
}

void HostMemory::Free(uint64_t frame) {
  Frame& f = frames_[frame];
  CHECK(f.used && f.pins == 0);
  if (f.bytes != nullptr) spare_.push_back(f.bytes);
  f = Frame{};
  free_.push_back(frame);
}

char* HostMemory::Bytes(uint64_t pa) {
  const uint64_t n = pa / kPageSize;
  if (n >= frames_.size() || !frames_[n].used) return nullptr;
  Frame& frame = frames_[n];
  if (frame.bytes == nullptr) {
    if (spare_.empty()) {
      pages_.push_back(std::make_unique<Page>());
      spare_.push_back(pages_.back()->data());
    }
    frame.bytes = spare_.back();
    spare_.pop_back();
    std::memset(frame.bytes, 0, kPageSize);
  }
  return frame.bytes;
}

}  // namespace twinwalk::model
