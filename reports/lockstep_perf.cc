// Speed of the lockstep and of its parts, as thread CPU time, beside a calibrator in the same run:
// compare ratios to l1_load_chain, not nanoseconds. `ninja bench` writes build/bench.json.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "model/model.h"
#include "model/walk_smmuv3.h"
#include "reference/reference.h"
#include "traces/lockstep.h"
#include "traces/reader.h"
#include "traces/text.h"
#include "traces/writer.h"

namespace twinwalk {
namespace {

// A chain of dependent loads that hit the first-level cache: the unit of everything below.
void BM_L1LoadChain(benchmark::State& state) {
  constexpr int kSlots = 1024;
  std::vector<uint32_t> next(kSlots);
  for (int i = 0; i < kSlots; ++i) next[i] = (i * 5 + 1) % kSlots;
  uint32_t at = 0;
  for (auto _ : state) {
    for (int i = 0; i < 1000; ++i) at = next[at];
    benchmark::DoNotOptimize(at);
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_L1LoadChain)->Name("l1_load_chain");

// ---- Workloads
// -----------------------------------------------------------------------------------

constexpr char kSetup[] = R"(# twinwalk trace 1
world name=perf preset=repaired
world device streamId=0x80
iommu: open node=iommu
cdev: open node=vfio-cdev device=0
dev: bind_iommufd fd=%cdev iommufd=%iommu
ram: mmap base=0x7f0000000000 length=0x40000 prot=3
ioas: ioas_alloc fd=%iommu
map: ioas_map fd=%iommu flags=7 ioasId=%ioas userMap=%ram userVa=+0 length=0x40000 iova=0x10000000
parent: hwpt_alloc fd=%iommu flags=1 devId=%dev ptId=%ioas
viommu: viommu_alloc fd=%iommu type=1 devId=%dev hwptId=%parent
vdev: vdevice_alloc fd=%iommu viommuId=%viommu devId=%dev virtId=0x10
mem_write map=%ram address=+0 blob=q0x16202c0000019+q0x10001000
mem_write map=%ram address=+0x1000 blob=q0x10002003
mem_write map=%ram address=+0x2010 blob=q0x10003003
mem_write map=%ram address=+0x3000 blob=q0x10008f43+q0x10009f43+q0x1000af43+q0x1000bf43
nested: hwpt_alloc fd=%iommu devId=%dev ptId=%viommu dataType=2 dataLen=16 dataPtr=0x1000 blob=q0x1000000b+q0xd4
attach_iommufd_pt fd=%cdev ptId=%nested
)";

Trace Setup() {
  Result<Trace> trace = ParseTrace(kSetup, "setup");
  if (!trace.ok()) std::abort();
  return *trace;
}

Op Line(const Trace& trace, const std::string& text) {
  Result<Op> op = ParseOp(text, trace.ops.size());
  if (!op.ok()) std::abort();
  return *op;
}

// 75 % DMA through the nested tables, 20 % map and unmap of a spare range, 5 % other calls. The
// list ends in the state that it began in, so it can be run round and round.
std::vector<Op> Mix(const Trace& setup) {
  std::vector<Op> ops;
  const auto add = [&](const std::string& text) { ops.push_back(Line(setup, text)); };
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 15; ++i) {
      const std::string iova = std::to_string(0x400000 + (i * 7 + round) % 4 * 0x1000 + i * 16);
      if (i % 2 == 0)
        add("dma device=0 iova=" + iova + " length=8");
      else
        add("dma device=0 flags=1 iova=" + iova + " length=8 blob=q0x1122334455667788");
      if (i % 5 == 4) {
        add("ioas_map fd=%0 flags=7 ioasId=%4 userMap=%3 userVa=+0x20000 length=0x2000 "
            "iova=0x20000000");
        if (i != 14) add("ioas_unmap fd=%0 ioasId=%4 iova=0x20000000 length=0x2000");
      }
    }
    add("ioas_unmap fd=%0 ioasId=%4 iova=0x20000000 length=0x2000");
    add(round % 2 == 0 ? "hwpt_invalidate fd=%0 hwptId=%7 dataType=1 entryLen=16 entryNum=1 "
                         "dataPtr=0x1000 blob=q0x0001000000000012+q0x400001"
                       : "ioas_iova_ranges fd=%0 ioasId=%4 numIovas=4 bufWritable=64 "
                         "allowedIovas=0x1000");
  }
  return ops;
}

void RunLockstep(benchmark::State& state, CheckLevel level) {
  const Trace setup = Setup();
  const std::vector<Op> mix = Mix(setup);
  auto model = MakeModel();
  auto reference = MakeReference();
  Lockstep lockstep(model.get(), reference.get(), level);
  uint64_t ops = 0, restarts = 0;
  for (auto _ : state) {
    // Handles are ordinals, so every round begins anew; the setup is 7 % of it and counted.
    lockstep.Reset(setup.world);
    for (const Op& op : setup.ops) lockstep.Step(op);
    for (const Op& op : mix)
      if (!lockstep.Step(op)) state.SkipWithError("a finding in the benchmark's trace");
    ops += setup.ops.size() + mix.size();
    ++restarts;
  }
  state.SetItemsProcessed(static_cast<int64_t>(ops));
}
void BM_LockstepOutcome(benchmark::State& s) {
  RunLockstep(s, CheckLevel::kOutcome);
}
void BM_LockstepTouched(benchmark::State& s) {
  RunLockstep(s, CheckLevel::kTouched);
}
void BM_LockstepFull(benchmark::State& s) {
  RunLockstep(s, CheckLevel::kFull);
}
BENCHMARK(BM_LockstepOutcome)->Name("lockstep/outcome");
BENCHMARK(BM_LockstepTouched)->Name("lockstep/touched");
BENCHMARK(BM_LockstepFull)->Name("lockstep/full");

