#include "fuzz/mutate.h"

#include <algorithm>
#include <utility>

#include "fuzz/edit.h"
#include "fuzz/guest.h"

namespace twinwalk::fuzz {
namespace {

class Mutator {
 public:
  Mutator(Trace* trace, Random& random, const MutateOptions& options)
      : trace_(trace), ops_(trace->ops), random_(random), options_(options) {}

  void Once() {
    if (ops_.empty()) return Insert();
    switch (random_.Below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        return Insert();
      case 6:
      case 7:
        return RemoveOps(&ops_, Position(), 1);
      case 8:
        return RemoveRange();
      case 9:
        return SwapOps(&ops_, Position(), Position());
      case 10:
      case 11:
        return Duplicate();
      case 12:
      case 13:
        return TweakField();
      case 14:
      case 15:
        return TweakBlob();
      case 16:
        return TweakHandle();
      case 17:
        return TweakHead();
      case 18:
        return Move();
      default:
        return TweakWorld();
    }
  }

 private:
  size_t Position() { return random_.Below(ops_.size()); }

  // Grows at any place, rather near the end; what a Step needs grows before it.
  void Insert() {
    if (ops_.size() >= options_.max_ops) RemoveOps(&ops_, Position(), 1);
    size_t at = random_.Below(ops_.size() + 1);
    if (random_.OneIn(2)) at = std::max<size_t>(at, random_.Below(ops_.size() + 1));
    GrowOptions grow;
    grow.max_blob = options_.max_blob;
    grow.oracle = options_.oracle;
    Builder builder(trace_->world, &random_, grow);
    for (size_t i = 0; i < at; ++i) builder.Add(ops_[i]);
    const uint64_t steps = 1 + random_.Below(3);
    for (uint64_t i = 0; i < steps; ++i)
      builder.Want(RandomStep(), options_.max_ops - (ops_.size() - at));
    for (size_t i = at; i < builder.ops().size(); ++i) InsertOp(&ops_, i, builder.ops()[i]);
  }
  // Half of the time the kind that makes things happen, otherwise any.
  Step RandomStep() {
    static constexpr Step kActive[] = {Step::kDma,          Step::kDma,    Step::kWriteEntry,
                                       Step::kInvalidate,   Step::kUnmap,  Step::kMapMore,
                                       Step::kAttachNested, Step::kDetach, Step::kDestroy,
                                       Step::kAttachPaging};
    return random_.OneIn(2) ? random_.Pick(kActive) : static_cast<Step>(random_.Below(kSteps));
  }
  void RemoveRange() {
    const size_t first = Position();
    RemoveOps(&ops_, first, 1 + random_.Below(std::min<size_t>(8, ops_.size() - first)));
  }
  void Duplicate() {
    if (ops_.size() >= options_.max_ops) return;
    const size_t from = Position();
    InsertOp(&ops_, from + 1 + random_.Below(ops_.size() - from), Op(ops_[from]));
  }
  void Move() {
    const size_t from = Position(), to = Position();
    for (size_t i = from; i < to; ++i) SwapOps(&ops_, i, i + 1);
    for (size_t i = from; i > to; --i) SwapOps(&ops_, i, i - 1);
  }

