// The machine that a trace runs on. Everything here is environment: it is told, not judged.
#ifndef TWINWALK_TRACES_WORLD_H_
#define TWINWALK_TRACES_WORLD_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "traces/rules.h"

namespace twinwalk {

// One SMMUv3 (hw-smmuv3 sheet 1). Capacities bound the model's caches; the reference has none.
struct SmmuConfig {
  std::array<uint32_t, 6> idr{0x0d44101b, 0x02730010, 0, 0x1414, 0, 0x74};
  uint32_t iidr = 0;
  uint32_t aidr = 1;
  uint32_t vmidLimit = 65536;  // VMIDs 1 .. vmidLimit-1 can be given to nest parents
  uint32_t asidLimit = 65536;  // ASIDs 1 .. asidLimit-1 can be given to stage-1 paging HWPTs
  uint32_t tlbEntries = 64;
  uint32_t walkCacheEntries = 16;
  uint32_t configCacheEntries = 8;
  uint32_t eventQueueEntries =
      128;              // hardware event queue; drained to vEVENTQs and log after each Op
  bool canNest = true;  // offers VIOMMU_ALLOC (S2FWB or CANWBS)
  bool operator==(const SmmuConfig&) const = default;
};

struct DeviceConfig {
  uint32_t smmu = 0;      // index into World::smmus
  uint32_t streamId = 0;  // physical
  uint32_t group = 0;     // IOMMU group; equal numbers share one
  // Bytes of one transaction on the bus: a faulting DMA makes one event for each. 0: one for each
  // 4 KiB page touched. (QEMU's edu: 4; hw-smmuv3 sheet, Observed 1.)
  uint32_t transactionBytes = 0;
  bool operator==(const DeviceConfig&) const = default;
};

struct ProcessConfig {
  uint32_t uid = 0;
  bool ipcLock = false;             // CAP_IPC_LOCK: pins are not accounted
  uint64_t memlockPages = 1 << 20;  // RLIMIT_MEMLOCK in 4 KiB pages
  bool operator==(const ProcessConfig&) const = default;
};

struct World {
  std::string name;
  std::vector<SmmuConfig> smmus{SmmuConfig{}};
  std::vector<DeviceConfig> devices;
  std::vector<ProcessConfig> processes{ProcessConfig{}};
  uint64_t frames = 1 << 20;  // 4 KiB frames of memory
  uint64_t swMsiFirst = 0x08000000,
           swMsiLast = 0x080fffff;  // software MSI window; first > last: none
  Rules rules;
  bool operator==(const World&) const = default;
};

// Limits on what a World may ask for; ValidateWorld names the first one exceeded ("" when none).
inline constexpr uint32_t kMaxSmmus = 4, kMaxDevices = 64, kMaxProcesses = 16;
inline constexpr uint32_t kMaxCacheEntries = 1 << 16;
std::string ValidateWorld(const World& world);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_WORLD_H_
