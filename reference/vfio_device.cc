#include "reference/vfio_device.h"

#include <cerrno>
#include <cstring>

namespace twinwalk::reference {
namespace {

enum RegionIndex : uint32_t { kBar5 = 5, kVga = 8 };
enum IrqIndex : uint32_t { kIntx = 0, kMsi = 1, kMsix = 2, kErr = 3, kReq = 4 };
enum IrqFlags : uint32_t { kEventfdOk = 1, kMaskable = 2, kAutomasked = 4, kNoResize = 8 };
enum DataKind : uint32_t { kDataNone = 1, kDataBool = 2, kDataEventfd = 4, kDataMask = 7 };
enum Action : uint32_t { kMask = 8, kUnmask = 0x10, kTrigger = 0x20, kActionMask = 0x38 };
enum FeatureFlags : uint32_t { kGet = 1 << 16, kSet = 1 << 17, kProbe = 1 << 18 };
constexpr uint64_t kInfoBytes = 32;  // vfio_region_info

void Append(std::string* to, uint64_t value, size_t bytes) {
  to->append(reinterpret_cast<const char*>(&value), bytes);
}

int32_t FdAt(std::string_view payload, size_t i) {
  int32_t fd = 0;
  std::memcpy(&fd, payload.data() + 4 * i, 4);
  return fd;
}

// Bytes of data that a feature needs at least.
uint32_t FeatureBytes(uint32_t feature) {
  constexpr uint32_t kBytes[] = {16, 8, 8, 0, 8, 0, 24, 0, 32, 8, 4, 16};
  return feature < std::size(kBytes) ? kBytes[feature] : 0;
}
constexpr uint32_t kPrecopyFeature = 12;  // answers EINVAL where the others answer ENOTTY (7.2)

}  // namespace

uint32_t VfioDevice::InfoFlags() const {
  return 2 | (config_.resets ? 1u : 0u);  // PCI, RESET
}

RegionInfo VfioDevice::Region(uint32_t index) const {
  RegionInfo info;
  if (index >= config_.regions.size()) return info.err = EINVAL, info;
  const RegionConfig& region = config_.regions[index];
  if (index == kVga && region.size == 0) return info.err = EINVAL, info;
  if (region.size == 0) return info;
  info.size = region.size, info.flags = region.flags;
  if (!region.sparse.empty()) {
    const uint64_t bytes = 16 + 16 * region.sparse.size();
    Append(&info.caps, 1, 2), Append(&info.caps, 1, 2);  // SPARSE_MMAP, version 1
    Append(&info.caps, region.msixMappable ? kInfoBytes + bytes : 0, 4);
    Append(&info.caps, region.sparse.size(), 4), Append(&info.caps, 0, 4);
    for (const RegionConfig::Piece& piece : region.sparse)
      Append(&info.caps, piece.offset, 8), Append(&info.caps, piece.size, 8);
  }
  if (region.msixMappable) {
    Append(&info.caps, 3, 2), Append(&info.caps, 1, 2), Append(&info.caps, 0, 4);
  }
  return info;
}

IrqInfo VfioDevice::Irq(uint32_t index) const {
  IrqInfo info;
  if (index >= config_.irqs.size()) return info.err = EINVAL, info;
  if (index == kErr && !config_.pcie) return info.err = EINVAL, info;
  info.count = config_.irqs[index];
  info.flags = kEventfdOk;
  if (index == kIntx) info.flags |= kMaskable | kAutomasked;
  // 7.2: MSI-X can be resized where there is any.
  if (index != kIntx && (index != kMsix || info.count == 0)) info.flags |= kNoResize;
  return info;
}

const RegionConfig* VfioDevice::At(uint64_t position, uint64_t* offset) const {
  const uint64_t index = position >> 40;
  *offset = position & ((uint64_t{1} << 40) - 1);
  if (index >= config_.regions.size() || config_.regions[index].size == 0) return nullptr;
  return &config_.regions[index];
}

bool VfioDevice::Mappable(const RegionConfig& region, uint64_t first, uint64_t length) {
  const auto inside = [&](uint64_t from, uint64_t size) {
    return first >= from && first - from <= size && length <= size - (first - from);
  };
  if ((region.flags & 4) == 0 || !inside(0, region.size)) return false;
  if (region.sparse.empty()) return true;
  for (const RegionConfig::Piece& piece : region.sparse)
    if (inside(piece.offset, piece.size)) return true;
  return false;
}

int VfioDevice::Feature(uint32_t flags, uint32_t bytes) const {
  if ((flags & ~(0xffffu | kGet | kSet | kProbe)) != 0) return EINVAL;
  const bool get = (flags & kGet) != 0, set = (flags & kSet) != 0, probe = (flags & kProbe) != 0;
  if (get && set && !probe) return EINVAL;
  const uint32_t feature = flags & 0xffff;
  const bool can_get = feature < 64 && (config_.featureGet >> feature & 1) != 0;
  const bool can_set = feature < 64 && (config_.featureSet >> feature & 1) != 0;
  if (!can_get && !can_set) return feature == kPrecopyFeature ? EINVAL : ENOTTY;
  if ((get && !can_get) || (set && !can_set)) return EINVAL;
  if (probe) return 0;
  if (!get && !set) return EINVAL;
  return bytes - 8 < FeatureBytes(feature) ? EINVAL : 0;
}

void VfioDevice::Close() {
  if (--opens_ > 0) return;
  mode_ = kNone, enabled_ = 0;
  err_bound_ = req_bound_ = false;
  ioeventfds_.clear();
}

// ---- SET_IRQS -----------------------------------------------------------------------------------

int VfioDevice::SetIrqs(const IrqSet& in, const CheckEventfd& check) {
  if (in.index >= config_.irqs.size() || in.count >= 0xffffffffu - in.start) return EINVAL;
  if ((in.flags & ~uint32_t{kDataMask} & ~uint32_t{kActionMask}) != 0) return EINVAL;
  const uint32_t vectors = Vectors(in.index);
  if (in.start >= vectors || in.start + in.count > vectors) return EINVAL;
  const uint32_t kind = in.flags & kDataMask;
  if (kind != kDataNone && kind != kDataBool && kind != kDataEventfd) return EINVAL;
  const uint64_t width = kind == kDataNone ? 0 : kind == kDataBool ? 1 : 4;
  if (in.argsz - 20 < in.count * width) return EINVAL;
  if (in.payload.size() < in.count * width) return EFAULT;
  const uint32_t action = in.flags & kActionMask;
  if (in.index == kIntx && (action == kMask || action == kUnmask)) return MaskIntx(in, check);
  if (action != kTrigger) return ENOTTY;
  switch (in.index) {
    case kIntx:
      return TriggerIntx(in, check);
    case kMsi:
    case kMsix:
      return TriggerMessages(in, check);
    case kErr:
      return config_.pcie ? TriggerSingle(in, check, &err_bound_) : ENOTTY;
    case kReq:
      return TriggerSingle(in, check, &req_bound_);
    default:
      return ENOTTY;
  }
}

int VfioDevice::TriggerIntx(const IrqSet& in, const CheckEventfd& check) {
  const bool on = mode_ == kIntx;
  if (on && in.count == 0 && (in.flags & kDataNone) != 0) return mode_ = kNone, 0;
  if ((!on && mode_ != kNone) || in.start != 0 || in.count != 1) return EINVAL;
  if ((in.flags & kDataEventfd) == 0) return on ? 0 : EINVAL;
  const int32_t fd = FdAt(in.payload, 0);
  if (fd >= 0)
    if (const int err = check(static_cast<uint32_t>(fd))) return err;
  mode_ = kIntx;
  return 0;
}

int VfioDevice::MaskIntx(const IrqSet& in, const CheckEventfd& check) {
  if (mode_ != kIntx || in.start != 0 || in.count != 1) return EINVAL;
  if ((in.flags & kDataEventfd) == 0) return 0;
  if ((in.flags & kUnmask) == 0) return ENOTTY;
  const int32_t fd = FdAt(in.payload, 0);
  return fd >= 0 ? check(static_cast<uint32_t>(fd)) : 0;
}

int VfioDevice::TriggerMessages(const IrqSet& in, const CheckEventfd& check) {
  const bool on = mode_ == in.index;
  if (on && in.count == 0 && (in.flags & kDataNone) != 0) return mode_ = kNone, 0;
  if (!on && mode_ != kNone) return EINVAL;
  if ((in.flags & kDataEventfd) == 0) return on ? 0 : EINVAL;
  if (!on && in.start + in.count == 0) return EINVAL;  // TRACE 8: no vector to set up
  const uint32_t enabled = on ? enabled_ : in.start + in.count;
  for (uint32_t i = 0; i < in.count; ++i) {
    const int32_t fd = FdAt(in.payload, i);
    if (fd < 0) continue;
    // MSI has the vectors that it was enabled with; MSI-X gets more as they are bound.
    if (in.index == kMsi && in.start + i >= enabled) return EINVAL;
    if (const int err = check(static_cast<uint32_t>(fd))) return err;
  }
  mode_ = in.index, enabled_ = enabled;
  return 0;
}

// ERR and REQ: one eventfd.
int VfioDevice::TriggerSingle(const IrqSet& in, const CheckEventfd& check, bool* bound) {
  if (in.start != 0 || in.count > 1) return EINVAL;
  if ((in.flags & kDataNone) != 0) {
    if (!*bound) return EINVAL;
    if (in.count == 0) *bound = false;
    return 0;
  }
  if (in.count == 0) return EINVAL;
  if ((in.flags & kDataBool) != 0) return 0;
  const int32_t fd = FdAt(in.payload, 0);
  if (fd == -1) return *bound = false, 0;
  if (fd < 0) return 0;
  if (const int err = check(static_cast<uint32_t>(fd))) return err;
  return *bound = true, 0;
}

// ---- IOEVENTFD ----------------------------------------------------------------------------------

int VfioDevice::Ioeventfd(uint32_t flags, uint64_t position, uint64_t data, int32_t fd,
                          const CheckEventfd& check) {
  if ((flags & ~0xfu) != 0 || fd < -1) return EINVAL;
  if (flags != 1 && flags != 2 && flags != 4 && flags != 8) return EINVAL;
  uint64_t offset = 0;
  const RegionConfig* region = At(position, &offset);
  if (region == nullptr || position >> 40 > kBar5) return EINVAL;
  if (offset > region->size || flags > region->size - offset) return EINVAL;
  const auto known = ioeventfds_.find({position, data, flags});
  if (known != ioeventfds_.end()) {
    if (fd != -1) return EEXIST;
    return ioeventfds_.erase(known), 0;
  }
  if (fd == -1) return ENODEV;
  if (const int err = check(static_cast<uint32_t>(fd))) return err;
  ioeventfds_.insert({position, data, flags});
  return 0;
}

}  // namespace twinwalk::reference
