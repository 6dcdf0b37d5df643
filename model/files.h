// What processes hold: file descriptors, mappings, and the memory behind them. A backing is memory
// with an identity (a memfd, or one anonymous mapping); its pages get frames when first touched and
// keep them while it lives.
#ifndef TWINWALK_MODEL_FILES_H_
#define TWINWALK_MODEL_FILES_H_

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "model/host_memory.h"
#include "traces/op.h"

namespace twinwalk::model {

struct Context;
struct Veventq;
struct FaultQueue;

// Lives while mapped, open or pinned.
class Backing {
 public:
  Backing(uint64_t ordinal, uint64_t length) : ordinal_(ordinal), length_(length) {}
  uint64_t ordinal() const { return ordinal_; }
  uint64_t length() const { return length_; }

  // Frame of a page; gives it one if needed. A whole aligned 2 MiB gets frames in a row when
  // `huge`.
  uint64_t Touch(HostMemory* memory, uint64_t page, bool huge);
  void FreeFrames(HostMemory* memory);
  void CopyTo(HostMemory* memory, Backing* to) const;  // pages that hold anything

  uint32_t users = 0;   // mappings, open files, pinned runs
  bool device = false;  // a region of a device: never pinned or charged

 private:
  static constexpr uint64_t kChunkPages = 512;
  static constexpr uint64_t kNone = ~uint64_t{0};
  using Chunk = std::array<uint64_t, kChunkPages>;  // frames
  uint64_t ordinal_, length_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Chunk>> chunks_;
  std::vector<uint64_t> order_;  // keys of chunks_, as made: frees in this order
  uint64_t lastKey_ = kNone;
  Chunk* last_ = nullptr;
};

// Every backing by its ordinal.
class Backings {
 public:
  explicit Backings(HostMemory* memory) : memory_(memory) {}
  Backing* Make(uint64_t length);
  void Release(Backing* backing);  // one user less
  void Reset() { live_.clear(), made_ = 0; }

 private:
  HostMemory* memory_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Backing>> live_;
  uint64_t made_ = 0;
};

// One mapping of a process: [base, last] shows backing from `offset`.
struct Vma {
  uint64_t last = 0;
  Backing* backing = nullptr;
  uint64_t offset = 0;
  uint32_t prot = 0;
  bool shared = true;  // false: private anonymous memory, which fork copies
};

enum class FileKind : uint8_t {
  kIommufd,
  kCdev,
  kVeventq,
  kMemfd,
  kFault,
  kContainer,  // /dev/vfio/vfio
  kGroup,
  kDevice,  // a device that was got from its group
  kEventfd
};
struct OpenFile {
  FileKind kind;
  uint32_t refs = 1;            // descriptors, and areas that show it (IOAS_MAP_FILE)
  Context* context = nullptr;   // kIommufd, kContainer; kCdev once bound
  uint32_t device = 0;          // kCdev, kDevice
  Veventq* queue = nullptr;     // kVeventq
  FaultQueue* fault = nullptr;  // kFault
  Backing* backing = nullptr;   // kMemfd
  uint32_t group = 0;           // kGroup: index into Stack::groups
  bool noiommu = false;         // kGroup: opened as one without IOMMU
  OpenFile* holds = nullptr;    // kDevice: the file of its group
  uint64_t counter = 0;         // kEventfd
  bool semaphore = false;       // kEventfd
};

class Process {
 public:
  static constexpr uint32_t kFirstFd = 3;

  OpenFile* File(uint32_t fd) const {
    return fd >= kFirstFd && fd - kFirstFd < files_.size() ? files_[fd - kFirstFd].file : nullptr;
  }
  // Lowest free descriptor. by_ioctl: exec closes it.
  uint32_t Install(OpenFile* file, bool by_ioctl = false);
  void Remove(uint32_t fd);
  // Open descriptors, ascending: those that exec closes, or all.
  std::vector<uint32_t> Fds(bool only_by_ioctl) const;
  void CopyFds(const Process& parent);  // they count in their files

  bool alive = true;
  bool ended = false;         // it exited, and is not born again
  uint64_t memlockPages = 0;  // RLIMIT_MEMLOCK, in 4 KiB pages

  using Vmas = absl::btree_map<uint64_t, Vma>;  // by base
  // The mapping that contains `address`.
  Vmas::const_iterator Find(uint64_t address) const;
  bool Overlaps(uint64_t first, uint64_t last) const;
  void Map(uint64_t base, const Vma& vma) { vmas_[base] = vma; }
  // Unmaps what is in first..last (page-aligned), splitting mappings at its ends.
  void Unmap(uint64_t first, uint64_t last, Backings* backings);
  const Vmas& vmas() const { return vmas_; }

 private:
  struct Slot {
    OpenFile* file = nullptr;
    bool byIoctl = false;
  };
  std::vector<Slot> files_;  // by fd - kFirstFd
  uint32_t lowest_ = 0;      // no free slot below
  Vmas vmas_;
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_FILES_H_
