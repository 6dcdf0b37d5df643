#include "fuzz/bytes.h"

#include <cstring>

#include "fuzz/edit.h"
#include "traces/world_visit.h"

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
  void Fail() {}  // a World beyond what bytes can say loses its rest
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

  void Fail() { ok_ = false, left_ = 0; }

 private:
  const uint8_t* at_;
  size_t left_;
  bool ok_ = true;
};

// The members of a World (world_visit.h) in one direction; lists behind a count of one byte.
template <class Io>
struct Member {
  Io& io;
  template <class T>
  void operator()(const char*, T& value) {
    Move(value);
  }
  void Move(bool& value) { io.Flag(value); }
  void Move(uint32_t& value) { io.Field(value); }
  void Move(uint64_t& value) { io.Field(value); }
  void Move(std::array<uint32_t, 6>& words) {
    for (uint32_t& word : words) Move(word);
  }
  void Move(std::string& text) {
    Count(text, kMaxName);
    for (char& c : text) io.Field(c);
  }
  void Move(RegionConfig& region) {
    Move(region.size), Move(region.flags), Move(region.msixMappable);
    Count(region.sparse, kMaxSparse);
    for (auto& piece : region.sparse) Move(piece.offset), Move(piece.size);
  }
  void Move(std::vector<uint32_t>& list) {
    Count(list, kMaxIrqIndexes);
    for (uint32_t& value : list) Move(value);
  }
  void Move(std::vector<RegionConfig>& list) {
    Count(list, kMaxRegions);
    for (RegionConfig& region : list) Move(region);
  }
  // REQUIRES: max < 256.
  template <class List>
  void Count(List& list, size_t max) {
    auto count = static_cast<uint8_t>(list.size());
    io.Field(count);
    if (count > max) return io.Fail();
    list.resize(count);
  }
  static constexpr size_t kMaxName = 64;
};
template <class Io>
void WorldFields(Io& io, World& world) {
  Member<Io> member{io};
  member.Count(world.smmus, kMaxSmmus), member.Count(world.vtds, kMaxVtds);
  member.Count(world.devices, kMaxDevices), member.Count(world.functions, 255);
  member.Count(world.processes, kMaxProcesses);
  for (auto& c : world.smmus) EachSmmuMember(c, member);
  for (auto& c : world.vtds) EachVtdMember(c, member);
  for (auto& c : world.devices) EachDeviceMember(c, member);
  for (auto& c : world.functions) EachFunctionMember(c, member);
  for (auto& c : world.processes) EachProcessMember(c, member);
  EachWorldMember(world, member);
  for (const RuleInfo& rule : AllRules()) io.Flag(world.rules.*rule.value);
}

}  // namespace

std::string TraceToBytes(const Trace& trace) {
  Out out;
  out.bytes.assign(kBytesMagic, sizeof kBytesMagic);
  World world = trace.world;
  WorldFields(out, world);
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
  World& world = trace->world;
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
