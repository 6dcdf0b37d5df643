// What the templates get besides state: the domain, the World, the faults, and a Host for what lies
// outside of the IOMMU (user memory, guest memory, who listens). Nothing here judges.
#ifndef TWINWALK_REFERENCE_ENV_H_
#define TWINWALK_REFERENCE_ENV_H_

#include <vector>

#include "reference/faults.h"
#include "reference/state.h"
#include "traces/micro_step.h"
#include "traces/world.h"

namespace twinwalk::reference {

// Part of a user range with one backing.
template <class D>
struct Run {
  typename D::W length{0}, backing{0}, offset{0};
  typename D::W registers{0};  // 1: of a device (PFNMAP): mapped without being pinned
};
// Of Resolve's rights: registers of a device will do as well.
inline constexpr uint64_t kOrRegisters = 4;

template <class D>
class Host {
 public:
  using W = typename D::W;
  using B = typename D::B;
  virtual ~Host() = default;
  // A micro-step that happens where `when` holds. (Concretely: if (when). In a proof a guarded
  // event, so that announcing something of each row of a table is no case split.)
  virtual void Announce(B when, const MicroStep<W>& step) = 0;
  // The memory of [va, va + length) of a process (index plus 1), one run a mapping; empty when a
  // page is not mapped or lacks a right (EFAULT). In a proof: nothing, or one fresh run.
  virtual std::vector<Run<D>> Resolve(W process, W va, W length, W rights) = 0;
  // Part of a file that is memory (AreaRow::file); empty when it is none or ends before (EINVAL).
  // In a proof: nothing, or that run.
  virtual std::vector<Run<D>> ResolveFile(W file, W offset, W length) = 0;
  // Pages that the World's memory can still hold pinned (TRACE 3): exact, unless there is room for
  // `pages` in any case. In a proof: enough.
  virtual W Room(W pages) { return pages; }
  // Whether anybody reads what is announced: an optimisation. In a proof: yes.
  virtual bool Listens() { return true; }
  // A word that a guest or user owns. In a proof: fresh each time.
  virtual W ReadGuest(W backing, W offset) = 0;
  // A retained row that an access need not choose because present memory makes the very same one:
  // an optimisation of the search (machine.cc). In a proof, and when in doubt: false.
  virtual B Redundant(const RetainedRow<D>&) { return B(false); }
};

template <class D>
struct Env {
  D& d;
  const World& world;
  const ReferenceFaults& faults;
  Host<D>& host;
};

// f(config) of the SMMU (index into World::smmus) that a symbolic word names.
template <class D, class F>
typename D::W OfSmmu(const Env<D>& env, typename D::W smmu, F&& f) {
  using W = typename D::W;
  const std::vector<SmmuConfig>& smmus = env.world.smmus;
  W value = smmus.empty() ? W(0) : W(uint64_t{f(smmus[0])});
  for (size_t i = 1; i < smmus.size(); ++i)
    value = D::Sel(smmu == W(uint64_t{i}), W(uint64_t{f(smmus[i])}), value);
  return value;
}
// Whether an IOMMU number names a VT-d unit: those come behind the SMMUs.
template <class D>
typename D::B IsVtd(const Env<D>& env, typename D::W iommu) {
  using W = typename D::W;
  const uint64_t first = env.world.smmus.size(), count = env.world.vtds.size();
  return typename D::B(count != 0) && iommu >= W(first) && iommu < W(first + count);
}
// f(config) of that unit.
template <class D, class F>
typename D::W OfVtd(const Env<D>& env, typename D::W iommu, F&& f) {
  using W = typename D::W;
  const std::vector<VtdConfig>& vtds = env.world.vtds;
  W value = vtds.empty() ? W(0) : W(uint64_t{f(vtds[0])});
  for (size_t i = 1; i < vtds.size(); ++i) {
    const W number = W(uint64_t{env.world.smmus.size() + i});
    value = D::Sel(iommu == number, W(uint64_t{f(vtds[i])}), value);
  }
  return value;
}
// f(config) of a process (index plus 1).
template <class D, class F>
typename D::W OfProcess(const Env<D>& env, typename D::W process, F&& f) {
  using W = typename D::W;
  W value = W(uint64_t{f(env.world.processes[0])});
  for (size_t i = 1; i < env.world.processes.size(); ++i)
    value = D::Sel(process == W(uint64_t{i + 1}), W(uint64_t{f(env.world.processes[i])}), value);
  return value;
}

// IDR5.OAS in bits (hw 1).
inline uint64_t OutputBits(const std::array<uint32_t, 6>& idr) {
  constexpr uint64_t kBits[8] = {32, 36, 40, 42, 44, 48, 52, 52};
  return kBits[idr[5] & 7];
}

// The lowest free id of a context; 0 when none is (iommufd 4.1).
template <class D>
typename D::W NewId(const Env<D>& env, const State<D>& s, typename D::W context) {
  using W = typename D::W;
  return env.d.LowestFree(W(1), W(0x7fffffff), [&](W id) { return UsedId(s, context, id); });
}

// Whether the allocation that is due now fails; counts it (TRACE 1, failAlloc).
template <class D>
typename D::B AllocationFails(Allocator<D>& allocator) {
  using W = typename D::W;
  const typename D::B fails = allocator.failIn == W(1);
  allocator.failIn = D::Sel(allocator.failIn == W(0), W(0), allocator.failIn - W(1));
  return fails;
}

template <class D>
TagName<typename D::W> TagOf(const HwptRow<D>& h) {
  return {h.smmu, h.vmid, h.asid};
}
template <class D>
MicroStep<typename D::W> StepOf(MicroStepKind kind, const HwptRow<D>& h) {
  MicroStep<typename D::W> step{};
  step.kind = kind;
  step.tag = TagOf<D>(h);
  step.owner = h.key;
  return step;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_ENV_H_