// One Machine alone on the same Ops: its share of the lockstep.
void RunAlone(benchmark::State& state, Machine* machine) {
  const Trace setup = Setup();
  const std::vector<Op> mix = Mix(setup);
  uint64_t ops = 0;
  Resolver resolver;
  for (auto _ : state) {
    machine->Reset(setup.world);
    resolver.Clear();
    for (const auto* list : {&setup.ops, &mix}) {
      for (const Op& op : *list) resolver.Record(op, machine->Step(resolver.Resolve(op)));
      ops += list->size();
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(ops));
}
void BM_Model(benchmark::State& s) {
  RunAlone(s, MakeModel().get());
}
void BM_Reference(benchmark::State& s) {
  RunAlone(s, MakeReference().get());
}
BENCHMARK(BM_Model)->Name("alone/model");
BENCHMARK(BM_Reference)->Name("alone/reference");

// ---- Translation
// ---------------------------------------------------------------------------------

// Accesses of the model that hit its TLB: translation, plus the Outcome around it.
void BM_TlbHit(benchmark::State& state) {
  const Trace setup = Setup();
  auto model = MakeModel();
  model->Reset(setup.world);
  Resolver resolver;
  for (const Op& op : setup.ops) resolver.Record(op, model->Step(resolver.Resolve(op)));
  const Op dma = Line(setup, "dma device=0 iova=0x401000 length=8");
  for (auto _ : state) benchmark::DoNotOptimize(model->Step(dma).pieces.data());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TlbHit)->Name("model/dma_tlb_hit");

class FlatMemory : public WalkMemory {
 public:
  bool Read64(uint64_t address, uint64_t* value) override {
    const uint64_t index = address / 8;
    *value = index < words.size() ? words[index] : 0;
    return true;
  }
  std::vector<uint64_t> words = std::vector<uint64_t>(0x4000, 0);
};

// Stage 1 (39 bits) over stage 2 (40 bits, start at level 1): 3 x (3 + 1) + 3 descriptor reads,
// plus STE and CD, with no cache at all.
void BM_NestedWalk(benchmark::State& state) {
  FlatMemory m;
  const auto put = [&](uint64_t address, uint64_t value) { m.words[address / 8] = value; };
  put(0x1080, 0x400f), put(0x1090, 0x44c005800000009), put(0x1098, 0x8000);  // SID 2
  put(0x8000, 0xa003), put(0xa000, 0xb003);  // stage 2: IPA 0x0.. by 4 KiB pages
  for (uint64_t page = 0; page < 16; ++page) put(0xb000 + page * 8, page * 0x1000 + 0x4c3);
  put(0x4000, 0x11e202c0000019), put(0x4008, 0x5000);  // CD, TTB0 at IPA 0x5000
  put(0x5000, 0x6003), put(0x6000, 0x7003), put(0x7000, 0x9c43);
  SmmuRegs regs;
  regs.idr = SmmuConfig().idr;
  regs.strtabBase = 0x1000, regs.strtabBaseCfg = 4;
  WalkQuery query;
  query.sid = 2, query.address = 0x123;
  if (model::WalkSmmuv3(regs, m, query).event != 0) state.SkipWithError("the walk faults");
  for (auto _ : state) benchmark::DoNotOptimize(model::WalkSmmuv3(regs, m, query).pa);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_NestedWalk)->Name("model/nested_walk_uncached");

// ---- Decoding
// ------------------------------------------------------------------------------------

Trace LongTrace() {
  Trace trace = Setup();
  const std::vector<Op> mix = Mix(trace);
  while (trace.ops.size() < 1 << 20)  // as many as do not fit into a cache
    trace.ops.insert(trace.ops.end(), mix.begin(), mix.end());
  return trace;
}

void BM_Decode(benchmark::State& state, FrameCodec codec) {
  const Result<std::string> bytes = TraceBytes(LongTrace(), {codec});
  if (!bytes.ok()) std::abort();
  uint64_t ops = 0;
  Op op;
  for (auto _ : state) {
    auto reader = TraceReader::OpenBytes(*bytes, "bench");
    if (!reader.ok()) state.SkipWithError("the trace does not open");
    while (reader->Next(&op)) ++ops;
  }
  state.SetItemsProcessed(static_cast<int64_t>(ops));
  state.SetBytesProcessed(static_cast<int64_t>(ops * sizeof(OpData)));
}
BENCHMARK_CAPTURE(BM_Decode, plain, FrameCodec::kPlain)->Name("decode/plain");
BENCHMARK_CAPTURE(BM_Decode, lz4, FrameCodec::kLz4)->Name("decode/lz4");

void BM_DecodeMemcpy(benchmark::State& state) {
  const Trace trace = LongTrace();
  std::vector<OpData> from(trace.ops.begin(), trace.ops.end()), to(from.size());
  for (auto _ : state) {
    std::memcpy(static_cast<void*>(to.data()), from.data(), from.size() * sizeof(OpData));
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * from.size()));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * from.size() * sizeof(OpData)));
}
BENCHMARK(BM_DecodeMemcpy)->Name("decode_memcpy");

}  // namespace
}  // namespace twinwalk

BENCHMARK_MAIN();
