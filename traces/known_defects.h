// Invariants that a rule of a preset is known to break: defects of the described version, which the
// invariants report and which a run counts instead of failing. One line each; nothing else is
// excused.
#ifndef TWINWALK_TRACES_KNOWN_DEFECTS_H_
#define TWINWALK_TRACES_KNOWN_DEFECTS_H_

#include <cstring>

#include "traces/rules.h"

namespace twinwalk {

struct KnownDefect {
  const char* invariant;
  const char* clause;
  bool Rules::*rule;  // the rule that, when true, makes it happen
  const char* reason;
};

inline constexpr KnownDefect kKnownDefects[] = {
    {"vdevice-routing", "an event carries its device's virtual id", &Rules::eventVsidFrozenAtAttach,
     "iommufd sheet, Observed 6: events keep the virtual id of attach time after its vDEVICE is "
     "destroyed, also when another device has been given that id"},
};

inline const KnownDefect* FindKnownDefect(const Rules& rules, const char* invariant,
                                          const char* clause) {
  for (const KnownDefect& defect : kKnownDefects) {
    if (rules.*defect.rule && std::strcmp(defect.invariant, invariant) == 0 &&
        std::strcmp(defect.clause, clause) == 0) {
      return &defect;
    }
  }
  return nullptr;
}

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_KNOWN_DEFECTS_H_
