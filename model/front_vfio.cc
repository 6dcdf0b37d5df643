// VFIO device cdev: BIND, ATTACH, DETACH (iommufd sheet 10, 19; docs/TRACE.md 3).
#include "model/front.h"

namespace twinwalk::model {
namespace {

constexpr int kEBADFD = 77;
constexpr uint32_t kPasidValid = 1;

// Devices of one group that are attached to something, other than `index`.
template <class F>
void EachAttachedPeer(Stack* stack, uint32_t index, F&& f) {
  for (uint32_t i : stack->group_of(index).devices) {
    const Device& other = stack->device(i);
    if (i != index && other.attached != nullptr) f(i, other);
  }
}

// Whether one device may be attached to `target`: 0 or an errno.
int CheckMember(const Device& device, Object* target) {
  if (Stack::PagingOf(target)->smmu != device.config.smmu) return EINVAL;
  if (target->type != ObjectType::kNested) return 0;
  const Nested* nested = static_cast<const Nested*>(target);
  if (!nested->translates()) return 0;
  return device.vdevice != nullptr && device.vdevice->viommu == nested->viommu ? 0 : ENOENT;
}

// Everything that can refuse the attach or replace of a device and (replace) its group.
int CheckAttach(Stack* stack, uint32_t index, Object* target) {
  const Device& device = stack->device(index);
  int error = CheckMember(device, target);
  EachAttachedPeer(stack, index, [&](uint32_t, const Device& peer) {
    if (error != 0) return;
    if (device.attached != nullptr)
      error = CheckMember(peer, target);
    else if (peer.attached != target && !stack->faults().m08ReplaceOfUnattached)
      error = EINVAL;
  });
  if (error != 0) return error;
  const World& world = stack->world();
  uint64_t first = 0, last = 0;
  if (stack->MsiWindow(index, &first, &last) && !stack->faults().m47AttachIgnoresMsiConflict) {
    Space& space = Stack::PagingOf(target)->ioas->space;
    if (space.MeetsArea(first, last)) return EADDRINUSE;
    if (space.MeetsAllowed(first, last)) return EADDRINUSE;
  }
  // VT-d wants page requests of a device whose faults have a queue, and none of ours makes them.
  const bool queue = target->type == ObjectType::kHwpt && static_cast<Hwpt*>(target)->fault;
  return queue && device.config.smmu >= world.smmus.size() ? ENODEV : 0;
}

// What an attach to an IOAS uses: its automatic HWPT on this SMMU, or a new one.
Object* ChooseAutomatic(Stack* stack, uint32_t index, Ioas* ioas, bool can_respond, int* error) {
  const uint32_t smmu = stack->device(index).config.smmu;
  for (Hwpt* hwpt : ioas->hwpts)
    if (hwpt->automatic && hwpt->smmu == smmu) return hwpt;
  // The checks come after the HWPT exists, so that its own errors go first.
  Context* context = stack->device(index).context;
  const auto doomed = [&]() -> int {
    const int refused = CheckAttach(stack, index, ioas->hwpts.back());
    if (refused != 0) return refused;
    return can_respond && stack->AllocationFails() ? ENOMEM : 0;
  };
  return stack->MakeHwpt(context, ioas, smmu, 0, true, error, doomed);
}

}  // namespace

Outcome BindIommufd(Stack* stack, OpenFile* file, const Op& op) {
  const Frame frame(op, 16);
  if (frame.error() != 0) return Fail(frame.error());
  const BindArgs& a = op.bind;
  if (static_cast<int32_t>(a.iommufd) < 0 || (a.flags & ~1u) != 0) return Fail(EINVAL);
  if (file->kind != FileKind::kCdev) return Fail(EINVAL);
  if (stack->group_of(file->device).file != nullptr) return Fail(EBUSY);
  if (file->context != nullptr) return Fail(EINVAL);
  if ((a.flags & 1) != 0) return Fail(EINVAL);  // a token, and no SR-IOV here
  const OpenFile* iommufd = stack->process(op.process).File(a.iommufd);
  if (iommufd == nullptr) return Fail(IsStandardStream(a.iommufd) ? kEBADFD : EBADF);
  if (iommufd->kind != FileKind::kIommufd) return Fail(kEBADFD);
  Device& device = stack->device(file->device);
  if (device.file != nullptr) return Fail(EINVAL);
  if (const int error = CheckBind(stack, file->device, iommufd->context)) return Fail(error);
  if (!frame.CanWrite(16)) return Fail(EFAULT);  // bound and unbound again
  BindDevice(stack, file->device, iommufd->context);
  device.file = file;
  file->context = iommufd->context;
  Outcome out;
  out.id = device.object->id;
  return out;
}

int CheckBind(Stack* stack, uint32_t index, const Context* context) {
  const World& world = stack->world();
  if (!world.allowUnsafeInterrupts && !IsolatesMsi(world, index)) return EPERM;
  if (!stack->group_of(index).viable) return EPERM;
  for (uint32_t i : stack->group_of(index).devices) {
    const Context* owner = stack->device(i).context;
    if (owner != nullptr && owner != context) return EPERM;
  }
  return 0;
}

void BindDevice(Stack* stack, uint32_t index, Context* context) {
  DeviceObject* object = context->Add(std::make_unique<DeviceObject>());
  object->device = index;
  Device& device = stack->device(index);
  device.context = context;
  device.object = object;
  ++context->holders;
}

Outcome AttachIommufdPt(Stack* stack, OpenFile* file, const Op& op) {
  const Frame frame(op, 12, Frame::kIgnored);
  if (frame.error() != 0) return Fail(frame.error());
  const AttachArgs& a = op.attach;
  if ((a.flags & ~kPasidValid) != 0) return Fail(EINVAL);
  const bool pasid = (a.flags & kPasidValid) != 0;
  if (pasid && op.size < 16) return Fail(EINVAL);
  const uint32_t index = file->device;
  Device& device = stack->device(index);
  Object* target = device.context->Find(a.ptId);
  if (target == nullptr) return Fail(ENOENT);
  if (target->type != ObjectType::kIoas && target->type != ObjectType::kHwpt &&
      target->type != ObjectType::kNested)
    return Fail(EINVAL);
  if (pasid) return Fail(a.pasid >= uint32_t{1} << 31 ? ENOSPC : EINVAL);
  const bool can_respond = frame.CanWrite(12);
  if (const int error = AttachDevice(stack, index, can_respond, &target)) return Fail(error);
  if (!can_respond) {
    stack->Detach(index);
    return Fail(EFAULT);
  }
  Outcome out;
  out.id = target->id;
  return out;
}

int AttachDevice(Stack* stack, uint32_t index, bool may_fail, Object** target) {
  Device& device = stack->device(index);
  if ((*target)->type == ObjectType::kIoas) {
    int error = 0;
    *target = ChooseAutomatic(stack, index, static_cast<Ioas*>(*target), may_fail, &error);
    if (*target == nullptr) return error;
  }
  if (*target == device.attached) return 0;
  if (const int error = CheckAttach(stack, index, *target)) return error;
  const bool replace = device.attached != nullptr;
  stack->SetAttached(index, *target);
  if (replace)
    EachAttachedPeer(stack, index,
                     [&](uint32_t i, const Device&) { stack->SetAttached(i, *target); });
  return 0;
}

Outcome DetachIommufdPt(Stack* stack, OpenFile* file, const Op& op) {
  const Frame frame(op, 8, Frame::kIgnored);
  if (frame.error() != 0) return Fail(frame.error());
  const DetachArgs& a = op.detach;
  if ((a.flags & ~kPasidValid) != 0) return Fail(EINVAL);
  const bool pasid = (a.flags & kPasidValid) != 0;
  if (pasid && op.size < 12) return Fail(EINVAL);
  if (!pasid) stack->Detach(file->device);
  return Outcome();
}

}  // namespace twinwalk::model
