// Printing. The parser is in text_parse.cc, Worlds in text_world.cc.
#include "traces/text.h"

#include <cstring>
#include <iterator>

#include "traces/resolve.h"
#include "traces/text_scan.h"

namespace twinwalk {
namespace {

using text::Bytes;
using text::Hex;
using text::Number;

constexpr int kWords = 10;  // of OpData::words

// Prints the fields of one Op that differ from their defaults, and builds `said`: the Op that a
// reader gets from what was printed so far.
struct FieldPrinter {
  const OpData& op;
  std::string* out;
  OpData said;
  bool shows_fds = false;      // fdResults is said by "fds="
  bool offset_of_map = false;  // the map handle before is a result: addresses are offsets

  template <class T>
  void Say(const T& field) {
    const auto at = reinterpret_cast<const char*>(&field) - reinterpret_cast<const char*>(&op);
    std::memcpy(reinterpret_cast<char*>(&said) + at, &field, sizeof field);
  }

  template <class T>
  void Field(const char* name, const T& field) {
    Say(field);
    const std::string_view key = name;
    const bool is_address = key == "userVa" || key == "vaddr" || key == "address";
    if (key == "node" && field < std::size(text::kNodeNames)) {
      *out += " node=" + std::string(text::kNodeNames[field]);
    } else if (field != 0 && !(shows_fds && key == "fdResults")) {
      *out += ' ';
      *out += key;
      *out += is_address && offset_of_map ? "=+" : "=";
      *out += key == "flags" || (is_address && offset_of_map) ? Hex(field) : Number(field);
    }
  }

  void HandleField(const char* name, const Handle& field, HandleRole role, int index) {
    Say(field);
    const bool is_result = op.results >> index & 1;
    said.results = static_cast<uint8_t>(said.results | (is_result ? 1 << index : 0));
    if (role == HandleRole::kMap) offset_of_map = is_result;
    const Handle usual = index == 0 ? kDanglingHandle : 0;
    if (is_result)
      *out += ' ' + std::string(name) + "=%" + std::to_string(field);
    else if (field != usual)
      *out += ' ' + std::string(name) + '=' + (field == kDanglingHandle ? "none" : Number(field));
    if (index == 0) Head();
  }

  void Head() {
    const uint32_t usual = StructSize(op.kind);
    const std::pair<const char*, uint32_t> rows[] = {
        {" size=", op.size}, {" readable=", op.readable}, {" writable=", op.writable}};
    for (const auto& [name, value] : rows)
      if (value != usual) *out += name + std::to_string(value);
    said.size = op.size, said.readable = op.readable, said.writable = op.writable;
  }

