#include "traces/world.h"

#include <set>
#include <utility>

namespace twinwalk {
namespace {

constexpr uint64_t kMaxFrames = uint64_t{1} << 36;  // 2^48 bytes
constexpr uint32_t kMaxTags = 1 << 16;
constexpr size_t kMaxName = 4096;

std::string Outside(const std::string& what, uint64_t value, uint64_t low, uint64_t high) {
  if (value >= low && value <= high) return "";
  return what + " = " + std::to_string(value) + ", must be " + std::to_string(low) + ".." +
         std::to_string(high);
}

std::string BadSmmu(const SmmuConfig& smmu, const std::string& name) {
  const std::pair<const char*, uint32_t> caches[] = {
      {"tlbEntries", smmu.tlbEntries},
      {"walkCacheEntries", smmu.walkCacheEntries},
      {"configCacheEntries", smmu.configCacheEntries},
      {"eventQueueEntries", smmu.eventQueueEntries}};
  for (const auto& [field, value] : caches)
    if (auto bad = Outside(name + "." + field, value, 1, kMaxCacheEntries); !bad.empty())
      return bad;
  if (auto bad = Outside(name + ".vmidLimit", smmu.vmidLimit, 1, kMaxTags); !bad.empty())
    return bad;
  return Outside(name + ".asidLimit", smmu.asidLimit, 1, kMaxTags);
}

std::string BadVtd(const VtdConfig& vtd, const std::string& name) {
  const std::pair<const char*, uint32_t> caches[] = {
      {"iotlbEntries", vtd.iotlbEntries},
      {"walkCacheEntries", vtd.walkCacheEntries},
      {"contextCacheEntries", vtd.contextCacheEntries},
      {"faultRecords", vtd.faultRecords}};
  for (const auto& [field, value] : caches)
    if (auto bad = Outside(name + "." + field, value, 1, kMaxCacheEntries); !bad.empty())
      return bad;
  if (auto bad = Outside(name + ".didLimit", vtd.didLimit, 1, kMaxTags); !bad.empty()) return bad;
  return Outside(name + ".hostAddressBits", vtd.hostAddressBits, 36, 52);
}

// Regions stay inside 2^40 bytes each: their place in the device file is index << 40.
std::string BadVfio(const VfioConfig& vfio, const std::string& name) {
  if (auto bad = Outside(name + ": regions", vfio.regions.size(), 0, kMaxRegions); !bad.empty())
    return bad;
  if (auto bad = Outside(name + ": irqs", vfio.irqs.size(), 0, kMaxIrqIndexes); !bad.empty())
    return bad;
  for (const RegionConfig& region : vfio.regions) {
    if (auto bad = Outside(name + ": size of a region", region.size, 0, uint64_t{1} << 40);
        !bad.empty())
      return bad;
    if (auto bad = Outside(name + ": sparse pieces", region.sparse.size(), 0, kMaxSparse);
        !bad.empty())
      return bad;
  }
  return Outside(name + ": bytes of name", vfio.name.size(), 0, kMaxName);
}

// A parent stands before its children, so that there is no cycle; a device is one function.
std::string BadFunctions(const World& world) {
  std::set<uint32_t> devices;
  for (size_t i = 0; i < world.functions.size(); ++i) {
    const PciFunction& function = world.functions[i];
    const std::string name = "function " + std::to_string(i);
    const std::string limits[] = {
        Outside(name + ".rid", function.rid, 0, 0xffff),
        Outside(name + ".kind", function.kind, 0, PciFunction::kPciBridge),
        Outside(name + ".parent", function.parent, 0, i),
        Outside(name + ".aliasDevfn", function.aliasDevfn, 0, 256),
        Outside(name + ".driver", function.driver, 0, PciFunction::kHost),
        Outside(name + ".device", function.device, 0, world.devices.size())};
    for (const std::string& bad : limits)
      if (!bad.empty()) return bad;
    if (function.device != 0 && !devices.insert(function.device).second)
      return name + ".device = " + std::to_string(function.device) + ", another function is it";
  }
  return "";
}

}  // namespace

std::string ValidateWorld(const World& world) {
  const std::string counts[] = {
      Outside("number of smmus", world.smmus.size(), world.vtds.empty() ? 1 : 0, kMaxSmmus),
      Outside("number of vtds", world.vtds.size(), 0, kMaxVtds),
      Outside("number of functions", world.functions.size(), 0, kMaxFunctions),
      Outside("number of devices", world.devices.size(), 0, kMaxDevices),
      Outside("number of processes", world.processes.size(), 1, kMaxProcesses),
      Outside("bytes of name", world.name.size(), 0, kMaxName),
      Outside("frames", world.frames, 1, kMaxFrames)};
  for (const std::string& bad : counts)
    if (!bad.empty()) return bad;
  for (size_t i = 0; i < world.smmus.size(); ++i)
    if (auto bad = BadSmmu(world.smmus[i], "smmu " + std::to_string(i)); !bad.empty()) return bad;
  for (size_t i = 0; i < world.vtds.size(); ++i)
    if (auto bad = BadVtd(world.vtds[i], "vtd " + std::to_string(i)); !bad.empty()) return bad;
  std::set<std::pair<uint32_t, uint32_t>> streams;
  for (size_t i = 0; i < world.devices.size(); ++i) {
    const DeviceConfig& device = world.devices[i];
    const std::string name = "device " + std::to_string(i);
    if (auto bad = BadVfio(device.vfio, name); !bad.empty()) return bad;
    if (device.smmu == kNoIommu && world.noiommu) continue;
    if (device.smmu >= world.smmus.size() + world.vtds.size())
      return name + ".smmu = " + std::to_string(device.smmu) + ", there is no such IOMMU";
    if (!streams.emplace(device.smmu, device.streamId).second)
      return name + ".streamId = " + std::to_string(device.streamId) + ", another device has it";
  }
  return BadFunctions(world);
}

}  // namespace twinwalk
