#include "model/sharing.h"

#include <algorithm>

#include "traces/check.h"

namespace twinwalk::model {
namespace {

Share ShareOf(Sharing* sharing, Space* space, const Area& area) {
  Share share;
  share.id = ++sharing->lastId;
  share.firstPage = area.first_page();
  share.lastPage = area.last_page();
  share.space = space;
  share.first = area.first;
  share.pinned = !area.runs.empty();
  return share;
}

// The part of `runs` that shows user addresses first_va..last_va, as seen from `iova`.
void TakeRuns(const std::vector<Run>& runs, uint64_t first_va, uint64_t last_va, uint64_t iova,
              std::vector<Run>* out) {
  for (const Run& run : runs) {
    const uint64_t run_last = run.va + (run.last - run.first);
    const uint64_t from = std::max(run.va, first_va), to = std::min(run_last, last_va);
    if (from > to) continue;
    Run part = run;
    part.va = from;
    part.offset += from - run.va;
    part.first = iova + (from - first_va);
    part.last = part.first + (to - from);
    out->push_back(part);
  }
}

}  // namespace

Share* Sharing::Find(uint64_t id) {
  for (Share& share : shares)
    if (share.id == id) return &share;
  return nullptr;
}

uint64_t Sharing::Uncovered(uint64_t id, uint64_t first, uint64_t last, bool earlier) const {
  std::vector<std::pair<uint64_t, uint64_t>> covered;
  for (const Share& share : shares) {
    if (share.id == id) {
      if (earlier) break;
      continue;
    }
    if (share.pinned && share.firstPage <= last && first <= share.lastPage)
      covered.emplace_back(std::max(first, share.firstPage), std::min(last, share.lastPage));
  }
  std::sort(covered.begin(), covered.end());
  uint64_t left = last - first + 1, at = first;
  for (const auto& [from, to] : covered) {
    if (to < at) continue;
    left -= to - std::max(at, from) + 1;
    at = to + 1;
  }
  return left;
}

const Share* Sharing::Covering(uint64_t id, uint64_t page, uint64_t* until) const {
  *until = ~uint64_t{0};
  for (const Share& share : shares) {
    if (share.id == id || !share.pinned) continue;
    if (share.firstPage <= page && page <= share.lastPage) {
      *until = share.lastPage;
      return &share;
    }
    if (share.firstPage > page) *until = std::min(*until, share.firstPage - 1);
  }
  return nullptr;
}

void ShareArea(Space* from, Area* source, Space* space, Area* copy) {
  if (source->sharing == nullptr) {
    source->sharing = std::make_shared<Sharing>();
    source->sharing->shares.push_back(ShareOf(source->sharing.get(), from, *source));
    source->share = source->sharing->lastId;
  }
  copy->sharing = source->sharing;
  copy->sharing->shares.push_back(ShareOf(copy->sharing.get(), space, *copy));
  copy->share = copy->sharing->lastId;
}

void UnshareArea(Area* area) {
  if (area->sharing == nullptr) return;
  std::erase_if(area->sharing->shares, [&](const Share& s) { return s.id == area->share; });
  area->sharing.reset();
}

uint64_t OwnPages(const Area& area) {
  if (area.sharing == nullptr) return area.pages();
  return area.sharing->Uncovered(area.share, area.first_page(), area.last_page(), false);
}

uint64_t PaidPages(const Area& area, uint64_t first, uint64_t last) {
  if (area.sharing == nullptr) return last - first + 1;
  return area.sharing->Uncovered(area.share, first, last, true);
}

void MarkPinned(const Area& area, bool pinned) {
  if (area.sharing == nullptr) return;
  if (Share* share = area.sharing->Find(area.share)) share->pinned = pinned;
}

void SplitArea(Space* space, Space::Areas::iterator it, uint64_t at, bool keep_old) {
  Area& left = it->second;
  Area right = left;
  const uint64_t length = at - left.first;
  right.first = at;
  right.va += length;
  right.runs.clear();
  TakeRuns(left.runs, right.va, right.va + (right.last - right.first), at, &right.runs);
  left.last = at - 1;
  std::vector<Run> runs;
  TakeRuns(left.runs, left.va, left.va + (length - 1), left.first, &runs);
  for (const Run& run : runs) ++run.backing->users;
  for (const Run& run : right.runs) ++run.backing->users;
  for (const Run& run : left.runs) --run.backing->users;  // never the last user
  left.runs = std::move(runs);
  if (left.file != nullptr) ++left.file->refs;
  if (left.sharing != nullptr && !keep_old) {
    // Both halves stand where the whole stood in the order.
    Sharing& sharing = *left.sharing;
    auto whole = std::find_if(sharing.shares.begin(), sharing.shares.end(),
                              [&](const Share& s) { return s.id == left.share; });
    CHECK(whole != sharing.shares.end());
    *whole = ShareOf(&sharing, space, left);
    left.share = whole->id;
    const Share share = ShareOf(&sharing, space, right);
    right.share = share.id;
    sharing.shares.insert(whole + 1, share);
  }
  space->areas().emplace(at, std::move(right));
}

bool ResolveShared(const Area& area, const Process& process, const ModelFaults& faults,
                   std::vector<Run>* runs) {
  if (area.sharing == nullptr) return ResolveRuns(area, process, faults, runs);
  runs->clear();
  const uint64_t last_va = area.va + (area.last - area.first);
  for (uint64_t va = area.va;;) {
    uint64_t until = 0;
    const Share* share = area.sharing->Covering(area.share, va >> 12, &until);
    const uint64_t end = until >= last_va >> 12 ? last_va : (until << 12) + (kPageSize - 1);
    const uint64_t iova = area.first + (va - area.va);
    std::vector<Run> part;
    if (share != nullptr) {
      TakeRuns(share->space->areas().find(share->first)->second.runs, va, end, iova, &part);
    } else {
      Area rest;
      rest.first = iova;
      rest.last = iova + (end - va);
      rest.va = va;
      rest.rights = area.rights;
      rest.writable = area.writable;
      if (!ResolveRuns(rest, process, faults, &part)) return false;
    }
    // Where two parts meet inside one mapping they make one run.
    if (!runs->empty() && !part.empty() && runs->back().backing == part[0].backing &&
        runs->back().offset + (runs->back().last - runs->back().first) + 1 == part[0].offset) {
      runs->back().last = part[0].last;
      part.erase(part.begin());
    }
    runs->insert(runs->end(), part.begin(), part.end());
    if (end == last_va) return true;
    va = end + 1;
  }
}

}  // namespace twinwalk::model
