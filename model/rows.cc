#include "model/rows.h"

#include <algorithm>

#include "model/sharing.h"

namespace twinwalk::model {
namespace {

using D = Concrete;

void AddArea(const Ioas& ioas, const Area& area, View<D>* view) {
  AreaRow<D> row;
  row.space = ioas.key();
  row.first = row.mapFirst = area.first;
  row.last = row.mapLast = area.last;
  row.process = area.process + 1;
  row.va = area.va;
  row.rights = area.rights;
  row.account = area.account;
  row.pages = area.pagesId;
  row.vaddrInvalid = area.vaddrInvalid;
  if (area.file != nullptr && area.file->kind == FileKind::kMemfd)
    row.file = area.file->backing->ordinal();
  if (area.runs.empty()) view->areas.Insert(row);
  for (const Run& run : area.runs) {
    row.first = run.first;
    row.last = run.last;
    row.va = run.va;
    row.backing = run.backing->ordinal();
    row.offset = run.offset;
    const uint64_t last_va = run.va + (run.last - run.first);
    row.account = run.backing->device ? 0 : area.account;
    row.pinned = run.backing->device ? 0 : PaidPages(area, run.va >> 12, last_va >> 12);
    view->areas.Insert(row);
  }
}

// Areas that the last accesses could have used.
void AddTouchedAreas(const Stack& stack, View<D>* view) {
  for (const AccessRow<D>& access : stack.accesses) {
    Object* attached = stack.devices()[access.device - 1].attached;
    if (attached == nullptr) continue;
    Ioas* ioas = Stack::PagingOf(attached)->ioas;
    const auto area = ioas->space.FirstMeeting(access.input, access.input + (access.length - 1));
    if (area == ioas->space.areas().end()) continue;
    if (view->areas.Containing(ioas->key(), area->first) == nullptr)
      AddArea(*ioas, area->second, view);
  }
}
// Areas beneath retained entries, by tag and the address that the host-owned stage was asked.
void AddAreasOf(const Stack& stack, const RetainedRow<D>& row, View<D>* view) {
  const bool combined = row.kind == kLeafCombined;
  if (!combined && row.kind != kLeafStage2 && row.kind != kLeafStage1) return;
  const uint64_t at = combined ? row.v0 : row.first;
  for (const auto& context : stack.contexts()) {
    for (const auto& slot : context->slots) {
      if (slot.object == nullptr || slot.object->type != ObjectType::kHwpt) continue;
      const Hwpt& hwpt = static_cast<const Hwpt&>(*slot.object);
      if (hwpt.smmu != row.smmu || hwpt.vmid != row.vmid) continue;
      if (row.vmid == 0 && hwpt.asid != row.asid) continue;
      Space& space = hwpt.ioas->space;
      const auto area = space.FirstMeeting(at, at);
      if (area != space.areas().end() &&
          view->areas.Containing(hwpt.ioas->key(), area->first) == nullptr)
        AddArea(*hwpt.ioas, area->second, view);
    }
  }
}

void AddObject(const Object& object, View<D>* view) {
  switch (object.type) {
    case ObjectType::kDevice:
    case ObjectType::kFault:
      return;
    case ObjectType::kIoas: {
      IoasRow<D> row;
      row.key = object.key();
      row.users = object.users();
      view->ioases.Insert(row);
      return;
    }
    case ObjectType::kHwpt: {
      const Hwpt& hwpt = static_cast<const Hwpt&>(object);
      HwptRow<D> row;
      row.key = object.key();
      row.users = object.users();
      row.ioas = hwpt.ioas->key();
      row.smmu = hwpt.smmu;
      row.nestParent = hwpt.nestParent;
      row.automatic = hwpt.automatic;
      row.allowPasid = hwpt.allowPasid;
      row.vmid = hwpt.vmid;
      row.asid = hwpt.asid;
      view->hwpts.Insert(row);
      TagRow<D> tag;
      tag.key = TagKey(row.smmu, row.vmid, row.asid);
      tag.owner = row.key;
      view->tags.Insert(tag);
      return;
    }
    case ObjectType::kNested: {
      const Nested& nested = static_cast<const Nested&>(object);
      NestedRow<D> row;
      row.key = object.key();
      row.users = object.users();
      row.viommu = nested.viommu->key();
      row.ste0 = nested.ste0;
      row.ste1 = nested.ste1;
      view->nesteds.Insert(row);
      return;
    }
    case ObjectType::kViommu: {
      const Viommu& viommu = static_cast<const Viommu&>(object);
      ViommuRow<D> row;
      row.key = object.key();
      row.users = object.users();
      row.hwpt = viommu.parent->key();
      row.smmu = viommu.smmu;
      view->viommus.Insert(row);
      return;
    }
    case ObjectType::kVdevice: {
      const Vdevice& vdevice = static_cast<const Vdevice&>(object);
      VdeviceRow<D> row;
      row.key = object.key();
      row.viommu = vdevice.viommu->key();
      row.device = vdevice.device + 1;
      row.virtId = vdevice.virtId;
      view->vdevices.Insert(row);
      return;
    }
    case ObjectType::kVeventq: {
      const Veventq& queue = static_cast<const Veventq&>(object);
      VeventqRow<D> row;
      row.key = object.key();
      row.viommu = queue.viommu->key();
      row.type = queue.kind;
      row.depth = queue.depth;
      row.count = queue.records.size();
      row.lost = queue.lost;
      row.sequence = queue.sequence;
      row.open = queue.open;
      view->veventqs.Insert(row);
      return;
    }
  }
}

void AddRetained(const Stack& stack, RetainedRow<D> row, uint64_t address, View<D>* view) {
  if (row.kind == kLeafStage1 || row.kind == kLeafStage2 || row.kind == kLeafCombined)
    stack.Locate(address, &row.backing, &row.offset);
  view->retained.Insert(row);
}

}  // namespace

void FillView(const Stack& stack, ViewScope scope, View<D>* view) {
  View<D>::EachTable([](const char*, auto& table) { table.Clear(); }, *view);
  view->complete = scope == ViewScope::kAll || !stack.onlyAccesses;
  for (size_t i = 0; i < stack.devices().size(); ++i) {
    const Device& device = stack.devices()[i];
    DeviceRow<D> row;
    row.key = i + 1;
    row.smmu = device.config.smmu;
    row.sid = device.config.streamId;
    row.group = stack.group_number(static_cast<uint32_t>(i));
    row.context = device.context != nullptr ? device.context->ordinal : 0;
    row.object = device.object != nullptr ? device.object->key() : 0;
    row.attached = device.attached != nullptr ? device.attached->key() : 0;
    row.eventViommu = device.eventViommu;
    row.eventVirtId = device.eventVirtId;
    view->devices.Insert(row);
  }
  for (const auto& context : stack.contexts()) {
    for (const auto& slot : context->slots) {
      if (slot.object == nullptr) continue;
      AddObject(*slot.object, view);
      if (!view->complete || slot.object->type != ObjectType::kIoas) continue;
      const Ioas& ioas = static_cast<const Ioas&>(*slot.object);
      for (const auto& [first, area] : ioas.space.areas()) AddArea(ioas, area, view);
    }
  }
  for (const AccessRow<D>& row : stack.accesses) view->accesses.Insert(row);
  for (const EventRow<D>& row : stack.events) view->events.Insert(row);
  for (const CommandRow<D>& row : stack.commands) view->commands.Insert(row);
  if (!view->complete) {
    AddTouchedAreas(stack, view);
    for (const Filled& filled : stack.filled) {
      AddRetained(stack, filled.row, filled.address, view);
      AddAreasOf(stack, filled.row, view);
    }
    return;
  }
  const auto retained = [&](const RetainedRow<D>& row, uint64_t address) {
    AddRetained(stack, row, address, view);
  };
  for (const Smmu& smmu : stack.smmus()) smmu.EachRetained(retained);
  for (const Vtd& vtd : stack.vtds()) vtd.EachRetained(retained);
  for (const Account& account : stack.accounts()) {
    AccountRow<D> row;
    row.key = account.key;
    row.pinned = account.pinned;
    row.limit = std::max(account.limit, account.pinned);  // setrlimit came later
    view->accounts.Insert(row);
  }
}

}  // namespace twinwalk::model
