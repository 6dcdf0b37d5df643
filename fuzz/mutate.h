// Schema-aware mutation of traces: it knows handles, what each Op makes, edges of earlier ranges,
// table words and commands. Results keep the bounds and stay well-formed (CheckOp).
#ifndef TWINWALK_FUZZ_MUTATE_H_
#define TWINWALK_FUZZ_MUTATE_H_

#include <cstddef>

#include "fuzz/grow.h"
#include "fuzz/random.h"
#include "traces/trace.h"

namespace twinwalk::fuzz {

struct MutateOptions {
  size_t max_ops = 64;
  size_t max_blob = 4096;  // bytes, of one Op
  bool world = true;       // also change the machine: cache sizes, numbers of tags, groups, limits
  bool rules = false;      // also flip single rules
  Oracle* oracle = nullptr;  // for what gets inserted
};

// One to a few changes.
void Mutate(Trace* trace, Random& random, const MutateOptions& options = {});
// A prefix of `a` (mostly), then Ops of `b`, linked to the Things of `a` where `b` lacks its own.
Trace Splice(const Trace& a, const Trace& b, Random& random, const MutateOptions& options = {});
// Cuts Ops and blobs to the bounds.
void Bound(Trace* trace, const MutateOptions& options);

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_MUTATE_H_
