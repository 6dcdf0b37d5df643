#include "model/spaces.h"

#include <algorithm>
#include <bit>
#include <cerrno>

namespace twinwalk::model {
namespace {

constexpr uint64_t kTop = ~uint64_t{0};
constexpr uint64_t kHugePage = uint64_t{1} << 21;  // cap of automatic alignment

// Ascending, with those that touch made one.
std::vector<std::pair<uint64_t, uint64_t>> Merge(std::vector<std::pair<uint64_t, uint64_t>> all) {
  std::sort(all.begin(), all.end());
  std::vector<std::pair<uint64_t, uint64_t>> out;
  for (const auto& [first, last] : all) {
    if (!out.empty() && (out.back().second == kTop || first <= out.back().second + 1))
      out.back().second = std::max(out.back().second, last);
    else
      out.emplace_back(first, last);
  }
  return out;
}

}  // namespace

Space::Areas::iterator Space::FirstMeeting(uint64_t first, uint64_t last) {
  auto it = areas_.upper_bound(first);
  if (it != areas_.begin() && std::prev(it)->second.last >= first) --it;
  return it != areas_.end() && it->first <= last ? it : areas_.end();
}

bool Space::AllAligned(uint64_t alignment) const {
  const uint64_t low = alignment - 1;
  for (const auto& [first, area] : areas_)
    if (((first | (area.last + 1) | area.va) & low) != 0) return false;
  return true;
}

int Space::CheckFixed(uint64_t iova, uint64_t length, uint64_t va) {
  const uint64_t low = alignment_ - 1;
  if (length == 0 || (length & low) != 0 || (iova & low) != 0) return EINVAL;
  const uint64_t last = iova + (length - 1);
  if (last < iova) return EOVERFLOW;
  if (MeetsReserved(iova, last)) return EINVAL;
  if (MeetsArea(iova, last)) return EEXIST;
  return (va & low) != 0 ? EINVAL : 0;
}

int Space::Place(uint64_t length, uint64_t va, const ModelFaults& faults, uint64_t* iova) {
  if (length >= uint64_t{1} << 63) return EOVERFLOW;
  uint64_t align = std::bit_ceil(length);
  if (va != 0) align = std::min(align, va & (~va + 1));
  align = std::min(align, kHugePage);
  if (align < alignment_) return EINVAL;

  const auto fits = [&](uint64_t first, uint64_t last) {  // of a hole
    const uint64_t up = (first + align - 1) & ~(align - 1);
    if (up < first && !faults.m09AlignUpWraps) return false;
    const uint64_t start = up | (va & (kPageSize - 1));
    if (start >= last || last - start < length - 1) return false;
    *iova = start;
    return true;
  };
  // The allowed intervals in order, inside [page, top - page]; without a list, all of that.
  const Intervals reserved = Merged();
  bool found = false;
  const auto place = [&](uint64_t first, uint64_t last) {
    first = std::max(first, kPageSize), last = std::min(last, kTop - kPageSize);
    found = found || (first <= last && PlaceIn(first, last, reserved, fits));
  };
  if (allowed_.empty()) place(0, kTop);
  for (const auto& [first, last] : allowed_) place(first, last);
  if (!found) return ENOSPC;
  return ((*iova | length) & (alignment_ - 1)) != 0 ? EINVAL : 0;
}

template <class Fits>
bool Space::PlaceIn(uint64_t window_first, uint64_t window_last, const Intervals& reserved,
                    Fits&& fits) const {
  size_t r = 0;
  auto area = areas_.upper_bound(window_first);
  if (area != areas_.begin()) --area;
  uint64_t at = window_first;
  while (at <= window_last) {
    // The next blocker at or after `at`, of either kind.
    while (r < reserved.size() && reserved[r].second < at) ++r;
    while (area != areas_.end() && area->second.last < at) ++area;
    uint64_t block_first = kTop, block_last = kTop;
    if (r < reserved.size()) block_first = reserved[r].first, block_last = reserved[r].second;
    if (area != areas_.end() && area->first < block_first)
      block_first = area->first, block_last = area->second.last;
    if (block_first > at && fits(at, std::min(block_first - 1, window_last))) return true;
    if (block_last >= window_last) break;
    at = std::max(at, block_last + 1);
  }
  return false;
}

void Space::set_allowed(Intervals allowed) {
  allowed_ = Merge(std::move(allowed));
}

bool Space::MeetsAllowed(uint64_t first, uint64_t last) const {
  for (const auto& [from, to] : allowed_)
    if (from <= last && first <= to) return true;
  return false;
}

void Space::Unreserve(const void* owner) {
  std::erase_if(reserved_, [&](const Reserved& r) { return r.owner == owner; });
}

bool Space::MeetsReserved(uint64_t first, uint64_t last) const {
  for (const Reserved& r : reserved_)
    if (r.first <= last && first <= r.last) return true;
  return false;
}

std::vector<std::pair<uint64_t, uint64_t>> Space::Merged() const {
  std::vector<std::pair<uint64_t, uint64_t>> all;
  for (const Reserved& r : reserved_) all.emplace_back(r.first, r.last);
  return Merge(std::move(all));
}

std::vector<std::pair<uint64_t, uint64_t>> Space::Ranges() const {
  std::vector<std::pair<uint64_t, uint64_t>> out;
  uint64_t at = 0;
  for (const auto& [first, last] : Merged()) {
    if (first > at) out.emplace_back(at, first - 1);
    if (last == kTop) return out;
    at = last + 1;
  }
  out.emplace_back(at, kTop);
  return out;
}

bool ResolveRuns(const Area& area, const Process& process, const ModelFaults& faults,
                 std::vector<Run>* runs) {
  runs->clear();
  uint64_t iova = area.first;
  uint64_t va = area.va;
  for (;;) {
    const auto it = process.Find(va);
    if (it == process.vmas().end()) return false;
    const Vma& vma = it->second;
    const bool write =
        ((area.rights & kWrite) != 0 || area.writable) && !faults.m02PinIgnoresWriteProtection;
    if ((vma.prot & kProtRead) == 0 || (write && (vma.prot & kProtWrite) == 0)) return false;
    if (vma.backing->device && !area.type1) return false;
    Run run;
    run.first = iova;
    run.va = va;
    run.backing = vma.backing;
    run.offset = vma.offset + (va - it->first);
    const uint64_t rest = area.last - iova, here = vma.last - va;
    run.last = iova + std::min(rest, here);
    runs->push_back(run);
    if (run.last == area.last) return true;
    va += run.last - iova + 1;
    iova = run.last + 1;
  }
}

}  // namespace twinwalk::model
