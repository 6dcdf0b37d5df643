// Reading the text form of Ops and whole traces. Printing is in text.cc.
#include <algorithm>
#include <cstring>
#include <map>

#include "traces/resolve.h"
#include "traces/text.h"
#include "traces/text_scan.h"

namespace twinwalk {
namespace {

using Words = std::vector<std::string_view>;
using Labels = std::map<std::string, uint64_t, std::less<>>;

std::string Quoted(std::string_view word) {
  return '\'' + std::string(word) + '\'';
}

bool IsNumber(std::string_view word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
}

// "%7", or "%label".
bool ParseHandle(std::string_view word, const Labels& labels, uint32_t* ordinal) {
  uint64_t value = 0;
  if (word.empty() || word[0] != '%') return false;
  word.remove_prefix(1);
  if (auto it = labels.find(word); it != labels.end())
    value = it->second;
  else if (!IsNumber(word) || !text::ParseNumber(word, 0xffffffff, &value))
    return false;
  *ordinal = static_cast<uint32_t>(value);
  return true;
}

// Sets the field called `key` of an Op.
struct FieldSetter {
  OpData* op;
  std::string_view key, word;
  const Labels& labels;
  std::string names;  // of all fields, for the complaint
  bool known = false, good = false;

  template <class T>
  void Field(const char* name, T& field) {
    names += ' ' + std::string(name);
    if (key != name) return;
    known = true;
    std::string_view number = word;
    if (key == "userVa" || key == "vaddr" || key == "address")
      if (!number.empty() && number[0] == '+') number.remove_prefix(1);
    uint64_t value = 0;
    const auto node = std::find(std::begin(text::kNodeNames), std::end(text::kNodeNames), word);
    if (key == "node" && node != std::end(text::kNodeNames))
      value = static_cast<uint64_t>(node - std::begin(text::kNodeNames)), good = true;
    else
      good = text::ParseNumber(number, static_cast<T>(~T{0}), &value);
    field = static_cast<T>(value);
  }

  void HandleField(const char* name, Handle& field, HandleRole, int index) {
    names += ' ' + std::string(name);
    if (key != name) return;
    known = true;
    const uint8_t bit = static_cast<uint8_t>(1 << index);
    uint64_t value = kDanglingHandle;
    good = ParseHandle(word, labels, &field);
    if (good) {
      op->results |= bit;
      return;
    }
    op->results &= static_cast<uint8_t>(~bit);
    good = word == "none" || text::ParseNumber(word, 0xffffffff, &value);
    field = static_cast<Handle>(value);
  }
};

// Head words that every kind has, and the bytes that no field names.
bool SetCommon(std::string_view key, std::string_view word, OpData* op, bool* good) {
  uint64_t value = 0;
  if (key == "size") {
    *good = text::ParseNumber(word, 0xffffffff, &value);
    op->size = static_cast<uint32_t>(value);
  } else if (key == "readable") {
    *good = text::ParseNumber(word, 0xffff, &value);
    op->readable = static_cast<uint16_t>(value);
  } else if (key == "writable") {
    *good = text::ParseNumber(word, 0xffff, &value);
    op->writable = static_cast<uint16_t>(value);
  } else if (key == "fd") {
    *good = text::ParseNumber(word, 0xffffffff, &value);
    op->fd = static_cast<Handle>(value);
  } else if (key == "results") {
    *good = text::ParseNumber(word, 0xff, &value);
    op->results = static_cast<uint8_t>(value);
  } else if (key.size() == 2 && key[0] == 'w' && key[1] >= '0' && key[1] <= '9') {
    *good = text::ParseNumber(word, ~uint64_t{0}, &value);
    op->words[key[1] - '0'] = value;
  } else {
    return false;
  }
  return true;
}

// "fds=%3,none,7": the words of a payload, each the fd that an Op returned or a number.
bool SetFds(std::string_view word, const Labels& labels, Op* op) {
  uint64_t* const results = MutableFdResults(op);
  if (results == nullptr) return false;
  std::string payload;
  uint64_t mask = 0;
  for (std::string_view part : text::SplitAt(word, ',')) {
    uint32_t ordinal = 0;
    uint64_t value = kDanglingHandle;
    if (ParseHandle(part, labels, &ordinal)) {
      if (payload.size() / 4 >= 64) return false;
      mask |= uint64_t{1} << payload.size() / 4;
      value = ordinal;
    } else if (part != "none" && !text::ParseNumber(part, 0xffffffff, &value)) {
      return false;
    }
    const auto number = static_cast<uint32_t>(value);
    payload.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  if (payload.size() > kMaxBlobBytes) return false;
  op->blob = std::move(payload), *results = mask;
  return true;
}

std::string SetField(std::string_view word, const Labels& labels, Op* op) {
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos) return "not key=value: " + Quoted(word);
  const std::string_view key = word.substr(0, equals), value = word.substr(equals + 1);
  bool good = false;
  if (key == "blob") {
    good = text::ParseBytes(value, kMaxBlobBytes, &op->blob);
  } else if (key == "fds" && SetFds(value, labels, op)) {
    good = true;
  } else {
    FieldSetter setter{op, key, value, labels, {}};
    VisitArgs(static_cast<OpData&>(*op), setter);
    good = setter.good;
    if (!setter.known && !SetCommon(key, value, op, &good))
      return std::string(OpName(op->kind)) + " has no field " + Quoted(key) + "; it has" +
             (setter.names.empty() ? " none" : setter.names);
  }
  return good ? "" : std::string(key) + ": bad value " + Quoted(value);
}

// Whether the line names its Op by a number, and then the right one.
std::string TakeOrdinal(uint64_t ordinal, Words* words) {
  if (words->empty() || !IsNumber(words->front())) return "";
  uint64_t said = 0;
  if (!text::ParseNumber(words->front(), kMaxOrdinal, &said) || said != ordinal)
    return "the line says " + std::string(words->front()) + ", but this is Op " +
           std::to_string(ordinal);
  words->erase(words->begin());
  return "";
}

std::string TakeProcess(Words* words, Op* op) {
  if (words->empty() || words->front().size() < 2 || words->front()[0] != 'p' ||
      !IsNumber(words->front().substr(1)))
    return "";
  uint64_t process = 0;
  if (!text::ParseNumber(words->front().substr(1), 255, &process))
    return "no such process: " + Quoted(words->front());
  op->process = static_cast<uint8_t>(process);
  words->erase(words->begin());
  return "";
}

std::string ParseOpWords(Words words, uint64_t ordinal, const Labels& labels, Op* op) {
  if (auto bad = TakeOrdinal(ordinal, &words); !bad.empty()) return bad;
  if (auto bad = TakeProcess(&words, op); !bad.empty()) return bad;
  if (words.empty()) return "no Op on this line";
  const auto kind = OpKindOf(std::string(words[0]));
  if (!kind.has_value()) return "no Op is called " + Quoted(words[0]);
  op->kind = *kind;
  op->size = StructSize(*kind);
  op->readable = op->writable = static_cast<uint16_t>(op->size);
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "=>") {
      op->recorded.emplace();
      return ParseOutcomeWords(Words(words.begin() + i + 1, words.end()), &*op->recorded);
    }
    if (auto bad = SetField(words[i], labels, op); !bad.empty()) return bad;
  }
  return "";
}

