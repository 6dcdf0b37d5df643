// Reading what stands behind "=>". Printing is in text.cc.
#include "traces/text.h"
#include "traces/text_scan.h"

namespace twinwalk {
namespace {

using text::ParseNumber;
constexpr uint64_t kAnyWord = ~uint64_t{0};

template <class T>
bool Take(std::string_view word, T* value) {
  uint64_t wide = 0;
  if (!ParseNumber(word, static_cast<T>(~T{0}), &wide)) return false;
  *value = static_cast<T>(wide);
  return true;
}

// Cuts `text` at the first `separator`: what is before it; `text` keeps what is behind.
bool Cut(std::string_view* text, char separator, std::string_view* before) {
  const size_t at = text->find(separator);
  if (at == std::string_view::npos) return false;
  *before = text->substr(0, at);
  text->remove_prefix(at + 1);
  return true;
}

bool ParseRights(std::string_view word, uint8_t* rights) {
  if (word == "-") return *rights = 0, true;
  if (word == "r") return *rights = kRead, true;
  if (word == "w") return *rights = kWrite, true;
  if (word == "rw") return *rights = kRead | kWrite, true;
  return Take(word, rights);
}

// "iova+length", then "!fault", then "@backing:offset/rights"; at least one of the two.
bool ParsePiece(std::string_view text, Piece* piece) {
  std::string_view where, iova, length, backing, offset;
  const bool reached = text.find('@') != std::string_view::npos;
  if (reached && !Cut(&text, '@', &where)) return false;
  if (!reached) where = text;
  const bool faulted = where.find('!') != std::string_view::npos;
  if (!reached && !faulted) return false;
  if (!Cut(&where, '+', &iova) || !ParseNumber(iova, kAnyWord, &piece->iova)) return false;
  length = where;
  if (faulted) {
    if (!Cut(&where, '!', &length)) return false;
    if (where == "abort")
      piece->fault = kAbortedSilently;
    else if (!Take(where, &piece->fault) || piece->fault == 0)
      return false;
  }
  if (!Take(length, &piece->length)) return false;
  if (!reached) return true;
  return Cut(&text, ':', &backing) && ParseNumber(backing, kAnyWord, &piece->backing) &&
         Cut(&text, '/', &offset) && ParseNumber(offset, kAnyWord, &piece->offset) &&
         ParseRights(text, &piece->rights);
}

bool ParseQueue(std::string_view word, uint64_t* queue) {
  if (word == "log") return *queue = 0, true;
  if (word == "dropped") return *queue = kDropped, true;
  std::string_view context;
  uint64_t c = 0, id = 0;
  if (!Cut(&word, '.', &context) || !ParseNumber(context, 0xffffffff, &c) ||
      !ParseNumber(word, 0xffffffff, &id))
    return false;
  *queue = ObjectKey(c, id);
  return true;
}

// "queue#position:w0:w1:w2:w3"
bool ParseEvent(std::string_view text, FaultRecord* event) {
  std::string_view queue;
  if (!Cut(&text, '#', &queue) || !ParseQueue(queue, &event->queue)) return false;
  const auto parts = text::SplitAt(text, ':');
  if (parts.size() != 5 || !Take(parts[0], &event->position)) return false;
  for (size_t i = 0; i < 4; ++i)
    if (!ParseNumber(parts[i + 1], kAnyWord, &event->words[i])) return false;
  return true;
}

template <class Row, class Parse>
bool ParseRows(std::string_view text, size_t max, Parse&& parse, std::vector<Row>* rows) {
  rows->clear();
  if (text == "-") return true;
  for (std::string_view part : text::SplitAt(text, ',')) {
    Row row;
    if (rows->size() >= max || !parse(part, &row)) return false;
    rows->push_back(row);
  }
  return !rows->empty();
}

bool ParseValues(std::string_view text, std::array<uint64_t, 3>* values) {
  const auto parts = text::SplitAt(text, ',');
  if (parts.empty() || parts.size() > values->size()) return false;
  for (size_t i = 0; i < parts.size(); ++i)
    if (!ParseNumber(parts[i], kAnyWord, &(*values)[i])) return false;
  return true;
}

bool ParseSigned(std::string_view text, int64_t* value) {
  const bool negative = !text.empty() && text[0] == '-';
  uint64_t size = 0;
  constexpr uint64_t kHalf = uint64_t{1} << 63;
  if (!ParseNumber(text.substr(negative), negative ? kHalf : kHalf - 1, &size)) return false;
  *value = static_cast<int64_t>(negative ? 0 - size : size);
  return true;
}

// Sets one part; the bit of Outcome::known that it belongs to, or 0 when the word is bad.
uint16_t SetPart(std::string_view word, Outcome* o) {
  if (text::ParseErrno(word, &o->err)) return Outcome::kErr;
  std::string_view key;
  if (!Cut(&word, '=', &key)) return 0;
  if (key == "err") return Take(word, &o->err) ? Outcome::kErr : 0;
  if (key == "ret") return ParseSigned(word, &o->ret) ? Outcome::kRet : 0;
  if (key == "id") return Take(word, &o->id) ? Outcome::kId : 0;
  if (key == "fd") return Take(word, &o->fd) ? Outcome::kFd : 0;
  if (key == "values") return ParseValues(word, &o->values) ? Outcome::kValues : 0;
  if (key == "out") return text::ParseBytes(word, kMaxBlobBytes, &o->out) ? Outcome::kOut : 0;
  if (key == "data") return text::ParseBytes(word, kMaxBlobBytes, &o->data) ? Outcome::kData : 0;
  if (key == "pieces")
    return ParseRows(word, kMaxPieces, ParsePiece, &o->pieces) ? Outcome::kPieces : 0;
  if (key == "events")
    return ParseRows(word, kMaxEvents, ParseEvent, &o->events) ? Outcome::kEvents : 0;
  return 0;
}

}  // namespace

std::string ParseOutcomeWords(const std::vector<std::string_view>& words, Outcome* outcome) {
  *outcome = Outcome();
  uint16_t known = 0;
  if (words.empty()) return "nothing behind =>";
  for (std::string_view word : words) {
    if (word == "nothing") continue;
    if (word == "all") {
      known = Outcome().known;
      continue;
    }
    if (word.substr(0, 6) == "known=") {
      // Only for bits that have no part here; the parts that follow add theirs.
      if (!Take(word.substr(6), &known)) return "bad value '" + std::string(word) + "'";
      continue;
    }
    const bool unknown = word[0] == '?';
    const uint16_t bit = SetPart(word.substr(unknown), outcome);
    if (bit == 0) return "an Outcome has no '" + std::string(word) + "'";
    if (!unknown) known |= bit;
  }
  outcome->known = known;
  return "";
}

}  // namespace twinwalk
