#include "reference/holes.h"

#include <algorithm>

#include "reference/lookup.h"

namespace twinwalk::reference {
namespace {

// What `taken` leaves free of window.
Ranges Complement(Ranges taken, std::pair<uint64_t, uint64_t> window) {
  std::sort(taken.begin(), taken.end());
  Ranges holes;
  uint64_t next = window.first;
  for (const auto& [first, last] : taken) {
    if (last < next) continue;
    if (first > window.second) break;
    if (first > next) holes.emplace_back(next, first - 1);
    if (last >= window.second) return holes;
    next = last + 1;
  }
  holes.emplace_back(next, window.second);
  return holes;
}

Ranges ReservedRanges(const Env<Concrete>& env, const View<Concrete>& v, uint64_t ioas) {
  Ranges taken;
  v.hwpts.EachIndex([&](bool, const HwptRow<Concrete>& h) {
    if (h.ioas != ioas) return;
    const uint64_t last = ApertureLast(env, h.smmu, h.nestParent);
    if (last != ~uint64_t{0}) taken.emplace_back(last + 1, ~uint64_t{0});
  });
  v.devices.EachIndex([&](bool, const DeviceRow<Concrete>& d) {
    const auto window = MsiWindow(env, d.smmu);
    if (d.attached != 0 && LeadsTo(v, d.attached, ioas) && window.first <= window.second)
      taken.push_back(window);
  });
  return taken;
}

}  // namespace

Ranges IovaHoles(const Env<Concrete>& env, const View<Concrete>& v, uint64_t ioas) {
  return Complement(ReservedRanges(env, v, ioas), {0, ~uint64_t{0}});
}

uint64_t PlaceIova(const Env<Concrete>& env, const State<Concrete>& s, uint64_t ioas, uint64_t va,
                   uint64_t length, uint64_t alignment) {
  constexpr uint64_t kFirst = 4096, kLast = ~uint64_t{0} - 4096;
  Ranges windows;
  s.allowed.EachIndex([&](bool, const AllowedRow<Concrete>& r) {
    if (r.space == ioas) windows.emplace_back(r.first, r.last);
  });
  if (windows.empty()) windows.emplace_back(kFirst, kLast);
  Ranges taken = ReservedRanges(env, s.view, ioas);
  s.view.areas.EachIndex([&](bool, const AreaRow<Concrete>& a) {
    if (a.space == ioas) taken.emplace_back(a.first, a.last);
  });
  std::sort(taken.begin(), taken.end());
  for (auto [window_first, window_last] : windows) {
    window_first = std::max(window_first, kFirst), window_last = std::min(window_last, kLast);
    if (window_first > window_last) continue;
    for (const auto& [first, last] : Complement(taken, {window_first, window_last})) {
      const uint64_t rounded = (first + (alignment - 1)) & ~(alignment - 1);
      if (rounded < first) continue;
      const uint64_t start = rounded | (va & 4095);
      if (start < last && last - start >= length - 1) return start;
    }
  }
  return 0;
}

}  // namespace twinwalk::reference
