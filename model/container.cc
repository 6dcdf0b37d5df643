#include "model/container.h"

#include <algorithm>
#include <cerrno>

#include "model/stack.h"

namespace twinwalk::model {
namespace {

Hwpt* DomainOn(const Container& container, uint32_t iommu) {
  for (Hwpt* hwpt : container.space->hwpts)
    if (hwpt->smmu == iommu) return hwpt;
  return nullptr;
}

// What refuses a device whose IOMMU has a domain: its window under a mapping, or interrupts that it
// could forge (type1 sheet 7, 14.9).
int CheckDevice(Stack* stack, Container* container, uint32_t device) {
  uint64_t first = 0, last = 0;
  const bool meets = stack->MsiWindow(device, &first, &last) &&
                     container->space->space.MeetsArea(first, last) &&
                     !stack->faults().m47AttachIgnoresMsiConflict;
  return meets ? EINVAL : 0;
}

void DetachDevices(Stack* stack, Group* group) {
  for (uint32_t device : group->devices) stack->Detach(device);
}

// Puts the group's devices into domains. *made: a domain was new.
int AttachGroup(Stack* stack, Context* context, Group* group, bool* made) {
  Container& container = *context->container;
  if (container.invalid > 0) return EBUSY;
  const World& world = stack->world();
  for (uint32_t device : group->devices)
    if (HasIommu(world, device) && !world.allowUnsafeInterrupts && !IsolatesMsi(world, device))
      return EPERM;
  for (uint32_t device : group->devices) {
    if (!HasIommu(stack->world(), device)) continue;
    const uint32_t iommu = stack->world().devices[device].smmu;
    const auto check = [&] { return CheckDevice(stack, &container, device); };
    Hwpt* domain = DomainOn(container, iommu);
    int error = 0;
    if (domain != nullptr) {
      error = check();
    } else {
      domain = stack->MakeHwpt(context, container.space, iommu, 0, true, &error, check);
      *made = true;
    }
    if (error != 0) {
      DetachDevices(stack, group);
      return error == EADDRINUSE ? EINVAL : error;  // a mapping beyond the new aperture
    }
    stack->SetAttached(device, domain);
  }
  return 0;
}

void DropSpace(Context* context) {
  Container& container = *context->container;
  container.space->space.areas().clear();  // no domain shows them: nothing is pinned
  context->Remove(container.space->id, false);
  container.space = nullptr;
}

void DropBackend(Context* context) {
  Container& container = *context->container;
  if (container.space != nullptr) DropSpace(context);
  container.backend = Backend::kNone;
  container.v2 = container.tracking = false;
  container.entryLimit = container.invalid = 0;
}

int SetType1(Stack* stack, Context* context, bool v2) {
  Container& container = *context->container;
  container.space = context->Add(std::make_unique<Ioas>());
  bool made = false;
  int error = 0;
  for (auto group = container.groups.begin(); error == 0 && group != container.groups.end();
       ++group)
    error = AttachGroup(stack, context, *group, &made);
  if (error == 0 && stack->AllocationFails()) error = ENOMEM;
  if (error != 0) {
    for (Group* group : container.groups) DetachDevices(stack, group);
    DropSpace(context);
    return error;
  }
  container.backend = Backend::kType1;
  container.v2 = v2;
  container.entryLimit = stack->world().dmaEntryLimit;
  return 0;
}

}  // namespace

int SetBackend(Stack* stack, Context* context, uint64_t type, uint32_t process) {
  Container& container = *context->container;
  if (container.groups.empty() || container.backend != Backend::kNone) return EINVAL;
  if (container.noiommu) {
    if (type != kNoiommuIommu) return ENODEV;
    if (!stack->world().processes[process].rawIo) return EPERM;
    container.backend = Backend::kNoiommu;
    return 0;
  }
  // A backend says what it claims by the extensions that it has; of those only two are types.
  if (type == kUnmapAll) return EINVAL;
  if (type != kType1 && type != kType1v2) return ENODEV;
  return SetType1(stack, context, type == kType1v2);
}

int JoinContainer(Stack* stack, Context* context, Group* group) {
  Container& container = *context->container;
  if (container.backend == Backend::kType1) {
    bool made = false;
    int error = AttachGroup(stack, context, group, &made);
    if (error == 0 && made && stack->AllocationFails()) error = ENOMEM;
    if (error != 0) {
      DetachDevices(stack, group);
      return error;
    }
  }
  for (uint32_t device : group->devices) stack->device(device).context = context;
  container.groups.push_back(group);
  container.noiommu = group->file->noiommu;
  group->context = context;
  ++context->holders;
  return 0;
}

void LeaveContainer(Stack* stack, Group* group) {
  Context* context = group->context;
  Container& container = *context->container;
  DetachDevices(stack, group);
  for (uint32_t device : group->devices) stack->device(device).context = nullptr;
  std::erase(container.groups, group);
  group->context = nullptr;
  if (container.groups.empty()) DropBackend(context);
  stack->ReleaseContext(context);
}

bool Coherent(Stack* stack, const Ioas& space) {
  const World& world = stack->world();
  return std::all_of(space.hwpts.begin(), space.hwpts.end(), [&](const Hwpt* domain) {
    if (domain->smmu < world.smmus.size()) return false;
    return (world.vtds[domain->smmu - world.smmus.size()].ecap >> 7 & 1) != 0;  // SC
  });
}

uint64_t PageSizes(Stack* stack, const Ioas& space) {
  constexpr uint64_t kSmall = 1 << 12, kLarge = 1 << 21, kHuge = 1 << 30;
  const World& world = stack->world();
  uint64_t sizes = kSmall | kLarge | kHuge;
  for (const Hwpt* domain : space.hwpts) {
    if (domain->smmu < world.smmus.size()) continue;
    const uint64_t cap = world.vtds[domain->smmu - world.smmus.size()].cap;
    if ((cap >> 34 & 1) == 0) sizes &= ~kLarge;  // SLLPS
    if ((cap >> 35 & 1) == 0) sizes &= ~kHuge;
  }
  return sizes;
}

}  // namespace twinwalk::model
