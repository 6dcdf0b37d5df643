#include "traces/import_vsmmucli.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "traces/compare.h"

namespace twinwalk {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kData = 0x04100000, kBlocks = 0x04200000, kBlocksEnd = 0x04600000;
constexpr uint64_t kReadOnlyPage = 0x06000000, kMarkerPage = kData + 60 * kPage;
constexpr unsigned kReadOnlyName = 102;  // its name, D102, is no place
constexpr char kMarker = static_cast<char>(0xe5);

bool StartsWith(const std::string& text, const char* prefix) {
  return text.compare(0, std::strlen(prefix), prefix) == 0;
}

// "WHAT: edu0 dma iova 0x400000 len 4 dir 1 (device writes memory)"
struct DmaLine {
  std::string what, who;
  uint64_t iova = 0, length = 0;
  bool write = false;
};
bool ParseDma(const std::string& text, DmaLine* line) {
  const size_t at = text.find(" dma iova 0x");
  if (at == std::string::npos || at == 0) return false;
  const size_t space = text.rfind(' ', at - 1);
  line->who = text.substr(space == std::string::npos ? 0 : space + 1,
                          at - (space == std::string::npos ? 0 : space + 1));
  line->what = space == std::string::npos ? "" : text.substr(0, space);
  unsigned direction = 2;
  if (std::sscanf(text.c_str() + at, " dma iova 0x%" SCNx64 " len %" SCNu64 " dir %u", &line->iova,
                  &line->length, &direction) != 3)
    return false;
  line->write = direction == 1;
  return direction <= 1 && line->who.size() > 3 && StartsWith(line->who, "edu");
}

bool ParseLanded(const std::string& text, uint64_t* first, uint64_t* last, uint64_t* word) {
  const size_t at = text.find(" first 0x");
  return at != std::string::npos &&
         std::sscanf(text.c_str() + at, " first 0x%" SCNx64, word) == 1 &&
         std::sscanf(text.c_str(), "  landed: gpa 0x%" SCNx64 "..0x%" SCNx64, first, last) == 2 &&
         *first <= *last && *last - *first < kMaxDma;
}

// "  read: D0+0x0 .. last 0x... (seen in gpa 0x410b000)", "  read: BLK+0x0 (seen ...)" or, when the
// client does not recognise it, "  read: 0x... .. 0x... (seen ...)".
struct ReadLine {
  std::optional<uint64_t> from;  // GPA
  bool words = false;            // `last` is known (and `first`, when `from` is not)
  uint64_t first = 0, last = 0, seen = 0;
};
bool ParseRead(const std::string& text, ReadLine* line) {
  const size_t seen = text.find("(seen in gpa 0x");
  if (seen == std::string::npos || !StartsWith(text, "  read: ")) return false;
  if (std::sscanf(text.c_str() + seen, "(seen in gpa 0x%" SCNx64, &line->seen) != 1) return false;
  const char* what = text.c_str() + std::strlen("  read: ");
  unsigned page = 0;
  uint64_t offset = 0;
  if (std::sscanf(what, "0x%" SCNx64 " .. 0x%" SCNx64, &line->first, &line->last) == 2) {
    line->words = true;
    return true;
  }
  if (std::sscanf(what, "D%u+0x%" SCNx64, &page, &offset) == 2) {
    line->from = (page == kReadOnlyName ? kReadOnlyPage : kData + page * kPage) + offset;
    const size_t last = text.find(" .. last 0x");
    line->words = last != std::string::npos &&
                  std::sscanf(text.c_str() + last, " .. last 0x%" SCNx64, &line->last) == 1;
    return true;
  }
  if (std::sscanf(what, "BLK+0x%" SCNx64, &offset) == 1) {
    line->from = kBlocks + offset;
    return true;
  }
  return false;
}

std::string Little(uint64_t word) {
  std::string bytes(8, 0);
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(word >> (8 * i));
  return bytes;
}

std::string FillBytes(uint64_t page) {
  std::string bytes;
  for (uint64_t at = 0; at < kPage; at += 8) bytes += Little(VsmmucliText::FillWord(page + at));
  return bytes;
}

// Cut where a device access is cut (docs/TRACE.md 4).
std::vector<Piece> Cut(uint64_t iova, uint64_t length) {
  std::vector<Piece> pieces;
  while (length > 0) {
    const uint64_t n = std::min(length, kPage - iova % kPage);
    Piece piece;
    piece.iova = iova;
    piece.length = static_cast<uint32_t>(n);
    piece.fault = kFaultUnknown;
    pieces.push_back(piece);
    iova += n, length -= n;
  }
  return pieces;
}

}  // namespace

