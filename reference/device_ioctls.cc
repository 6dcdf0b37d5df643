// ioctls, reads, writes and mappings of a VFIO device (type1 6; TRACE 8, Device fd): opened through
// its group, or a bound cdev. What it tells is in vfio_device.h.
#include <algorithm>

#include "reference/shell.h"
#include "reference/structs.h"

namespace twinwalk::reference {
namespace {

enum HotResetFlags : uint32_t { kDevIds = 1, kDevIdsOwned = 2 };
constexpr uint32_t kOwnedWithoutId = 0, kNotOwned = 0xffffffff;

Outcome Error(int err) {
  Outcome out;
  out.err = static_cast<uint16_t>(err);
  return out;
}

Outcome Written(const UserStruct& user, int err = 0) {
  if (!user.Writable()) return Error(EFAULT);
  Outcome out = Error(err);
  out.out = user.bytes();
  return out;
}

Outcome DeviceInfo(const Op& op, const VfioDevice& device) {
  const uint32_t info[6] = {op.size,
                            device.InfoFlags(),
                            static_cast<uint32_t>(device.config().regions.size()),
                            static_cast<uint32_t>(device.config().irqs.size()),
                            0,
                            0};  // no capabilities
  UserStruct user(op);
  user.Write(0,
             std::string_view(reinterpret_cast<const char*>(info), sizeof info).substr(0, op.size));
  return Written(user);
}

Outcome DeviceRegionInfo(const Op& op, const VfioDevice& device) {
  constexpr uint32_t kStruct = 32, kCaps = 8;
  const VfioDeviceGetRegionInfoArgs& in = op.vfioDeviceGetRegionInfo;
  const RegionInfo info = device.Region(in.index);
  if (info.err != 0) return Error(info.err);
  const uint32_t total = kStruct + static_cast<uint32_t>(info.caps.size());
  const bool caps = !info.caps.empty(), fits = op.size >= total;
  UserStruct user(op);
  user.Write32(0, caps && !fits ? total : op.size);
  user.Write32(4, info.flags | (caps ? kCaps : 0));
  user.Write32(8, in.index);
  user.Write32(12, caps ? (fits ? kStruct : 0) : in.capOffset);
  user.Write64(16, info.size);
  user.Write64(24, uint64_t{in.index} << 40);
  if (caps && fits) user.Write(kStruct, info.caps);
  return Written(user);
}

Outcome DeviceIrqInfo(const Op& op, const VfioDevice& device) {
  const IrqInfo info = device.Irq(op.vfioDeviceGetIrqInfo.index);
  if (info.err != 0) return Error(info.err);
  UserStruct user(op);
  user.Write32(0, op.size);
  user.Write32(4, info.flags);
  user.Write32(8, op.vfioDeviceGetIrqInfo.index);
  user.Write32(12, info.count);
  return Written(user);
}

}  // namespace

// TRACE 8: EBADF not open, EINVAL another file.
int Shell::EventfdError(size_t process, uint32_t fd) const {
  const File* file = const_cast<Processes&>(processes_).Find(process, fd);
  if (file == nullptr) return fd < kFirstOwnFd ? EINVAL : EBADF;
  return file->kind == FileKind::kEventfd ? 0 : EINVAL;
}

Outcome Shell::DoDevice(const Op& op, const File& file) {
  VfioDevice& device = vfio_devices_[file.device];
  if (op.kind == OpKind::kVfioDeviceReset) return Error(device.config().resets ? 0 : EINVAL);
  if (const int err = VfioFramingError(op)) return Error(err);
  const CheckEventfd check = [&](uint32_t fd) { return EventfdError(op.process, fd); };
  if (op.kind == OpKind::kVfioDeviceGetInfo) return DeviceInfo(op, device);
  if (op.kind == OpKind::kVfioDeviceGetRegionInfo) return DeviceRegionInfo(op, device);
  if (op.kind == OpKind::kVfioDeviceGetIrqInfo) return DeviceIrqInfo(op, device);
  if (op.kind == OpKind::kVfioDeviceSetIrqs) {
    const VfioDeviceSetIrqsArgs& in = op.vfioDeviceSetIrqs;
    return Error(
        device.SetIrqs({op.size, in.flags, in.index, in.start, in.count, TailOf(op)}, check));
  }
  if (op.kind == OpKind::kVfioDeviceIoeventfd) {
    const VfioDeviceIoeventfdArgs& in = op.vfioDeviceIoeventfd;
    return Error(
        device.Ioeventfd(in.flags, in.offset, in.data, static_cast<int32_t>(in.eventfd), check));
  }
  if (op.kind == OpKind::kVfioPciHotResetInfo) return DoHotResetInfo(op, file);
  if (op.kind == OpKind::kVfioPciHotReset) return DoHotReset(op, file);
  if (const int err = device.Feature(op.vfioDeviceFeature.flags, op.size)) return Error(err);
  return Written(UserStruct(op));
}

// ---- Hot reset ----------------------------------------------------------------------------------

// What a reset of the device's bus resets: the functions on it and below.
std::vector<Shell::ResetFunction> Shell::ResetTogether(size_t device) const {
  std::vector<ResetFunction> affected;
  const std::vector<PciFunction>& functions = world_.functions;
  const auto self = std::find_if(functions.begin(), functions.end(),
                                 [&](const PciFunction& f) { return f.device == device + 1; });
  if (self == functions.end()) {  // no topology: devices of the same bus, by their source ids
    const DeviceConfig& me = world_.devices[device];
    for (size_t i = 0; i < world_.devices.size(); ++i) {
      const DeviceConfig& o = world_.devices[i];
      if (i != device && (o.smmu != me.smmu || o.streamId >> 8 != me.streamId >> 8)) continue;
      affected.push_back({o.streamId & 0xffff, groups_.OfDevice(i), i + 1});
    }
    return affected;
  }
  for (size_t i = 0; i < functions.size(); ++i) {
    bool below = functions[i].rid >> 8 == self->rid >> 8;
    for (size_t up = functions[i].parent; up != 0; up = functions[up - 1].parent)
      below = below || functions[up - 1].rid >> 8 == self->rid >> 8;
    if (below) affected.push_back({functions[i].rid, groups_.OfFunction(i), functions[i].device});
  }
  return affected;
}

Outcome Shell::DoHotResetInfo(const Op& op, const File& file) {
  constexpr uint32_t kHeader = 12, kEntry = 8;
  if (!vfio_devices_[file.device].config().slotResets) return Error(ENODEV);
  const std::vector<ResetFunction> affected = ResetTogether(file.device);
  const auto count = static_cast<uint32_t>(affected.size());
  UserStruct user(op);
  user.Write32(0, op.size);
  user.Write32(4, 0);
  user.Write32(8, count);
  if (op.size < kHeader + kEntry * count) return Written(user, ENOSPC);
  const bool cdev = file.kind == FileKind::kCdev;
  uint32_t flags = cdev ? kDevIds | kDevIdsOwned : 0;
  for (uint32_t i = 0; i < count; ++i) {
    const ResetFunction& f = affected[i];
    uint32_t name = f.group;
    if (cdev) {
      name = DevIdOf(f, file.context);
      if (name == kNotOwned) flags &= ~uint32_t{kDevIdsOwned};
    }
    user.Write32(kHeader + kEntry * i, name);
    // segment 0 (16 bits), bus, devfn
    user.Write32(kHeader + kEntry * i + 4, (f.rid >> 8) << 16 | (f.rid & 0xff) << 24);
  }
  user.Write32(4, flags);
  return Written(user);
}

// iommufd 19.5: by what an iommufd knows a function.
uint32_t Shell::DevIdOf(const ResetFunction& f, uint64_t context) const {
  if (f.device == 0 || !groups_.DrivenByVfio(f.device - 1)) return kNotOwned;
  const DeviceRow<Real>& row = *s_.view.devices.Find(f.device);
  if (row.context == context && row.object != 0) return static_cast<uint32_t>(IdOf(row.object));
  const bool group = s_.view.devices.Any(
      [&](const DeviceRow<Real>& d) { return d.group == row.group && d.context == context; });
  return group ? kOwnedWithoutId : kNotOwned;
}

Outcome Shell::DoHotReset(const Op& op, const File& file) {
  const VfioPciHotResetArgs& in = op.vfioPciHotReset;
  const bool cdev = file.kind == FileKind::kCdev;
  if (in.flags != 0 || (in.count != 0) == cdev) return Error(EINVAL);
  if (!vfio_devices_[file.device].config().slotResets) return Error(ENODEV);
  const std::vector<ResetFunction> affected = ResetTogether(file.device);
  if (in.count > affected.size()) return Error(EINVAL);
  const std::string_view fds = TailOf(op);
  if (fds.size() < 4 * size_t{in.count}) return Error(EFAULT);
  std::vector<uint32_t> given;  // groups
  for (size_t i = 0; i < in.count; ++i) {
    uint32_t fd = 0;
    fds.copy(reinterpret_cast<char*>(&fd), 4, 4 * i);
    const File* group = processes_.Find(op.process, fd);
    if (group == nullptr) return Error(fd < kFirstOwnFd ? EINVAL : EBADF);
    if (group->kind != FileKind::kGroup) return Error(EINVAL);
    given.push_back(group->group);
  }
  for (const ResetFunction& f : affected) {
    if (f.device == 0 || !groups_.DrivenByVfio(f.device - 1)) return Error(EINVAL);
    const bool owned = cdev ? DevIdOf(f, file.context) != kNotOwned
                            : std::find(given.begin(), given.end(), f.group) != given.end();
    if (!owned) return Error(EINVAL);
  }
  return vfio_devices_[file.device].config().slotResetFails ? Error(ENOTTY) : Outcome();
}

// ---- Regions ------------------------------------------------------------------------------------

// What is read there is environment; how much can be is told.
Outcome Shell::DoRegionAccess(const File& file, uint64_t position, uint64_t count,
                              uint64_t accessible) const {
  uint64_t offset = 0;
  const RegionConfig* region = vfio_devices_[file.device].At(position, &offset);
  if (region == nullptr || offset >= region->size) return Error(EINVAL);
  const uint64_t length = std::min(count, region->size - offset);
  if (accessible < length) return Error(EFAULT);
  Outcome out;
  out.ret = static_cast<int64_t>(length);
  return out;
}

// A region is one backing, made by its first mmap.
Outcome Shell::DoRegionMmap(const Op& op, const File& file) {
  VfioDevice& device = vfio_devices_[file.device];
  MmapArgs in = op.mmap;
  uint64_t first = 0;
  const RegionConfig* region = device.At(in.offset, &first);
  const uint64_t length = (in.length + 4095) & ~uint64_t{4095};
  File memory;  // of no length: EINVAL in its turn
  uint64_t* backing = nullptr;
  if (region != nullptr && length != 0 && VfioDevice::Mappable(*region, first, length)) {
    backing = &device.backing(in.offset >> 40);
    memory.backing = *backing != 0 ? *backing : processes_.NextBacking();
    memory.length = region->size;
    in.offset = first;
  }
  if (backing != nullptr) processes_.KeepRegisters(memory.backing);
  if (const int err = processes_.MapMemory(op.process, in, &memory)) {
    if (backing != nullptr && *backing == 0) processes_.DropRegisters(memory.backing);
    return Error(err);
  }
  if (*backing == 0) *backing = processes_.NewBacking();
  Outcome out;
  out.ret = static_cast<int64_t>(in.base);
  return out;
}

}  // namespace twinwalk::reference
