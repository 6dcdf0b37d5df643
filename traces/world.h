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

// One VT-d unit (hw-vtd sheet 1). Capacities bound the model's caches; the reference has none.
struct VtdConfig {
  uint64_t cap = 0x00d2008c222f0606;   // CAP: CM 0, 3- and 4-level, MGAW 48, 2M and 1G pages, PSI
  uint64_t ecap = 0x00000000000f00da;  // ECAP: QI, IR, PT, SC
  bool scalable = false;               // the driver uses scalable mode (ECAP.SMTS)
  bool interruptRemapping = true;      // MSI of its devices are isolated
  uint32_t hostAddressBits = 46;       // HAW
  uint32_t didLimit = 65536;           // domain ids 1 .. didLimit-1 can be given to domains
  uint32_t iotlbEntries = 64;
  uint32_t walkCacheEntries = 16;
  uint32_t contextCacheEntries = 8;
  uint32_t faultRecords = 8;  // FRCD registers; drained to the host's log at each fault
  bool operator==(const VtdConfig&) const = default;
};

// A region of a VFIO device (vfio-type1 sheet 6). What is read there is environment.
struct RegionConfig {
  uint64_t size = 0;   // bytes; 0: not implemented
  uint32_t flags = 0;  // 1 read, 2 write, 4 mmap
  bool msixMappable = false;
  // Non-empty: only these can be mapped (SPARSE_MMAP).
  struct Piece {
    uint64_t offset = 0, size = 0;
    bool operator==(const Piece&) const = default;
  };
  std::vector<Piece> sparse;
  bool operator==(const RegionConfig&) const = default;
};

// What vfio-pci tells of a device (vfio-type1 sheet 6): told, not judged.
struct VfioConfig {
  std::string name;             // bus name, "0000:00:10.0"; GROUP_GET_DEVICE_FD asks for it
  bool resets = false;          // DEVICE_RESET works
  bool pcie = false;            // has the ERR interrupt
  bool slotResets = false;      // its slot or bus can be reset: PCI_HOT_RESET is offered
  bool slotResetFails = false;  // ... and ends in ENOTTY, because the link does not come back
  std::vector<RegionConfig> regions{9};       // BAR0..5, ROM, CONFIG, VGA, device specific
  std::vector<uint32_t> irqs{0, 0, 0, 0, 1};  // vectors: INTx, MSI, MSI-X, ERR, REQ
  // VFIO_DEVICE_FEATURE: bit n of each: feature n can be got, set (PROBE answers by these).
  uint64_t featureGet = 0, featureSet = 0;
  bool operator==(const VfioConfig&) const = default;
};

inline constexpr uint32_t kNoIommu = 0xffffffff;

struct DeviceConfig {
  uint32_t smmu = 0;  // its IOMMU: index into World::smmus, then, behind those, into World::vtds;
                      // or kNoIommu
  uint32_t streamId = 0;  // physical stream id; VT-d: source id (bus, device, function)
  // IOMMU group, as the kernel numbers it; equal numbers share one. With World::functions both
  // Machines derive the groups, and these are only their names.
  uint32_t group = 0;
  // Bytes of one transaction on the bus: a faulting DMA makes one event for each. 0: one for each
  // 4 KiB page touched. (QEMU's edu: 4; hw-smmuv3 sheet, Observed 1.)
  uint32_t transactionBytes = 0;
  VfioConfig vfio;
  bool operator==(const DeviceConfig&) const = default;
};

// One PCI function, from which groups are derived (design 2): a device that VFIO knows, or one that
// it does not (bridge, port, a neighbour with a host driver).
struct PciFunction {
  enum Kind : uint32_t {
    kEndpoint = 0,      // PCI Express endpoint, root-complex integrated ones too
    kConventional = 1,  // conventional PCI
    kRootPort = 2,
    kUpstreamPort = 3,
    kDownstreamPort = 4,
    kPcieToPci = 5,  // bridge; what is behind it uses its requester id
    kPciBridge = 6,  // PCI-to-PCI bridge
  };
  enum Driver : uint32_t {
    kNone = 0,
    kVfio = 1,
    kStub = 2,          // pci-stub: harmless
    kInterconnect = 3,  // a port or bridge driver
    kHost = 4           // any other: it does DMA through kernel mappings
  };
  uint32_t rid = 0;     // bus << 8 | devfn
  uint32_t kind = 0;    // Kind
  uint32_t parent = 0;  // index into World::functions plus 1 of the bridge above; 0: a root bus
  bool acs = false;     // isolates: source validation, request and completion redirect, forwarding
  bool multifunction = false;
  uint32_t aliasDevfn = 0;  // plus 1: it also issues requests as this devfn of its bus; 0: none
  uint32_t driver = 0;      // Driver
  uint32_t device = 0;      // index into World::devices plus 1; 0: none
  bool operator==(const PciFunction&) const = default;
};

struct ProcessConfig {
  uint32_t uid = 0;
  bool ipcLock = false;             // CAP_IPC_LOCK: pins are not accounted
  uint64_t memlockPages = 1 << 20;  // RLIMIT_MEMLOCK in 4 KiB pages
  bool rawIo = false;               // CAP_SYS_RAWIO
  bool sysResource = false;         // CAP_SYS_RESOURCE
  bool unborn = false;              // comes to life by fork
  bool operator==(const ProcessConfig&) const = default;
};

struct World {
  std::string name;
  std::vector<SmmuConfig> smmus{SmmuConfig{}};
  std::vector<VtdConfig> vtds;
  std::vector<DeviceConfig> devices;
  std::vector<ProcessConfig> processes{ProcessConfig{}};
  uint64_t frames = 1 << 20;  // 4 KiB frames of memory
  uint64_t swMsiFirst = 0x08000000,
           swMsiLast = 0x080fffff;     // software MSI window; first > last: none
  std::vector<PciFunction> functions;  // empty: groups are DeviceConfig::group
  // Module parameters and build options (vfio-type1 sheet 4, 9; iommufd sheet 1, 5.2, 10.1).
  bool allowUnsafeInterrupts = false;
  bool noiommu = false;
  uint32_t dmaEntryLimit = 65535;  // mappings a container may hold
  bool disableHugepages = false;   // of type1: 1: every IOPTE is one page
  bool iommufdContainer = false;   // /dev/vfio/vfio is served by iommufd
  Rules rules;
  bool operator==(const World&) const = default;
};

// Limits on what a World may ask for; ValidateWorld names the first one exceeded ("" when none).
inline constexpr uint32_t kMaxSmmus = 4, kMaxDevices = 64, kMaxProcesses = 16;
inline constexpr uint32_t kMaxVtds = 4, kMaxFunctions = 256, kMaxRegions = 64;
inline constexpr uint32_t kMaxIrqIndexes = 16, kMaxSparse = 16;
inline constexpr uint32_t kMaxCacheEntries = 1 << 16;
std::string ValidateWorld(const World& world);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_WORLD_H_
