// The solvers behind an Explorer. One holds all assertions and is asked incrementally, with a small
// budget. A light one, asked before it, holds only those that cost little; what it cannot decide
// goes on to the full one, then to a solver made for the one question. All of them may only be
// believed when they say "unsatisfiable" of fewer assertions, or "satisfiable" of all: so it is.
#ifndef TWINWALK_PROOFS_SOLVER_H_
#define TWINWALK_PROOFS_SOLVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proofs/term.h"

namespace twinwalk::proofs {

// Z3 resource units of one question, not seconds.
struct Budgets {
  uint64_t light = 50'000;
  uint64_t first = 300'000;
  uint64_t whole = 200'000'000;
};

class Solver {
 public:
  enum class Answer { kSat, kUnsat, kUnknown };
  // How much it costs to know something: what is heavy is kept from the light solver.
  enum class Weight { kLight, kHeavy };

  Solver(_Z3_context* context, const std::string& logic, const Budgets& budgets);
  ~Solver();
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  void Push();
  void Pop();
  int depth() const { return static_cast<int>(guards_.size()); }  // scopes that are open
  void Assert(Term condition, Weight weight = Weight::kLight);

  // Whether something satisfies all assertions and `condition` (null: nothing more).
  Answer Ask(Term condition);
  // The same of the full solver alone, within the first budget.
  Answer AskOnce();

  // ---- Of the last question ----
  std::shared_ptr<_Z3_model> model() const { return model_; }  // kSat
  // kUnsat: so many open scopes, from the outermost, are enough for it.
  int needs() const { return needs_; }

  // ---- In all ----
  uint64_t queries() const { return queries_; }
  double seconds() const { return seconds_; }

 private:
  Answer Check(_Z3_solver* solver);
  Answer CheckLight(Term condition);
  // Asks a solver that is made for it and used up.
  Answer CheckWhole(_Z3_solver* solver);

  _Z3_context* context_;
  std::string logic_;
  Budgets budgets_;
  _Z3_solver* full_;
  _Z3_solver* light_;
  std::vector<Term>
      guards_;  // of the scopes: what the light solver knows of one is under its guard
  std::shared_ptr<_Z3_model> model_;
  int needs_ = 0;
  uint64_t queries_ = 0;
  double seconds_ = 0;
};

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_SOLVER_H_
