// Random Ops, Worlds and traces for tests of the file and text side: every field, every kind,
// garbage in places that no field names. Not meant to make sense to a Machine.
#ifndef TWINWALK_TRACES_TEST_TRACE_H_
#define TWINWALK_TRACES_TEST_TRACE_H_

#include <random>
#include <string>

#include "traces/trace.h"

namespace twinwalk {

// Small, at an edge, or anything.
inline uint64_t RandomWord(std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      return 0;
    case 1:
      return random() % 50;
    case 2:
      return ~uint64_t{0} >> random() % 64;
    default:
      return random() >> random() % 64;
  }
}

inline std::string RandomBytes(std::mt19937_64& random, size_t max) {
  std::string out(random() % (max + 1), static_cast<char>(random()));
  if (random() % 2 == 0)
    for (char& c : out) c = static_cast<char>(random());
  return out;
}

inline Outcome RandomOutcome(std::mt19937_64& random) {
  Outcome o;
  switch (random() % 3) {
    case 0:
      o.known = static_cast<uint16_t>(random());
      break;
    case 1:
      o.known &= static_cast<uint16_t>(random());
      break;
    default:
      break;
  }
  o.err = static_cast<uint16_t>(RandomWord(random));
  o.id = static_cast<uint32_t>(RandomWord(random));
  o.fd = static_cast<uint32_t>(RandomWord(random));
  o.ret = static_cast<int64_t>(RandomWord(random));
  for (uint64_t& value : o.values) value = RandomWord(random);
  o.out = RandomBytes(random, 40);
  o.data = RandomBytes(random, 40);
  o.pieces.resize(random() % 3);
  for (Piece& piece : o.pieces) {
    piece.iova = RandomWord(random);
    piece.length = static_cast<uint32_t>(RandomWord(random));
    piece.fault = static_cast<uint8_t>(RandomWord(random));
    if (piece.fault != 0 && random() % 2 == 0) continue;
    piece.rights = static_cast<uint8_t>(random() % 5);
    piece.backing = RandomWord(random);
    piece.offset = RandomWord(random);
  }
  o.events.resize(random() % 3);
  for (FaultRecord& event : o.events) {
    event.queue = RandomWord(random);
    event.position = static_cast<uint32_t>(RandomWord(random));
    for (uint64_t& word : event.words) word = RandomWord(random);
  }
  return o;
}

inline Op RandomOp(std::mt19937_64& random, uint64_t ordinal) {
  Op op;
  op.kind = static_cast<OpKind>(random() % kOpKinds);
  op.process = static_cast<uint8_t>(RandomWord(random));
  op.results = static_cast<uint8_t>(random() % 2 == 0 ? 0 : random());
  op.fd = static_cast<uint32_t>(random() % 2 == 0 ? random() % (ordinal + 1) : RandomWord(random));
  op.size = random() % 2 == 0 ? StructSize(op.kind) : static_cast<uint32_t>(RandomWord(random));
  op.readable = static_cast<uint16_t>(random() % 2 == 0 ? op.size : RandomWord(random));
  op.writable = static_cast<uint16_t>(random() % 2 == 0 ? op.size : RandomWord(random));
  for (uint64_t& word : op.words) word = random() % 2 == 0 ? 0 : RandomWord(random);
  op.blob = RandomBytes(random, random() % 8 == 0 ? 300 : 24);
  if (random() % 2 == 0) op.blob.resize(op.blob.size() / 4 * 4);  // payloads of whole words
  if (random() % 2 == 0) op.recorded = RandomOutcome(random);
  return op;
}

