#include "traces/rules.h"

namespace twinwalk {

// In the order of the enumerants of rules.capnp.
const std::vector<RuleInfo>& AllRules() {
  static const std::vector<RuleInfo> rules = {
      {"badCommandDropsBatch", &Rules::badCommandDropsBatch, "iommufd sheet, Observed 4",
       "observed"},
      {"hugeArrayKeepsEntryNum", &Rules::hugeArrayKeepsEntryNum, "iommufd sheet, Observed 5",
       "observed"},
      {"eventVsidFrozenAtAttach", &Rules::eventVsidFrozenAtAttach, "iommufd sheet, Observed 6",
       "observed"},
      {"reservedCommandBitsRefused", &Rules::reservedCommandBitsRefused, "iommufd sheet 20.2",
       "code"},
      {"invalidCdCacheable", &Rules::invalidCdCacheable, "hw-smmuv3 sheet 8", "code"},
  };
  return rules;
}

Rules PresetRules(Preset preset) {
  Rules rules;  // the defaults are those of linux-7.2
  switch (preset) {
    case Preset::kLinux72:
      return rules;
    case Preset::kRepaired:
      rules.badCommandDropsBatch = false;
      rules.hugeArrayKeepsEntryNum = false;
      rules.eventVsidFrozenAtAttach = false;
      rules.reservedCommandBitsRefused = true;
      // invalidCdCacheable stays: no kernel can repair what hardware is permitted.
      return rules;
  }
  return rules;
}

const char* PresetName(Preset preset) {
  switch (preset) {
    case Preset::kLinux72:
      return "linux-7.2";
    case Preset::kRepaired:
      return "repaired";
  }
  return "?";
}

std::optional<Preset> PresetOf(const std::string& name) {
  for (Preset preset : {Preset::kLinux72, Preset::kRepaired})
    if (name == PresetName(preset)) return preset;
  return std::nullopt;
}

Preset NearestPreset(const Rules& rules) {
  const auto exceptions = [&rules](Preset preset) {
    int count = 0;
    const Rules of_preset = PresetRules(preset);
    for (const RuleInfo& rule : AllRules()) count += rules.*rule.value != of_preset.*rule.value;
    return count;
  };
  return exceptions(Preset::kRepaired) < exceptions(Preset::kLinux72) ? Preset::kRepaired
                                                                      : Preset::kLinux72;
}

}  // namespace twinwalk
