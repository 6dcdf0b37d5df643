// From a View to a Trace that builds it from the empty World, by one fixed recipe per kind of row:
// open, bind, IOAS, HWPT, map, vIOMMU, vDEVICE, queue, nested HWPT, attach, and a DMA for each
// retained entry. The numbers that a Machine gives (ids, VMIDs, backings) may differ from those of
// the View; handles take care of that. Whether the trace shows what it should is found by replaying
// it.
#ifndef TWINWALK_PROOFS_RECIPE_H_
#define TWINWALK_PROOFS_RECIPE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "traces/trace.h"
#include "traces/view.h"

namespace twinwalk::proofs {

// A word that the guest keeps at an address of its own (IPA, or IOVA of its space).
struct GuestWord {
  uint64_t space = 0;  // IOAS key
  uint64_t address = 0;
  uint64_t value = 0;
};

// f(row) for each row of a concrete table.
template <class Table, class F>
void Rows(const Table& table, F&& f) {
  table.EachIndex([&](bool, const auto& row) { f(row); });
}
inline uint64_t ContextOfKey(uint64_t key) {
  return key >> 32;
}

class Recipe {
 public:
  // Builds everything; false, with why(), when a row has no recipe.
  bool Build(const View<Concrete>& view, const Rules& rules,
             const std::vector<GuestWord>& guest = {});
  // Appends an Op whose id fields are those of `view` (in `context`), with handles in their place.
  // fd is chosen by kind: the context's /dev/iommu, or the cdev of `device` (key).
  void Append(Op op, uint64_t context, uint64_t device);
  const Trace& trace() const { return trace_; }
  Trace& trace() { return trace_; }
  const std::string& why() const { return why_; }

 private:
  using Place = std::pair<uint64_t, uint64_t>;
  size_t Add(const Op& op);
  Op Call(OpKind kind, uint64_t context) const;
  Op CdevCall(OpKind kind, uint64_t device) const;
  void MakeWorld();
  size_t Helper(uint64_t context, uint64_t smmu);  // World index, bound to that context
  void Bind(uint64_t device, uint64_t context);
  void Attach(uint64_t device, uint64_t target);
  void MakeIoases();
  void MakeHwpts();
  void MakeAreas();
  void MakeMemory(const AreaRow<Concrete>& area);
  void MakeViommus();
  void MakeVdevice(const VdeviceRow<Concrete>& row);
  // Whether the vDEVICE was made after its device was attached (its events carry another id).
  bool MadeLate(const VdeviceRow<Concrete>& row) const;
  void MakeNesteds();
  void AttachDevices();
  void FillRetained();
  void FillNested(const HwptRow<Concrete>& hwpt, const RetainedRow<Concrete>& row);
  void StoreWords(uint64_t context, uint64_t address, const std::vector<uint64_t>& words);
  bool Fail(const std::string& why);
  uint32_t ProcessOf(uint64_t context) const;
  // Ordinal of the Op that made the object; fails when there is none.
  uint32_t Made(uint64_t key);

  const View<Concrete>* view_ = nullptr;
  Trace trace_;
  std::string why_;
  std::map<uint64_t, uint32_t> context_fd_;  // context -> open Op
  std::map<uint64_t, uint32_t> cdev_;        // device key -> open Op
  std::map<uint64_t, uint32_t> made_;        // object key -> Op
  std::map<Place, uint64_t> helpers_;        // (context, smmu) -> device key
  std::map<uint64_t, uint32_t> memfd_;       // backing of the View -> Op
  std::map<Place, uint32_t> mmaps_;          // (process, va page) -> Op
};

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_RECIPE_H_
