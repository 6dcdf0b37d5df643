// The Ops of the matrix: each runs the reference's own function, with arbitrary arguments, on an
// arbitrary state. No Op is described here a second time; what stands here is which arguments it
// has and how they become an Op of a trace when a counterexample is to be realised.
#ifndef TWINWALK_PROOFS_OPS_H_
#define TWINWALK_PROOFS_OPS_H_

#include <functional>
#include <vector>

#include "proofs/host.h"
#include "proofs/state.h"
#include "reference/args.h"
#include "reference/env.h"
#include "reference/state.h"
#include "traces/op.h"

namespace twinwalk::proofs {

// One Op on one path.
struct OpRun {
  Explorer* e;
  Sym d;
  const World& world;
  const ReferenceFaults& faults;
  reference::State<Sym> s;  // before, then after
  ProofHost host;
  // The Op as a trace would have it; set by the Op's function.
  struct Wanted {
    Op op;
    uint64_t context = 0;  // ordinal; of ioctls on /dev/iommu
    uint64_t device = 0;   // key; of Ops on a cdev and of DMA
  };
  std::function<Wanted(const Assignment&)> wanted;

  reference::Env<Sym> env() { return {d, world, faults, host}; }
  // An arbitrary argument.
  W Arg(const char* name, uint64_t mask = ~uint64_t{0});
  W Context();  // of an open /dev/iommu
  W Id(const char* name) { return Arg(name, 0xff); }
  bool Either(const char* name);  // an arbitrary flag of the environment: a case split
};

struct OpProof {
  const char* name;  // as in OpName, or "dma (nested)"
  OpKind kind;
  Bounds bounds;
  // Carries the Op out; whether it succeeded.
  B (*run)(OpRun* run);
  // Rules of the World that it reads; when none, both presets are the same proof.
  bool reads_rules = false;
  bool split = false;  // see Sym
  bool slow = false;   // takes longer than a minute: not among the quick proofs
};

// In the order of OpKind.
std::vector<OpProof> AllOpProofs();
std::vector<OpProof> IoasOpProofs();
std::vector<OpProof> ObjectOpProofs();
std::vector<OpProof> VfioOpProofs();
std::vector<OpProof> DmaOpProofs();

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_OPS_H_
