#include "traces/compare.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <set>
#include <string_view>

namespace twinwalk {
namespace {

std::string Hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%" PRIx64, value);
  return text;
}

std::string Bytes(const std::string& bytes) {
  std::string text = std::to_string(bytes.size()) + " bytes";
  for (size_t i = 0; i < bytes.size() && i < 32; ++i) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "%s%02x", i == 0 ? " " : "", bytes[i] & 0xff);
    text += hex;
  }
  return bytes.size() > 32 ? text + "..." : text;
}

std::string PieceText(const Piece& p) {
  std::string text = "iova " + Hex(p.iova) + " length " + std::to_string(p.length);
  if (p.fault == kAbortedSilently) return text + " aborted without event";
  if (p.fault == kFaultUnknown) return text + " faulted";
  if (p.fault == kPieceUnknown) return text + " ended somehow";
  if (p.fault != 0) return text + " event " + Hex(p.fault);
  return text + " -> backing " + std::to_string(p.backing) + " offset " + Hex(p.offset) +
         (p.rights == 0 ? std::string() : " rights " + std::to_string(p.rights));
}

std::string EventText(const FaultRecord& e) {
  std::string text = e.queue == 0 ? std::string("host log") : "queue " + Hex(e.queue);
  text += " position " + std::to_string(e.position) + " words";
  for (uint64_t word : e.words) text += " " + Hex(word);
  return text;
}

class Collector {
 public:
  explicit Collector(size_t limit) : limit_(limit) {}
  void Add(std::string field, std::string should_be, std::string is) {
    if (found_.size() < limit_)
      found_.push_back({std::move(field), std::move(should_be), std::move(is)});
  }
  void Number(const char* field, uint64_t should_be, uint64_t is) {
    if (should_be != is) Add(field, Hex(should_be), Hex(is));
  }
  template <class T, class Text>
  void List(const char* field, const std::vector<T>& should_be, const std::vector<T>& is,
            Text&& text) {
    for (size_t i = 0; i < should_be.size() || i < is.size(); ++i) {
      if (i < should_be.size() && i < is.size() && should_be[i] == is[i]) continue;
      const std::string a = i < should_be.size() ? text(should_be[i]) : "none";
      const std::string b = i < is.size() ? text(is[i]) : "none";
      Add(std::string(field) + "[" + std::to_string(i) + "]", a, b);
    }
  }
  std::vector<Difference> Take() { return std::move(found_); }

 private:
  size_t limit_;
  std::vector<Difference> found_;
};

// Lines in `a` but not in `b` and the other way round.
template <class Table>
void DiffTables(const Table& a, const Table& b, size_t limit, std::vector<std::string>* out) {
  std::set<std::string> as, bs;
  a.EachIndex([&](bool, const auto& row) { as.insert(RowText(row)); });
  b.EachIndex([&](bool, const auto& row) { bs.insert(RowText(row)); });
  for (const std::string& row : as)
    if (bs.count(row) == 0 && out->size() < limit) out->push_back("- " + row);
  for (const std::string& row : bs)
    if (as.count(row) == 0 && out->size() < limit) out->push_back("+ " + row);
}

// A vEVENTQ's bytes without its sequence numbers (iommufd sheet 16: header {flags, sequence}, then
// 32 bytes unless flags bit 0 says that records were lost). False when they are no such records.
bool WithoutSequences(std::string bytes, std::string* out) {
  for (size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < 8) return false;
    const bool lost = (bytes[at] & 1) != 0;
    std::memset(&bytes[at + 4], 0, 4);
    at += lost ? 8 : 40;
    if (at > bytes.size()) return false;
  }
  *out = std::move(bytes);
  return true;
}

// What differs between the bytes read: "out", or only "out.sequence".
const char* OutField(const Op& op, const std::string& a, const std::string& b) {
  std::string x, y;
  const bool same = op.kind == OpKind::kRead && a.size() == b.size() && WithoutSequences(a, &x) &&
                    WithoutSequences(b, &y) && x == y;
  return same ? "out.sequence" : "out";
}

}  // namespace

