// One VT-d unit of the model: root, context and PASID tables as bits in host memory, an
// invalidation queue that is a real ring with wait descriptors, context cache, IOTLB,
// paging-structure cache and fault recording registers. Drivers put domains in force and
// invalidate; devices translate.
#ifndef TWINWALK_MODEL_VTD_H_
#define TWINWALK_MODEL_VTD_H_

#include <array>
#include <cstdint>
#include <vector>

#include "model/commands_vtd.h"
#include "model/context_cache.h"
#include "model/faults.h"
#include "model/iotlb.h"
#include "model/page_table.h"
#include "model/translation.h"
#include "traces/machine.h"

namespace twinwalk::model {

// What a context or PASID entry names.
struct VtdDomain {
  uint16_t did = 0;
  uint64_t root = 0;
  int levels = 4;
  uint64_t owner = 0;  // HWPT
};

class Vtd {
 public:
  // Every device starts blocked: its context entry is not present. `sids` by device index of the
  // World; those of other IOMMUs are given as kNoSource. index: among all IOMMUs of the World.
  static constexpr uint64_t kNoSource = ~uint64_t{0};
  void Reset(uint32_t index, const VtdConfig& config, const std::vector<uint64_t>& sids,
             const ModelFaults* faults, HostMemory* memory);
  void SetObserver(MicroStepObserver* observer) { observer_ = observer; }

  const VtdConfig& config() const { return config_; }
  const VtdRegs& regs() const { return regs_; }
  // Of second-stage domains: the widest tables that SAGAW offers, up to MGAW. levels 0: none.
  VtdTables tables() const;
  // CAP.CM: also what is not present may be remembered.
  bool caching_mode() const { return (config_.cap >> 7 & 1) != 0; }

  // ---- Driver side ----
  // Puts a domain in force for a device, or blocks it (null), and invalidates the old state.
  void SetDomain(uint32_t device, const VtdDomain* domain);
  // tables: tables were unlinked too, not only leaves cleared.
  void InvalidateRange(uint16_t did, uint64_t first, uint64_t last, bool tables);
  void InvalidateDomain(uint16_t did);

  // ---- Device side ----
  // `log` null: looks only (fills nothing). A fault is not recorded here.
  Translation Translate(uint32_t device, const VtdQuery& query, TranslationLog* log);
  Translation Peek(uint32_t device, const VtdQuery& query) const {
    return const_cast<Vtd*>(this)->Translate(device, query, nullptr);
  }
  // Hardware puts a fault into the next recording register; without a free one it is lost.
  void Record(uint64_t lo, uint64_t hi);
  // The driver takes the faults out, oldest first: f(lo, hi).
  template <class F>
  void DrainFaults(F&& f) {
    for (size_t n = 0, at = firstPending_; n < faultRecords_.size(); ++n) {
      std::array<uint64_t, 2>& record = faultRecords_[at];
      if (record[1] >> 63 == 0) break;
      f(record[0], record[1]);
      record[1] = 0;  // F is cleared by writing 1
      at = at + 1 == faultRecords_.size() ? 0 : at + 1;
    }
    pending_ = overflow_ = false;
  }

  // f(row, address): every retained entry; address: physical, of the first byte of a leaf.
  template <class F>
  void EachRetained(F&& f) const {
    contexts_.Each([&](const ContextEntry& e) { f(ContextRowOf(e, index_, kConfig), 0); });
    iotlb_.Each([&](const RangeEntry& e) { f(RowOf(e, index_), e.output); });
    walks_.Each([&](const RangeEntry& e) { f(RowOf(e, index_), e.output); });
  }

 private:
  struct CachedEnv;

  uint64_t ContextAddress(uint64_t sid) const;
  void WriteEntries(uint32_t device, const VtdDomain* domain);
  void Submit(const VtdDescriptor& descriptor);
  void Expect(MicroStep<uint64_t> step);
  void Wait();  // until all before it completed
  bool Consume();
  void Execute(const VtdInvalidation<Concrete>& inv);
  void Announce(const MicroStep<uint64_t>& step) const {
    if (observer_ != nullptr) observer_->OnMicroStep(step);
  }
  const ContextEntry* LoadEntry(uint32_t device, const VtdQuery& query, TranslationLog* log,
                                ContextEntry* fresh);
  VtdLeaf FindLeaf(const ContextEntry& entry, const VtdQuery& query, TranslationLog* log);

  uint32_t index_ = 0;
  VtdConfig config_;
  VtdRegs regs_;
  HostMemory* memory_ = nullptr;
  const ModelFaults* faults_ = nullptr;
  MicroStepObserver* observer_ = nullptr;
  std::vector<uint64_t> sids_;               // by device
  std::vector<uint64_t> owners_;             // by device: HWPT in force
  std::vector<uint16_t> dids_;               // by device: of the domain in force; 0: blocked
  std::vector<uint64_t> directories_;        // by device: its PASID directory (scalable mode)
  uint64_t queue_ = 0, status_ = 0;          // addresses: invalidation queue, what waits write
  uint64_t head_ = 0, tail_ = 0;             // byte offsets
  uint32_t waited_ = 0;                      // data of the last wait
  std::vector<MicroStep<uint64_t>> issued_;  // expected, not done
  std::vector<std::array<uint64_t, 2>> faultRecords_;
  size_t nextRecord_ = 0, firstPending_ = 0;  // FRI
  bool pending_ = false, overflow_ = false;   // PPF, PFO
  RangeCache iotlb_, walks_;
  ContextCache contexts_;
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_VTD_H_
