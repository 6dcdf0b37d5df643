#include "traces/import_builder.h"

#include <cstdio>

namespace twinwalk {

std::optional<uint32_t> RequesterId(const std::string& address) {
  unsigned domain = 0, bus = 0, slot = 0, function = 0;
  int used = 0;
  if (std::sscanf(address.c_str(), "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &used) !=
      4)
    return std::nullopt;
  if (static_cast<size_t>(used) != address.size() || slot > 31 || function > 7) return std::nullopt;
  return bus << 8 | slot << 3 | function;
}

void ImportBuilder::Count(std::map<std::string, uint64_t>* counts, const std::string& name) {
  const std::string key = name.substr(0, kMaxName);
  const bool fits = counts->size() < kMaxNames || counts->count(key) > 0;
  ++(*counts)[fits ? key : "(others)"];
}

Handle ImportBuilder::Add(Op op) {
  std::vector<Op>& ops = out_->trace.ops;
  const uint64_t bytes = op.blob.size() + (op.recorded ? op.recorded->out.size() : 0);
  if (ops.size() >= limits_.ops || payload_ + bytes > limits_.payload_bytes) {
    full_ = true;
    return kDanglingHandle;
  }
  payload_ += bytes;
  ops.push_back(std::move(op));
  ++stats().ops;
  return static_cast<Handle>(ops.size() - 1);
}

std::optional<uint8_t> ImportBuilder::Process(uint64_t pid) {
  if (auto it = processes_.find(pid); it != processes_.end()) return it->second;
  uint32_t used = 0;
  for (const auto& [other, index] : processes_) used |= 1u << index;
  for (uint8_t index = 0; index < kMaxProcesses; ++index) {
    if (used >> index & 1) continue;
    processes_[pid] = index;
    // The recorders ran as root: nothing was ever refused for a locked-memory limit.
    while (world().processes.size() <= index) {
      ProcessConfig root;
      root.ipcLock = true;
      world().processes.push_back(root);
    }
    return index;
  }
  return std::nullopt;
}

std::optional<uint32_t> ImportBuilder::Device(const std::string& cdev) {
  if (auto it = devices_.find(cdev); it != devices_.end()) return it->second;
  std::vector<DeviceConfig>& devices = world().devices;
  if (devices.size() >= kMaxDevices) return std::nullopt;
  DeviceConfig device;
  device.group = static_cast<uint32_t>(devices.size());
  std::optional<uint32_t> rid;
  if (auto it = addresses_.find(cdev); it != addresses_.end()) rid = RequesterId(it->second);
  if (rid) ++stats().environment;
  // Without a PCI address: numbers of their own above all requester ids.
  device.streamId = rid.value_or(0x10000 + device.group);
  for (const DeviceConfig& other : devices)
    if (other.streamId == device.streamId) device.streamId = 0x10000 + device.group;
  devices.push_back(device);
  devices_[cdev] = device.group;
  return device.group;
}

void ImportBuilder::SetAddress(const std::string& cdev, const std::string& address) {
  if (addresses_.size() < kMaxNames && RequesterId(address)) addresses_[cdev] = address;
}

std::optional<uint32_t> ImportBuilder::DeviceAt(const std::string& address) const {
  for (const auto& [cdev, known] : addresses_) {
    if (known != address) continue;
    if (auto it = devices_.find(cdev); it != devices_.end()) return it->second;
  }
  return std::nullopt;
}

}  // namespace twinwalk
