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

}  // namespace

std::string ValidateWorld(const World& world) {
  const std::string counts[] = {
      Outside("number of smmus", world.smmus.size(), 1, kMaxSmmus),
      Outside("number of devices", world.devices.size(), 0, kMaxDevices),
      Outside("number of processes", world.processes.size(), 1, kMaxProcesses),
      Outside("bytes of name", world.name.size(), 0, kMaxName),
      Outside("frames", world.frames, 1, kMaxFrames)};
  for (const std::string& bad : counts)
    if (!bad.empty()) return bad;
  for (size_t i = 0; i < world.smmus.size(); ++i)
    if (auto bad = BadSmmu(world.smmus[i], "smmu " + std::to_string(i)); !bad.empty()) return bad;
  std::set<std::pair<uint32_t, uint32_t>> streams;
  for (size_t i = 0; i < world.devices.size(); ++i) {
    const DeviceConfig& device = world.devices[i];
    const std::string name = "device " + std::to_string(i);
    if (device.smmu >= world.smmus.size())
      return name + ".smmu = " + std::to_string(device.smmu) + ", there is no such smmu";
    if (!streams.emplace(device.smmu, device.streamId).second)
      return name + ".streamId = " + std::to_string(device.streamId) + ", another device has it";
  }
  return "";
}

}  // namespace twinwalk
