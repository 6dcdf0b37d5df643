#include "traces/import_educli.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "traces/compare.h"

namespace twinwalk {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint32_t kEduTransaction = 4;  // bytes: edu's DMA goes over the bus in these

// The pieces of a DMA, cut where a device access is cut (docs/TRACE.md 4). From now on they are
// known, each of them if only as unknown.
std::vector<Piece>& Pieces(Op* op) {
  std::vector<Piece>& pieces = op->recorded->pieces;
  op->recorded->known |= Outcome::kPieces;
  if (!pieces.empty()) return pieces;
  uint64_t iova = op->dma.iova, length = op->dma.length;
  while (length > 0) {
    Piece piece;
    piece.iova = iova;
    piece.length = static_cast<uint32_t>(std::min(length, kPage - iova % kPage));
    piece.fault = kPieceUnknown;
    pieces.push_back(piece);
    iova += piece.length, length -= piece.length;
  }
  return pieces;
}

// Different at each place, never zero, never the client's own fill.
std::string Pattern(uint64_t iova, uint64_t length) {
  std::string bytes;
  for (uint64_t i = 0; i < length; ++i)
    bytes += static_cast<char>(1 + (iova / kPage * 37 + (iova + i) % kPage * 11) % 127);
  return bytes;
}

bool EndsWith(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

}  // namespace

bool EducliText::IsClient(const CaptureRecord& header) {
  const std::string program = header.TextAt("argv", 0).value_or("");
  return program == "educli" || EndsWith(program, "/educli");
}

EducliText::EducliText(ImportBuilder* builder, const CaptureRecord& header)
    : b_(builder), address_(header.TextAt("argv", 2).value_or("")) {}

void EducliText::Mapped(uint64_t pid, uint64_t iova, uint64_t length, const MapPlace& place) {
  areas_[iova] = {length, pid, place};
}

void EducliText::Copied(uint64_t from, uint64_t to, uint64_t length) {
  if (const auto source = Place(from, length)) areas_[to] = *source;
}

std::optional<EducliText::Area> EducliText::Place(uint64_t iova, uint64_t length) const {
  auto it = areas_.upper_bound(iova);
  if (it == areas_.begin()) return std::nullopt;
  --it;
  const uint64_t into = iova - it->first;
  Area area = it->second;
  if (into >= area.length || length > area.length - into) return std::nullopt;
  if (into >= area.place.rest || length > area.place.rest - into) return std::nullopt;
  area.length = length;
  area.place.offset += into, area.place.backing_offset += into, area.place.rest -= into;
  return area;
}

void EducliText::Fill(uint64_t iova, const std::string& bytes) {
  const auto area = Place(iova, bytes.size());
  const auto process = area ? b_->Process(area->pid) : std::nullopt;
  // Memory that is not mapped into the process (a file's) cannot be filled.
  if (!process || area->place.op == kDanglingHandle) return;
  Op op;
  op.kind = OpKind::kMemWrite;
  op.process = *process;
  op.memWrite.address = area->place.offset;
  ImportBuilder::Name(&op, 1, &op.memWrite.map, area->place.op);
  op.blob = bytes;
  b_->Add(std::move(op));
  ++b_->stats().memory_writes;
}

std::string EducliText::Dma(uint64_t iova, uint64_t length, bool write) {
  const auto device = b_->facts().DeviceAt(address_);
  if (!device) return "DMA of " + address_ + ", which was never opened";
  if (length > buffer_.size()) return "DMA of more than the device's buffer";
  b_->facts().Transactions(*device, kEduTransaction);
  if (!write) Fill(iova, Pattern(iova, length));
  Op op;
  op.kind = OpKind::kDma;
  op.dma.device = *device;
  op.dma.flags = write ? kDmaWrite : 0;
  op.dma.iova = iova;
  op.dma.length = static_cast<uint32_t>(length);
  if (write) op.blob.assign(buffer_.data(), length);
  op.recorded.emplace();
  op.recorded->known = Outcome::kErr;
  before_ = dma_;
  dma_ = b_->Add(std::move(op));
  if (b_->full()) return "";
  ++b_->stats().dmas;
  if (!write) {
    const std::string bytes = Pattern(iova, length);
    std::copy(bytes.begin(), bytes.end(), buffer_.begin());
  }
  return "";
}

bool EducliText::Reached(Op* op) {
  for (Piece& piece : Pieces(op)) {
    const auto area = Place(piece.iova, piece.length);
    if (!area || area->place.backing == 0) return false;
    piece.fault = 0;
    piece.backing = area->place.backing;
    piece.offset = area->place.backing_offset;
  }
  return true;
}

std::string EducliText::Line(const std::string& text) {
  uint64_t iova = 0, length = 0;
  unsigned direction = 2, byte = 0;
  const size_t dma = text.find(": dma iova 0x");
  if (dma != std::string::npos) {
    if (std::sscanf(text.c_str() + dma, ": dma iova 0x%" SCNx64 " len %" SCNu64 " dir %u", &iova,
                    &length, &direction) != 3 ||
        direction > 1 || length == 0)
      return "unknown form of a DMA";
    return Dma(iova, length, direction == 1);
  }
  if (EndsWith(text, ": data equal")) {
    if (!dma_ || !before_) return "equal data without two DMAs";
    Op& wrote = b_->op(*dma_);
    Op& read = b_->op(*before_);
    if (wrote.dma.flags != kDmaWrite || read.dma.flags != 0 || wrote.dma.length != read.dma.length)
      return "equal data of DMAs that do not match";
    const bool filled = Place(read.dma.iova, read.dma.length).has_value() &&
                        Place(read.dma.iova, read.dma.length)->place.op != kDanglingHandle;
    if (!Reached(&wrote) || !Reached(&read)) return "equal data in memory that nobody mapped";
    if (!filled) return "";
    read.recorded->data = Pattern(read.dma.iova, read.dma.length);
    read.recorded->known |= Outcome::kData;
    return "";
  }
  if (std::sscanf(text.c_str(), "  first byte 0x%x", &byte) == 1) {
    if (!dma_ || b_->op(*dma_).dma.flags != kDmaWrite) return "a first byte without a device write";
    Op& op = b_->op(*dma_);
    if (byte == static_cast<uint8_t>(op.blob[0])) return "the write has landed, or cannot be told";
    Piece& piece = Pieces(&op)[0];
    // A reason that the kernel's log gave is more than this.
    if (piece.fault == kPieceUnknown) piece.fault = kFaultUnknown;
  }
  return "";
}

void EducliText::KernelLog(const std::string& text) {
  char what[8] = {};
  uint64_t address = 0;
  unsigned reason = 0;
  const size_t at = text.find(" fault addr 0x");
  if (at == std::string::npos || std::sscanf(text.c_str(), "DMAR: [DMA %7[A-Za-z]", what) != 1 ||
      std::sscanf(text.c_str() + at, " fault addr 0x%" SCNx64 " [fault reason 0x%x]", &address,
                  &reason) != 2 ||
      reason == 0 || reason >= kPieceUnknown)
    return;
  // The line is seen after the DMA, sometimes after one more.
  for (const auto& dma : {dma_, before_}) {
    if (!dma) continue;
    Op& op = b_->op(*dma);
    if ((op.dma.flags == kDmaWrite) != (what == std::string("Write"))) continue;
    const uint64_t first = op.dma.iova / kPage, last = (op.dma.iova + op.dma.length - 1) / kPage;
    if (address / kPage < first || address / kPage > last) continue;
    Pieces(&op)[address / kPage - first].fault = static_cast<uint8_t>(reason);
    return;
  }
}

}  // namespace twinwalk
