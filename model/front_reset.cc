// PCI hot reset: which functions go with a device, and whether the caller has them all (type1
// sheet 2; layout as recorded).
#include <optional>

#include "model/front.h"
#include "model/user_struct.h"

namespace twinwalk::model {
namespace {

// A function that a reset of the bus concerns.
struct Concerned {
  uint32_t group = 0;              // index into Stack::groups
  uint32_t rid = 0;                // bus << 8 | devfn
  std::optional<uint32_t> device;  // index into World::devices
  bool vfio = true;                // its driver is vfio
};

// All functions of the device's bus; without a topology, what has the same bus in its stream id.
std::vector<Concerned> OnBus(Stack* stack, uint32_t device) {
  const World& world = stack->world();
  const Groups& groups = stack->all_groups();
  std::vector<Concerned> all;
  std::optional<uint32_t> bus;
  for (const PciFunction& f : world.functions)
    if (f.device == device + 1) bus = f.rid >> 8;
  if (bus.has_value()) {
    for (uint32_t i = 0; i < world.functions.size(); ++i) {
      const PciFunction& f = world.functions[i];
      if (f.rid >> 8 != *bus) continue;
      Concerned one{groups.ofFunction[i], f.rid, std::nullopt, f.driver == PciFunction::kVfio};
      if (f.device != 0) one.device = f.device - 1;
      all.push_back(one);
    }
    return all;
  }
  for (uint32_t i = 0; i < world.devices.size(); ++i) {
    const DeviceConfig& other = world.devices[i];
    if (other.smmu == world.devices[device].smmu &&
        other.streamId >> 8 == world.devices[device].streamId >> 8)
      all.push_back({groups.ofDevice[i], other.streamId & 0xffff, i, true});
  }
  return all;
}

// How a device that was opened as cdev names another: its object, 0 when it is the caller's too,
// all ones when it is not.
uint32_t NameFor(Stack* stack, const Context* context, const Concerned& one) {
  if (!one.device.has_value() || !one.vfio) return 0xffffffff;  // VFIO does not know it
  const Device& device = stack->device(*one.device);
  if (device.object != nullptr && device.context == context) return device.object->id;
  for (uint32_t member : stack->groups()[one.group].devices)
    if (stack->device(member).context == context) return 0;
  return 0xffffffff;
}

}  // namespace

Outcome PciHotResetInfo(Stack* stack, OpenFile* file, const Op& op) {
  constexpr uint32_t kById = 1, kOwned = 2;
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const Device& device = stack->device(file->device);
  if (!device.config.vfio.slotResets) return Fail(ENODEV);
  const bool cdev = file->kind == FileKind::kCdev;
  const std::vector<Concerned> all = OnBus(stack, file->device);
  const bool fits = (op.size - 12) / 8 >= all.size();
  if (!CanWrite(op, fits ? 12 + 8 * all.size() : 12)) return Fail(EFAULT);

  UserStruct user(op);
  uint32_t flags = cdev ? kById | kOwned : 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const uint32_t name =
        cdev ? NameFor(stack, device.context, all[i]) : stack->groups()[all[i].group].number;
    if (cdev && name == 0xffffffff) flags &= ~kOwned;
    if (!fits) continue;
    user.Put32(12 + 8 * i, name);
    user.Put32(16 + 8 * i, (all[i].rid >> 8 & 0xff) << 16 | (all[i].rid & 0xff) << 24);
  }
  user.Put32(4, fits ? flags : 0);
  user.Put32(8, static_cast<uint32_t>(all.size()));
  Outcome out;
  out.out = user.Take();
  if (!fits) out.err = ENOSPC;
  return out;
}

Outcome PciHotReset(Stack* stack, OpenFile* file, const Op& op) {
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const VfioPciHotResetArgs& a = op.vfioPciHotReset;
  const Device& device = stack->device(file->device);
  const bool cdev = file->kind == FileKind::kCdev;
  if (a.flags != 0 || (a.count != 0) == cdev) return Fail(EINVAL);
  if (!device.config.vfio.slotResets) return Fail(ENODEV);
  const std::vector<Concerned> all = OnBus(stack, file->device);
  if (a.count > all.size()) return Fail(EINVAL);
  if (!CanRead(op, 12 + uint64_t{a.count} * 4) ||
      std::min<size_t>(BytesBehind(op), op.blob.size()) < uint64_t{a.count} * 4)
    return Fail(EFAULT);
  std::vector<uint32_t> given;
  for (uint32_t i = 0; i < a.count; ++i) {
    uint32_t fd = 0;
    std::memcpy(&fd, op.blob.data() + i * size_t{4}, 4);
    const OpenFile* other = stack->process(op.process).File(fd);
    if (other == nullptr) return Fail(IsStandardStream(fd) ? EINVAL : EBADF);
    if (other->kind != FileKind::kGroup) return Fail(EINVAL);
    given.push_back(other->group);
  }
  for (const Concerned& one : all) {
    if (!one.vfio) return Fail(EINVAL);
    if (!one.device.has_value()) continue;
    const bool owned = cdev ? NameFor(stack, device.context, one) != 0xffffffff
                            : std::find(given.begin(), given.end(), one.group) != given.end();
    if (!owned) return Fail(EINVAL);
  }
  return Fail(device.config.vfio.slotResetFails ? ENOTTY : 0);
}

}  // namespace twinwalk::model