  // A number that matters here: edges of earlier ranges, or of everything.
  uint64_t Number(const Scene& scene, uint64_t old) {
    std::vector<uint64_t> near;
    for (const SceneArea& a : scene.areas())
      near.insert(near.end(), {a.iova, a.iova + a.length, a.iova - 1, a.iova + a.length - 1,
                               a.length, a.iova + kPageBytes, a.length - kPageBytes});
    near.insert(near.end(), scene.iovas().begin(), scene.iovas().end());
    switch (random_.Below(8)) {
      case 0:
        return old ^ uint64_t { 1 } << random_.Below(64);
      case 1:
        return old + 1;
      case 2:
        return old - 1;
      case 3:
        return old + (random_.OneIn(2) ? kPageBytes : -kPageBytes);
      case 4:
      case 5:
        return near.empty() ? EdgeNumber(random_) : random_.Pick(near);
      default:
        return EdgeNumber(random_);
    }
  }
  Scene SceneBefore(size_t at) {
    Scene scene(trace_->world);
    for (size_t i = 0; i < at; ++i) scene.Note(ops_[i]);
    return scene;
  }
  void TweakField() {
    const size_t at = Position();
    Op& op = ops_[at];
    size_t fields = 0;
    VisitWith(
        op, [&](const char*, auto&) { ++fields; }, [](const char*, Handle&, HandleRole, int) {});
    if (fields == 0) return TweakHandle();
    const Scene scene = SceneBefore(at);
    const uint64_t chosen = random_.Below(fields);
    size_t index = 0;
    VisitWith(
        op,
        [&](const char*, auto& value) {
          if (index++ == chosen)
            value = static_cast<std::remove_reference_t<decltype(value)>>(Number(scene, value));
        },
        [](const char*, Handle&, HandleRole, int) {});
  }
  void TweakHandle() {
    const size_t at = Position();
    Op& op = ops_[at];
    std::vector<HandleUse> uses = HandlesOf(op);
    if (uses.empty()) return;
    const HandleUse& use = random_.Pick(uses);
    const auto bit = static_cast<uint8_t>(1u << use.index);
    if (at == 0 || random_.OneIn(4)) {
      op.results &= static_cast<uint8_t>(~bit);
      *use.handle = random_.OneIn(2) ? kDanglingHandle : static_cast<Handle>(random_.Below(8));
      return;
    }
    // Another Op that makes such a thing; sometimes any Op.
    const Scene scene = SceneBefore(at);
    std::vector<Handle> makers;
    for (Handle i = 0; i < at; ++i)
      if (scene.Find(i, use.role) != kNone) makers.push_back(i);
    *use.handle = makers.empty() || random_.OneIn(8) ? static_cast<Handle>(random_.Below(at))
                                                     : random_.Pick(makers);
    op.results |= bit;
  }
  void TweakHead() {
    Op& op = ops_[Position()];
    const uint32_t size = StructSize(op.kind);
    if (size == 0 || random_.OneIn(3)) {
      op.process = static_cast<uint8_t>(random_.Below(trace_->world.processes.size()));
      return;
    }
    const auto bytes = static_cast<uint32_t>(random_.Below(size + 17));
    switch (random_.Below(4)) {
      case 0:
        op.size = bytes;
        break;
      case 1:
        op.readable = static_cast<uint16_t>(random_.OneIn(3) ? 65535 : bytes);
        break;
      case 2:
        op.writable = static_cast<uint16_t>(random_.OneIn(3) ? 65535 : bytes);
        break;
      default:
        op.size = static_cast<uint32_t>(EdgeNumber(random_));
        break;
    }
  }
  void TweakBlob() {
    std::vector<size_t> with;
    for (size_t i = 0; i < ops_.size(); ++i)
      if (!ops_[i].blob.empty()) with.push_back(i);
    if (with.empty()) return TweakField();
    const size_t at = random_.Pick(with);
    Op& op = ops_[at];
    if (op.blob.size() < 8 || random_.OneIn(16)) {
      op.blob.resize(random_.Below(std::min(options_.max_blob, op.blob.size() + 17) + 1));
      return;
    }
    const size_t words = op.blob.size() / 8, word = 8 * random_.Below(words);
    if (op.kind == OpKind::kHwptInvalidate) return TweakCommand(&op, word & ~size_t{15});
    std::vector<uint64_t> pages;
    const Scene scene = SceneBefore(at);
    for (size_t i = 0; i < scene.things().size(); ++i)
      if (scene.things()[i].role == Role::kIoas && pages.empty())
        pages = scene.Pages(static_cast<int>(i));
    SetWordAt(&op.blob, word,
              random_.OneIn(2) ? TweakWord(random_, WordAt(op.blob, word), pages)
                               : RandomDescriptor(random_, pages));
  }
  void TweakCommand(Op* op, size_t at) {
    if (at + 16 > op->blob.size()) return;
    static constexpr uint8_t kOpcodes[] = {0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x30,
                                           0x40, 0x03, 0x04, 0x20, 0x28, 0x2a, 0x46};
    uint64_t word0 = WordAt(op->blob, at), word1 = WordAt(op->blob, at + 8);
    switch (random_.Below(7)) {
      case 0:
        word0 = (word0 & ~uint64_t{0xff}) | random_.Pick(kOpcodes);
        break;
      case 1:
        word0 ^= random_.Below(4) << 48;
        break;  // ASID
      case 2:
        word0 ^= uint64_t{1} << (32 + random_.Below(32));
        break;  // VMID or stream id
      case 3:
        word0 = (word0 & ~uint64_t{0x1ff000}) | random_.Below(512) << 12;
        break;  // NUM, SCALE
      case 4:
        word1 = (word1 & 4095) | (EdgeNumber(random_) & ~uint64_t{4095});
        break;
      case 5:
        word1 ^= uint64_t{1} << random_.Below(12);
        break;  // Leaf, TTL, TG
      default:
        word0 ^= uint64_t{1} << random_.Below(64);
        break;
    }
    SetWordAt(&op->blob, at, word0);
    SetWordAt(&op->blob, at + 8, word1);
  }
  void TweakVtd(VtdConfig* vtd) {
    uint32_t* const sizes[] = {&vtd->iotlbEntries, &vtd->walkCacheEntries,
                               &vtd->contextCacheEntries, &vtd->didLimit, &vtd->faultRecords};
    *random_.Pick(sizes) = static_cast<uint32_t>(1 + random_.Below(16));
  }
  void TweakWorld() {
    World& world = trace_->world;
    if (options_.rules && random_.OneIn(4)) {
      world.rules.*random_.Pick(AllRules()).value ^= true;
      return;
    }
    if (!options_.world) return;
    const World old = world;
    if (world.smmus.empty() || (!world.vtds.empty() && random_.OneIn(2))) {
      TweakVtd(&world.vtds[random_.Below(world.vtds.size())]);
      if (!ValidateWorld(world).empty()) world = old;
      return;
    }
    SmmuConfig& smmu = world.smmus[random_.Below(world.smmus.size())];
    static constexpr uint32_t kSizes[] = {1, 2, 3, 4, 8, 16, 64};
    switch (random_.Below(7)) {
      case 0:
        smmu.tlbEntries = random_.Pick(kSizes);
        break;
      case 1:
        smmu.walkCacheEntries = random_.Pick(kSizes);
        break;
      case 2:
        smmu.configCacheEntries = random_.Pick(kSizes);
        break;
      case 3:
        smmu.vmidLimit = random_.Pick(kSizes);
        break;
      case 4:
        smmu.asidLimit = random_.Pick(kSizes);
        break;
      case 5:
        world.processes[random_.Below(world.processes.size())].memlockPages = random_.Below(64);
        break;
      default:
        if (world.devices.empty()) break;
        world.devices[random_.Below(world.devices.size())].transactionBytes =
            random_.OneIn(2) ? 0 : 4;
        break;
    }
    if (!ValidateWorld(world).empty()) world = old;
  }

