// The checked-in list of differences between recordings and what our Machines permit: one line
// each, with its reason. It excuses exactly what it names, and a line that excuses nothing is an
// error, so that the list cannot rot.
//
//   # comment
//   vsmmu-basic  125      pieces,data  hw-smmuv3 Observed 3: the emulator ignores AP[1]
//   vsmmu-basic  135-141  out          sequence numbers after that
//
// Columns are separated by blanks: name of the capture (its file name without endings), ordinal of
// the Op in its trace or a range FIRST-LAST, names of the differing fields as in Difference::field
// without index and separated by commas, and the reason up to the end of the line.
#ifndef TWINWALK_TRACES_KNOWN_DIFFERENCES_H_
#define TWINWALK_TRACES_KNOWN_DIFFERENCES_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "traces/status.h"

namespace twinwalk {

struct KnownDifference {
  std::string capture;
  uint64_t first = 0, last = 0;     // ordinals, inclusive
  std::vector<std::string> fields;  // "err", "pieces"
  std::string reason;
  uint32_t line = 0;
};

class KnownDifferences {
 public:
  // The first malformed line is the Status; so is a line that excuses what an earlier one excuses.
  static Result<KnownDifferences> Parse(const std::string& text, const std::string& file);
  static Result<KnownDifferences> Read(const std::string& path);

  // The line that excuses a difference of `field` ("pieces[1]" counts as "pieces") at this Op of
  // this capture; null if there is none. Remembers that it was needed.
  const KnownDifference* Excuse(const std::string& capture, uint64_t ordinal,
                                const std::string& field);
  // After this capture was replayed: a Status for each of its lines that excused nothing, that
  // names a field which did not differ, or whose range begins or ends with an Op that did not
  // differ.
  std::vector<Status> Unused(const std::string& capture) const;
  // A Status for each line about a capture that is none of these.
  std::vector<Status> Strangers(const std::set<std::string>& captures) const;

  const std::vector<KnownDifference>& lines() const { return lines_; }
  // "a/b/vsmmu-basic.jsonl.gz" -> "vsmmu-basic"
  static std::string CaptureName(const std::string& path);

 private:
  struct Use {
    std::set<std::string> fields;
    std::set<uint64_t> ordinals;
  };
  Status At(const KnownDifference& line, const std::string& what) const;

  std::string file_;
  std::vector<KnownDifference> lines_;
  std::vector<Use> uses_;  // by line
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_KNOWN_DIFFERENCES_H_
