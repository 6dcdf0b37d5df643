// One SMMUv3 of the model: stream table and context descriptors as bits in host memory, a command
// queue that is a real ring, TLB, walk caches and configuration cache. Drivers write configuration
// and submit commands; devices translate.
#ifndef TWINWALK_MODEL_SMMU_H_
#define TWINWALK_MODEL_SMMU_H_

#include <array>
#include <cstdint>
#include <vector>

#include "model/faults.h"
#include "model/host_memory.h"
#include "model/iotlb.h"
#include "model/translation.h"
#include "traces/machine.h"
#include "traces/world.h"

namespace twinwalk::model {

class Smmu {
 public:
  // Writes the stream table: an abort entry for each of the devices. `sids` by device index of the
  // World; those of other SMMUs are given as kNoStream.
  static constexpr uint64_t kNoStream = ~uint64_t{0};
  void Reset(uint32_t index, const SmmuConfig& config, const std::vector<uint64_t>& sids,
             const ModelFaults* faults, HostMemory* memory);
  void SetObserver(MicroStepObserver* observer) { observer_ = observer; }

  const SmmuConfig& config() const { return config_; }
  const SmmuRegs& regs() const { return regs_; }
  uint32_t index() const { return index_; }
  int OutputBits() const;  // OAS, at most 48

  // ---- Driver side ----
  // Puts an STE in force (words 0..3; the rest stay zero) and invalidates the old one. `owner`:
  // HWPT, 0: abort; `tag`: what its accesses are filed under. invalidate false: a planted fault.
  void WriteSte(uint32_t device, const std::array<uint64_t, 4>& ste, uint64_t owner,
                const TagName<uint64_t>& tag, bool invalidate);
  // Queues a command.
  void Submit(const Command& command);
  // Announces an invalidation, of which commands follow or went before, as issued; Sync announces
  // it as done.
  void Expect(MicroStep<uint64_t> step);
  // Queues a SYNC and waits until all commands before it completed.
  void Sync();

  // ---- Device side ----
  // `log` null: looks only (fills nothing).
  Translation Translate(uint32_t device, const WalkQuery& query, TranslationLog* log);
  Translation Peek(uint32_t device, const WalkQuery& query) const {
    return const_cast<Smmu*>(this)->Translate(device, query, nullptr);
  }

  // f(row, address): every retained entry; address: physical, of the first byte of a leaf.
  template <class F>
  void EachRetained(F&& f) const {
    configs_.Each([&](const ConfigEntry& e) {
      f(ConfigRowOf(e, index_), 0);
      if (e.config.stage1) f(CdRowOf(e, index_), 0);
    });
    tlb_.Each([&](const RangeEntry& e) { f(RowOf(e, index_), e.output); });
    walks_.Each([&](const RangeEntry& e) { f(RowOf(e, index_), e.output); });
  }

 private:
  struct CachedEnv;

  static constexpr uint64_t kRingEntries = 256;
  uint64_t SteAddress(uint64_t sid) const;
  void Put(const Command& command);
  void Consume();
  void Execute(const Command& command);
  void Announce(const MicroStep<uint64_t>& step) const {
    if (observer_ != nullptr) observer_->OnMicroStep(step);
  }
  const ConfigEntry* LoadEntry(uint32_t device, const WalkQuery& query, TranslationLog* log,
                               ConfigEntry* fresh);
  Translation TranslateWith(const ConfigEntry& entry, const WalkQuery& query, TranslationLog* log);
  Translation Finish(const StreamConfig& config, const WalkQuery& query, const Attributes& a,
                     const Stage& fault) const;
  Translation FromLeaf(const StreamConfig& config, const WalkQuery& query, const Attributes& a,
                       const RangeEntry& leaf, uint64_t va) const;
  RangeEntry MakeLeaf(const StreamConfig& config, const Translated& walked, uint64_t va,
                      uint64_t owner) const;

  uint32_t index_ = 0;
  SmmuConfig config_;
  SmmuRegs regs_;
  HostMemory* memory_ = nullptr;
  const ModelFaults* faults_ = nullptr;
  MicroStepObserver* observer_ = nullptr;
  std::vector<uint64_t> sids_;               // by device
  std::vector<uint64_t> owners_;             // by device: HWPT named by its STE
  uint64_t ring_ = 0;                        // address of the command queue
  uint64_t prod_ = 0, cons_ = 0;             // counted without wrap
  std::vector<MicroStep<uint64_t>> issued_;  // expected, not done
  RangeCache tlb_, walks_;
  ConfigCache configs_;
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_SMMU_H_