bool Renaming::Agree(uint64_t theirs, uint64_t ours, bool made) {
  auto f = forth_.find(theirs);
  auto b = back_.find(ours);
  if (f != forth_.end() && b != back_.end() && f->second == ours && b->second == theirs)
    return true;
  if (!made && (f != forth_.end() || b != back_.end())) return false;
  if (f != forth_.end()) back_.erase(f->second);
  if (b != back_.end()) forth_.erase(b->second);
  forth_[theirs] = ours;
  back_[ours] = theirs;
  return true;
}

std::vector<Difference> CompareExact(const Outcome& should_be, const Outcome& is, size_t limit) {
  if (should_be == is) return {};
  Collector c(limit);
  c.Number("err", should_be.err, is.err);
  c.Number("ret", static_cast<uint64_t>(should_be.ret), static_cast<uint64_t>(is.ret));
  c.Number("id", should_be.id, is.id);
  c.Number("fd", should_be.fd, is.fd);
  for (size_t i = 0; i < should_be.values.size(); ++i)
    c.Number(("values[" + std::to_string(i) + "]").c_str(), should_be.values[i], is.values[i]);
  if (should_be.out != is.out) c.Add("out", Bytes(should_be.out), Bytes(is.out));
  c.List("pieces", should_be.pieces, is.pieces, PieceText);
  if (should_be.data != is.data) c.Add("data", Bytes(should_be.data), Bytes(is.data));
  c.List("events", should_be.events, is.events, EventText);
  return c.Take();
}

std::vector<Difference> CompareRecorded(const Op& op, const Outcome& recorded, const Outcome& is,
                                        uint64_t context, Renaming* renaming) {
  Collector c(8);
  const uint16_t known = recorded.known;
  if (known & Outcome::kErr) c.Number("err", recorded.err, is.err);
  if (recorded.err == 0 && is.err == 0) {
    if (known & Outcome::kRet) {
      c.Number("ret", static_cast<uint64_t>(recorded.ret), static_cast<uint64_t>(is.ret));
    }
    const bool made = op.kind != OpKind::kAttachIommufdPt;
    if (renaming == nullptr) {
      if (known & Outcome::kId) c.Number("id", recorded.id, is.id);
      if (known & Outcome::kFd) c.Number("fd", recorded.fd, is.fd);
    } else if ((known & Outcome::kId) && (recorded.id != 0 || is.id != 0) &&
               !renaming->Agree(ObjectKey(context, recorded.id), ObjectKey(context, is.id), made)) {
      c.Add("id", Hex(recorded.id), Hex(is.id));
    }
  }
  if (known & Outcome::kValues) {
    for (size_t i = 0; i < recorded.values.size(); ++i)
      c.Number(("values[" + std::to_string(i) + "]").c_str(), recorded.values[i], is.values[i]);
  }
  if ((known & Outcome::kOut) && recorded.out != is.out)
    c.Add(OutField(op, recorded.out, is.out), Bytes(recorded.out), Bytes(is.out));
  if (known & Outcome::kPieces) {
    for (size_t i = 0; i < recorded.pieces.size() || i < is.pieces.size(); ++i) {
      const bool both = i < recorded.pieces.size() && i < is.pieces.size();
      if (both && PieceAgrees(is.pieces[i], recorded.pieces[i])) continue;
      c.Add("pieces[" + std::to_string(i) + "]",
            i < recorded.pieces.size() ? PieceText(recorded.pieces[i]) : "none",
            i < is.pieces.size() ? PieceText(is.pieces[i]) : "none");
    }
  }
  if ((known & Outcome::kData) && recorded.data != is.data)
    c.Add("data", Bytes(recorded.data), Bytes(is.data));
  return c.Take();
}

std::vector<std::string> CompareViews(const View<Concrete>& should_be, const View<Concrete>& is,
                                      size_t limit) {
  std::vector<std::string> out;
  View<Concrete>::EachTable(
      [&](const char* name, const auto& a, const auto& b) {
        const std::string_view n = name;
        if (n == "retained" || n == "accesses" || n == "commands") return;
        if ((n == "areas" || n == "accounts") && !(should_be.complete && is.complete)) return;
        DiffTables(a, b, limit, &out);
      },
      should_be, is);
  return out;
}

}  // namespace twinwalk
