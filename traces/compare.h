// Outcomes side by side. One-sided where a recording knows only part: it must not be contradicted.
#ifndef TWINWALK_TRACES_COMPARE_H_
#define TWINWALK_TRACES_COMPARE_H_

#include <map>
#include <string>
#include <vector>

#include "traces/op.h"
#include "traces/view.h"

namespace twinwalk {

// In recorded Pieces: it faulted, nobody said how.
inline constexpr uint8_t kFaultUnknown = 0xfe;
// In recorded Pieces: nobody said how it ended.
inline constexpr uint8_t kPieceUnknown = 0xfd;

// Whether `is` can be what a recording calls `wanted` (rights 0: unknown; kFaultUnknown: any
// fault; kPieceUnknown: anything).
inline bool PieceAgrees(const Piece& is, const Piece& wanted) {
  if (is.iova != wanted.iova || is.length != wanted.length) return false;
  if (wanted.fault == kPieceUnknown) return true;
  if (wanted.fault != 0) {
    return wanted.fault == kFaultUnknown ? is.fault != 0 : is.fault == wanted.fault;
  }
  return is.fault == 0 && is.backing == wanted.backing && is.offset == wanted.offset &&
         (wanted.rights == 0 || is.rights == wanted.rights);
}

struct Difference {
  std::string field;  // "pieces[1].backing"
  std::string should_be;
  std::string is;
};

// Names that a kernel chose, against those of a Machine: equal up to one consistent renaming.
class Renaming {
 public:
  void Clear() { forth_.clear(), back_.clear(); }
  // Whether theirs can be ours; remembers the pair. Fresh results may reuse a name on both sides:
  // `made` replaces what either name meant before.
  bool Agree(uint64_t theirs, uint64_t ours, bool made);

 private:
  std::map<uint64_t, uint64_t> forth_, back_;
};

// Differences between two Machines' Outcomes, at most `limit`; none when equal.
std::vector<Difference> CompareExact(const Outcome& should_be, const Outcome& is, size_t limit = 8);

// Differences between a recording and a Machine, where the recording knows. fds are free; ids equal
// up to renaming. `context` separates the names of different iommufds. Without `renaming` (goldens,
// which we wrote) both are exact.
std::vector<Difference> CompareRecorded(const Op& op, const Outcome& recorded, const Outcome& is,
                                        uint64_t context, Renaming* renaming);

// One row as text: "area space=0x100000002 first=0x0 ...", zero fields left out.
template <class Row>
std::string RowText(const Row& row) {
  std::string text = Row::kName;
  char number[24];
  Row::Each(
      [&](const char* name, const uint64_t& value) {
        if (value == 0) return;
        std::snprintf(number, sizeof number, "0x%llx", static_cast<unsigned long long>(value));
        text += std::string(" ") + name + "=" + number;
      },
      row);
  return text;
}

// The rows in which two Views differ, "- " the reference's and "+ " the model's, at most `limit`.
// Retained rows, accesses and commands are not compared: caches may differ within what is
// permitted.
std::vector<std::string> CompareViews(const View<Concrete>& should_be, const View<Concrete>& is,
                                      size_t limit = 8);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_COMPARE_H_