  Trace* trace_;
  std::vector<Op>& ops_;
  Random& random_;
  const MutateOptions& options_;
};

}  // namespace

void Bound(Trace* trace, const MutateOptions& options) {
  if (trace->ops.size() > options.max_ops) trace->ops.resize(options.max_ops);
  for (Op& op : trace->ops)
    if (op.blob.size() > options.max_blob) op.blob.resize(options.max_blob);
}

void Mutate(Trace* trace, Random& random, const MutateOptions& options) {
  Bound(trace, options);
  trace->expect.clear(), trace->damages.clear();
  for (Op& op : trace->ops) op.recorded.reset();  // of another trace than the changed one
  Mutator mutator(trace, random, options);
  uint64_t changes = 1 + random.Below(3);
  if (random.OneIn(8)) changes += random.Below(12);
  while (changes-- > 0) mutator.Once();
  Bound(trace, options);
}

Trace Splice(const Trace& a, const Trace& b, Random& random, const MutateOptions& options) {
  Trace result;
  result.world = a.world;
  result.ops = a.ops;
  const size_t keep = random.OneIn(4) ? random.Below(a.ops.size() + 1) : a.ops.size();
  result.ops.resize(std::min({keep, options.max_ops, result.ops.size()}));
  if (random.OneIn(2)) {
    AppendOps(&result.ops, b.ops);  // as a second client of the same machine
  } else {
    // b's Ops on a's objects, kind by kind: handles keep their ordinals.
    const size_t first = random.Below(b.ops.size() + 1);
    for (size_t i = first; i < b.ops.size(); ++i) result.ops.push_back(b.ops[i]);
    DangleForward(&result.ops);
  }
  for (Op& op : result.ops) op.recorded.reset();
  Bound(&result, options);
  return result;
}

}  // namespace twinwalk::fuzz
