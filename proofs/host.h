// What the reference's templates meet outside of the IOMMU, in a proof: memory that may be
// anything, and the monitor, which judges each micro-step under the condition that it happens.
#ifndef TWINWALK_PROOFS_HOST_H_
#define TWINWALK_PROOFS_HOST_H_

#include <string>
#include <vector>

#include "proofs/state.h"
#include "reference/env.h"
#include "traces/monitor.h"

namespace twinwalk::proofs {

inline constexpr const char* kMonitor = "monitor";

// A word that a guest owns, as the path read it.
struct GuestRead {
  W backing{0}, offset{0}, value{0};
};

class ProofHost : public reference::Host<Sym> {
 public:
  // REQUIRES: before anything else; the invariants hold in `before`.
  void Start(Explorer* explorer, const View<Sym>& before) {
    explorer_ = explorer;
    monitor_.StartFrom(before);
  }
  void Announce(B when, const MicroStep<W>& step) override;
  // Nothing, or one run of arbitrary memory (bound: a range of user memory is one mapping).
  std::vector<reference::Run<Sym>> Resolve(W process, W va, W length, W rights) override;
  // Nothing, or that part of the file.
  std::vector<reference::Run<Sym>> ResolveFile(W file, W offset, W length) override;
  W ReadGuest(W backing, W offset) override;

  // A bound on guest configurations: the first word that is read (a CD's) has these bits.
  void BoundFirstRead(uint64_t mask, uint64_t value) { first_mask_ = mask, first_value_ = value; }

  uint64_t steps() const { return steps_; }
  const std::vector<GuestRead>& reads() const { return reads_; }

 private:
  Explorer* explorer_ = nullptr;
  Monitor<Sym> monitor_;
  uint64_t steps_ = 0;
  uint64_t first_mask_ = 0, first_value_ = 0;
  std::vector<GuestRead> reads_;
};

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_HOST_H_