// State of one reading of a whole text.
struct TraceParser {
  const ReadLimits& limits;
  Trace trace;
  Labels labels;
  uint64_t payload_bytes = 0;
  bool smmus_told = false, processes_told = false;

  std::string WorldLine(const Words& words) {
    if (!trace.ops.empty()) return "a world line after the first Op";
    if (words.size() >= 2 && words[1] == "smmu" && !std::exchange(smmus_told, true))
      trace.world.smmus.clear();
    if (words.size() >= 2 && words[1] == "process" && !std::exchange(processes_told, true))
      trace.world.processes.clear();
    return ParseWorldWords(words, &trace.world);
  }

  std::string ExpectLine(const Words& words) {
    if (!trace.expect.empty()) return "a second expect line";
    for (size_t i = 1; i < words.size(); ++i) {
      std::string word;
      if (!text::Unquote(words[i], &word)) return "bad word " + Quoted(words[i]);
      trace.expect += (i == 1 ? "" : " ") + word;
    }
    if (trace.expect.empty()) return "expect what?";
    return trace.expect.size() > kMaxNameBytes ? "expect: too long" : "";
  }

  // "name:" in front of an Op.
  std::string TakeLabel(Words* words) {
    const std::string_view first = words->front();
    if (first.size() < 2 || first.back() != ':') return "";
    const std::string name(first.substr(0, first.size() - 1));
    if (IsNumber(name)) return "a label must not be a number: " + Quoted(first);
    if (!labels.emplace(name, trace.ops.size()).second) return "a second label " + Quoted(name);
    words->erase(words->begin());
    return "";
  }

  std::string OpLine(Words words) {
    if (!trace.expect.empty()) return "an Op after the expect line";
    if (trace.ops.size() >= limits.ops) return "more than " + std::to_string(limits.ops) + " Ops";
    if (auto bad = TakeLabel(&words); !bad.empty()) return bad;
    Op op;
    if (auto bad = ParseOpWords(std::move(words), trace.ops.size(), labels, &op); !bad.empty())
      return bad;
    payload_bytes += PayloadBytes(op);
    if (payload_bytes > limits.payload_bytes) return "the trace holds too many bytes";
    trace.ops.push_back(std::move(op));
    return "";
  }

  std::string Line(std::string_view line) {
    if (line.size() > kMaxLineBytes) return "a line longer than any Op";
    Words words;
    if (!text::SplitWords(line, &words)) return "a quote is not closed";
    if (words.empty()) return "";
    if (words[0] == "world") return WorldLine(words);
    if (words[0] == "expect") return ExpectLine(words);
    return OpLine(std::move(words));
  }
};

}  // namespace

Result<Trace> ParseTrace(std::string_view text, const std::string& file, const ReadLimits& limits) {
  TraceParser parser{limits, {}, {}};
  uint32_t line = 0;
  while (!text.empty()) {
    ++line;
    const size_t end = text.find('\n');
    if (auto bad = parser.Line(text.substr(0, end)); !bad.empty())
      return Status{bad, file, 0, line};
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (auto bad = ValidateWorld(parser.trace.world); !bad.empty())
    return Status{"the World is not possible: " + bad, file, 0, line};
  return std::move(parser.trace);
}

Result<Op> ParseOp(std::string_view line, uint64_t ordinal) {
  Words words;
  if (!text::SplitWords(line, &words)) return Status{"a quote is not closed", "", 0, 1};
  Op op;
  if (auto bad = ParseOpWords(std::move(words), ordinal, {}, &op); !bad.empty())
    return Status{bad, "", 0, 1};
  return op;
}

}  // namespace twinwalk
