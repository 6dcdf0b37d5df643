// Pinning: which frames an area holds, and whose account pays (iommufd sheet 7.2).
#include <algorithm>
#include <cerrno>

#include "model/sharing.h"
#include "model/stack.h"
#include "traces/check.h"

namespace twinwalk::model {
namespace {

// What this process can hold in simulated memory, whatever a World asks for.
constexpr uint64_t kMostPinned = 1 << 22;

// f(frame) for each page of a run; gives frames to pages that have none.
template <class F>
void EachFrame(const Run& run, HostMemory* memory, F&& f) {
  const uint64_t first = run.offset / kPageSize;
  const uint64_t last = (run.offset + (run.last - run.first)) / kPageSize;
  for (uint64_t page = first; page <= last; ++page) {
    const uint64_t chunk = page & ~uint64_t{511};
    f(run.backing->Touch(memory, page, chunk >= first && chunk + 511 <= last));
  }
}

// Pages of `area` that are memory: those of a device are mapped as they are (type1 sheet 9).
uint64_t MemoryPages(const Area& area, const std::vector<Run>& runs) {
  uint64_t pages = OwnPages(area);
  for (const Run& run : runs)
    if (run.backing->device) pages -= (run.last - run.first) / kPageSize + 1;
  return pages;
}

}  // namespace

int Stack::Charge(uint64_t key, uint64_t pages, uint64_t limit) {
  if (key == 0 || pages == 0) return 0;
  auto at = std::find_if(accounts_.begin(), accounts_.end(),
                         [&](const Account& account) { return account.key == key; });
  if ((at == accounts_.end() ? 0 : at->pinned) + pages > limit) return ENOMEM;
  if (at == accounts_.end()) {  // a process's first
    const uint32_t process = static_cast<uint32_t>(key - ProcessKey(0));
    at = accounts_.insert(at, {key, 0, MemlockPages(process)});
  }
  at->pinned += pages;
  return 0;
}

void Stack::Uncharge(uint64_t key, uint64_t pages) {
  for (Account& account : accounts_) {
    if (account.key != key) continue;
    CHECK(account.pinned >= pages || faults_.m01UnchargesCaller);
    account.pinned -= std::min(account.pinned, pages);
  }
}

void Stack::SetLimit(uint32_t process, uint64_t pages) {
  processes_[process].memlockPages = pages;
  const uint64_t uid = world_.processes[process].uid;
  uint64_t most = 0;
  for (size_t i = 0; i < processes_.size(); ++i)
    if (world_.processes[i].uid == uid) most = std::max(most, processes_[i].memlockPages);
  for (Account& account : accounts_) {
    if (account.key == uid + 1) account.limit = most;
    if (account.key == ProcessKey(process) && !world_.processes[process].ipcLock)
      account.limit = pages;
  }
}

uint64_t Stack::PinnedPages(const Area& area) {
  return area.runs.empty() ? 0 : MemoryPages(area, area.runs);
}

int Stack::Pin(Area* area) {
  std::vector<Run> runs;
  if (area->file != nullptr) {
    Backing* backing = area->file->backing;
    const uint64_t end = area->va + (area->last - area->first);
    if (area->file->kind != FileKind::kMemfd || end >= backing->length()) return EINVAL;
    runs.push_back({area->first, area->last, area->va, backing, area->va});
  } else if (!ResolveShared(*area, processes_[area->process], faults_, &runs)) {
    return EFAULT;
  }
  if (!area->type1)  // iommufd never maps what is not memory
    for (const Run& run : runs)
      if (run.backing->device) return EFAULT;
  const uint64_t pages = MemoryPages(*area, runs);
  if (area->type1 && area->pages() > kMostPinned) return ENOMEM;
  if (pages > std::min(world_.frames, kMostPinned) - std::min(pinnedPages_, world_.frames))
    return ENOMEM;
  const bool unlimited = area->type1 && world_.processes[area->process].ipcLock;
  const uint64_t limit = unlimited ? ~uint64_t{0} : MemlockPages(area->process);
  if (const int error = Charge(area->account, pages, limit)) return error;
  pinnedPages_ += pages;
  area->runs = std::move(runs);
  MarkPinned(*area, true);
  for (const Run& run : area->runs) {
    ++run.backing->users;
    if (run.backing->device) continue;
    EachFrame(run, &memory_, [&](uint64_t frame) { ++memory_.At(frame).pins; });
    AnnounceRun(MicroStepKind::kPagePinned, nullptr, run, area->rights);
  }
  return 0;
}

void Stack::Unpin(Area* area) {
  if (area->runs.empty()) return;
  const uint64_t pages = MemoryPages(*area, area->runs);
  Uncharge(area->account, pages);
  pinnedPages_ -= pages;
  MarkPinned(*area, false);
  const std::vector<Run> runs = std::move(area->runs);
  area->runs.clear();
  for (const Run& run : runs) {
    // Announced are the pages that nothing pins any more, in runs.
    Run gone = run;
    uint64_t at = run.first;
    bool open = false;
    const auto close = [&] {
      if (open) AnnounceRun(MicroStepKind::kPageUnpinned, nullptr, gone, area->rights);
      open = false;
    };
    if (run.backing->device) {
      backings_.Release(run.backing);
      continue;
    }
    EachFrame(run, &memory_, [&](uint64_t frame) {
      if (--memory_.At(frame).pins != 0) {
        close();
      } else {
        if (!open) gone.first = at, gone.offset = run.offset + (at - run.first);
        open = true;
        gone.last = at + kPageSize - 1;
      }
      at += kPageSize;
    });
    close();
    backings_.Release(run.backing);
  }
}

void Stack::AnnounceRun(MicroStepKind kind, const Hwpt* hwpt, const Run& run,
                        uint8_t rights) const {
  if (observer_ == nullptr) return;
  MicroStep<uint64_t> step;
  step.kind = kind;
  if (hwpt != nullptr) {
    step.tag = TagOf(hwpt);
    step.owner = hwpt->key();
  }
  step.first = run.first;
  step.last = run.last;
  step.backing = run.backing->ordinal();
  step.offset = run.offset;
  step.length = run.last - run.first + 1;
  step.rights = rights;
  Announce(step);
}

}  // namespace twinwalk::model
