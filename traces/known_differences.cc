#include "traces/known_differences.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace twinwalk {
namespace {

// Names that compare.cc gives to fields of an Outcome.
constexpr const char* kFields[] = {"err", "ret",          "id",     "fd",   "values",
                                   "out", "out.sequence", "pieces", "data", "events"};

bool ParseOrdinal(const std::string& text, uint64_t* value) {
  if (text.empty() || text.size() > 10) return false;
  if (text.find_first_not_of("0123456789") != std::string::npos) return false;
  *value = std::stoull(text);
  return true;
}

bool ParseRange(const std::string& text, uint64_t* first, uint64_t* last) {
  const size_t dash = text.find('-');
  if (dash == std::string::npos) {
    if (!ParseOrdinal(text, first)) return false;
    *last = *first;
    return true;
  }
  return ParseOrdinal(text.substr(0, dash), first) && ParseOrdinal(text.substr(dash + 1), last) &&
         *first < *last;
}

// "" or what is wrong.
std::string ParseFields(const std::string& text, std::vector<std::string>* fields) {
  std::stringstream list(text);
  std::string field;
  while (std::getline(list, field, ',')) {
    const bool known = std::any_of(std::begin(kFields), std::end(kFields),
                                   [&](const char* one) { return field == one; });
    if (!known) return "'" + field + "' is no field of an Outcome";
    if (std::count(fields->begin(), fields->end(), field) > 0) return "'" + field + "' twice";
    fields->push_back(field);
  }
  return fields->empty() ? "no fields" : "";
}

// "" or what is wrong.
std::string ParseLine(const std::string& text, KnownDifference* line) {
  std::stringstream columns(text);
  std::string range, fields;
  if (!(columns >> line->capture >> range >> fields))
    return "expected: CAPTURE ORDINAL[-LAST] FIELDS REASON";
  if (!ParseRange(range, &line->first, &line->last))
    return "'" + range + "' is no ordinal and no range of ordinals";
  if (const std::string wrong = ParseFields(fields, &line->fields); !wrong.empty()) return wrong;
  std::getline(columns >> std::ws, line->reason);
  return line->reason.empty() ? "a difference without a reason" : "";
}

bool Meet(const KnownDifference& a, const KnownDifference& b) {
  if (a.capture != b.capture || a.last < b.first || b.last < a.first) return false;
  return std::any_of(a.fields.begin(), a.fields.end(), [&](const std::string& field) {
    return std::count(b.fields.begin(), b.fields.end(), field) > 0;
  });
}

}  // namespace

Status KnownDifferences::At(const KnownDifference& line, const std::string& what) const {
  Status status;
  status.what = what;
  status.file = file_;
  status.line = line.line;
  return status;
}

Result<KnownDifferences> KnownDifferences::Parse(const std::string& text, const std::string& file) {
  KnownDifferences all;
  all.file_ = file;
  std::stringstream lines(text);
  std::string one;
  for (uint32_t number = 1; std::getline(lines, one); ++number) {
    const size_t begin = one.find_first_not_of(" \t\r");
    if (begin == std::string::npos || one[begin] == '#') continue;
    KnownDifference line;
    line.line = number;
    if (const std::string wrong = ParseLine(one, &line); !wrong.empty()) return all.At(line, wrong);
    for (const KnownDifference& other : all.lines_) {
      if (Meet(line, other))
        return all.At(line, "line " + std::to_string(other.line) + " excuses the same difference");
    }
    all.lines_.push_back(std::move(line));
  }
  all.uses_.resize(all.lines_.size());
  return all;
}

Result<KnownDifferences> KnownDifferences::Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (!in || !(text << in.rdbuf())) {
    Status status;
    status.what = "cannot be read, or is empty";
    status.file = path;
    return status;
  }
  return Parse(text.str(), path);
}

const KnownDifference* KnownDifferences::Excuse(const std::string& capture, uint64_t ordinal,
                                                const std::string& field) {
  const std::string name = field.substr(0, field.find('['));
  for (size_t i = 0; i < lines_.size(); ++i) {
    const KnownDifference& line = lines_[i];
    if (line.capture != capture || ordinal < line.first || ordinal > line.last) continue;
    if (std::count(line.fields.begin(), line.fields.end(), name) == 0) continue;
    uses_[i].fields.insert(name);
    uses_[i].ordinals.insert(ordinal);
    return &line;
  }
  return nullptr;
}

std::vector<Status> KnownDifferences::Unused(const std::string& capture) const {
  std::vector<Status> unused;
  for (size_t i = 0; i < lines_.size(); ++i) {
    const KnownDifference& line = lines_[i];
    if (line.capture != capture) continue;
    const Use& use = uses_[i];
    if (use.ordinals.empty()) {
      unused.push_back(At(line, "excuses a difference that does not exist"));
      continue;
    }
    for (const std::string& field : line.fields)
      if (use.fields.count(field) == 0)
        unused.push_back(At(line, "'" + field + "' does not differ"));
    for (uint64_t end : {line.first, line.last}) {
      if (use.ordinals.count(end) == 0)
        unused.push_back(
            At(line, "its range ends at Op " + std::to_string(end) + ", which does not differ"));
    }
  }
  return unused;
}

std::vector<Status> KnownDifferences::Strangers(const std::set<std::string>& captures) const {
  std::vector<Status> strangers;
  for (const KnownDifference& line : lines_)
    if (captures.count(line.capture) == 0)
      strangers.push_back(At(line, "there is no capture '" + line.capture + "'"));
  return strangers;
}

std::string KnownDifferences::CaptureName(const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  return file.substr(0, file.find('.'));
}

}  // namespace twinwalk
