#include "model/maps.h"

#include <algorithm>
#include <cerrno>

#include "model/sharing.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kTop = ~uint64_t{0};

int ChooseIova(Stack* stack, Ioas* ioas, bool fixed, uint64_t length, uint64_t va, uint64_t* iova) {
  return fixed ? ioas->space.CheckFixed(*iova, length, 0)
               : ioas->space.Place(length, va, stack->faults(), iova);
}
bool Aligned(const Ioas& ioas, uint64_t va) {
  return (va & (kPageSize - 1) & (ioas.space.alignment() - 1)) == 0;
}

// What one area of a source gives to a copy.
struct Stretch {
  uint64_t source = 0;  // where that area begins
  Area area;            // as it will be
};

std::vector<Stretch> StretchesOf(Ioas* from, uint64_t source, uint64_t length, uint8_t rights) {
  std::vector<Stretch> out;
  const uint64_t last = source + (length - 1);
  for (auto it = from->space.FirstMeeting(source, last);
       it != from->space.areas().end() && it->first <= last; ++it) {
    const Area& shown = it->second;
    Stretch stretch;
    stretch.source = it->first;
    stretch.area.process = shown.process;
    stretch.area.account = shown.account;
    stretch.area.writable = shown.writable;
    stretch.area.pagesId = shown.pagesId;
    stretch.area.file = shown.file;
    stretch.area.rights = rights;
    stretch.area.first = std::max(source, shown.first);  // of the source, for now
    stretch.area.last = std::min(last, shown.last);
    stretch.area.va = shown.va + (stretch.area.first - shown.first);
    out.push_back(std::move(stretch));
  }
  return out;
}

}  // namespace

uint8_t RightsOfFlags(uint32_t flags) {
  return ((flags & kReadable) != 0 ? kRead : 0) | ((flags & kWriteable) != 0 ? kWrite : 0);
}

int CheckMapArgs(uint32_t flags, uint32_t reserved, std::initializer_list<uint64_t> below_top) {
  if ((flags & ~7u) != 0 || reserved != 0) return EOPNOTSUPP;
  for (uint64_t value : below_top)
    if (value == kTop) return EOVERFLOW;
  return (flags & (kWriteable | kReadable)) == 0 ? EINVAL : 0;
}

Area NewArea(Stack* stack, const Context& context, uint32_t process, uint64_t va, OpenFile* file,
             uint8_t rights) {
  const ProcessConfig& config = stack->world().processes[process];
  Area area;
  area.process = process;
  area.va = va;
  area.file = file;
  area.rights = rights;
  area.writable = (rights & kWrite) != 0;
  if (!config.ipcLock)
    area.account = context.perProcess ? Stack::ProcessKey(process) : UserAccount(config.uid);
  return area;
}

int MapArea(Stack* stack, Ioas* ioas, Area area, uint64_t length, bool fixed, bool may_fail,
            uint64_t* iova) {
  if (const int error = ChooseIova(stack, ioas, fixed, length, area.va, iova)) return error;
  if (!Aligned(*ioas, area.va)) return EINVAL;
  area.first = *iova;
  area.last = *iova + (length - 1);
  if (const int error = stack->EnterArea(ioas, std::move(area))) return error;
  const auto at = ioas->space.areas().find(*iova);
  if (may_fail && stack->AllocationFails()) {
    stack->DropArea(ioas, at);
    return ENOMEM;
  }
  at->second.pagesId = stack->NewPages();
  for (Hwpt* hwpt : ioas->hwpts) stack->ShowArea(hwpt, at->second);
  return 0;
}

int CheckSource(Ioas* from, uint64_t source, uint64_t length) {
  if (length == 0) return EINVAL;
  const uint64_t last = source + (length - 1);
  if (last < source) return EOVERFLOW;
  uint64_t at = source;
  for (auto it = from->space.FirstMeeting(source, last);
       it != from->space.areas().end() && it->first <= at; ++it) {
    if (it->second.last >= last) return 0;
    at = it->second.last + 1;
  }
  return ENOENT;
}

int CopyAreas(Stack* stack, Ioas* from, uint64_t source, uint64_t length, Ioas* to, uint32_t flags,
              bool may_fail, uint64_t* iova) {
  std::vector<Stretch> stretches = StretchesOf(from, source, length, RightsOfFlags(flags));
  const bool fixed = (flags & kFixedIova) != 0;
  if (const int error = ChooseIova(stack, to, fixed, length, stretches[0].area.va, iova))
    return error;
  for (const Stretch& s : stretches) {
    if ((flags & kWriteable) != 0 && !s.area.writable && !stack->faults().m11CopyUpgrades)
      return EPERM;
    if (!Aligned(*to, s.area.va)) return EINVAL;
  }
  std::vector<uint64_t> entered;
  const auto drop = [&](int error) {
    for (uint64_t first : entered) stack->DropArea(to, to->space.areas().find(first));
    return error;
  };
  for (Stretch& s : stretches) {
    s.area.first = *iova + (s.area.first - source);
    s.area.last = *iova + (s.area.last - source);
    const uint64_t first = s.area.first;
    if (const int error = stack->EnterArea(to, std::move(s.area), from, s.source))
      return drop(error);
    entered.push_back(first);
  }
  if (may_fail && stack->AllocationFails()) return drop(ENOMEM);
  for (uint64_t first : entered)
    for (Hwpt* hwpt : to->hwpts) stack->ShowArea(hwpt, to->space.areas().find(first)->second);
  return 0;
}

int UnmapRange(Stack* stack, Ioas* ioas, uint64_t first, uint64_t last, uint64_t* bytes) {
  *bytes = 0;
  for (;;) {
    const auto area = ioas->space.FirstMeeting(first, last);
    if (area == ioas->space.areas().end()) return 0;
    if (area->first < first || area->second.last > last) return ENOENT;
    *bytes += area->second.last - area->first + 1;
    stack->RemoveArea(ioas, area);
  }
}

int MoveToProcess(Stack* stack, Context* context, uint32_t process) {
  std::vector<Area*> areas;
  for (const auto& slot : context->slots) {
    if (slot.object == nullptr || slot.object->type != ObjectType::kIoas) continue;
    for (auto& [first, area] : static_cast<Ioas&>(*slot.object).space.areas())
      areas.push_back(&area);
  }
  // The new owner is charged for everything before the old one is given anything back.
  const uint64_t user = UserAccount(stack->world().processes[process].uid);
  const uint64_t own = Stack::ProcessKey(process);
  uint64_t user_pages = 0, own_pages = 0;
  for (const Area* area : areas) {
    if (area->file == nullptr) return EINVAL;
    if (area->account == 0 || area->process == process || area->runs.empty()) continue;
    (area->account >= Stack::ProcessKey(0) ? own_pages : user_pages) +=
        PaidPages(*area, area->first_page(), area->last_page());
  }
  const uint64_t limit = stack->MemlockPages(process);
  if (stack->Charge(user, user_pages, limit) != 0) return ENOMEM;
  if (stack->Charge(own, own_pages, limit) != 0) {
    stack->Uncharge(user, user_pages);
    return ENOMEM;
  }
  for (Area* area : areas) {
    if (area->account == 0 || area->process == process) continue;
    if (!area->runs.empty())
      stack->Uncharge(area->account, PaidPages(*area, area->first_page(), area->last_page()));
    area->account = area->account >= Stack::ProcessKey(0) ? own : user;
  }
  for (Area* area : areas) area->process = process;
  return 0;
}

}  // namespace twinwalk::model