// ValidateWorld accepts it.
inline World RandomWorld(std::mt19937_64& random) {
  World world;
  world.name = RandomBytes(random, 12);
  world.smmus.resize(1 + random() % kMaxSmmus);
  for (SmmuConfig& smmu : world.smmus) {
    if (random() % 2 == 0) continue;
    for (uint32_t& word : smmu.idr) word = static_cast<uint32_t>(RandomWord(random));
    smmu.iidr = static_cast<uint32_t>(random());
    smmu.aidr = static_cast<uint32_t>(random());
    for (uint32_t* limit :
         {&smmu.vmidLimit, &smmu.asidLimit, &smmu.tlbEntries, &smmu.walkCacheEntries,
          &smmu.configCacheEntries, &smmu.eventQueueEntries})
      *limit = 1 + random() % 65536;
    smmu.canNest = random() % 2 == 0;
  }
  world.devices.resize(random() % 5);
  for (size_t i = 0; i < world.devices.size(); ++i) {
    world.devices[i].smmu = static_cast<uint32_t>(random() % world.smmus.size());
    world.devices[i].streamId = static_cast<uint32_t>(i << 20 | random() % 1000);
    world.devices[i].group = static_cast<uint32_t>(random() % 3);
    world.devices[i].transactionBytes = static_cast<uint32_t>(random() % 2 * 4);
  }
  world.processes.resize(1 + random() % kMaxProcesses);
  for (ProcessConfig& process : world.processes) {
    process.uid = static_cast<uint32_t>(random() % 2);
    process.ipcLock = random() % 2 == 0;
    process.memlockPages = RandomWord(random);
  }
  world.vtds.resize(random() % (kMaxVtds + 1));
  for (VtdConfig& vtd : world.vtds) {
    if (random() % 2 == 0) continue;
    vtd.cap = RandomWord(random), vtd.ecap = RandomWord(random);
    vtd.scalable = random() % 2 == 0, vtd.interruptRemapping = random() % 2 == 0;
    vtd.hostAddressBits = static_cast<uint32_t>(36 + random() % 17);
    for (uint32_t* limit : {&vtd.didLimit, &vtd.iotlbEntries, &vtd.walkCacheEntries,
                            &vtd.contextCacheEntries, &vtd.faultRecords})
      *limit = 1 + random() % 65536;
  }
  for (DeviceConfig& device : world.devices) {
    VfioConfig& vfio = device.vfio;
    vfio.name = RandomBytes(random, 12);
    vfio.resets = random() % 2 == 0, vfio.pcie = random() % 2 == 0;
    vfio.slotResets = random() % 2 == 0, vfio.slotResetFails = random() % 2 == 0;
    vfio.featureGet = RandomWord(random), vfio.featureSet = RandomWord(random);
    vfio.regions.resize(random() % 11);
    for (RegionConfig& region : vfio.regions) {
      region.size = random() % (uint64_t{1} << 40), region.flags = random() % 8;
      region.msixMappable = random() % 2 == 0;
      region.sparse.resize(random() % 3);
      for (auto& piece : region.sparse)
        piece.offset = RandomWord(random), piece.size = RandomWord(random);
    }
    vfio.irqs.resize(random() % 7);
    for (uint32_t& irq : vfio.irqs) irq = static_cast<uint32_t>(random());
  }
  world.functions.resize(random() % 6);
  for (size_t i = 0; i < world.functions.size(); ++i) {
    PciFunction& function = world.functions[i];
    function.rid = random() % 65536, function.kind = random() % 7;
    function.parent = static_cast<uint32_t>(random() % (i + 1));
    function.acs = random() % 2 == 0, function.multifunction = random() % 2 == 0;
    function.aliasDevfn = random() % 257, function.driver = random() % 5;
    if (i < world.devices.size()) function.device = static_cast<uint32_t>(i + 1);
  }
  for (ProcessConfig& process : world.processes) {
    process.rawIo = random() % 2 == 0, process.sysResource = random() % 2 == 0;
    process.unborn = random() % 2 == 0;
  }
  world.allowUnsafeInterrupts = random() % 2 == 0, world.noiommu = random() % 2 == 0;
  world.dmaEntryLimit = static_cast<uint32_t>(random());
  world.disableHugepages = random() % 2 == 0, world.iommufdContainer = random() % 2 == 0;
  world.frames = 1 + random() % 100000;
  world.swMsiFirst = RandomWord(random);
  world.swMsiLast = RandomWord(random);
  for (const RuleInfo& rule : AllRules()) world.rules.*rule.value = random() % 2 == 0;
  return world;
}

inline Trace RandomTrace(std::mt19937_64& random, size_t ops) {
  Trace trace;
  trace.world = RandomWorld(random);
  for (size_t i = 0; i < ops; ++i) trace.ops.push_back(RandomOp(random, i));
  if (random() % 2 == 0)
    trace.expect = random() % 2 == 0 ? "violation confinement" : RandomBytes(random, 9);
  return trace;
}

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_TEST_TRACE_H_
