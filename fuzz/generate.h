// Traces from nothing: random ones with swarm weights, starters that show each part at work, and
// every sequence of a small alphabet.
#ifndef TWINWALK_FUZZ_GENERATE_H_
#define TWINWALK_FUZZ_GENERATE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "fuzz/grow.h"
#include "traces/trace.h"

namespace twinwalk::fuzz {

struct GenerateOptions {
  size_t max_ops = 64;
  bool flip_rules = false;  // worlds with single rules other than the preset's
  GrowOptions grow;
};

// Two processes, three devices, small caches, few tags; sometimes two SMMUs or a shared group.
World RandomWorld(Random& random, bool flip_rules);
// The same seed and options give the same trace.
Trace RandomTrace(uint64_t seed, const GenerateOptions& options = {});

// Well-formed traces, one for each part of the house: what a fuzzer starts from without seeds.
struct Starter {
  std::string name;
  Trace trace;
};
std::vector<Starter> StarterTraces();

// Every sequence of exactly `length` Ops of `alphabet` behind `prefix`, in order. Handles of the
// alphabet name Ops of the prefix. f returns false to stop.
void EachTrace(const Trace& prefix, const std::vector<Op>& alphabet, size_t length,
               const std::function<bool(const Trace&)>& f);
// A nested device ready to run, and the Ops that matter to what it may reach.
void NestedAlphabet(Trace* prefix, std::vector<Op>* alphabet);

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_GENERATE_H_
