#include "fuzz/generate.h"

#include <array>

#include "fuzz/edit.h"
#include "fuzz/guest.h"

namespace twinwalk::fuzz {
namespace {

// How often each Step is taken, before the swarm multiplies: in the order of Step.
constexpr std::array<uint8_t, kSteps> kWeights = {
    1,   // open iommu
    1,   // open cdev
    2,   // close
    1,   // dup
    1,   // bind
    3,   // attach paging
    6,   // attach nested
    3,   // detach
    1,   // ioas alloc
    2,   // map guest
    5,   // map more
    5,   // unmap
    1,   // ranges
    1,   // hw info
    2,   // hwpt plain
    2,   // hwpt parent
    3,   // hwpt nested
    2,   // viommu
    2,   // vdevice
    2,   // veventq
    8,   // invalidate
    5,   // destroy
    2,   // read
    1,   // poll
    1,   // mmap
    1,   // munmap
    1,   // memfd
    3,   // write tables
    8,   // write entry
    2,   // write data
    24,  // dma
    1,   // fail alloc
    1,   // raw
};

class Swarm {
 public:
  explicit Swarm(Random& random) {
    static constexpr uint32_t kFactors[] = {0, 1, 2, 2, 4, 8};
    for (int s = 0; s < kSteps; ++s) {
      weights_[s] = kWeights[s] * random.Pick(kFactors);
      total_ += weights_[s];
    }
    total_ += weights_[static_cast<int>(Step::kDma)] += 8;
  }
  Step Pick(Random& random) const {
    uint64_t at = random.Below(total_);
    for (int s = 0; s < kSteps; ++s) {
      if (at < weights_[s]) return static_cast<Step>(s);
      at -= weights_[s];
    }
    return Step::kDma;
  }

