// Worlds in text form: "world key=value ...", then one line each for "world smmu", "world device",
// "world process",
// "world vtd", "world function". What equals the default of the member may be left out.
#include "traces/text.h"
#include "traces/text_scan.h"
#include "traces/world_visit.h"

namespace twinwalk {
namespace {

using text::Number;

// The members of each row, as function objects.
constexpr auto kSmmu = [](auto& c, auto&& f) { EachSmmuMember(c, f); };
constexpr auto kVtd = [](auto& c, auto&& f) { EachVtdMember(c, f); };
constexpr auto kDevice = [](auto& c, auto&& f) { EachDeviceMember(c, f); };
constexpr auto kFunction = [](auto& c, auto&& f) { EachFunctionMember(c, f); };
constexpr auto kProcess = [](auto& c, auto&& f) { EachProcessMember(c, f); };

std::string ValueText(bool value) {
  return value ? "true" : "false";
}
std::string ValueText(uint32_t value) {
  return Number(value);
}
std::string ValueText(uint64_t value) {
  return Number(value);
}
std::string ValueText(const std::array<uint32_t, 6>& values) {
  std::string out;
  for (uint32_t value : values) out += (out.empty() ? "" : ",") + Number(value);
  return out;
}
std::string ValueText(const std::vector<uint32_t>& values) {
  std::string out;
  for (uint32_t value : values) out += (out.empty() ? "" : ",") + Number(value);
  return out.empty() ? "none" : out;
}
std::string ValueText(const std::string& value) {
  return text::Quote(value);
}
// "SIZE:FLAGS", ":msix" behind it, ":OFFSET+SIZE" for each sparse piece; commas between regions.
std::string ValueText(const std::vector<RegionConfig>& regions) {
  std::string out;
  for (const RegionConfig& region : regions) {
    out += (out.empty() ? "" : ",") + Number(region.size) + ':' + Number(region.flags);
    if (region.msixMappable) out += ":msix";
    for (const auto& piece : region.sparse)
      out += ':' + Number(piece.offset) + '+' + Number(piece.size);
  }
  return out.empty() ? "none" : out;
}

bool ParseValue(std::string_view word, bool* value) {
  if (word != "true" && word != "false") return false;
  *value = word == "true";
  return true;
}
bool ParseValue(std::string_view word, uint64_t* value) {
  return text::ParseNumber(word, ~uint64_t{0}, value);
}
bool ParseValue(std::string_view word, uint32_t* value) {
  uint64_t wide = 0;
  if (!text::ParseNumber(word, 0xffffffff, &wide)) return false;
  *value = static_cast<uint32_t>(wide);
  return true;
}
bool ParseValue(std::string_view word, std::array<uint32_t, 6>* values) {
  const auto parts = text::SplitAt(word, ',');
  std::array<uint32_t, 6> parsed{};
  if (parts.size() != parsed.size()) return false;
  for (size_t i = 0; i < parsed.size(); ++i)
    if (!ParseValue(parts[i], &parsed[i])) return false;
  *values = parsed;
  return true;
}

bool ParseValue(std::string_view word, std::vector<uint32_t>* values) {
  values->clear();
  if (word == "none") return true;
  for (std::string_view part : text::SplitAt(word, ',')) {
    if (!ParseValue(part, &values->emplace_back())) return false;
  }
  return values->size() <= kMaxIrqIndexes;
}
bool ParseValue(std::string_view word, std::string* value) {
  return text::Unquote(word, value) && value->size() <= kMaxNameBytes;
}
bool ParseRegion(std::string_view word, RegionConfig* region) {
  const auto parts = text::SplitAt(word, ':');
  if (parts.size() < 2 || !ParseValue(parts[0], &region->size) ||
      !ParseValue(parts[1], &region->flags))
    return false;
  for (size_t i = 2; i < parts.size(); ++i) {
    if (parts[i] == "msix") {
      region->msixMappable = true;
      continue;
    }
    const auto ends = text::SplitAt(parts[i], '+');
    RegionConfig::Piece& piece = region->sparse.emplace_back();
    if (ends.size() != 2 || !ParseValue(ends[0], &piece.offset) ||
        !ParseValue(ends[1], &piece.size))
      return false;
  }
  return true;
}
bool ParseValue(std::string_view word, std::vector<RegionConfig>* regions) {
  regions->clear();
  if (word == "none") return true;
  for (std::string_view part : text::SplitAt(word, ',')) {
    if (!ParseRegion(part, &regions->emplace_back())) return false;
  }
  return regions->size() <= kMaxRegions;
}

// " key=value" when it is not the default.
template <class Config>
struct Printer {
  const Config& config;
  const Config& usual;
  std::string* out;
  template <class T>
  void operator()(const char* name, const T& value) {
    // The same member of `usual`, by its place.
    const auto at = reinterpret_cast<const char*>(&value) - reinterpret_cast<const char*>(&config);
    const T& other = *reinterpret_cast<const T*>(reinterpret_cast<const char*>(&usual) + at);
    if (!(value == other)) *out += ' ' + std::string(name) + '=' + ValueText(value);
  }
};
template <class Config, class Each>
std::string RowText(const char* kind, const Config& config, Each&& each) {
  std::string out = "world " + std::string(kind);
  const Config usual;
  each(config, Printer<Config>{config, usual, &out});
  return out + '\n';
}

// Takes one "key=value"; "" or what is wrong.
struct Setter {
  std::string_view key, word;
  bool known = false, good = false;
  template <class T>
  void operator()(const char* name, T& value) {
    if (key != name) return;
    known = true;
    good = ParseValue(word, &value);
  }
  std::string Complaint() const {
    if (!known) return "a World has no '" + std::string(key) + "' here";
    return good ? "" : std::string(key) + ": bad value '" + std::string(word) + "'";
  }
};

bool SplitKey(std::string_view word, std::string_view* key, std::string_view* value) {
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  *key = word.substr(0, equals), *value = word.substr(equals + 1);
  return true;
}

template <class Config, class Each>
std::string AddRow(const std::vector<std::string_view>& words, std::vector<Config>* rows,
                   uint32_t max, Each&& each) {
  if (rows->size() >= max) return "more than " + std::to_string(max) + " of them";
  Config config;
  for (size_t i = 2; i < words.size(); ++i) {
    Setter setter;
    if (!SplitKey(words[i], &setter.key, &setter.word))
      return "not key=value: '" + std::string(words[i]) + "'";
    each(config, setter);
    if (auto bad = setter.Complaint(); !bad.empty()) return bad;
  }
  rows->push_back(config);
  return "";
}

std::string RulesText(const Rules& rules) {
  const Preset best = NearestPreset(rules);
  std::string out = " preset=" + std::string(PresetName(best));
  const Rules of_preset = PresetRules(best);
  for (const RuleInfo& rule : AllRules())
    if (rules.*rule.value != of_preset.*rule.value)
      out += ' ' + std::string(rule.name) + '=' + ValueText(rules.*rule.value);
  return out;
}

std::string SetWorld(std::string_view key, std::string_view word, World* world) {
  if (key == "name")
    return text::Unquote(word, &world->name) && world->name.size() <= kMaxNameBytes ? ""
                                                                                    : "bad name";
  if (key == "preset") {
    const auto preset = PresetOf(std::string(word));
    if (!preset.has_value()) return "no preset '" + std::string(word) + "'";
    world->rules = PresetRules(*preset);
    return "";
  }
  // "smmus=0": none, instead of the default one.
  if (key == "smmus" && word == "0") return world->smmus.clear(), "";
  if (key == "processes" && word == "0") return world->processes.clear(), "";
  Setter setter{key, word};
  EachWorldMember(*world, setter);
  for (const RuleInfo& rule : AllRules()) setter(rule.name, world->rules.*rule.value);
  return setter.Complaint();
}

}  // namespace

std::string WorldText(const World& world) {
  std::string out = "world";
  if (!world.name.empty()) out += " name=" + text::Quote(world.name);
  out += RulesText(world.rules);
  const World usual;
  EachWorldMember(world, Printer<World>{world, usual, &out});
  if (world.smmus.empty()) out += " smmus=0";
  if (world.processes.empty()) out += " processes=0";
  out += '\n';
  if (world.smmus != usual.smmus)
    for (const auto& config : world.smmus) out += RowText("smmu", config, kSmmu);
  for (const auto& config : world.vtds) out += RowText("vtd", config, kVtd);
  for (const auto& config : world.devices) out += RowText("device", config, kDevice);
  for (const auto& config : world.functions) out += RowText("function", config, kFunction);
  if (world.processes != usual.processes)
    for (const auto& config : world.processes) out += RowText("process", config, kProcess);
  return out;
}

// REQUIRES: words[0] is "world". The caller empties the default lists before their first row.
std::string ParseWorldWords(const std::vector<std::string_view>& words, World* world) {
  const std::string_view kind = words.size() >= 2 ? words[1] : "";
  if (kind == "smmu") return AddRow(words, &world->smmus, kMaxSmmus, kSmmu);
  if (kind == "vtd") return AddRow(words, &world->vtds, kMaxVtds, kVtd);
  if (kind == "device") return AddRow(words, &world->devices, kMaxDevices, kDevice);
  if (kind == "function") return AddRow(words, &world->functions, kMaxFunctions, kFunction);
  if (kind == "process") return AddRow(words, &world->processes, kMaxProcesses, kProcess);
  for (size_t i = 1; i < words.size(); ++i) {
    std::string_view key, word;
    if (!SplitKey(words[i], &key, &word)) return "not key=value: '" + std::string(words[i]) + "'";
    if (auto bad = SetWorld(key, word, world); !bad.empty()) return bad;
  }
  return "";
}

}  // namespace twinwalk
