#include "traces/import_recorded.h"

#include <algorithm>

namespace twinwalk {
namespace {

constexpr uint16_t kEmsgsize = 90;

// Offsets of results in the structs: iommufd sheet 3.1 and 19.
void SetId(const std::string& after, size_t offset, Outcome* o) {
  o->id = static_cast<uint32_t>(LoadWord(after, offset, 4));
  o->known |= Outcome::kId;
}

}  // namespace

uint64_t LoadWord(const std::string& bytes, size_t offset, size_t size) {
  uint64_t word = 0;
  for (size_t i = 0; i < size && offset + i < bytes.size(); ++i)
    word |= uint64_t{static_cast<uint8_t>(bytes[offset + i])} << (8 * i);
  return word;
}

Outcome RecordedOutcome(const Op& op, const RecordedIoctl& call) {
  Outcome o;
  o.known = Outcome::kErr;
  o.err = call.err;
  const std::string& after = call.after;
  const bool done = call.err == 0;
  switch (op.kind) {
    case OpKind::kBindIommufd:
      if (done) SetId(after, 12, &o);
      break;
    case OpKind::kAttachIommufdPt:
      if (done) SetId(after, 8, &o);
      break;
    case OpKind::kIoasAlloc:
      if (done) SetId(after, 8, &o);
      break;
    case OpKind::kHwptAlloc:
      if (done) SetId(after, 16, &o);
      break;
    case OpKind::kViommuAlloc:
      if (done) SetId(after, 20, &o);
      break;
    case OpKind::kVdeviceAlloc:
      if (done) SetId(after, 12, &o);
      break;
    case OpKind::kVeventqAlloc:
      if (done) {
        SetId(after, 20, &o);
        o.fd = static_cast<uint32_t>(LoadWord(after, 24, 4));
        o.known |= Outcome::kFd;
      }
      break;
    case OpKind::kIoasMap:
      if (done) {
        o.values[0] = LoadWord(after, 32, 8);
        o.known |= Outcome::kValues;
      }
      break;
    case OpKind::kIoasUnmap:
      if (done) {
        o.values[0] = LoadWord(after, 16, 8);
        o.known |= Outcome::kValues;
      }
      break;
    case OpKind::kIoasIovaRanges:
      // A list that is too short is filled as far as it goes.
      if (done || call.err == kEmsgsize) {
        o.values[0] = LoadWord(after, 8, 4);
        o.values[1] = LoadWord(after, 24, 8);
        o.known |= Outcome::kValues;
        const uint64_t written = 16 * std::min<uint64_t>(op.ioasIovaRanges.numIovas, o.values[0]);
        if (written <= call.buffer_after.size()) {
          o.out = call.buffer_after.substr(0, written);
          o.known |= Outcome::kOut;
        }
      }
      break;
    case OpKind::kGetHwInfo:
      if (done) {
        o.values = {LoadWord(after, 12, 4), LoadWord(after, 24, 4), LoadWord(after, 32, 8)};
        if (after.size() >= 40) o.known |= Outcome::kValues;  // else the last was not received
        if (op.getHwInfo.dataLen <= call.buffer_after.size()) {
          o.out = call.buffer_after.substr(0, op.getHwInfo.dataLen);
          o.known |= Outcome::kOut;
        }
      }
      break;
    case OpKind::kHwptInvalidate:
      // entry_num is written back on success and failure alike (sheet 13), but not by the framing.
      if (after.size() >= 32) {
        o.values[0] = LoadWord(after, 24, 4);
        o.known |= Outcome::kValues;
      }
      break;
    case OpKind::kDetachIommufdPt:
    case OpKind::kDestroy:
      break;
    case OpKind::kRaw:
    case OpKind::kOpen:
    case OpKind::kClose:
    case OpKind::kDup:
    case OpKind::kRead:
    case OpKind::kPoll:
    case OpKind::kMmap:
    case OpKind::kMunmap:
    case OpKind::kMemfd:
    case OpKind::kMemWrite:
    case OpKind::kDma:
    case OpKind::kFailAlloc:
      break;
  }
  return o;
}

}  // namespace twinwalk
