// I/O address spaces (IOAS): areas by IOVA, reserved ranges, where an IOVA may be placed, and which
// memory an area pins. The section numbers are the iommufd sheet's.
#ifndef TWINWALK_MODEL_SPACES_H_
#define TWINWALK_MODEL_SPACES_H_

#include <cstdint>
#include <memory>
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

// The areas that show the pages of one map, once IOAS_COPY or a split made more than one.
// INVARIANT: one Share for each of them, in order of creation.
struct Sharing;

// One IOAS_MAP, or a copy or part of one. Removed only whole.
struct Area {
  uint64_t first = 0, last = 0;  // IOVA, inclusive
  uint32_t process = 0;
  uint64_t va = 0;
  uint8_t rights = 0;                // Rights
  bool writable = false;             // its pages are pinned for writing, whatever this area allows
  uint64_t account = 0;              // key of the account charged; 0: not accounted
  std::vector<Run> runs;             // empty: not pinned
  bool type1 = false;                // of a container: device memory can be mapped, unpinned
  bool vaddrInvalid = false;         // its user address was taken (type1 sheet 10)
  uint64_t pagesId = 0;              // ordinal of the map that made the pages
  OpenFile* file = nullptr;          // IOAS_MAP_FILE: va is an offset into it
  std::shared_ptr<Sharing> sharing;  // null: nothing else shows its pages
  uint64_t share = 0;                // its Share's id

  uint64_t pages() const { return (((va & 4095) + (last - first)) >> 12) + 1; }
  uint64_t first_page() const { return va >> 12; }
  uint64_t last_page() const { return first_page() + pages() - 1; }
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

  // 1 without a page table, 4096 with one or without large pages (section 5).
  uint64_t alignment() const { return alignment_; }
  void set_alignment(uint64_t alignment) { alignment_ = alignment; }
  // What it is without a page table.
  uint64_t least_alignment() const { return largePages_ ? 1 : kPageSize; }
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

  // Section 6.3: where automatic placement is confined to, and what no reservation may touch.
  // REQUIRES: no two overlap.
  void set_allowed(std::vector<std::pair<uint64_t, uint64_t>> allowed);
  bool MeetsAllowed(uint64_t first, uint64_t last) const;

  // Whether page tables may use leaves of more than one page.
  bool large_pages() const { return largePages_; }
  void set_large_pages(bool on) { largePages_ = on; }

  // Section 6.2: the holes of the reserved ranges over the whole space, ascending.
  std::vector<std::pair<uint64_t, uint64_t>> Ranges() const;

 private:
  using Intervals = std::vector<std::pair<uint64_t, uint64_t>>;
  // Reserved ranges merged, ascending.
  Intervals Merged() const;
  // The first hole between `first` and `last` that fits(hole) accepts.
  template <class Fits>
  bool PlaceIn(uint64_t first, uint64_t last, const Intervals& reserved, Fits&& fits) const;

  Areas areas_;
  std::vector<Reserved> reserved_;
  Intervals allowed_;  // merged, ascending
  uint64_t alignment_ = 1;
  bool largePages_ = true;
};

// Which memory `area` would pin, run by run: true, or false when some page is not mapped or not
// with the needed protection (EFAULT). Changes nothing but *runs.
bool ResolveRuns(const Area& area, const Process& process, const ModelFaults& faults,
                 std::vector<Run>* runs);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_SPACES_H_
