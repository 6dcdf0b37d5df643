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
    1,   // OpenContainer
    1,   // OpenGroup
    1,   // Version
    1,   // Extension
    2,   // SetIommu
    1,   // Type1Info
    5,   // Type1Map
    5,   // Type1Unmap
    1,   // Type1Dirty
    1,   // GroupStatus
    2,   // SetContainer
    2,   // UnsetContainer
    1,   // DeviceFd
    1,   // DeviceInfo
    1,   // RegionInfo
    1,   // IrqInfo
    1,   // SetIrqs
    1,   // DeviceReset
    1,   // HotResetInfo
    1,   // HotReset
    1,   // Ioeventfd
    1,   // Feature
    1,   // Write
    1,   // Eventfd
    1,   // Fork
    1,   // Exec
    1,   // Exit
    2,   // PassFd
    1,   // Setrlimit
    2,   // AllowIovas
    4,   // Copy
    3,   // MapFile
    1,   // Option
    1,   // VfioIoas
    1,   // SetDirty
    1,   // GetDirty
    1,   // FaultQueue
    1,   // ChangeProcess
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

Script ContainerScript() {
  return {Step::kOpenContainer, Step::kOpenGroup, Step::kSetContainer, Step::kSetIommu,
          Step::kMmap,          Step::kType1Map,  Step::kDeviceFd,     Step::kDma};
}

