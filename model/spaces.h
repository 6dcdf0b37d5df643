// I/O address spaces (IOAS): areas by IOVA, reserved ranges, where an IOVA may be placed, and which
// memory an area pins. The section numbers are the iommufd sheet's.
#ifndef TWINWALK_MODEL_SPACES_H_
#define TWINWALK_MODEL_SPACES_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "model/faults.h"
#include "model/files.h"

namespace twinwalk::model {

// Part of a pinned area that shows one mapping of its process.
struct Run {
  uint64_t first = 0, last = 0;  // IOVA
  uint64_t va = 0;
  Backing* backing = nullptr;
  uint64_t offset = 0;  // of the first byte
};

// One IOAS_MAP. Removed only whole.
struct Area {
  uint64_t first = 0, last = 0;  // IOVA, inclusive
  uint32_t process = 0;
  uint64_t va = 0;
  uint8_t rights = 0;     // Rights
  uint64_t account = 0;   // uid + 1; 0: not accounted
  std::vector<Run> runs;  // empty: not pinned

  uint64_t pages() const { return (((va & 4095) + (last - first)) >> 12) + 1; }
};

// A range that no area may touch; `owner` says who reserved it.
struct Reserved {
  uint64_t first = 0, last = 0;
  const void* owner = nullptr;
};

class Space {
 public:
  using Areas = absl::btree_map<uint64_t, Area>;  // by first
  Areas& areas() { return areas_; }
  const Areas& areas() const { return areas_; }

  Areas::iterator FirstMeeting(uint64_t first, uint64_t last);  // end(): none
  bool MeetsArea(uint64_t first, uint64_t last) {
    return FirstMeeting(first, last) != areas_.end();
  }

  // 1 without a page table, 4096 with one (section 5).
  uint64_t alignment() const { return alignment_; }
  void set_alignment(uint64_t alignment) { alignment_ = alignment; }
  bool AllAligned(uint64_t alignment) const;

  // Section 5.1; 0 or an errno.
  int CheckFixed(uint64_t iova, uint64_t length, uint64_t va);
  // Section 5.2; 0 and *iova, or an errno.
  int Place(uint64_t length, uint64_t va, const ModelFaults& faults, uint64_t* iova);

  void Reserve(uint64_t first, uint64_t last, const void* owner) {
    reserved_.push_back({first, last, owner});
  }
  void Unreserve(const void* owner);
  bool MeetsReserved(uint64_t first, uint64_t last) const;
  // Section 6.2: the holes of the reserved ranges over the whole space, ascending.
  std::vector<std::pair<uint64_t, uint64_t>> Ranges() const;

 private:
  // Reserved ranges merged, ascending.
  std::vector<std::pair<uint64_t, uint64_t>> Merged() const;

  Areas areas_;
  std::vector<Reserved> reserved_;
  uint64_t alignment_ = 1;
};

// Which memory `area` would pin, run by run: true, or false when some page is not mapped or not
// with the needed protection (EFAULT). Changes nothing but *runs.
bool ResolveRuns(const Area& area, const Process& process, const ModelFaults& faults,
                 std::vector<Run>* runs);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_SPACES_H_
