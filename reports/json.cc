#include "reports/json.h"

#include <nlohmann/json.hpp>

namespace twinwalk::reports {

namespace {

using Json = nlohmann::ordered_json;

// Any text as valid UTF-8: what is not, is replaced.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json FindingJson(const FindingReport& f) {
  Json also = Json::array();
  for (const Clause& c : f.also) {
    also.push_back({{"kind", c.kind},
                    {"invariant", c.invariant},
                    {"should_be", c.should_be},
                    {"is", c.is},
                    {"rows", c.rows}});
  }
  return {{"kind", f.kind},
          {"ordinal", f.ordinal},
          {"op", f.op},
          {"before", f.before},
          {"invariant", f.invariant},
          {"words", f.words},
          {"should_be", f.should_be},
          {"is", f.is},
          {"rows", f.rows},
          {"also", also},
          {"sheet", f.sheet},
          {"replay", f.replay}};
}

Json DifferenceJson(const DifferenceReport& d) {
  return {{"ordinal", d.ordinal},     {"op", d.op},
          {"field", d.field},         {"recorded", d.recorded},
          {"reference", d.reference}, {"reason", d.reason}};
}

Json PermittedJson(const PermittedReport& p) {
  return {{"ordinal", p.ordinal},
          {"op", p.op},
          {"members", p.members},
          {"recorded_member", p.recorded_member}};
}

std::string Text(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return "";
  return it->is_string() ? it->get<std::string>() : Dump(*it);
}

template <class T>
T Number(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<T>() : T(0);
}

bool Flag(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

// {"vm": 2, "area": 3} or {"vm=2"} -> "vm 2, area 3"; text as it is.
std::string Bounds(const Json& row) {
  const auto it = row.find("bounds");
  if (it == row.end()) return "";
  if (!it->is_object()) return Text(row, "bounds");
  std::string text;
  for (const auto& [key, value] : it->items())
    text += (text.empty() ? "" : ", ") + key + " " + Dump(value);
  return text;
}

// The rows below `key`, or the array itself.
const Json* Rows(const Json& json, const char* key) {
  if (json.is_array()) return &json;
  if (!json.is_object()) return nullptr;
  const auto it = json.find(key);
  return it != json.end() && it->is_array() ? &*it : nullptr;
}

template <class Row, class F>
Result<std::vector<Row>> ParseRows(std::string_view text, const std::string& file, const char* key,
                                   F&& fill) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Status{"not JSON", file};
  const Json* rows = Rows(json, key);
  if (rows == nullptr) return Status{"no array \"" + std::string(key) + "\"", file};
  std::vector<Row> all;
  for (const Json& object : *rows) {
    if (!object.is_object()) return Status{"a row that is no object", file};
    all.push_back(fill(object));
  }
  return all;
}

}  // namespace

std::string ReplayJson(const ReplayReport& r) {
  Json json = {{"trace", r.trace},
               {"world", r.world},
               {"level", r.level},
               {"expect", r.expect},
               {"met", r.met},
               {"why", r.why},
               {"result", r.result()},
               {"passed", r.passed()},
               {"error", r.error},
               {"ops", r.ops},
               {"ioctls", r.ioctls},
               {"raw_ioctls", r.raw_ioctls},
               {"recorded_agree", r.recorded_agree},
               {"recorded_differ", r.recorded_differ},
               {"recorded_unexplained", r.unexplained()},
               {"environment", r.environment},
               {"divergences", r.divergences},
               {"violations", r.violations},
               {"known_defects", r.known_defects},
               {"undecided", r.undecided},
               {"accesses", r.accesses},
               {"other_member", r.other_member},
               {"probes", r.probes},
               {"freedoms", Json::object()},
               {"ops_per_second", r.ops_per_second},
               {"findings", Json::array()},
               {"planted", Json::array()},
               {"differences", Json::array()},
               {"permitted_sets", Json::array()}};
  for (const auto& [name, count] : r.freedoms) json["freedoms"][name] = count;
  for (const FindingReport& f : r.findings) json["findings"].push_back(FindingJson(f));
  for (const FindingReport& f : r.planted) json["planted"].push_back(FindingJson(f));
  for (const DifferenceReport& d : r.differences) json["differences"].push_back(DifferenceJson(d));
  for (const PermittedReport& p : r.permitted_sets)
    json["permitted_sets"].push_back(PermittedJson(p));
  return Dump(json);
}

Result<std::vector<ProofRow>> ParseProofs(std::string_view text, const std::string& file) {
  return ParseRows<ProofRow>(text, file, "rows", [](const Json& object) {
    ProofRow row;
    row.shape = Text(object, "shape");
    row.op = Text(object, "op");
    row.invariant = Text(object, "invariant");
    row.preset = Text(object, "preset");
    row.verdict = Text(object, "verdict");
    row.known = Text(object, "known_defect");
    row.bounds = Bounds(object);
    row.fault = Text(object, "fault");
    row.clause = Text(object, "clause");
    row.counterexample = Text(object, "counterexample");
    row.trace = Text(object, "trace");
    row.paths = Number<uint64_t>(object, "paths");
    row.queries = Number<uint64_t>(object, "queries");
    row.seconds = Number<double>(object, "seconds");
    row.canary = Flag(object, "canary");
    if (row.shape.empty()) row.shape = "keeps";
    return row;
  });
}

Result<std::vector<FuzzRow>> ParseFuzz(std::string_view text, const std::string& file) {
  return ParseRows<FuzzRow>(text, file, "targets", [](const Json& object) {
    FuzzRow row;
    row.target = Text(object, "target");
    row.runs = Number<uint64_t>(object, "runs");
    row.seeds = Number<uint64_t>(object, "seeds");
    row.status = Number<int>(object, "status");
    row.told = Text(object, "told");
    row.replay = Text(object, "replay");
    if (const auto it = object.find("finds"); it != object.end() && it->is_array())
      row.finds = it->size();
    if (const auto it = object.find("counts"); it != object.end() && it->is_object()) {
      for (const auto& [key, value] : it->items())
        if (value.is_number()) row.counts[key] = value.get<uint64_t>();
    }
    return row;
  });
}

Result<std::vector<MutantRow>> ParseMutants(std::string_view text, const std::string& file) {
  return ParseRows<MutantRow>(text, file, "mutants", [](const Json& object) {
    MutantRow row;
    row.fault = Text(object, "fault");
    row.required = Flag(object, "required");
    row.found = Flag(object, "found");
    row.finding = Text(object, "finding");
    row.ops = Number<uint64_t>(object, "ops");
    row.shrunk = Number<uint64_t>(object, "shrunk");
    return row;
  });
}

}  // namespace twinwalk::reports
