// Worlds in text form: "world key=value ...", then one line each for "world smmu", "world device",
// "world process". What equals the default of the member may be left out.
#include "traces/text.h"
#include "traces/text_scan.h"

namespace twinwalk {
namespace {

using text::Number;

// The members of each row, once for both ways.
template <class Config, class F>
void EachSmmu(Config& c, F&& f) {
  f("idr", c.idr), f("iidr", c.iidr), f("aidr", c.aidr);
  f("vmidLimit", c.vmidLimit), f("asidLimit", c.asidLimit);
  f("tlbEntries", c.tlbEntries), f("walkCacheEntries", c.walkCacheEntries);
  f("configCacheEntries", c.configCacheEntries), f("eventQueueEntries", c.eventQueueEntries);
  f("canNest", c.canNest);
}
template <class Config, class F>
void EachDevice(Config& c, F&& f) {
  f("smmu", c.smmu), f("streamId", c.streamId), f("group", c.group);
  f("transactionBytes", c.transactionBytes);
}
template <class Config, class F>
void EachProcess(Config& c, F&& f) {
  f("uid", c.uid), f("ipcLock", c.ipcLock), f("memlockPages", c.memlockPages);
}
template <class W, class F>
void EachWorld(W& w, F&& f) {
  f("frames", w.frames), f("swMsiFirst", w.swMsiFirst), f("swMsiLast", w.swMsiLast);
}

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

// " key=value" when it is not the default.
struct Printer {
  std::string* out;
  template <class T>
  void operator()(const char* name, const T& value, const T& usual) {
    if (!(value == usual)) *out += ' ' + std::string(name) + '=' + ValueText(value);
  }
};
template <class Config, class Each>
std::string RowText(const char* kind, const Config& config, Each&& each) {
  std::string out = "world " + std::string(kind);
  const Config usual;
  each(config, [&](const char* name, const auto& value) {
    // The same member of `usual`, by its place.
    const auto at = reinterpret_cast<const char*>(&value) - reinterpret_cast<const char*>(&config);
    using T = std::decay_t<decltype(value)>;
    Printer{&out}(name, value,
                  *reinterpret_cast<const T*>(reinterpret_cast<const char*>(&usual) + at));
  });
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
  EachWorld(*world, setter);
  for (const RuleInfo& rule : AllRules()) setter(rule.name, world->rules.*rule.value);
  return setter.Complaint();
}

}  // namespace

std::string WorldText(const World& world) {
  std::string out = "world";
  if (!world.name.empty()) out += " name=" + text::Quote(world.name);
  out += RulesText(world.rules);
  const World usual;
  if (world.frames != usual.frames) out += " frames=" + Number(world.frames);
  if (world.swMsiFirst != usual.swMsiFirst) out += " swMsiFirst=" + Number(world.swMsiFirst);
  if (world.swMsiLast != usual.swMsiLast) out += " swMsiLast=" + Number(world.swMsiLast);
  if (world.smmus.empty()) out += " smmus=0";
  if (world.processes.empty()) out += " processes=0";
  out += '\n';
  const auto smmu = [](auto& c, auto&& f) { EachSmmu(c, f); };
  const auto device = [](auto& c, auto&& f) { EachDevice(c, f); };
  const auto process = [](auto& c, auto&& f) { EachProcess(c, f); };
  if (world.smmus != usual.smmus)
    for (const auto& config : world.smmus) out += RowText("smmu", config, smmu);
  for (const auto& config : world.devices) out += RowText("device", config, device);
  if (world.processes != usual.processes)
    for (const auto& config : world.processes) out += RowText("process", config, process);
  return out;
}

// REQUIRES: words[0] is "world". The caller empties the default lists before their first row.
std::string ParseWorldWords(const std::vector<std::string_view>& words, World* world) {
  if (words.size() >= 2 && words[1] == "smmu")
    return AddRow(words, &world->smmus, kMaxSmmus, [](auto& c, auto& f) { EachSmmu(c, f); });
  if (words.size() >= 2 && words[1] == "device")
    return AddRow(words, &world->devices, kMaxDevices, [](auto& c, auto& f) { EachDevice(c, f); });
  if (words.size() >= 2 && words[1] == "process")
    return AddRow(words, &world->processes, kMaxProcesses,
                  [](auto& c, auto& f) { EachProcess(c, f); });
  for (size_t i = 1; i < words.size(); ++i) {
    std::string_view key, word;
    if (!SplitKey(words[i], &key, &word)) return "not key=value: '" + std::string(words[i]) + "'";
    if (auto bad = SetWorld(key, word, world); !bad.empty()) return bad;
  }
  return "";
}

}  // namespace twinwalk