  // What no field shows: bytes between fields, and bits of `results` that belong to no handle.
  void Rest() {
    if (said.fd != op.fd) *out += " fd=" + Number(op.fd);
    if (said.results != op.results) *out += " results=" + Hex(op.results);
    for (int i = 0; i < kWords; ++i)
      if (said.words[i] != op.words[i]) *out += " w" + std::to_string(i) + '=' + Hex(op.words[i]);
  }
};

// Whether blob is whole words of which those named by fdResults are there.
bool ShowsFds(const Op& op) {
  const size_t words = op.blob.size() / 4;
  return FdResults(op) != 0 && op.blob.size() % 4 == 0 &&
         (words >= 64 || FdResults(op) >> words == 0);
}

// REQUIRES: ShowsFds(op).
std::string FdsText(const Op& op) {
  std::string out;
  for (size_t i = 0; i < op.blob.size() / 4; ++i) {
    uint32_t word = 0;
    std::memcpy(&word, op.blob.data() + 4 * i, sizeof word);
    if (i != 0) out += ',';
    if (i < 64 && (FdResults(op) >> i & 1) != 0)
      out += '%' + std::to_string(word);
    else
      out += word == kDanglingHandle ? "none" : Number(word);
  }
  return out;
}

std::string PiecesText(const std::vector<Piece>& pieces) {
  if (pieces.empty()) return "-";
  std::string out;
  for (const Piece& piece : pieces) {
    if (!out.empty()) out += ',';
    out += Hex(piece.iova) + '+' + Number(piece.length);
    if (piece.fault == kAbortedSilently)
      out += "!abort";
    else if (piece.fault != 0)
      out += '!' + Hex(piece.fault);
    if (piece.fault != 0 && piece.rights == 0 && piece.backing == 0 && piece.offset == 0) continue;
    out += '@' + Number(piece.backing) + ':' + Hex(piece.offset) + '/';
    switch (piece.rights) {
      case 0:
        out += '-';
        break;
      case kRead:
        out += 'r';
        break;
      case kWrite:
        out += 'w';
        break;
      case kRead | kWrite:
        out += "rw";
        break;
      default:
        out += Hex(piece.rights);
    }
  }
  return out;
}

std::string EventsText(const std::vector<FaultRecord>& events) {
  if (events.empty()) return "-";
  std::string out;
  for (const FaultRecord& event : events) {
    if (!out.empty()) out += ',';
    if (event.queue == 0)
      out += "log";
    else if (event.queue == kDropped)
      out += "dropped";
    else
      out += std::to_string(event.queue >> 32) + '.' + std::to_string(event.queue & 0xffffffff);
    out += '#' + std::to_string(event.position);
    for (uint64_t word : event.words) out += ':' + Hex(word);
  }
  return out;
}

std::string ValuesText(const std::array<uint64_t, 3>& values) {
  size_t n = values.size();
  while (n > 1 && values[n - 1] == 0) --n;
  std::string out = Number(values[0]);
  for (size_t i = 1; i < n; ++i) out += ',' + Number(values[i]);
  return out;
}

std::string ErrText(uint16_t err) {
  if (err == 0) return "ok";
  const std::string name = text::ErrnoName(err);
  return name.empty() ? "err=" + std::to_string(err) : name;
}

// "-5" and "0xffff8000" both stand for what they are: negative numbers print in decimal.
std::string SignedText(int64_t value) {
  return value < 0 ? std::to_string(value) : Number(static_cast<uint64_t>(value));
}

// Without a blank in front, so that a plain word stands for itself on the last line.
std::string ExpectText(const std::string& expect) {
  std::vector<std::string_view> words;
  std::string joined;
  const bool plain = text::SplitWords(expect, &words) && expect.find('"') == std::string::npos;
  for (std::string_view word : words) joined += (joined.empty() ? "" : " ") + std::string(word);
  for (std::string_view word : words)
    if (!plain || text::Quote(word) != word) return text::Quote(expect);
  return joined == expect ? expect : text::Quote(expect);
}

}  // namespace

std::string OutcomeText(const Outcome& o) {
  std::string out;
  // "?" in front: a value that stands in the Outcome although it is not known.
  const bool all = o.known == Outcome().known;
  if (all)
    out = "all";
  else if ((o.known & ~Outcome().known) != 0)
    out = "known=" + Hex(o.known);
  const auto add = [&](Outcome::Known bit, bool usual, const std::string& word) {
    const bool known = o.known & bit;
    if (usual && (!known || all)) return;
    if (!out.empty()) out += ' ';
    out += (known ? "" : "?") + word;
  };
  // How it ended is always said when it is known.
  add(Outcome::kErr, o.err == 0 && !all, ErrText(o.err));
  add(Outcome::kRet, o.ret == 0, "ret=" + SignedText(o.ret));
  add(Outcome::kId, o.id == 0, "id=" + std::to_string(o.id));
  add(Outcome::kFd, o.fd == 0, "fd=" + std::to_string(o.fd));
  add(Outcome::kValues, o.values == Outcome().values, "values=" + ValuesText(o.values));
  add(Outcome::kOut, o.out.empty(), "out=" + Bytes(o.out));
  add(Outcome::kPieces, o.pieces.empty(), "pieces=" + PiecesText(o.pieces));
  add(Outcome::kData, o.data.empty(), "data=" + Bytes(o.data));
  add(Outcome::kEvents, o.events.empty(), "events=" + EventsText(o.events));
  return out.empty() ? "nothing" : out;
}

std::string OpText(uint64_t ordinal, const Op& op) {
  std::string out = std::to_string(ordinal);
  const bool by_process = op.kind != OpKind::kDma && op.kind != OpKind::kFailAlloc;
  if (by_process || op.process != 0) out += " p" + std::to_string(op.process);
  out += ' ';
  out += OpName(op.kind);
  FieldPrinter printer{op, &out, {}, ShowsFds(op)};
  printer.said.kind = op.kind;
  if (!UsesFd(op.kind)) printer.Head();
  VisitArgs(static_cast<const OpData&>(op), printer);
  printer.Rest();
  if (ShowsFds(op))
    out += " fds=" + FdsText(op);
  else if (!op.blob.empty())
    out += " blob=" + Bytes(op.blob);
  if (op.recorded.has_value()) out += " => " + OutcomeText(*op.recorded);
  return out;
}

std::string TraceText(const Trace& trace) {
  std::string out = std::string(kTextMagic) + " 1\n" + WorldText(trace.world);
  for (size_t i = 0; i < trace.ops.size(); ++i) out += OpText(i, trace.ops[i]) + '\n';
  if (!trace.expect.empty()) out += "expect " + ExpectText(trace.expect) + '\n';
  return out;
}

}  // namespace twinwalk
