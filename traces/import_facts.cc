#include "traces/import_facts.h"

#include <algorithm>
#include <cstdio>

#include "traces/import_recorded.h"

namespace twinwalk {
namespace {

constexpr uint16_t kEperm = 1, kEinval = 22, kEnotty = 25, kEnospc = 28;
// What the emulator's intel-iommu told where it was asked (caching-mode, device-iotlb on).
constexpr uint64_t kQemuCap = 0x80d2008c222f0686, kQemuEcap = 0xf00f4e;
constexpr uint64_t kQemuScalableEcap = 0x480080f00f4e;
constexpr uint64_t kEcapScalable = uint64_t{1} << 43;  // hw-vtd sheet 1: SMTS
constexpr uint32_t kFirstScalableReason = 0x30;        // hw-vtd sheet 6
constexpr uint32_t kUntoldGroup = 0x10000;             // group numbers that no kernel gave
constexpr uint32_t kErrIrq = 3, kConfigRegion = 7;     // vfio-type1 sheet 6
constexpr int kRegionShift = 40;                       // of the index, in the device's file
constexpr uint64_t kInterruptPin = 0x3d;               // in config space
constexpr uint32_t kCapMsixMappable = 3, kCapSparse = 1;

}  // namespace

std::optional<uint32_t> RequesterId(const std::string& address) {
  unsigned domain = 0, bus = 0, slot = 0, function = 0;
  int used = 0;
  if (std::sscanf(address.c_str(), "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &used) !=
      4)
    return std::nullopt;
  if (static_cast<size_t>(used) != address.size() || slot > 31 || function > 7) return std::nullopt;
  return bus << 8 | slot << 3 | function;
}

void ImportFacts::Told(const std::string& what) {
  if (told_.insert(what).second) ++*count_;
}

void ImportFacts::Machine(const std::string& machine) {
  if (machine != "x86_64") return;
  world_->smmus.clear();
  VtdConfig vtd;
  vtd.cap = kQemuCap, vtd.ecap = kQemuEcap;
  world_->vtds.assign(1, vtd);
  world_->swMsiFirst = 1, world_->swMsiLast = 0;  // none: the unit has its interrupt range
  Told("machine");
}

std::optional<uint32_t> ImportFacts::New(const std::string& address) {
  std::vector<DeviceConfig>& devices = world_->devices;
  if (devices.size() >= kMaxDevices) return std::nullopt;
  const uint32_t index = static_cast<uint32_t>(devices.size());
  DeviceConfig device;
  device.vfio.name = address;
  device.group = index;
  for (const DeviceConfig& other : devices)
    if (other.group == device.group) device.group = kUntoldGroup + index;
  // Without a PCI address: numbers of their own above all requester ids.
  device.streamId = RequesterId(address).value_or(0x10000 + index);
  for (const DeviceConfig& other : devices)
    if (other.streamId == device.streamId) device.streamId = 0x10000 + index;
  devices.push_back(device);
  if (!address.empty()) Told("device " + address);
  return index;
}

std::optional<uint32_t> ImportFacts::DeviceAt(const std::string& address) const {
  for (size_t i = 0; i < world_->devices.size(); ++i)
    if (!address.empty() && world_->devices[i].vfio.name == address)
      return static_cast<uint32_t>(i);
  return std::nullopt;
}

std::optional<uint32_t> ImportFacts::Device(const std::string& address) {
  if (const auto known = DeviceAt(address)) return known;
  if (!RequesterId(address)) return std::nullopt;
  return New(address);
}

std::optional<uint32_t> ImportFacts::Cdev(const std::string& cdev) {
  if (auto it = cdevs_.find(cdev); it != cdevs_.end()) return it->second;
  auto named = cdev_address_.find(cdev);
  const auto device = named != cdev_address_.end() ? Device(named->second) : New("");
  if (device) cdevs_[cdev] = *device;
  return device;
}

void ImportFacts::CdevIs(const std::string& cdev, const std::string& address) {
  if (cdev_address_.size() < kMaxDevices && RequesterId(address)) cdev_address_[cdev] = address;
}

void ImportFacts::GroupIs(const std::string& address, uint32_t group) {
  const auto device = Device(address);
  if (!device) return;
  // Numbers that no kernel gave make way.
  for (uint32_t i = 0; i < world_->devices.size(); ++i)
    if (world_->devices[i].group == group && group_told_.count(i) == 0)
      world_->devices[i].group = kUntoldGroup + i;
  world_->devices[*device].group = group;
  group_told_.insert(*device);
  Told("group of " + address);
}

void ImportFacts::GroupOpened(uint32_t group) {
  for (const DeviceConfig& device : world_->devices)
    if (device.group == group) return;
  const auto device = New("");
  if (!device) return;
  world_->devices[*device].group = group;
  group_told_.insert(*device);
  Told("group " + std::to_string(group));
}

void ImportFacts::ContainerIsIommufd() {
  world_->iommufdContainer = true;
  Told("container");
}

void ImportFacts::Transactions(uint32_t device, uint32_t bytes) {
  world_->devices[device].transactionBytes = bytes;
  Told("transactions of " + std::to_string(device));
}

RegionConfig* ImportFacts::Region(uint32_t device, uint32_t index) {
  auto& regions = world_->devices[device].vfio.regions;
  return index < regions.size() ? &regions[index] : nullptr;
}

uint32_t* ImportFacts::Irq(uint32_t device, uint32_t index) {
  auto& irqs = world_->devices[device].vfio.irqs;
  return index < irqs.size() ? &irqs[index] : nullptr;
}

// struct vfio_region_info and its capabilities (vfio-type1 sheet 6).
void ImportFacts::RegionInfo(uint32_t device, const Op& op) {
  RegionConfig* region = Region(device, op.vfioDeviceGetRegionInfo.index);
  const std::string& out = op.recorded->out;
  if (region == nullptr || out.size() < 32) return;
  constexpr uint64_t kStruct = 32, kHeader = 8, kMaxRegion = uint64_t{1} << kRegionShift;
  const uint64_t flags = LoadWord(out, 4, 4);
  region->size = std::min(LoadWord(out, 16, 8), kMaxRegion);
  region->flags = static_cast<uint32_t>(flags & 7);
  region_told_.insert({device, op.vfioDeviceGetRegionInfo.index});
  Told("region " + std::to_string(device) + "." + std::to_string(op.vfioDeviceGetRegionInfo.index));
  if ((flags & 8) == 0) return;
  // Too short for the chain: its size is told, and only one capability is a header alone.
  if (LoadWord(out, 0, 4) == kStruct + kHeader) region->msixMappable = true;
  region->sparse.clear();
  std::set<uint64_t> seen;
  for (uint64_t at = LoadWord(out, 12, 4); at >= kStruct && at + kHeader <= out.size();
       at = LoadWord(out, at + 4, 4)) {
    if (!seen.insert(at).second) return;
    const uint64_t id = LoadWord(out, at, 2);
    if (id == kCapMsixMappable) region->msixMappable = true;
    if (id != kCapSparse) continue;
    const uint64_t areas = std::min<uint64_t>(LoadWord(out, at + 8, 4), kMaxSparse);
    for (uint64_t i = 0; i < areas && at + 32 + 16 * i <= out.size(); ++i)
      region->sparse.push_back(
          {LoadWord(out, at + 16 + 16 * i, 8), LoadWord(out, at + 24 + 16 * i, 8)});
  }
}

void ImportFacts::IrqInfo(uint32_t device, const Op& op) {
  const uint32_t index = op.vfioDeviceGetIrqInfo.index;
  VfioConfig& vfio = world_->devices[device].vfio;
  const std::string name = "irq " + std::to_string(device) + "." + std::to_string(index);
  uint32_t* count = Irq(device, index);
  if (index == kErrIrq && (op.recorded->err == 0 || op.recorded->err == kEinval)) {
    vfio.pcie = op.recorded->err == 0;
    Told(name);
  }
  if (op.recorded->err != 0 || count == nullptr || op.recorded->out.size() < 16) return;
  *count = static_cast<uint32_t>(LoadWord(op.recorded->out, 12, 4));
  irq_told_.insert({device, index});
  Told(name);
}

// VFIO_DEVICE_FEATURE: bits 15:0 feature, 16 GET, 17 SET, 18 PROBE.
void ImportFacts::Feature(uint32_t device, const Op& op) {
  const uint32_t flags = op.vfioDeviceFeature.flags, feature = flags & 0xffff;
  if (op.recorded->err != 0 || feature >= 64) return;
  VfioConfig& vfio = world_->devices[device].vfio;
  if (flags >> 16 & 1) vfio.featureGet |= uint64_t{1} << feature;
  if (flags >> 17 & 1) vfio.featureSet |= uint64_t{1} << feature;
  Told("feature " + std::to_string(device) + "." + std::to_string(flags));
}

void ImportFacts::HwInfo(const Op& op) {
  const std::string& out = op.recorded->out;
  const uint64_t type = op.recorded->values[1];
  if (type == 2 && out.size() >= 40 && !world_->smmus.empty()) {
    // struct of data type 2 (iommufd sheet 20.2): flags, reserved, IDR0..5, IIDR, AIDR.
    SmmuConfig& smmu = world_->smmus[0];
    for (size_t i = 0; i < smmu.idr.size(); ++i) {
      smmu.idr[i] = static_cast<uint32_t>(LoadWord(out, 8 + 4 * i, 4));
      Told("idr " + std::to_string(i));
    }
    smmu.iidr = static_cast<uint32_t>(LoadWord(out, 32, 4));
    smmu.aidr = static_cast<uint32_t>(LoadWord(out, 36, 4));
    Told("iidr"), Told("aidr");
  }
  if (type == 1 && out.size() >= 24 && !world_->vtds.empty()) {
    // struct of data type 1 (iommufd sheet 11): flags, reserved, CAP, ECAP.
    VtdConfig& vtd = world_->vtds[0];
    vtd.cap = LoadWord(out, 8, 8), vtd.ecap = LoadWord(out, 16, 8);
    vtd.scalable = (vtd.ecap & kEcapScalable) != 0;
    Told("cap"), Told("ecap"), Told("scalable");
  }
}

void ImportFacts::Ioctl(const Op& op, std::optional<uint32_t> device) {
  const uint16_t err = op.recorded->err;
  const bool refused = op.kind == OpKind::kVfioSetIommu || op.kind == OpKind::kBindIommufd ||
                       op.kind == OpKind::kAttachIommufdPt;
  if (refused && err == kEperm && !world_->vtds.empty()) {
    world_->vtds[0].interruptRemapping = false;
    Told("interrupts");
  }
  if (op.kind == OpKind::kGetHwInfo && err == 0) HwInfo(op);
  if (!device) return;
  VfioConfig& vfio = world_->devices[*device].vfio;
  const std::string number = std::to_string(*device);
  if (op.kind == OpKind::kVfioDeviceGetInfo && err == 0 && op.recorded->out.size() >= 16) {
    vfio.resets = (LoadWord(op.recorded->out, 4, 4) & 1) != 0;
    vfio.regions.resize(std::min<uint64_t>(LoadWord(op.recorded->out, 8, 4), kMaxRegions));
    vfio.irqs.resize(std::min<uint64_t>(LoadWord(op.recorded->out, 12, 4), kMaxIrqIndexes));
    Told("info " + number);
  } else if (op.kind == OpKind::kVfioDeviceGetRegionInfo && err == 0) {
    RegionInfo(*device, op);
  } else if (op.kind == OpKind::kVfioDeviceGetIrqInfo) {
    IrqInfo(*device, op);
  } else if (op.kind == OpKind::kVfioDeviceSetIrqs && err == 0) {
    const auto& irqs = op.vfioDeviceSetIrqs;
    uint32_t* count = Irq(*device, irqs.index);
    if (count != nullptr && irq_told_.count({*device, irqs.index}) == 0 &&
        uint64_t{irqs.start} + irqs.count > *count) {
      *count = irqs.start + irqs.count;  // at least
      Told("irqs " + number + "." + std::to_string(irqs.index));
    }
  } else if (op.kind == OpKind::kVfioDeviceReset && err == 0) {
    vfio.resets = true;
    Told("reset " + number);
  } else if (op.kind == OpKind::kVfioPciHotResetInfo && (err == 0 || err == kEnospc)) {
    vfio.slotResets = true;
    Told("slot " + number);
  } else if (op.kind == OpKind::kVfioPciHotReset && err == kEnotty) {
    vfio.slotResetFails = true;
    Told("slot fails " + number);
  } else if (op.kind == OpKind::kVfioDeviceFeature) {
    Feature(*device, op);
  }
}

void ImportFacts::RegionUsed(uint32_t device, uint64_t position, uint64_t count, uint32_t flags) {
  const uint32_t index = static_cast<uint32_t>(position >> kRegionShift);
  RegionConfig* region = Region(device, index);
  const uint64_t offset = position & ((uint64_t{1} << kRegionShift) - 1);
  if (region == nullptr || region_told_.count({device, index}) > 0) return;
  if (count > (uint64_t{1} << kRegionShift) - offset) return;
  region->size = std::max(region->size, offset + count);
  region->flags |= flags;
  Told("region " + std::to_string(device) + "." + std::to_string(index));
}

void ImportFacts::ConfigSpace(uint32_t device, uint64_t offset, const std::string& bytes) {
  const uint64_t into = offset & ((uint64_t{1} << kRegionShift) - 1);
  if (offset >> kRegionShift != kConfigRegion || kInterruptPin < into ||
      kInterruptPin - into >= bytes.size())
    return;
  uint32_t* count = Irq(device, 0);
  if (count == nullptr || irq_told_.count({device, 0}) != 0) return;
  *count = bytes[kInterruptPin - into] != 0 ? 1 : 0;
  Told("irqs " + std::to_string(device) + ".0");
}

// "DMAR: [DMA Read NO_PASID] Request device [0000:00:10.0] fault addr 0x5000000 [fault reason
// 0x71]"
void ImportFacts::KernelLog(const std::string& text) {
  const size_t at = text.find("[fault reason 0x");
  if (text.rfind("DMAR: ", 0) != 0 || at == std::string::npos || world_->vtds.empty()) return;
  unsigned reason = 0;
  if (std::sscanf(text.c_str() + at, "[fault reason 0x%x]", &reason) != 1) return;
  VtdConfig& vtd = world_->vtds[0];
  if (reason < kFirstScalableReason || vtd.scalable) return;
  vtd.scalable = true;
  if ((vtd.ecap & kEcapScalable) == 0) vtd.ecap = kQemuScalableEcap;
  Told("scalable");
}

}  // namespace twinwalk