uint64_t VsmmucliText::FillWord(uint64_t gpa) {
  const uint64_t page = gpa & ~(kPage - 1), index = gpa % kPage / 8;
  if (page == kMarkerPage) return 0xe5e5e5e5e5e5e5e5;
  if (page == kReadOnlyPage) return 0xd000000000000000 | uint64_t{kReadOnlyName} << 32 | index;
  if (gpa >= kData && gpa < kBlocks)
    return 0xd000000000000000 | (gpa - kData) / kPage << 32 | index;
  if (gpa >= kBlocks && gpa < kBlocksEnd) return 0xb000000000000000 | (gpa - kBlocks);
  return 0;
}

void VsmmucliPages::Touch(uint64_t gpa, uint64_t length) {
  if (length == 0 || length > kMaxDma) return;
  for (uint64_t page = gpa & ~(kPage - 1); page <= gpa + length - 1; page += kPage)
    if (pages_.size() < kMaxGuestPages) pages_.insert(page);
}

void VsmmucliPages::Line(const std::string& text) {
  DmaLine dma;
  ReadLine read;
  uint64_t first = 0, last = 0, word = 0;
  if (ParseDma(text, &dma)) {
    if (dma.what.find("load the marker") != std::string::npos) {
      Touch(kMarkerPage, kPage);
    } else if (!dma.write) {
      read_length_ = dma.length;
    }
  } else if (ParseLanded(text, &first, &last, &word)) {
    Touch(first, last - first + 1);
  } else if (ParseRead(text, &read)) {
    Touch(read.seen, read_length_);
    if (read.from) Touch(*read.from, read_length_);
  }
}

std::optional<MapPlace> VsmmucliText::Place(uint64_t gpa, uint64_t length, uint64_t* pid) const {
  auto it = areas_.upper_bound(gpa);
  if (it == areas_.begin()) return std::nullopt;
  --it;
  const uint64_t into = gpa - it->first;
  if (into >= it->second.length || length > it->second.length - into) return std::nullopt;
  MapPlace place = it->second.place;
  if (into >= place.rest || length > place.rest - into) return std::nullopt;
  place.offset += into, place.backing_offset += into, place.rest -= into;
  *pid = it->second.pid;
  return place;
}

std::string VsmmucliText::Bytes(uint64_t gpa, uint64_t length) {
  std::string bytes;
  while (length > 0) {
    const uint64_t page = gpa & ~(kPage - 1);
    const uint64_t n = std::min(length, kPage - gpa % kPage);
    if (auto known = memory_.find(page); known != memory_.end()) {
      bytes += known->second.substr(gpa % kPage, n);
    } else {
      bytes += FillBytes(page).substr(gpa % kPage, n);
    }
    gpa += n, length -= n;
  }
  return bytes;
}

bool VsmmucliText::Write(uint64_t gpa, const std::string& bytes) {
  uint64_t pid = 0;
  const auto place = Place(gpa, bytes.size(), &pid);
  const auto process = place ? b_->Process(pid) : std::nullopt;
  if (!process) return false;
  Op op;
  op.kind = OpKind::kMemWrite;
  op.process = *process;
  op.memWrite.address = place->offset;
  ImportBuilder::Name(&op, 1, &op.memWrite.map, place->op);
  op.blob = bytes;
  b_->Add(std::move(op));
  return true;
}

void VsmmucliText::Mapped(uint64_t pid, uint64_t iova, uint64_t length, const MapPlace& place) {
  areas_[iova] = {length, pid, place};
  last_mapped_ = iova;
  for (auto it = pages_.lower_bound(iova); it != pages_.end() && *it - iova < length;) {
    const std::string content = Bytes(*it, kPage);
    // Pages that the client left zero are zero when mapped.
    if (content.find_first_not_of('\0') != std::string::npos && Write(*it, content)) {
      ++b_->stats().memory_writes;
    }
    it = pages_.erase(it);
  }
}

void VsmmucliText::Unmapped(uint64_t iova, uint64_t length) {
  for (auto it = areas_.lower_bound(iova); it != areas_.end() && it->first - iova < length;)
    it = areas_.erase(it);
}

