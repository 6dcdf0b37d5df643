// What a VFIO device tells of itself, and its regions (type1 sheet 6; docs/TRACE.md 8). What can be
// told is the World's; only how it is told is decided here.
#include "model/front.h"
#include "model/user_struct.h"

namespace twinwalk::model {
namespace {

constexpr int kRegionShift = 40;  // region file offset = index << 40
enum RegionIndex : uint32_t { kRom = 6, kConfigSpace = 7, kVga = 8 };

Outcome Told(UserStruct* user) {
  Outcome out;
  out.out = user->Take();
  return out;
}

Outcome GetInfo(const VfioConfig& vfio, const Op& op) {
  constexpr uint32_t kReset = 1, kPci = 2, kKnown = 24;
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  if (!CanWrite(op, std::min(op.size, kKnown))) return Fail(EFAULT);
  UserStruct user(op);
  user.Put32(4, kPci | (vfio.resets ? kReset : 0));
  user.Put32(8, static_cast<uint32_t>(vfio.regions.size()));
  user.Put32(12, static_cast<uint32_t>(vfio.irqs.size()));
  user.Put64(16, 0);  // no capabilities
  return Told(&user);
}

Capabilities RegionCaps(const RegionConfig& region) {
  Capabilities caps(32);
  if (!region.sparse.empty()) {
    const auto word = [](uint64_t value) {
      return std::string(reinterpret_cast<const char*>(&value), 8);
    };
    std::string body = word(region.sparse.size());
    for (const RegionConfig::Piece& piece : region.sparse)
      body += word(piece.offset) + word(piece.size);
    caps.Add(1, 1, body);
  }
  if (region.msixMappable) caps.Add(3, 1, "");
  return caps;
}

Outcome GetRegionInfo(const VfioConfig& vfio, const Op& op) {
  constexpr uint32_t kCaps = 8, kBase = 32;
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const VfioDeviceGetRegionInfoArgs& a = op.vfioDeviceGetRegionInfo;
  if (a.index >= vfio.regions.size()) return Fail(EINVAL);
  const RegionConfig& region = vfio.regions[a.index];
  if (a.index == kVga && region.size == 0) return Fail(EINVAL);
  const Capabilities caps = region.size == 0 ? Capabilities(kBase) : RegionCaps(region);
  const bool some = !caps.bytes().empty();
  const uint64_t total = kBase + caps.bytes().size();
  const bool fits = op.size >= total;
  if (!CanWrite(op, some && fits ? total : kBase)) return Fail(EFAULT);
  UserStruct user(op);
  user.Put32(0, some && !fits ? static_cast<uint32_t>(total) : op.size);
  user.Put32(4, region.size == 0 ? 0 : (region.flags & 7) | (some ? kCaps : 0));
  user.Put32(8, a.index);
  user.Put32(12, !some ? a.capOffset : fits ? kBase : 0);
  user.Put64(16, region.size);
  user.Put64(24, uint64_t{a.index} << kRegionShift);
  if (some && fits) user.Put(kBase, caps.bytes());
  return Told(&user);
}

Outcome GetIrqInfo(const VfioConfig& vfio, const Op& op) {
  constexpr uint32_t kEventfd = 1, kMaskable = 2, kAutomasked = 4, kNoresize = 8;
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const uint32_t index = op.vfioDeviceGetIrqInfo.index;
  if (index >= vfio.irqs.size() || (index == kIrqErr && !vfio.pcie)) return Fail(EINVAL);
  if (!CanWrite(op, 16)) return Fail(EFAULT);
  // Vectors of MSI-X, where there are any, can come and go one by one.
  const bool dynamic = index == kIrqMsix && vfio.irqs[index] != 0;
  UserStruct user(op);
  user.Put32(4, kEventfd | (index == kIrqIntx ? kMaskable | kAutomasked : dynamic ? 0 : kNoresize));
  user.Put32(8, index);
  user.Put32(12, vfio.irqs[index]);
  return Told(&user);
}

Outcome Feature(const VfioConfig& vfio, const Op& op) {
  constexpr uint32_t kGet = 1 << 16, kSet = 1 << 17, kProbe = 1 << 18;
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const uint32_t flags = op.vfioDeviceFeature.flags, feature = flags & 0xffff;
  if ((flags & ~(kGet | kSet | kProbe | 0xffff)) != 0) return Fail(EINVAL);
  if ((flags & (kGet | kSet | kProbe)) == (kGet | kSet)) return Fail(EINVAL);
  const bool can_get = feature < 64 && (vfio.featureGet >> feature & 1) != 0;
  const bool can_set = feature < 64 && (vfio.featureSet >> feature & 1) != 0;
  constexpr uint32_t kMigrationPrecopy = 12;  // TRACE 8: known, and refused
  if (!can_get && !can_set) return Fail(feature == kMigrationPrecopy ? EINVAL : ENOTTY);
  if (((flags & kGet) != 0 && !can_get) || ((flags & kSet) != 0 && !can_set)) return Fail(EINVAL);
  if ((flags & (kGet | kSet | kProbe)) == 0) return Fail(EINVAL);
  // Bytes of data of features 0 to 11; none for those that only start or stop something.
  constexpr uint32_t kData[] = {16, 8, 8, 0, 8, 0, 24, 0, 32, 8, 4, 16};
  const uint32_t data = feature < std::size(kData) ? kData[feature] : 0;
  if ((flags & kProbe) == 0 && op.size - 8 < data) return Fail(EINVAL);
  UserStruct user(op);
  user.Put32(4, flags);
  return Told(&user);
}

}  // namespace

Outcome DeviceCommand(Stack* stack, OpenFile* file, const Op& op) {
  const VfioConfig& vfio = stack->device(file->device).config.vfio;
  if (op.kind == OpKind::kVfioDeviceGetInfo) return GetInfo(vfio, op);
  if (op.kind == OpKind::kVfioDeviceGetRegionInfo) return GetRegionInfo(vfio, op);
  if (op.kind == OpKind::kVfioDeviceGetIrqInfo) return GetIrqInfo(vfio, op);
  if (op.kind == OpKind::kVfioDeviceSetIrqs) return DeviceSetIrqs(stack, file, op);
  if (op.kind == OpKind::kVfioDeviceIoeventfd) return DeviceIoeventfd(stack, file, op);
  if (op.kind == OpKind::kVfioDeviceReset) return Fail(vfio.resets ? 0 : EINVAL);
  if (op.kind == OpKind::kVfioPciHotResetInfo) return PciHotResetInfo(stack, file, op);
  if (op.kind == OpKind::kVfioPciHotReset) return PciHotReset(stack, file, op);
  if (op.kind == OpKind::kVfioDeviceFeature) return Feature(vfio, op);
  return Fail(ENOTTY);
}

Outcome AccessRegion(Stack* stack, OpenFile* file, uint64_t offset, uint64_t count,
                     uint64_t available) {
  const VfioConfig& vfio = stack->device(file->device).config.vfio;
  const uint64_t index = offset >> kRegionShift;
  const uint64_t at = offset & ((uint64_t{1} << kRegionShift) - 1);
  if (index >= vfio.regions.size() || at >= vfio.regions[index].size) return Fail(EINVAL);
  const uint64_t length = std::min(count, vfio.regions[index].size - at);
  if (available < length) return Fail(EFAULT);
  Outcome out;
  out.ret = static_cast<int64_t>(length);
  return out;
}

Backing* RegionMemory(Stack* stack, OpenFile* file, uint64_t offset, uint64_t length) {
  constexpr uint32_t kMmap = 4;
  Device& device = stack->device(file->device);
  const std::vector<RegionConfig>& regions = device.config.vfio.regions;
  const uint64_t index = offset >> kRegionShift;
  const uint64_t at = offset & ((uint64_t{1} << kRegionShift) - 1);
  if (index >= regions.size()) return nullptr;
  const RegionConfig& region = regions[index];
  const auto inside = [&](uint64_t from, uint64_t size) {
    return at >= from && length <= size && at - from <= size - length;
  };
  if ((region.flags & kMmap) == 0 || !inside(0, region.size)) return nullptr;
  bool mappable = region.sparse.empty();
  for (const RegionConfig::Piece& piece : region.sparse)
    mappable |= inside(piece.offset, piece.size);
  if (!mappable) return nullptr;
  device.vfio.regions.resize(regions.size());
  Backing*& backing = device.vfio.regions[index];
  if (backing == nullptr) {
    backing = stack->backings().Make(region.size);
    backing->device = true;
    backing->users = 1;  // the device itself
  }
  return backing;
}

}  // namespace twinwalk::model
