// What the calls that map have in common (iommufd sheet 5): where the areas go, what they pin, who
// pays, and that all of it happens or nothing.
#ifndef TWINWALK_MODEL_MAPS_H_
#define TWINWALK_MODEL_MAPS_H_

#include <vector>

#include "model/stack.h"

namespace twinwalk::model {

enum MapFlags : uint32_t { kFixedIova = 1, kWriteable = 2, kReadable = 4 };
uint8_t RightsOfFlags(uint32_t flags);

// Errors that IOAS_MAP, IOAS_MAP_FILE and IOAS_COPY look for first, in order.
int CheckMapArgs(uint32_t flags, uint32_t reserved, std::initializer_list<uint64_t> below_top);

// One area to be: memory of `process` from `va`, or from there on in `file`.
Area NewArea(Stack* stack, const Context& context, uint32_t process, uint64_t va, OpenFile* file,
             uint8_t rights);
// Places and maps it: 0 and *iova, or an errno and nothing changed. `may_fail`: after all else
// that could fail, an allocation may (docs/TRACE.md 1).
int MapArea(Stack* stack, Ioas* ioas, Area area, uint64_t length, bool fixed, bool may_fail,
            uint64_t* iova);

// A stretch of areas to be shown elsewhere: `length` bytes from `iova`.
int CopyAreas(Stack* stack, Ioas* from, uint64_t source, uint64_t length, Ioas* to, uint32_t flags,
              bool may_fail, uint64_t* iova);
// Whether areas cover source..source + length - 1 without a hole: 0, EINVAL, EOVERFLOW, ENOENT.
int CheckSource(Ioas* from, uint64_t source, uint64_t length);

// Sheet 6.8: unmaps every area in first..last. 0, or ENOENT at one that reaches beyond; what went
// before stays unmapped. *bytes: how much.
int UnmapRange(Stack* stack, Ioas* ioas, uint64_t first, uint64_t last, uint64_t* bytes);

// Sheet 6.9: `process` pays for what every area of the context has pinned. 0, EINVAL or ENOMEM.
int MoveToProcess(Stack* stack, Context* context, uint32_t process);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_MAPS_H_