std::string VsmmucliText::Poke(uint64_t gpa, uint64_t value) {
  if (gpa % 8 != 0) return "poke of an address that is not a multiple of 8";
  if (memory_.size() >= kMaxGuestPages) return "more pages of guest memory than are followed";
  if (!Write(gpa, Little(value))) return "poke outside of the guest's memory";
  ++b_->stats().guest_writes;
  std::string& page = memory_[gpa & ~(kPage - 1)];
  if (page.empty()) page = FillBytes(gpa & ~(kPage - 1));
  page.replace(gpa % kPage, 8, Little(value));
  return "";
}

std::string VsmmucliText::Dma(const std::string& who, uint64_t iova, uint64_t length, bool write,
                              const std::string& what) {
  auto device = devices_.find(who);
  if (device == devices_.end()) return "DMA of " + who + ", which was never introduced";
  if (length > buffer_.size()) return "DMA of more than the device's buffer";
  Op op;
  op.kind = OpKind::kDma;
  op.dma.device = device->second;
  op.dma.flags = write ? kDmaWrite : 0;
  op.dma.iova = iova;
  op.dma.length = static_cast<uint32_t>(length);
  if (write) op.blob.assign(buffer_.data(), length);
  op.recorded.emplace();
  op.recorded->known = Outcome::kErr;
  const bool marker = what.find("load the marker") != std::string::npos;
  const bool store = what == "  (store what it read):";
  dma_ = b_->Add(std::move(op));
  if (b_->full()) return "";
  ++b_->stats().dmas;
  if (marker) {
    // What it read was not printed; that it was the marker shows in everything written later.
    std::fill(buffer_.begin(), buffer_.begin() + length, kMarker);
  } else if (store) {
    store_dma_ = dma_;
  } else if (!write) {
    read_dma_ = dma_;
    store_dma_.reset();
  }
  return "";
}

// Bytes [first, last] of guest memory changed, and the word around `first` is now `word`.
std::string VsmmucliText::Landed(uint64_t first, uint64_t last, uint64_t word) {
  Op& op = b_->op(*dma_);
  if (op.recorded->pieces.empty()) op.recorded->pieces = Cut(op.dma.iova, op.dma.length);
  op.recorded->known |= Outcome::kPieces;
  bool checked = false;
  while (first <= last) {
    const uint64_t end = std::min(last, first | (kPage - 1));
    uint64_t pid = 0;
    const auto place = Place(first, end - first + 1, &pid);
    auto& pieces = op.recorded->pieces;
    auto piece = std::find_if(pieces.begin(), pieces.end(), [&](const Piece& p) {
      return p.fault == kFaultUnknown && p.iova % kPage == first % kPage &&
             p.length == end - first + 1;
    });
    if (!place || piece == pieces.end()) {
      op.recorded->known &= ~Outcome::kPieces;
      return place ? "landed bytes that are no part of the DMA" : "landed outside of guest memory";
    }
    piece->fault = 0;
    piece->backing = place->backing;
    piece->offset = place->backing_offset;
    if (!checked) {
      std::string now = Bytes(first & ~uint64_t{7}, 8);
      const uint64_t from = piece->iova - op.dma.iova, to = first % 8;
      const uint64_t n = std::min<uint64_t>(8 - to, end - first + 1);
      now.replace(to, n, op.blob, from, n);
      if (now != Little(word)) return "landed bytes are not those of the device's buffer";
      checked = true;
    }
    if (Write(first, Bytes(first, end - first + 1))) ++b_->stats().memory_writes;  // put back
    first = end + 1;
  }
  return "";
}

