// A native VFIO container: its backend, its groups and their IOMMU domains (type1 sheet 4, 7). Its
// address space is an IOAS and its domains are HWPTs of a context of its own, so that mapping,
// pinning, tables and invalidation are those of every other address space.
#ifndef TWINWALK_MODEL_CONTAINER_H_
#define TWINWALK_MODEL_CONTAINER_H_

#include <cstdint>
#include <vector>

namespace twinwalk::model {

struct Context;
struct Group;
struct Ioas;
class Stack;

enum class Backend : uint8_t { kNone, kType1, kNoiommu };

// What /dev/vfio/vfio takes as types and extensions (type1 sheet 4).
enum VfioExtension : uint64_t {
  kType1 = 1,
  kType1v2 = 3,
  kDmaCoherent = 4,
  kNoiommuIommu = 8,
  kUnmapAll = 9,
  kUpdateVaddr = 10
};

struct Container {
  Backend backend = Backend::kNone;
  bool v2 = false;             // SET_IOMMU with type 3
  bool tracking = false;       // dirty pages are asked for
  bool noiommu = false;        // of its groups; they never mix with real ones
  uint32_t entryLimit = 0;     // mappings that it may hold
  uint32_t invalid = 0;        // mappings whose user address was taken
  Ioas* space = nullptr;       // kType1
  std::vector<Group*> groups;  // in the order that they came
};

// SET_IOMMU: makes the backend and attaches every group. 0 or an errno, and then nothing changed.
int SetBackend(Stack* stack, Context* context, uint64_t type, uint32_t process);
// Puts a group in, and into the backend where there is one. 0 or an errno, and then nothing
// changed. REQUIRES: the group is in no container and viable.
int JoinContainer(Stack* stack, Context* context, Group* group);
// Takes a group out; its last domain and the backend go with the last group.
void LeaveContainer(Stack* stack, Group* group);

// Whether every domain enforces coherent DMA; the page sizes that all of them have.
bool Coherent(Stack* stack, const Ioas& space);
uint64_t PageSizes(Stack* stack, const Ioas& space);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_CONTAINER_H_