World StarterWorld() {
  Random random(1);
  World world = RandomWorld(random, false);
  world.smmus.resize(1);
  world.vtds.clear(), world.functions.clear();
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

// A device with a BAR, an expansion ROM that is not there, a config space and some interrupts.
VfioConfig RandomVfio(Random& random, size_t index) {
  VfioConfig vfio;
  vfio.name = "0000:00:0" + std::to_string(index) + ".0";
  vfio.resets = random.OneIn(2), vfio.pcie = random.OneIn(2), vfio.slotResets = random.OneIn(4);
  vfio.slotResetFails = random.OneIn(16);
  vfio.regions[0] = {0x4000, 7, random.OneIn(4), {}};
  if (random.OneIn(4)) vfio.regions[0].sparse = {{0, 0x1000}, {0x2000, 0x1000}};
  vfio.regions[7] = {0x100, 3, false, {}};
  vfio.irqs = {static_cast<uint32_t>(random.Below(2)), static_cast<uint32_t>(random.Below(4)),
               static_cast<uint32_t>(random.Below(3)), vfio.pcie ? 1u : 0u, 1};
  vfio.featureGet = random.Next() & 0x1fff, vfio.featureSet = random.Next() & 0x1fff;
  return vfio;
}

// A small tree of bridges and ports above the devices, and a neighbour that VFIO does not know.
std::vector<PciFunction> RandomFunctions(Random& random, size_t devices) {
  static constexpr uint32_t kAbove[] = {PciFunction::kRootPort,     PciFunction::kRootPort,
                                        PciFunction::kUpstreamPort, PciFunction::kDownstreamPort,
                                        PciFunction::kPcieToPci,    PciFunction::kPciBridge};
  std::vector<PciFunction> functions;
  const uint64_t bridges = random.Below(4);
  for (uint64_t i = 0; i < bridges + devices + 1; ++i) {
    PciFunction f;
    f.rid = static_cast<uint32_t>(i << 3 | random.Below(2));
    f.parent = static_cast<uint32_t>(random.Below(std::min(i, bridges) + 1));
    f.acs = !random.OneIn(3), f.multifunction = random.OneIn(8);
    f.kind = i < bridges ? random.Pick(kAbove) : random.Below(2);
    f.driver = i < bridges ? PciFunction::kInterconnect : PciFunction::kVfio;
    if (i >= bridges && i < bridges + devices) f.device = static_cast<uint32_t>(i - bridges + 1);
    if (i == bridges + devices) f.driver = static_cast<uint32_t>(random.Below(5));
    if (random.OneIn(16)) f.aliasDevfn = static_cast<uint32_t>(random.Below(32) + 1);
    functions.push_back(f);
  }
  return functions;
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
  if (random.OneIn(3)) {  // and VT-d units, alone or beside it
    if (random.OneIn(2)) world.smmus.clear();
    world.vtds.resize(random.OneIn(8) ? 2 : 1);
    for (VtdConfig& vtd : world.vtds) {
      vtd.iotlbEntries = random.Pick(kTlb);
      vtd.walkCacheEntries = random.Pick(kWalk);
      vtd.contextCacheEntries = random.Pick(kConfig);
      vtd.didLimit = random.Pick(kTags);
      vtd.interruptRemapping = !random.OneIn(16);
    }
  }
  const size_t iommus = world.smmus.size() + world.vtds.size();
  world.devices.resize(3);
  for (size_t i = 0; i < world.devices.size(); ++i) {
    DeviceConfig& device = world.devices[i];
    device.smmu = static_cast<uint32_t>(random.Below(iommus));
    device.vfio = RandomVfio(random, i);
    device.streamId = 0x10 + static_cast<uint32_t>(i) * 8;
    device.group = static_cast<uint32_t>(random.OneIn(8) ? 0 : i);
    if (device.group == 0) device.smmu = world.devices[0].smmu;
    device.transactionBytes = random.OneIn(16) ? 4 : 0;
  }
  if (random.OneIn(4)) {  // groups are derived: the numbers only name them
    world.functions = RandomFunctions(random, world.devices.size());
    for (size_t i = 0; i < world.devices.size(); ++i) {
      world.devices[i].group = static_cast<uint32_t>(i);
      world.devices[i].smmu = world.devices[0].smmu;
    }
  }
  world.allowUnsafeInterrupts = random.OneIn(8), world.disableHugepages = random.OneIn(8);
  world.iommufdContainer = random.OneIn(8);
  if (random.OneIn(8)) world.dmaEntryLimit = static_cast<uint32_t>(random.Below(4));
  world.processes.resize(3);
  world.processes[2].unborn = true;
  for (ProcessConfig& process : world.processes) {
    process.uid = static_cast<uint32_t>(random.Below(2));
    process.ipcLock = random.OneIn(4);
    process.sysResource = random.OneIn(4), process.rawIo = random.OneIn(4);
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
  if (start == 1 || start >= 6)
    for (Step step : ContainerScript()) builder.Want(step, options.max_ops);
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
  const Script container = ContainerScript();
  const Script container_changes{S::kDma,       S::kType1Unmap, S::kDma,        S::kType1Map,
                                 S::kType1Map,  S::kDma,        S::kType1Dirty, S::kType1Unmap,
                                 S::kType1Info, S::kDma,        S::kType1Dirty, S::kType1Unmap};
  const Script container_leave{S::kClose, S::kUnsetContainer, S::kDma,   S::kClose,
                               S::kDma,   S::kUnsetContainer, S::kClose, S::kDma};
  const Script devices{S::kDeviceInfo, S::kRegionInfo, S::kIrqInfo,      S::kEventfd,
                       S::kSetIrqs,    S::kFeature,    S::kHotResetInfo, S::kHotReset,
                       S::kRead,       S::kWrite,      S::kDeviceReset,  S::kIoeventfd};
  const Script core{S::kMemfd, S::kMapFile, S::kDma,          S::kIoasAlloc,  S::kCopy,
                    S::kCopy,  S::kUnmap,   S::kOption,       S::kFaultQueue, S::kAllowIovas,
                    S::kDma,   S::kUnmap,   S::kAttachPaging, S::kDma,        S::kChangeProcess};
  return {
      {"nested_guest", Scripted(11, {nested, guest_changes, guest_changes})},
      {"nested_host", Scripted(12, {nested, host_changes, host_changes})},
      {"nested_leave", Scripted(13, {nested, leave, nested, leave})},
      {"nested_replace", Scripted(14, {nested, replace, leave})},
      {"nested_events", Scripted(15, {nested, events, events})},
      {"two_vms", Scripted(16, {nested, nested, guest_changes, host_changes})},
      {"paging", Scripted(17, {paging, host_changes, leave, paging, host_changes})},
      {"mixed", Scripted(18, {nested, paging, host_changes, replace})},
      {"container", Scripted(20, {container, container_changes, container_changes})},
      {"container_leave", Scripted(21, {container, devices, container_leave, paging, container})},
      {"core", Scripted(22, {paging, core, host_changes, core})},
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