 private:
  std::array<uint32_t, kSteps> weights_{};
  uint64_t total_ = 0;
};

using Script = std::vector<Step>;
Script NestedScript() {
  return {Step::kOpenIommu,    Step::kOpenCdev, Step::kBind,       Step::kMmap,
          Step::kIoasAlloc,    Step::kMapGuest, Step::kHwptParent, Step::kViommu,
          Step::kVdevice,      Step::kVeventq,  Step::kHwptNested, Step::kWriteTables,
          Step::kAttachNested, Step::kDma};
}
Script PagingScript() {
  return {Step::kOpenIommu, Step::kOpenCdev, Step::kBind,         Step::kMmap,
          Step::kIoasAlloc, Step::kMapGuest, Step::kAttachPaging, Step::kDma};
}

World StarterWorld() {
  Random random(1);
  World world = RandomWorld(random, false);
  world.smmus.resize(1);
  for (size_t i = 0; i < world.devices.size(); ++i)
    world.devices[i].smmu = 0, world.devices[i].group = static_cast<uint32_t>(i);
  for (ProcessConfig& process : world.processes) process = ProcessConfig{};
  return world;
}

Trace Scripted(uint64_t seed, const std::vector<Script>& scripts) {
  Random random(seed);
  Trace trace;
  trace.world = StarterWorld();
  GrowOptions options;
  options.broken_one_in = options.odd_one_in = 0;
  Builder builder(trace.world, &random, options);
  for (const Script& script : scripts)
    for (Step step : script) builder.Want(step, 64);
  trace.ops = std::move(builder.ops());
  return trace;
}

}  // namespace

World RandomWorld(Random& random, bool flip_rules) {
  static constexpr uint32_t kTlb[] = {4, 4, 8, 8, 16, 64}, kWalk[] = {1, 2, 4, 8, 16};
  static constexpr uint32_t kConfig[] = {1, 2, 4, 8}, kTags[] = {2, 3, 3, 4, 4, 65536};
  World world;
  world.name = "generated";
  world.rules = PresetRules(random.OneIn(4) ? Preset::kRepaired : Preset::kLinux72);
  world.smmus.resize(random.OneIn(8) ? 2 : 1);
  for (SmmuConfig& smmu : world.smmus) {
    smmu.tlbEntries = random.Pick(kTlb);
    smmu.walkCacheEntries = random.Pick(kWalk);
    smmu.configCacheEntries = random.Pick(kConfig);
    smmu.vmidLimit = random.Pick(kTags);
    smmu.asidLimit = random.Pick(kTags);
    smmu.canNest = !random.OneIn(32);
  }
  world.devices.resize(3);
  for (size_t i = 0; i < world.devices.size(); ++i) {
    DeviceConfig& device = world.devices[i];
    device.smmu = static_cast<uint32_t>(random.Below(world.smmus.size()));
    device.streamId = 0x10 + static_cast<uint32_t>(i) * 8;
    device.group = static_cast<uint32_t>(random.OneIn(8) ? 0 : i);
    if (device.group == 0) device.smmu = world.devices[0].smmu;
    device.transactionBytes = random.OneIn(16) ? 4 : 0;
  }
  world.processes.resize(2);
  for (ProcessConfig& process : world.processes) {
    process.uid = static_cast<uint32_t>(random.Below(2));
    process.ipcLock = random.OneIn(4);
    if (random.OneIn(4)) process.memlockPages = random.Below(40);
  }
  if (random.OneIn(8)) world.swMsiFirst = 1, world.swMsiLast = 0;
  if (flip_rules) {
    const auto& rules = AllRules();
    world.rules.*random.Pick(rules).value ^= true;
  }
  return world;
}

Trace RandomTrace(uint64_t seed, const GenerateOptions& options) {
  Random random(seed);
  Trace trace;
  trace.world = RandomWorld(random, options.flip_rules);
  GrowOptions grow = options.grow;
  if (random.OneIn(3)) grow.broken_one_in = grow.odd_one_in = 0;  // deep traces need good ones
  Builder builder(trace.world, &random, grow);
  const Swarm swarm(random);
  const uint64_t start = random.Below(8);
  if (start < 5)
    for (Step step : NestedScript()) builder.Want(step, options.max_ops);
  if (start == 4 || start == 5)
    for (Step step : PagingScript()) builder.Want(step, options.max_ops);
  if (start <= 1)  // a second VM
    for (Step step : NestedScript()) builder.Want(step, options.max_ops);
  for (size_t tries = 0; builder.ops().size() < options.max_ops && tries < 4 * options.max_ops;
       ++tries)
    builder.Want(swarm.Pick(random), options.max_ops);
  trace.ops = std::move(builder.ops());
  return trace;
}

std::vector<Starter> StarterTraces() {
  using S = Step;
  const Script nested = NestedScript(), paging = PagingScript();
  const Script guest_changes{S::kDma, S::kWriteEntry, S::kDma,        S::kInvalidate,
                             S::kDma, S::kWriteEntry, S::kInvalidate, S::kDma};
  const Script host_changes{S::kDma,     S::kUnmap, S::kDma,   S::kMapMore, S::kDma,
                            S::kMapMore, S::kDma,   S::kUnmap, S::kDma};
  const Script leave{S::kDma,     S::kDetach,  S::kDma, S::kDestroy, S::kDestroy,
                     S::kDestroy, S::kDestroy, S::kDma, S::kClose,   S::kClose};
  const Script replace{S::kHwptNested,   S::kWriteTables, S::kAttachNested, S::kDma, S::kHwptPlain,
                       S::kAttachPaging, S::kDma,         S::kAttachNested, S::kDma};
  const Script events{S::kDma,  S::kWriteEntry, S::kInvalidate, S::kDma,  S::kPoll,
                      S::kRead, S::kDma,        S::kDma,        S::kRead, S::kPoll};
  const Script questions{S::kHwInfo, S::kRanges, S::kDup,     S::kFailAlloc, S::kMapMore,  S::kRaw,
                         S::kMemfd,  S::kMmap,   S::kMapMore, S::kMunmap,    S::kWriteData};
  return {{"nested_guest", Scripted(11, {nested, guest_changes, guest_changes})},
          {"nested_host", Scripted(12, {nested, host_changes, host_changes})},
          {"nested_leave", Scripted(13, {nested, leave, nested, leave})},
          {"nested_replace", Scripted(14, {nested, replace, leave})},
          {"nested_events", Scripted(15, {nested, events, events})},
          {"two_vms", Scripted(16, {nested, nested, guest_changes, host_changes})},
          {"paging", Scripted(17, {paging, host_changes, leave, paging, host_changes})},
          {"mixed", Scripted(18, {nested, paging, host_changes, replace})},
          {"questions", Scripted(19, {paging, questions, nested, questions})}};
}

void EachTrace(const Trace& prefix, const std::vector<Op>& alphabet, size_t length,
               const std::function<bool(const Trace&)>& f) {
  if (alphabet.empty() && length > 0) return;
  std::vector<size_t> digits(length, 0);
  for (;;) {
    Trace trace = prefix;
    for (size_t digit : digits) trace.ops.push_back(alphabet[digit]);
    if (!f(trace)) return;
    size_t at = length;
    while (at > 0 && ++digits[at - 1] == alphabet.size()) digits[--at] = 0;
    if (at == 0) return;
  }
}

void NestedAlphabet(Trace* prefix, std::vector<Op>* alphabet) {
  Random random(21);
  GrowOptions options;
  options.broken_one_in = options.odd_one_in = 0;
  prefix->world = StarterWorld();
  Builder builder(prefix->world, &random, options);
  for (Step step : NestedScript()) builder.Want(step, 64);
  Grower grower(&builder.scene(), &random, options);
  for (Step step :
       {Step::kDma, Step::kDma, Step::kWriteEntry, Step::kInvalidate, Step::kUnmap, Step::kMapGuest,
        Step::kDetach, Step::kAttachNested, Step::kDestroy, Step::kClose}) {
    Op op;
    Step missing = step;
    if (grower.Make(step, &op, &missing)) alphabet->push_back(std::move(op));
  }
  prefix->ops = std::move(builder.ops());
}

}  // namespace twinwalk::fuzz
