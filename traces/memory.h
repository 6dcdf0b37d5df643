// Sparse bytes under a hard bound: guest memory, host memory. Reads of what was never written are
// zero. Each Machine owns its own.
#ifndef TWINWALK_TRACES_MEMORY_H_
#define TWINWALK_TRACES_MEMORY_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>

namespace twinwalk {

class SparseMemory {
 public:
  static constexpr uint64_t kPage = 4096;
  // Pages that can be held at once; writes beyond are dropped and full() says so.
  explicit SparseMemory(size_t max_pages = 1 << 18) : max_pages_(max_pages) {}

  void Read(uint64_t address, void* out, size_t size) const {
    auto* to = static_cast<char*>(out);
    while (size > 0) {
      const size_t n = Chunk(address, size);
      const Page* page = Find(address / kPage);
      if (page != nullptr)
        std::memcpy(to, page->data() + address % kPage, n);
      else
        std::memset(to, 0, n);
      address += n, to += n, size -= n;
    }
  }
  void Write(uint64_t address, const void* in, size_t size) {
    auto* from = static_cast<const char*>(in);
    while (size > 0) {
      const size_t n = Chunk(address, size);
      if (Page* page = Make(address / kPage)) std::memcpy(page->data() + address % kPage, from, n);
      address += n, from += n, size -= n;
    }
  }
  // Little-endian, as all tables here are. REQUIRES: address is a multiple of 8.
  uint64_t Read64(uint64_t address) const {
    uint64_t value = 0;
    if (const Page* page = Find(address / kPage))
      std::memcpy(&value, page->data() + address % kPage, 8);
    return value;
  }
  void Write64(uint64_t address, uint64_t value) { Write(address, &value, 8); }
  // To a memory where nothing was written yet, of the same bound.
  void CopyTo(SparseMemory* to) const {
    for (const auto& [number, page] : pages_) to->Write(number * kPage, page->data(), kPage);
  }
  void ForgetPage(uint64_t address) { pages_.erase(address / kPage); }
  // Costs what was written, not what could be.
  void Clear() { pages_.clear(), full_ = false; }
  bool full() const { return full_; }

 private:
  using Page = std::array<char, kPage>;
  static size_t Chunk(uint64_t address, size_t size) {
    const size_t rest = kPage - address % kPage;
    return size < rest ? size : rest;
  }
  const Page* Find(uint64_t number) const {
    auto it = pages_.find(number);
    return it == pages_.end() ? nullptr : it->second.get();
  }
  Page* Make(uint64_t number) {
    auto it = pages_.find(number);
    if (it != pages_.end()) return it->second.get();
    if (pages_.size() >= max_pages_) {
      full_ = true;
      return nullptr;
    }
    auto page = std::make_unique<Page>();
    page->fill(0);
    return (pages_[number] = std::move(page)).get();
  }
  std::unordered_map<uint64_t, std::unique_ptr<Page>>
      pages_;  // iterated only where order cannot show
  size_t max_pages_;
  bool full_ = false;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_MEMORY_H_