std::string VsmmucliText::Read(const std::string& text) {
  ReadLine line;
  if (!ParseRead(text, &line)) return "unknown form of a device read";
  if (!read_dma_ || !store_dma_) return "a device read's result without the device read";
  Op& read = b_->op(*read_dma_);
  Op& store = b_->op(*store_dma_);
  const uint64_t length = read.dma.length;
  std::string data;
  uint64_t pid = 0;
  if (line.from) {
    data = Bytes(*line.from, length);
    if (line.words && (length < 8 || data.substr(length - 8) != Little(line.last)))
      return "what was read is not what the client fills in";
    const auto place = Place(*line.from, length, &pid);
    if (!place) return "read outside of guest memory";
    read.recorded->pieces = Cut(read.dma.iova, length);
    if (read.recorded->pieces.size() == 1) {
      Piece& piece = read.recorded->pieces[0];
      piece.fault = 0;
      piece.backing = place->backing;
      piece.offset = place->backing_offset;
      read.recorded->known |= Outcome::kPieces;
    } else {
      read.recorded->pieces.clear();  // where the second page came from was not printed
    }
  } else {
    if (line.first != 0 || line.last != 0) return "read words that are no page's";
    data.assign(length, 0);  // a fault reads as zero; memory of zeroes would look the same
  }
  if (!line.from || line.words) {
    read.recorded->data = data;
    read.recorded->known |= Outcome::kData;
  }
  std::copy(data.begin(), data.end(), buffer_.begin());
  store.blob.assign(buffer_.data(), store.dma.length);
  const auto seen = Place(line.seen, store.dma.length, &pid);
  if (!seen) return "stored outside of guest memory";
  store.recorded->pieces = Cut(store.dma.iova, store.dma.length);
  if (store.recorded->pieces.size() == 1) {
    store.recorded->pieces[0].fault = 0;
    store.recorded->pieces[0].backing = seen->backing;
    store.recorded->pieces[0].offset = seen->backing_offset;
    store.recorded->known |= Outcome::kPieces;
  }
  const uint64_t stored = store.dma.length;
  read_dma_.reset(), store_dma_.reset();
  if (Write(line.seen, Bytes(line.seen, stored))) ++b_->stats().memory_writes;  // put back
  return "";
}

std::string VsmmucliText::Line(const std::string& text) {
  DmaLine dma;
  uint64_t a = 0, b = 0, word = 0;
  char who[8] = {}, address[16] = {};
  if (std::sscanf(text.c_str(), "poke gpa 0x%" SCNx64 " = 0x%" SCNx64, &a, &b) == 2)
    return Poke(a, b);
  if (ParseDma(text, &dma)) return Dma(dma.who, dma.iova, dma.length, dma.write, dma.what);
  if (std::sscanf(text.c_str(), "  %7[edu0-9] %15[0-9a-f:.] devid", who, address) == 2) {
    const auto device = b_->facts().DeviceAt(address);
    if (!device) return std::string("device ") + address + " was never opened";
    devices_[who] = *device;
    // edu's DMA goes over the bus in 4-byte accesses: a fault makes an event for each of them. That
    // is the emulator's habit (hw-smmuv3 sheet, Observed 1), so it is a fact about this machine.
    b_->facts().Transactions(*device, 4);
    return "";
  }
  if (StartsWith(text, "  read: ")) return Read(text);
  if (!StartsWith(text, "  landed: ") && !StartsWith(text, "  page first 8 bytes ")) return "";
  if (!dma_ || (b_->op(*dma_).dma.flags & kDmaWrite) == 0) return "landed, but nothing was written";
  if (ParseLanded(text, &a, &b, &word)) return Landed(a, b, word);
  Op& op = b_->op(*dma_);
  if (std::sscanf(text.c_str(), "  page first 8 bytes 0x%" SCNx64, &word) == 1) {
    // The page is the one that was mapped last. The client clears these bytes each time.
    const bool landed = Little(word) == op.blob.substr(0, 8);
    if (word != 0 && !landed) return "the page holds neither zeroes nor what the device wrote";
    if (landed) {
      uint64_t owner = 0;
      const auto place = Place(last_mapped_, 8, &owner);
      op.recorded->pieces = Cut(op.dma.iova, op.dma.length);
      if (!place || op.dma.length != 8 || op.recorded->pieces.size() != 1)
        return "landed outside of guest memory";
      op.recorded->pieces[0].fault = 0;
      op.recorded->pieces[0].backing = place->backing;
      op.recorded->pieces[0].offset = place->backing_offset;
      op.recorded->known |= Outcome::kPieces;
      if (Write(last_mapped_, std::string(8, 0))) ++b_->stats().memory_writes;
      return "";
    }
  } else if (!StartsWith(text, "  landed: nowhere")) {
    return "unknown form of where a DMA landed";
  }
  op.recorded->pieces = Cut(op.dma.iova, op.dma.length);
  op.recorded->known |= Outcome::kPieces;
  return "";
}

}  // namespace twinwalk
