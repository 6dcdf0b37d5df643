// What devices are attached to: stream table entries, reserved windows, where their faults go; and
// binding's end.
#include <algorithm>

#include "model/stack.h"
#include "traces/check.h"

namespace twinwalk::model {
namespace {

// The words of a guest's STE that it may choose (SMMUv3 sheet 9).
constexpr uint64_t kGuestSte0 = 0xf80fffffffffffff;
constexpr uint64_t kGuestSte1 = 0x380000ff;  // S1DSS, S1CIR, S1COR, S1CSH, S1STALLD, EATS

constexpr uint64_t kSteAbort = 1;
constexpr uint64_t SteConfig(uint64_t config) {
  return 1 | config << 1;
}
constexpr uint64_t kIncomingShare = uint64_t{1} << 44;  // SHCFG
constexpr uint64_t kMergeEvents = uint64_t{1} << 19;    // MEV

// Words 2 and 3 for a stage 2 of the host.
void PutStage2(const Hwpt& hwpt, uint64_t oas, std::array<uint64_t, 4>* ste) {
  const uint64_t sl0 = 2 - hwpt.table->start_level();
  (*ste)[2] = hwpt.vmid | (64 - uint64_t{static_cast<uint64_t>(hwpt.table->input_bits())}) << 32 |
              sl0 << 38 | uint64_t{1} << 40 | uint64_t{1} << 42 | uint64_t{3} << 44 |  // WB, shared
              oas << 48 | uint64_t{1} << 51 | uint64_t{1} << 54 |  // S2PS, S2AA64, S2PTW
              uint64_t{1} << 58;                                   // S2R
  (*ste)[3] = hwpt.table->root();
}

}  // namespace

Hwpt* Stack::PagingOf(Object* target) {
  if (target == nullptr) return nullptr;
  if (target->type == ObjectType::kHwpt) return static_cast<Hwpt*>(target);
  CHECK(target->type == ObjectType::kNested);
  return static_cast<Nested*>(target)->viommu->parent;
}

bool Stack::MsiWindow(uint32_t device, uint64_t* first, uint64_t* last) const {
  const uint32_t iommu = devices_[device].config.smmu;
  if (iommu < smmus_.size()) {
    *first = world_.swMsiFirst, *last = world_.swMsiLast;
  } else {
    *first = kVtdInterruptFirst, *last = kVtdInterruptLast;  // hardware's own (VT-d sheet 6)
  }
  return *first <= *last && iommu != kNoIommu;
}

std::array<uint64_t, 4> Stack::SteFor(Object* target) const {
  std::array<uint64_t, 4> ste{kSteAbort, 0, 0, 0};
  if (target == nullptr) return ste;
  const Hwpt& paging = *PagingOf(target);
  const uint64_t oas = smmus_[paging.smmu].config().idr[5] & 7;
  if (target->type == ObjectType::kHwpt) {
    ste[1] = kIncomingShare;
    if (paging.nestParent) {
      ste[0] = SteConfig(6);
      PutStage2(paging, oas, &ste);
    } else {
      ste[0] = SteConfig(5) | paging.cdFrame * kPageSize;
      ste[1] |= 1 << 2 | 1 << 4 | 3 << 6;  // CD fetches are write-back, inner shared
    }
    return ste;
  }
  const Nested& nested = static_cast<const Nested&>(*target);
  if (nested.bypasses()) {
    if (faults_.m20BypassDropsStage2) return {SteConfig(4), kIncomingShare, 0, 0};
    ste[0] = SteConfig(6);
    ste[1] = kIncomingShare;
    PutStage2(paging, oas, &ste);
  } else if (nested.translates()) {
    ste[0] = (nested.ste0 & kGuestSte0 & ~uint64_t{0xf}) | SteConfig(7);
    ste[1] = (nested.ste1 & kGuestSte1) | kMergeEvents | kIncomingShare;
    PutStage2(paging, oas, &ste);
  }
  return ste;
}

// Writes the device's configuration and invalidates the old one.
void Stack::PutInForce(uint32_t index, Object* target) {
  const uint32_t iommu = devices_[index].config.smmu;
  const Hwpt* paging = PagingOf(target);
  if (IsVtd(iommu)) {
    VtdDomain domain;
    if (paging != nullptr)
      domain = {paging->vmid, paging->table->root(), paging->table->vtd_levels(), target->key()};
    vtd(iommu).SetDomain(index, paging != nullptr ? &domain : nullptr);
    return;
  }
  TagName<uint64_t> tag;
  if (paging != nullptr) tag = TagOf(paging);
  const bool invalidate = target != nullptr || !faults_.configCacheSurvivesDetach;
  smmus_[iommu].WriteSte(index, SteFor(target), target == nullptr ? 0 : target->key(), tag,
                         invalidate);
}

void Stack::SetAttached(uint32_t index, Object* target) {
  Device& device = devices_[index];
  Object* old = device.attached;
  if (old == target) return;
  const auto count = [](Object* object) -> uint32_t& {
    return object->type == ObjectType::kHwpt ? static_cast<Hwpt*>(object)->attached
                                             : static_cast<Nested*>(object)->attached;
  };
  if (target != nullptr) {
    ++count(target);
    uint64_t first = 0, last = 0;
    if (MsiWindow(index, &first, &last) &&
        (old == nullptr || PagingOf(old)->ioas != PagingOf(target)->ioas))
      PagingOf(target)->ioas->space.Reserve(first, last, &device);
  }
  device.attached = target;
  device.eventViommu = 0;
  device.eventVirtId = 0;
  if (target != nullptr && target->type == ObjectType::kNested && device.vdevice != nullptr &&
      device.vdevice->viommu == static_cast<Nested*>(target)->viommu) {
    device.eventViommu = device.vdevice->viommu->key();
    device.eventVirtId = static_cast<uint32_t>(device.vdevice->virtId);
  }
  PutInForce(index, target);
  if (old == nullptr) return;
  if (target == nullptr || PagingOf(old)->ioas != PagingOf(target)->ioas)
    PagingOf(old)->ioas->space.Unreserve(&device);
  if (--count(old) > 0 || old->type != ObjectType::kHwpt) return;
  Hwpt* hwpt = static_cast<Hwpt*>(old);
  if (hwpt->automatic && hwpt->users() == 0) DestroyHwpt(hwpt);
}

void Stack::Detach(uint32_t index) {
  SetAttached(index, nullptr);
}

void Stack::DestroyVdevice(Vdevice* vdevice, bool tombstone) {
  std::erase(vdevice->viommu->vdevices, vdevice);
  Device& device = devices_[vdevice->device];
  if (device.vdevice == vdevice) device.vdevice = nullptr;
  FindContext(vdevice->context)->Remove(vdevice->id, tombstone);
}

// The last file of a bound device closed (iommufd sheet 19.4).
void Stack::Unbind(uint32_t index) {
  Device& device = devices_[index];
  Context* context = device.context;
  device.vfio.Shut();
  Detach(index);
  if (device.vdevice != nullptr && !faults_.m24VdeviceOutlivesDevice)
    DestroyVdevice(device.vdevice, true);
  device.vdevice = nullptr;
  context->Remove(device.object->id, false);
  device.object = nullptr;
  device.context = nullptr;
  if (device.file != nullptr) device.file->context = nullptr;
  device.file = nullptr;
  ReleaseContext(context);
}

}  // namespace twinwalk::model
