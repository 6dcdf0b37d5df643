// What the Ops of a trace have made so far. Without a Machine's word every Op is taken to succeed.
// Growth rules and mutation pick handles, ranges and addresses from it.
#ifndef TWINWALK_FUZZ_SCENE_H_
#define TWINWALK_FUZZ_SCENE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/random.h"
#include "traces/trace.h"

namespace twinwalk::fuzz {

enum class Role : uint8_t {
  kIommuFd,
  kCdevFd,
  kVeventqFd,
  kFaultFd,
  kContainerFd,
  kGroupFd,
  kVfioDeviceFd,
  kEventFd,
  kMemFd,  // files
  kDevice,
  kIoas,
  kHwpt,
  kNested,
  kViommu,
  kVdevice,
  kVeventq,
  kFault,  // iommufd objects
  kMap
};
inline constexpr int kNone = -1;

struct Thing {
  Role role = Role::kMap;
  uint32_t op = 0;  // whose result it is
  uint8_t process = 0;
  bool alive = true;
  int context = kNone;  // files and objects of an iommufd or container: the Thing of the first open
  int of = kNone;       // hwpt: ioas; viommu: hwpt; nested, vdevice, veventq: viommu; device: cdev;
                        // veventq file: veventq; group: its container; VFIO device: its group
  uint32_t device = 0;  // cdev, device, vdevice: index into World::devices; group: its number
  int attached = kNone;  // cdev: what it is attached to
  bool parent = false;   // hwpt: NEST_PARENT
  uint64_t value = 0;    // map: base; vdevice: virtual id; nested: vSTE word 0; container: backend
  uint64_t size = 0;     // map: bytes
};

struct SceneArea {
  int ioas = kNone;  // or a container
  uint64_t iova = 0, length = 0;
  uint8_t process = 0;
  uint64_t va = 0;
  uint32_t flags = 0;
  bool alive = true;
};

// Where a guest-owned word lies.
struct GuestWord {
  uint8_t process = 0;
  uint64_t va = 0;
  uint64_t word = 0;
};
struct SampledWalk {
  uint64_t va = 0;  // an address that the tables map (or almost)
  uint16_t asid = 0;
  std::vector<GuestWord> words;  // CD, then descriptors
  bool complete = false;         // ended in a leaf
};

class Scene {
 public:
  explicit Scene(const World& world) : world_(&world) {}
  // The next Op of the trace; one that failed made nothing.
  void Note(const Op& op, bool succeeded = true);

  const World& world() const { return *world_; }
  uint32_t ops() const { return ops_; }
  const std::vector<Thing>& things() const { return things_; }
  const std::vector<SceneArea>& areas() const { return areas_; }
  const std::vector<uint64_t>& iovas() const { return iovas_; }  // of DMA and invalidation, recent

  // The Thing that a handle names; kNone when there is none.
  int Find(uint32_t op, HandleRole role) const;
  // The mapping of a process that holds `va`.
  int MapAt(uint8_t process, uint64_t va) const;
  const SceneArea* AreaAt(int ioas, uint64_t iova) const;
  // The IOAS behind an IOAS, HWPT, vIOMMU or nested HWPT.
  int IoasOf(int thing) const;
  // Pages (IOVAs) of live areas of an IOAS, the first few of each.
  std::vector<uint64_t> Pages(int ioas) const;
  // A random path down a nested HWPT's tables, or nothing when its CD is not there.
  std::optional<SampledWalk> Sample(Random& random, int nested) const;
  uint64_t Word(uint8_t process, uint64_t va) const;

 private:
  int Add(Role role, const Op& op, int context);
  int HandleThing(const Op& op, int index, Handle handle, HandleRole role) const;
  void Open(const Op& op);
  void Dup(const Op& op);
  void Close(int file);
  void MakeObject(const Op& op, int fd);
  void NoteVfio(const Op& op, int fd);
  void NoteProcess(const Op& op, int fd);
  void AddArea(const Op& op, int space, Handle map, uint64_t va, uint64_t iova, uint64_t length);
  void Unmap(int space, uint64_t iova, uint64_t length, bool all);
  void Kill(int thing);
  void Store(const Op& op);
  void Remember(uint64_t iova);

  const World* world_;
  uint32_t ops_ = 0;
  std::vector<Thing> things_;
  std::vector<SceneArea> areas_;
  std::vector<uint64_t> iovas_;
  std::map<uint64_t, uint64_t> memory_;  // process << 56 | va -> word that is not zero
};

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_SCENE_H_
