// Pinning: which frames an area holds, and whose account pays (iommufd sheet 7.2).
#include <algorithm>
#include <cerrno>

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

}  // namespace

int Stack::Pin(Area* area) {
  std::vector<Run> runs;
  if (!ResolveRuns(*area, processes_[area->process], faults_, &runs)) return EFAULT;
  const uint64_t pages = area->pages();
  if (pages > std::min(world_.frames, kMostPinned) - std::min(pinnedPages_, world_.frames))
    return ENOMEM;
  for (Account& account : accounts_) {
    if (account.key != area->account) continue;
    const uint64_t limit = world_.processes[area->process].memlockPages;
    if (account.pinned + pages > limit) return ENOMEM;
    account.pinned += pages;
  }
  pinnedPages_ += pages;
  area->runs = std::move(runs);
  for (const Run& run : area->runs) {
    ++run.backing->users;
    EachFrame(run, &memory_, [&](uint64_t frame) { ++memory_.At(frame).pins; });
    AnnounceRun(MicroStepKind::kPagePinned, nullptr, run, area->rights);
  }
  return 0;
}

void Stack::Unpin(Area* area) {
  if (area->runs.empty()) return;
  const uint64_t pages = area->pages();
  for (Account& account : accounts_) {
    if (account.key != area->account) continue;
    CHECK(account.pinned >= pages);
    account.pinned -= pages;
  }
  pinnedPages_ -= pages;
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
