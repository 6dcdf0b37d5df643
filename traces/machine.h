// Something that can take an Op. The model, the reference, a recording and a live kernel all do.
#ifndef TWINWALK_TRACES_MACHINE_H_
#define TWINWALK_TRACES_MACHINE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "traces/micro_step.h"
#include "traces/op.h"
#include "traces/view.h"
#include "traces/world.h"

namespace twinwalk {

class MicroStepObserver {
 public:
  virtual ~MicroStepObserver() = default;
  // The Machine may be Peeked at from here, not Stepped.
  virtual void OnMicroStep(const MicroStep<uint64_t>& step) = 0;
};

enum class ViewScope { kTouched, kAll };

// REQUIRES of every method but Reset: Reset was called. Single-threaded; no globals.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual const char* name() const = 0;
  // Forgets everything; costs what the last trace touched, not what the World could hold.
  // REQUIRES: ValidateWorld(world) is empty. `world` is copied.
  virtual void Reset(const World& world) = 0;
  // Carries one Op out. Its handles are resolved: op.results is 0, addresses are numbers.
  // Never fails and never throws: a bad Op is answered by an errno or a fault. Bounded time.
  virtual Outcome Step(const Op& op) = 0;
  // Fills `view` with the state after the last Step. kTouched may leave out areas, retained rows
  // and accounts that it did not touch, and then clears view->complete.
  virtual void GetView(ViewScope scope, View<Concrete>* view) const = 0;
  // What this access would meet now; fills, logs and sets nothing. `data` and `events` stay empty.
  // REQUIRES: op.kind is kDma.
  virtual Outcome Peek(const Op& op) const = 0;
  // Null stops the announcements.
  virtual void SetObserver(MicroStepObserver* observer) = 0;
};

// How a permitted-outcome search ended.
enum class Match { kEqual, kDifferent, kUndecided };

struct GuidedStep {
  Outcome outcome;  // what the Machine did: `wanted` where that was permitted
  Match match = Match::kEqual;
  uint32_t members = 1;  // outcomes looked at before this one was taken (1: present memory did)
};

// The slow Machine that says what is permitted (design: "Permitted outcomes, the rule, once").
class PermittingMachine : public Machine {
 public:
  static constexpr uint32_t kMaxMembers = 4096;
  // Like Step, but where hardware has freedom takes the permitted outcome that agrees with `wanted`
  // (see Agrees in compare.h; fields that wanted.known leaves out do not matter).
  virtual GuidedStep StepTowards(const Op& op, const Outcome& wanted) = 0;
  // Every permitted outcome of a device access in the present state, that of present memory first,
  // without duplicates, at most `limit`. Other kinds of Op have one, which needs a Step to know:
  // empty.
  virtual std::vector<Outcome> Permitted(const Op& op, size_t limit) const = 0;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_MACHINE_H_
