// Arbitrary Views for proofs: how many rows of each kind, how wide each field, and back from a
// counterexample to numbers.
#ifndef TWINWALK_PROOFS_STATE_H_
#define TWINWALK_PROOFS_STATE_H_

#include <string>

#include "proofs/shape.h"
#include "proofs/sym.h"
#include "reference/state.h"
#include "traces/invariants.h"
#include "traces/view.h"
#include "traces/world.h"

namespace twinwalk::proofs {

// Places in each table of the pre-state (a new row finds room beyond them).
struct Bounds {
  int devices = 3, ioases = 2, hwpts = 3, nesteds = 2, viommus = 2, vdevices = 2, veventqs = 2;
  int areas = 3, retained = 2, tombstones = 1;
  // Free bits of addresses and offsets in the state (arguments of the Op always have 64).
  uint64_t addresses = 0xffffff;
  bool ascending = false;  // to compare with: see Order
  std::string note;        // what else is bounded
  // "device 3, ioas 2, ..., words as in docs/PROOFS.md"
  std::string Text() const;
};

// Free bits of a field; 64-bit addresses, small names. docs/PROOFS.md lists them.
uint64_t FieldMask(const char* row, const char* field, uint64_t addresses);

// The World of all proofs: two SMMUs, three devices, three processes of two users (one of them with
// CAP_IPC_LOCK). Devices' streams and groups are arbitrary in the state all the same.
World ProofWorld(const Rules& rules);

// Every state of that World within the bounds; no invariant is assumed yet.
reference::State<Sym> FreshState(Explorer* e, const World& world, const Bounds& bounds);

using FormulaReport = std::function<void(const char* invariant, const char* what, const B& holds)>;
// The invariants, and well-formed.
void EachInvariant(const reference::State<Sym>& state, const FormulaReport& report);

// Wishes for small, readable counterexamples: few rows, small numbers.
void PreferSmall(Explorer* e, const View<Sym>& view);

View<Concrete> ValueOfView(const Assignment& model, const View<Sym>& view);
// One line a row: "hwpt{key 0x100000002 users 1 ...}", zero fields left out.
std::string ViewText(const View<Concrete>& view);

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_STATE_H_
