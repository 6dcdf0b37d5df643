// Contested facts, each with its chosen value: one enumerant of rules.capnp is one member here.
// A World is a preset plus listed exceptions. Proofs and reports run presets; the fuzzer flips
// rules.
#ifndef TWINWALK_TRACES_RULES_H_
#define TWINWALK_TRACES_RULES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace twinwalk {

struct Rules {
  // iommufd sheet, Observed 4. A bad command in the middle of a vIOMMU invalidation array:
  // true: the good ones before it in the same batch of 63 are reported as handled but not executed.
  bool badCommandDropsBatch = true;
  // iommufd sheet, Observed 5. true: entry_num 524288 of 16-byte commands answers ENOMEM and leaves
  // entry_num as if all were handled. false: entry_num 0.
  bool hugeArrayKeepsEntryNum = true;
  // iommufd sheet, Observed 6. true: the virtual stream id in events is the one at attach time.
  // false: it is the device's current vDEVICE; without one the event goes to the host's log.
  bool eventVsidFrozenAtAttach = true;
  // iommufd sheet 20.2 [7.3]: commands with bits that hardware reserves are refused with EIO.
  bool reservedCommandBitsRefused = false;
  // hw-smmuv3 sheet 8: a CD with V = 0 may be held by a configuration cache.
  bool invalidCdCacheable = true;
  bool operator==(const Rules&) const = default;
};

struct RuleInfo {
  const char* name;    // "badCommandDropsBatch"
  bool Rules::*value;  // the member
  const char* source;  // sheet and section
  const char* tag;     // text, code, observed, derived, PROPOSED, [S]
};
const std::vector<RuleInfo>& AllRules();

enum class Preset { kLinux72, kRepaired };
Rules PresetRules(Preset preset);
const char* PresetName(Preset preset);  // "linux-7.2", "repaired"
std::optional<Preset> PresetOf(const std::string& name);
// The preset with the fewest exceptions, the first of equals: how Worlds are written down.
Preset NearestPreset(const Rules& rules);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_RULES_H_
