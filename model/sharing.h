// Which areas show the pages of one map. Pages are pinned once, however many areas of however many
// address spaces show them (iommufd sheet 5.3): an area that is pinned later takes the frames that
// are pinned already, and who pays is the first that is left.
#ifndef TWINWALK_MODEL_SHARING_H_
#define TWINWALK_MODEL_SHARING_H_

#include <cstdint>
#include <vector>

#include "model/spaces.h"

namespace twinwalk::model {

// One area, found by where it stands: areas move in memory.
struct Share {
  uint64_t id = 0;
  uint64_t firstPage = 0, lastPage = 0;  // of the process (or file)
  Space* space = nullptr;
  uint64_t first = 0;  // IOVA
  bool pinned = false;
};

struct Sharing {
  std::vector<Share> shares;  // in order of creation
  uint64_t lastId = 0;

  Share* Find(uint64_t id);
  // Pages in first..last that no other pinned share covers; `earlier`: none before it in order.
  uint64_t Uncovered(uint64_t id, uint64_t first, uint64_t last, bool earlier) const;
  // The first pinned share, other than `id`, that covers `page`. Null: none; *until is the last
  // page of which the same can be said.
  const Share* Covering(uint64_t id, uint64_t page, uint64_t* until) const;
};

// `copy`, to be put into `space`, shows pages of `source`, which stands in `from`.
void ShareArea(Space* from, Area* source, Space* space, Area* copy);
// The area is about to go.
void UnshareArea(Area* area);
// Pages that `area` alone has pinned, or would; all of them when nothing shares its pages.
uint64_t OwnPages(const Area& area);
// Pages first..last of `area` for which it pays.
uint64_t PaidPages(const Area& area, uint64_t first, uint64_t last);
void MarkPinned(const Area& area, bool pinned);

// Splits the area at `at`, which goes to the second half with all behind it (section 8.2).
// `keep_old`: a planted fault (M10).
void SplitArea(Space* space, Space::Areas::iterator area, uint64_t at, bool keep_old);

// Which memory `area` would pin, like ResolveRuns: what is pinned already is taken as it is.
bool ResolveShared(const Area& area, const Process& process, const ModelFaults& faults,
                   std::vector<Run>* runs);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_SHARING_H_
