// Device accesses: split into pages, translated, moved, told; and events on their way to a vEVENTQ
// or the host's log (docs/TRACE.md 4; iommufd sheet 16).
#include <algorithm>
#include <cerrno>

#include "model/stack.h"

namespace twinwalk::model {
namespace {

WalkQuery QueryOf(const Device& device, const DmaArgs& dma) {
  WalkQuery query;
  query.sid = device.config.streamId;
  query.hasSsid = (dma.flags & kDmaHasPasid) != 0;
  query.ssid = query.hasSsid ? dma.pasid & 0xfffff : 0;
  query.write = (dma.flags & kDmaWrite) != 0;
  // Without a PASID nothing says privilege or execution (sheet 4.6).
  query.privileged = query.hasSsid && (dma.flags & kDmaPrivileged) != 0;
  query.instruction = query.hasSsid && (dma.flags & kDmaInstruction) != 0;
  return query;
}

// 0, or why the access is not one. Otherwise sets up `out` and calls f(query, piece, at) for each
// page that it touches; f fills the piece.
template <class F>
Outcome EachPiece(const std::vector<Device>& devices, const Op& op, F&& f) {
  Outcome out;
  const DmaArgs& dma = op.dma;
  if (dma.device >= devices.size()) {
    out.err = ENODEV;
    return out;
  }
  if (dma.length > kMaxDma || (dma.length != 0 && dma.iova + (dma.length - 1) < dma.iova)) {
    out.err = EINVAL;
    return out;
  }
  const Device& device = devices[dma.device];
  WalkQuery query = QueryOf(device, dma);
  if (dma.length != 0)
    out.pieces.reserve((dma.iova % kPageSize + dma.length + kPageSize - 1) / kPageSize);
  for (uint32_t at = 0; at < dma.length;) {
    Piece& piece = out.pieces.emplace_back();  // filled in place: a copy would wait for its stores
    piece.iova = dma.iova + at;
    piece.length = static_cast<uint32_t>(
        std::min<uint64_t>(dma.length - at, kPageSize - piece.iova % kPageSize));
    query.address = piece.iova;
    if (device.attached == nullptr) piece.fault = kAbortedSilently;
    f(query, &piece, at, &out);
    at += piece.length;
  }
  return out;
}

}  // namespace

Translation Stack::Translate(uint32_t device, const WalkQuery& query, TranslationLog* log) {
  const uint32_t iommu = devices_[device].config.smmu;
  if (iommu < smmus_.size()) return smmus_[iommu].Translate(device, query, log);
  if (!IsVtd(iommu)) {  // behind no IOMMU: nothing here lets it reach memory
    Translation none;
    none.event = kAbortedSilently;
    return none;
  }
  VtdQuery request;
  request.sid = static_cast<uint16_t>(query.sid);
  request.hasPasid = query.hasSsid;
  request.pasid = query.ssid;
  request.address = query.address;
  request.write = query.write;
  request.privileged = query.privileged;
  request.instruction = query.instruction;
  return vtd(iommu).Translate(device, request, log);
}

Outcome Stack::Dma(const Op& op) {
  onlyAccesses = true;
  return EachPiece(
      devices_, op, [&](const WalkQuery& query, Piece* piece, uint32_t at, Outcome* out) {
        if (!query.write && out->data.empty()) out->data.resize(op.dma.length);
        // The hardware is asked also where the driver attached nothing: its abort entry must hold.
        log_.fetches.clear();
        log_.filled.clear();
        const Translation t = Translate(op.dma.device, query, &log_);
        if (!log_.fetches.empty() || !log_.filled.empty()) NoteLog(op.dma.device);
        piece->fault = t.event;
        if (t.event != 0) {
          if (t.event != kAbortedSilently) Report(op.dma.device, t, piece->length, &out->events);
          return;
        }
        uint64_t backing = 0, offset = 0;
        Locate(t.pa, &backing, &offset);
        piece->backing = backing;
        piece->offset = offset;
        piece->rights = t.rights;
        if (query.write) {
          const uint64_t have =
              std::min<uint64_t>(op.blob.size() > at ? op.blob.size() - at : 0, piece->length);
          memory_.Write(t.pa, op.blob.data() + at, have);
          if (have < piece->length) {
            const std::string rest(piece->length - have, '\0');
            memory_.Write(t.pa + have, rest.data(), rest.size());
          }
        } else {
          memory_.Read(t.pa, &out->data[at], piece->length);
        }
        AccessRow<Concrete>& row = accesses.emplace_back();
        row.device = op.dma.device + 1;
        row.input = t.input;
        row.length = piece->length;
        row.backing = backing;
        row.offset = offset;
        row.need = query.write ? kWrite : kRead;
        row.rights = t.accessRights;
      });
}

// The fault handler: what the recording registers hold goes to the host's log. It runs at every
// event, so that no fault finds the registers full (docs/TRACE.md 4).
void Stack::TakeFaults(uint32_t device, std::vector<FaultRecord>* out) {
  vtd(devices_[device].config.smmu).DrainFaults([&](uint64_t lo, uint64_t hi) {
    FaultRecord record;
    record.position = hostLog_++;
    record.words = {lo, hi, 0, 0};
    out->push_back(record);
    EventRow<Concrete> row;
    row.device = device + 1;
    row.streamId = hi & 0xffff;
    row.sequence = record.position;
    events.push_back(row);
  });
}

Outcome Stack::PeekDma(const Op& op) const {
  Outcome out =
      EachPiece(devices_, op, [&](const WalkQuery& query, Piece* piece, uint32_t, Outcome*) {
        const Translation t = const_cast<Stack*>(this)->Translate(op.dma.device, query, nullptr);
        piece->fault = t.event;
        if (t.event != 0) return;
        Locate(t.pa, &piece->backing, &piece->offset);
        piece->rights = t.rights;
      });
  return out;
}

void Stack::NoteLog(uint32_t device) {
  for (const Fetch& fetch : log_.fetches) {
    AccessRow<Concrete> row;
    row.device = device + 1;
    row.cls = fetch.kind == FetchKind::kCd ? kCdFetch : kTableFetch;
    row.input = fetch.ipa;
    row.length = 8;
    Locate(fetch.pa, &row.backing, &row.offset);
    row.need = kRead;
    row.rights = fetch.rights;
    accesses.push_back(row);
  }
  filled.insert(filled.end(), log_.filled.begin(), log_.filled.end());
}

// One record for each bus transaction of the faulting piece.
void Stack::Report(uint32_t device, const Translation& t, uint32_t length,
                   std::vector<FaultRecord>* out) {
  const uint32_t each = devices_[device].config.transactionBytes;
  const bool vt_d = IsVtd(devices_[device].config.smmu);
  std::array<uint64_t, 4> words = t.record;
  const bool addressed = (words[0] & 0xff) >= kWalkAbort;
  for (uint32_t at = 0; at < length; at += each == 0 ? length : std::min(each, length - at)) {
    if (vt_d) {  // a record names the page, so all of a piece look alike
      vtd(devices_[device].config.smmu).Record(words[0], words[1]);
      TakeFaults(device, out);
      continue;
    }
    if (addressed) words[2] = t.record[2] + at;
    Deliver(device, t.stage2Fault, words, out);
  }
}

bool Stack::EventTarget(uint32_t index, Veventq** queue, uint32_t* virt_id) {
  const Device& device = devices_[index];
  Viommu* viommu = nullptr;
  if (world_.rules.eventVsidFrozenAtAttach) {
    if (device.eventViommu == 0) return false;
    viommu = FindViommu(device.eventViommu);
    *virt_id = device.eventVirtId;
  } else {
    if (device.attached == nullptr || device.attached->type != ObjectType::kNested) return false;
    viommu = static_cast<Nested*>(device.attached)->viommu;
    if (device.vdevice == nullptr || device.vdevice->viommu != viommu) return false;
    *virt_id = static_cast<uint32_t>(device.vdevice->virtId);
  }
  if (viommu == nullptr) return false;
  for (Veventq* q : viommu->queues) {
    if (q->kind != 1) continue;
    *queue = q;
    return true;
  }
  return false;
}

void Stack::Deliver(uint32_t device, bool stage2, std::array<uint64_t, 4> words,
                    std::vector<FaultRecord>* out) {
  FaultRecord record;
  Veventq* queue = nullptr;
  uint32_t virt_id = 0;
  EventRow<Concrete> row;
  row.device = device + 1;
  if (stage2 || !EventTarget(device, &queue, &virt_id)) {
    record.position = hostLog_++;
    record.words = words;
    row.streamId = words[0] >> 32;
    row.sequence = record.position;
    out->push_back(record);
    events.push_back(row);
    return;
  }
  words[0] = (words[0] & 0xffffffff) | uint64_t{virt_id} << 32;
  record.queue = queue->key();
  record.position = queue->sequence;
  queue->sequence = (queue->sequence + 1) & 0x7fffffff;
  if (queue->records.size() >= queue->depth) {
    queue->lost = true;
    queue->lostSequence = record.position;
    out->push_back(record);
    return;
  }
  queue->lost = false;
  queue->records.push_back({record.position, words});
  record.words = words;
  out->push_back(record);
  row.queue = record.queue;
  row.streamId = virt_id;
  row.sequence = record.position;
  events.push_back(row);
}

}  // namespace twinwalk::model
