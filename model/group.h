// IOMMU groups: the smallest sets of devices that cannot reach each other past an IOMMU, derived
// once from the topology (docs/TRACE.md 8), and who has each of them.
#ifndef TWINWALK_MODEL_GROUP_H_
#define TWINWALK_MODEL_GROUP_H_

#include <cstdint>
#include <vector>

#include "model/faults.h"
#include "traces/world.h"

namespace twinwalk::model {

struct Context;
struct OpenFile;

struct Group {
  uint32_t number = 0;            // as the kernel names it
  std::vector<uint32_t> devices;  // indices into World::devices, ascending
  bool viable = true;             // no member has a driver that does DMA for the host
  OpenFile* file = nullptr;       // its one open file
  Context* context = nullptr;     // the container or iommufd that it is in
  uint32_t openDevices = 0;       // open devices of it, which keep it in its container
};

struct Groups {
  std::vector<Group> all;            // ascending by first device; then those without devices
  std::vector<uint32_t> ofDevice;    // index into `all`
  std::vector<uint32_t> ofFunction;  // likewise
  // Null: no device is in a group of that name.
  Group* Find(uint32_t number);
};

// Without World::functions equal numbers share a group.
Groups DeriveGroups(const World& world, const ModelFaults& faults);

// Whether a device can be told from others on its way to memory, and what interrupts it may send:
// MSI isolation (type1 sheet 7).
bool IsolatesMsi(const World& world, uint32_t device);
bool HasIommu(const World& world, uint32_t device);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_GROUP_H_
