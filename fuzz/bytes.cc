#include "fuzz/bytes.h"

#include <cstring>

#include "fuzz/edit.h"

namespace twinwalk::fuzz {
namespace {

class Out {
 public:
  template <class T>
  void Field(const T& value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes.append(raw, sizeof(T));
  }
  void Flag(bool value) { bytes.push_back(value ? 1 : 0); }
  std::string bytes;
};

// After the first field that is not there, all are zero and ok() is false.
class In {
 public:
  In(const uint8_t* data, size_t size) : at_(data), left_(size) {}
  template <class T>
  void Field(T& value) {
    if (left_ < sizeof(T)) return Fail();
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T), left_ -= sizeof(T);
  }
  void Flag(bool& value) {
    uint8_t byte = 0;
    Field(byte);
    if (byte > 1) return Fail();
    value = byte == 1;
  }
  bool Bytes(size_t count, std::string* to) {
    if (left_ < count) return Fail(), false;
    to->assign(reinterpret_cast<const char*>(at_), count);
    at_ += count, left_ -= count;
    return true;
  }
  bool ok() const { return ok_; }
  size_t left() const { return left_; }

 private:
  void Fail() { ok_ = false, left_ = 0; }
  const uint8_t* at_;
  size_t left_;
  bool ok_ = true;
};

// One list of fields for both directions.
template <class Io, class Smmu>
void EachField(Io& io, Smmu& s) {
  for (auto& word : s.idr) io.Field(word);
  io.Field(s.iidr), io.Field(s.aidr), io.Field(s.vmidLimit), io.Field(s.asidLimit);
  io.Field(s.tlbEntries), io.Field(s.walkCacheEntries), io.Field(s.configCacheEntries);
  io.Field(s.eventQueueEntries), io.Flag(s.canNest);
}
template <class Io, class TheWorld>
void WorldFields(Io& io, TheWorld& world) {
  for (auto& smmu : world.smmus) EachField(io, smmu);
  for (auto& d : world.devices)
    io.Field(d.smmu), io.Field(d.streamId), io.Field(d.group), io.Field(d.transactionBytes);
  for (auto& p : world.processes) io.Field(p.uid), io.Flag(p.ipcLock), io.Field(p.memlockPages);
  io.Field(world.frames), io.Field(world.swMsiFirst), io.Field(world.swMsiLast);
  for (const RuleInfo& rule : AllRules()) io.Flag(world.rules.*rule.value);
}

}  // namespace

std::string TraceToBytes(const Trace& trace) {
  Out out;
  out.bytes.assign(kBytesMagic, sizeof kBytesMagic);
  out.Field(static_cast<uint8_t>(trace.world.smmus.size()));
  out.Field(static_cast<uint8_t>(trace.world.devices.size()));
  out.Field(static_cast<uint8_t>(trace.world.processes.size()));
  WorldFields(out, trace.world);
  for (const Op& op : trace.ops) {
    out.Field(Canonical(op));
    out.Field(static_cast<uint32_t>(op.blob.size()));
    out.bytes += op.blob;
  }
  return std::move(out.bytes);
}

std::string BytesToTrace(const uint8_t* data, size_t size, const BytesLimits& limits,
                         Trace* trace) {
  *trace = Trace();
  if (size < sizeof kBytesMagic || std::memcmp(data, kBytesMagic, sizeof kBytesMagic) != 0)
    return "not a trace in bytes";
  In in(data + sizeof kBytesMagic, size - sizeof kBytesMagic);
  uint8_t smmus = 0, devices = 0, processes = 0;
  in.Field(smmus), in.Field(devices), in.Field(processes);
  if (smmus > kMaxSmmus || devices > kMaxDevices || processes > kMaxProcesses)
    return "a World beyond the limits";
  World& world = trace->world;
  world.smmus.resize(smmus), world.devices.resize(devices), world.processes.resize(processes);
  WorldFields(in, world);
  if (!in.ok()) return "cut off in the World";
  if (std::string bad = ValidateWorld(world); !bad.empty()) return bad;
  while (in.left() > 0) {
    if (trace->ops.size() == limits.ops) return "too many Ops";
    Op& op = trace->ops.emplace_back();
    uint32_t blob = 0;
    in.Field(static_cast<OpData&>(op));
    in.Field(blob);
    if (!in.ok()) return "cut off in an Op";
    if (blob > limits.blob || !in.Bytes(blob, &op.blob)) return "a blob that is not there";
    if (std::string bad = CheckOp(op, trace->ops.size() - 1); !bad.empty()) return bad;
  }
  return in.ok() ? "" : "cut off";
}

}  // namespace twinwalk::fuzz
