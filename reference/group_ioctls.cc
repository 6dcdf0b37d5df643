// VFIO groups: their nodes, containers and devices (type1 5; iommufd 8, 19.1), and what the end of
// a file takes along.
#include <algorithm>

#include "reference/compat.h"
#include "reference/shell.h"
#include "reference/structs.h"

namespace twinwalk::reference {
namespace {

constexpr size_t kMaxName = 4095;  // bytes of a device's name, without its NUL
enum StatusFlags : uint32_t { kViable = 1, kContainerSet = 2 };

Outcome Error(int err) {
  Outcome out;
  out.err = static_cast<uint16_t>(err);
  return out;
}

}  // namespace

Shell::OpenGroup* Shell::FindGroup(uint32_t number, bool noiommu) {
  for (OpenGroup& group : open_groups_)
    if (group.number == number && group.noiommu == noiommu) return &group;
  return nullptr;
}

bool Shell::GroupIsOpen(uint32_t number) const {
  return std::any_of(open_groups_.begin(), open_groups_.end(),
                     [&](const OpenGroup& group) { return group.number == number; });
}

bool Shell::CdevIsBound(uint32_t number) const {
  return processes_.AnyFile([&](const File& file) {
    return file.kind == FileKind::kCdev && file.context != 0 &&
           groups_.OfDevice(file.device) == number;
  });
}

std::vector<GroupIn<Real>> Shell::GroupsOf(uint64_t container) const {
  std::vector<GroupIn<Real>> groups;
  for (const OpenGroup& group : open_groups_)
    if (group.container == container && !group.compat)
      groups.push_back({group.number, group.noiommu});
  return groups;
}

// TRACE 8, open.
Outcome Shell::OpenGroupNode(const Op& op) {
  OpenGroup group;
  group.number = op.open.device;
  group.noiommu = static_cast<Node>(op.open.node) == Node::kVfioNoiommuGroup;
  bool exists = false;
  for (size_t i = 0; i < world_.devices.size(); ++i) {
    const bool none = world_.devices[i].smmu == kNoIommu;
    exists = exists || (groups_.OfDevice(i) == group.number && none == group.noiommu &&
                        groups_.DrivenByVfio(i));
  }
  if (!exists || (group.noiommu && !world_.noiommu)) return Error(ENOENT);
  if (group.noiommu && !world_.processes[op.process].rawIo) return Error(EPERM);
  if (GroupIsOpen(group.number) || CdevIsBound(group.number)) return Error(EBUSY);
  group.open = true;
  open_groups_.push_back(group);
  File file;
  file.kind = FileKind::kGroup;
  file.group = group.number, file.noiommu = group.noiommu;
  Outcome out;
  out.fd = processes_.Open(op.process, file);
  return out;
}

Outcome Shell::DoGroup(const Op& op, OpenGroup* group) {
  if (op.kind == OpKind::kVfioGroupSetContainer) return DoSetContainer(op, group);
  if (op.kind == OpKind::kVfioGroupUnsetContainer) return DoUnsetContainer(group);
  if (op.kind == OpKind::kVfioGroupGetDeviceFd) return DoGetDeviceFd(op, group);
  if (const int err = VfioFramingError(op)) return Error(err);
  uint32_t flags = groups_.Viable(group->number) ? kViable : 0;
  if (group->container != 0) flags = kViable | kContainerSet;
  UserStruct user(op);
  user.Write32(0, op.size);
  user.Write32(4, flags);
  if (!user.Writable()) return Error(EFAULT);
  Outcome out;
  out.out = user.bytes();
  return out;
}

Outcome Shell::DoSetContainer(const Op& op, OpenGroup* group) {
  if (ReadableBytes(op) < 4) return Error(EFAULT);
  const uint32_t fd = op.vfioGroupSetContainer.container;
  const File* container = processes_.Find(op.process, fd);
  if (container == nullptr && fd >= kFirstOwnFd) return Error(EBADF);
  if (group->container != 0) return Error(EINVAL);
  const bool native = container != nullptr && container->kind == FileKind::kContainer;
  const bool iommufd = container != nullptr && container->kind == FileKind::kIommu;
  if (!native && !iommufd) return Error(EBADFD);
  if (group->noiommu && !world_.processes[op.process].rawIo) return Error(EPERM);
  const uint64_t ordinal = container->context;
  if (native) {
    const std::vector<GroupIn<Real>> others = GroupsOf(ordinal);
    if (!others.empty() && others[0].noiommu != group->noiommu) return Error(EPERM);
    SetContainerIn<Real> in;
    in.container = ordinal;
    in.group = {group->number, group->noiommu};
    in.viable = group->noiommu || groups_.Viable(group->number);
    const Result<Real> r =
        SetContainer(MakeEnv(), s_, s_.view.devices, SpacesOf(s_), s_.containers, s_.allocator, in);
    if (r.err != 0) return Error(static_cast<int>(r.err));
  } else {
    const Result<Real> r = CompatSetContainer(MakeEnv(), s_, s_.view.ioases, s_.contexts,
                                              s_.allocator, ordinal, group->noiommu);
    if (r.err != 0) return Error(static_cast<int>(r.err));
  }
  group->container = ordinal, group->compat = iommufd;
  for (auto it = open_groups_.begin(); it != open_groups_.end(); ++it) {
    if (&*it != group) continue;
    open_groups_.splice(open_groups_.end(), open_groups_, it);  // the last of its container
    break;
  }
  return Outcome();
}

Outcome Shell::DoUnsetContainer(OpenGroup* group) {
  if (group->container == 0) return Error(EINVAL);
  if (!group->compat && group->devices != 0) return Error(EBUSY);
  LeaveGroup(group);
  return Outcome();
}

void Shell::LeaveGroup(OpenGroup* group) {
  const uint64_t container = group->container;
  const bool compat = group->compat;
  if (container == 0) return;
  group->container = 0, group->compat = false;
  if (compat) return MaybeEndContext(container);
  View<Real>& v = s_.view;
  LeaveContainer(MakeEnv(), v.devices, v.nesteds, SpacesOf(s_), s_.containers, container,
                 {group->number, group->noiommu});
  MaybeEndContainer(container);
}

// A container goes with its last file and its last group.
void Shell::MaybeEndContainer(uint64_t container) {
  const bool open = processes_.AnyFile([&](const File& file) {
    return file.kind == FileKind::kContainer && file.context == container;
  });
  if (!open && GroupsOf(container).empty()) s_.containers.Erase(container);
}

Outcome Shell::DoGetDeviceFd(const Op& op, OpenGroup* group) {
  const size_t end = op.blob.find('\0');
  if (end == std::string::npos) return Error(op.blob.size() > kMaxName ? EINVAL : EFAULT);
  if (end > kMaxName) return Error(EINVAL);
  const std::string name = op.blob.substr(0, end);
  size_t index = 0;
  const auto named = [&] {
    const DeviceConfig& device = world_.devices[index];
    return groups_.OfDevice(index) == group->number && groups_.DrivenByVfio(index) &&
           (device.smmu == kNoIommu) == group->noiommu && device.vfio.name == name;
  };
  while (index < world_.devices.size() && !named()) ++index;
  if (index == world_.devices.size()) return Error(ENODEV);
  if (group->container == 0) return Error(EINVAL);
  VfioDevice& device = vfio_devices_[index];
  if (group->compat) {
    if (!groups_.Viable(group->number)) return Error(EPERM);
    View<Real>& v = s_.view;
    Result<Real> r;
    if (device.opens() == 0)
      r = CompatOpenDevice(MakeEnv(), s_, v.devices, v.nesteds, SpacesOf(s_), s_.allocator,
                           uint64_t{index} + 1, group->container);
    if (r.err != 0) return Error(static_cast<int>(r.err));
  } else {
    if (BackendOf<Real>(s_.containers, group->container) == kNoBackend) return Error(EINVAL);
    if (group->noiommu && !world_.processes[op.process].rawIo) return Error(EPERM);
  }
  device.Open();
  ++group->devices;
  File file;
  file.kind = FileKind::kDevice;
  file.device = static_cast<uint32_t>(index);
  file.group = group->number, file.noiommu = group->noiommu;
  file.context = group->compat ? s_.view.devices.Find(index + 1)->context : 0;
  Outcome out;
  out.fd = processes_.Open(op.process, file);
  return out;
}

// ---- The end of a file --------------------------------------------------------------------------

void Shell::CloseGroupFile(const File& file) {
  OpenGroup* group = FindGroup(file.group, file.noiommu);
  group->open = false;
  MaybeReleaseGroup(group);
}

// type1 1: a device's file holds its group's.
void Shell::CloseDeviceFile(const File& file) {
  VfioDevice& device = vfio_devices_[file.device];
  device.Close();
  if (file.context != 0) {
    View<Real>& v = s_.view;
    if (device.opens() == 0)
      CloseDevice(MakeEnv(), v.devices, v.nesteds, SpacesOf(s_), v.vdevices, v.viommus,
                  s_.tombstones, uint64_t{file.device} + 1);
    MaybeEndContext(file.context);
  }
  OpenGroup* group = FindGroup(file.group, file.noiommu);
  --group->devices;
  MaybeReleaseGroup(group);
}

void Shell::MaybeReleaseGroup(OpenGroup* group) {
  if (group->open || group->devices != 0) return;
  LeaveGroup(group);
  open_groups_.remove_if([&](const OpenGroup& o) { return &o == group; });
}

}  // namespace twinwalk::reference
