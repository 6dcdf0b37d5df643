// What a group's file answers: GET_STATUS, SET_CONTAINER, UNSET_CONTAINER, GET_DEVICE_FD (type1
// sheet 5). Which container it goes into is decided here; what that means, there.
#include <algorithm>

#include "model/compat.h"
#include "model/front.h"
#include "model/user_struct.h"

namespace twinwalk::model {
namespace {

constexpr int kEBADFD = 77;
constexpr size_t kMostName = 4095;

Outcome GetStatus(const Group& group, const Op& op) {
  constexpr uint32_t kViable = 1, kContainerSet = 2;
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  if (!CanWrite(op, 8)) return Fail(EFAULT);
  UserStruct user(op);
  user.Put32(4, group.context != nullptr ? kViable | kContainerSet : group.viable ? kViable : 0);
  Outcome out;
  out.out = user.Take();
  return out;
}

// Checks in the sheet's order; DMA ownership is the last claim that a native container makes, and
// an iommufd makes it only when a device is opened.
Outcome SetContainer(Stack* stack, OpenFile* file, Group* group, const Op& op) {
  if (!CanRead(op, 4)) return Fail(EFAULT);  // a number without a size word
  const uint32_t fd = op.vfioGroupSetContainer.container;
  const OpenFile* target = stack->process(op.process).File(fd);
  if (target == nullptr && !IsStandardStream(fd)) return Fail(EBADF);
  if (group->context != nullptr) return Fail(EINVAL);
  const bool native = target != nullptr && target->kind == FileKind::kContainer;
  if (!native && (target == nullptr || target->kind != FileKind::kIommufd)) return Fail(kEBADFD);
  Context* context = target->context;
  if (!native) {
    if (const int error = JoinContext(stack, context, file->noiommu)) return Fail(error);
    group->context = context;
    ++context->holders;
    return Outcome();
  }
  const Container& container = *context->container;
  if (file->noiommu && !stack->world().processes[op.process].rawIo) return Fail(EPERM);
  if (!container.groups.empty() && container.noiommu != file->noiommu) return Fail(EPERM);
  if (!file->noiommu && !group->viable) return Fail(EPERM);
  for (uint32_t device : group->devices)
    if (stack->device(device).context != nullptr) return Fail(EPERM);
  return Fail(JoinContainer(stack, context, group));
}

Outcome UnsetContainer(Stack* stack, Group* group) {
  Context* context = group->context;
  if (context == nullptr) return Fail(EINVAL);
  if (context->container != nullptr) {
    if (group->openDevices > 0) return Fail(EBUSY);
    LeaveContainer(stack, group);
  } else {
    group->context = nullptr;
    stack->ReleaseContext(context);
  }
  return Outcome();
}

// Whether the container is ready to give out a device: 0 or an errno.
int CheckContainer(Stack* stack, const Group& group, const OpenFile& file, const Op& op) {
  if (group.context == nullptr) return EINVAL;
  const Container* container = group.context->container.get();
  if (container == nullptr) return 0;
  if (container->backend == Backend::kNone) return EINVAL;
  return file.noiommu && !stack->world().processes[op.process].rawIo ? EPERM : 0;
}

Outcome GetDeviceFd(Stack* stack, OpenFile* file, Group* group, const Op& op) {
  const size_t length = op.blob.find('\0');
  if (length == std::string::npos) return Fail(op.blob.size() > kMostName ? EINVAL : EFAULT);
  if (length > kMostName) return Fail(EINVAL);
  const std::string name = op.blob.substr(0, length);
  const auto found =
      std::find_if(group->devices.begin(), group->devices.end(),
                   [&](uint32_t device) { return stack->device(device).config.vfio.name == name; });
  if (found == group->devices.end()) return Fail(ENODEV);
  if (const int error = CheckContainer(stack, *group, *file, op)) return Fail(error);
  Device& device = stack->device(*found);
  if (device.vfio.opens == 0 && group->context->container == nullptr)
    if (const int error = OpenContextDevice(stack, group->context, *found)) return Fail(error);
  ++device.vfio.opens;
  ++group->openDevices;
  ++file->refs;
  OpenFile* opened = stack->NewFile(FileKind::kDevice);
  opened->device = *found;
  opened->holds = file;
  Outcome out;
  out.fd = stack->process(op.process).Install(opened, true);
  return out;
}

}  // namespace

Outcome GroupCommand(Stack* stack, OpenFile* file, const Op& op) {
  Group& group = stack->groups()[file->group];
  if (op.kind == OpKind::kVfioGroupGetStatus) return GetStatus(group, op);
  if (op.kind == OpKind::kVfioGroupSetContainer) return SetContainer(stack, file, &group, op);
  if (op.kind == OpKind::kVfioGroupUnsetContainer) return UnsetContainer(stack, &group);
  if (op.kind == OpKind::kVfioGroupGetDeviceFd) return GetDeviceFd(stack, file, &group, op);
  return Fail(ENOTTY);
}

}  // namespace twinwalk::model
