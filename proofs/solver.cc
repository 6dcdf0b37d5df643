#include "proofs/solver.h"

#include <z3.h>

#include <algorithm>
#include <chrono>

#include "traces/check.h"

namespace twinwalk::proofs {
namespace {

Z3_solver WithBudget(Z3_context z3, Z3_solver solver, uint64_t units) {
  Z3_solver_inc_ref(z3, solver);
  Z3_params params = Z3_mk_params(z3);
  Z3_params_inc_ref(z3, params);
  Z3_params_set_uint(z3, params, Z3_mk_string_symbol(z3, "rlimit"), static_cast<unsigned>(units));
  Z3_solver_set_params(z3, solver, params);
  Z3_params_dec_ref(z3, params);
  return solver;
}
Z3_solver MakeIncremental(Z3_context z3, const std::string& logic, uint64_t units) {
  return WithBudget(z3, Z3_mk_solver_for_logic(z3, Z3_mk_string_symbol(z3, logic.c_str())), units);
}
// Takes a question whole: equations are solved away before anything becomes bits. It begins slowly,
// and is some 20 times as fast as the incremental one where sums are compared.
Z3_solver MakeWhole(Z3_context z3, uint64_t units) {
  Z3_tactic all = Z3_mk_tactic(z3, "simplify");
  Z3_tactic_inc_ref(z3, all);
  for (const char* name :
       {"propagate-values", "solve-eqs", "elim-uncnstr", "simplify", "bit-blast", "sat"}) {
    Z3_tactic next = Z3_mk_tactic(z3, name);
    Z3_tactic_inc_ref(z3, next);
    Z3_tactic both = Z3_tactic_and_then(z3, all, next);
    Z3_tactic_inc_ref(z3, both);
    Z3_tactic_dec_ref(z3, all), Z3_tactic_dec_ref(z3, next);
    all = both;
  }
  Z3_solver solver = WithBudget(z3, Z3_mk_solver_from_tactic(z3, all), units);
  Z3_tactic_dec_ref(z3, all);
  return solver;
}

}  // namespace

Solver::Solver(_Z3_context* context, const std::string& logic, const Budgets& budgets)
    : context_(context),
      logic_(logic),
      budgets_(budgets),
      full_(MakeIncremental(context, logic, budgets.first)),
      light_(MakeIncremental(context, logic, budgets.light)) {}
Solver::~Solver() {
  model_.reset();
  Z3_solver_dec_ref(context_, full_);
  Z3_solver_dec_ref(context_, light_);
}

void Solver::Push() {
  const std::string name = "scope!" + std::to_string(guards_.size());
  guards_.push_back(Z3_mk_const(context_, Z3_mk_string_symbol(context_, name.c_str()),
                                Z3_mk_bool_sort(context_)));
  Z3_solver_push(context_, full_);
  Z3_solver_push(context_, light_);
}
void Solver::Pop() {
  CHECK(!guards_.empty());
  guards_.pop_back();
  Z3_solver_pop(context_, full_, 1);
  Z3_solver_pop(context_, light_, 1);
}
void Solver::Assert(Term condition, Weight weight) {
  Z3_solver_assert(context_, full_, condition);
  if (weight == Weight::kHeavy) return;
  Z3_solver_assert(
      context_, light_,
      guards_.empty() ? condition : Z3_mk_implies(context_, guards_.back(), condition));
}

Solver::Answer Solver::Check(_Z3_solver* solver) {
  const auto start = std::chrono::steady_clock::now();
  const bool light = solver == light_;
  const Z3_lbool answer =
      light ? Z3_solver_check_assumptions(context_, solver, static_cast<unsigned>(guards_.size()),
                                          guards_.data())
            : Z3_solver_check(context_, solver);
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++queries_;
  needs_ = depth();
  if (answer == Z3_L_FALSE) return Answer::kUnsat;
  if (answer != Z3_L_TRUE || light) return Answer::kUnknown;
  Z3_model found = Z3_solver_get_model(context_, solver);
  Z3_model_inc_ref(context_, found);
  model_ = std::shared_ptr<_Z3_model>(
      found, [z3 = context_](_Z3_model* model) { Z3_model_dec_ref(z3, model); });
  return Answer::kSat;
}

Solver::Answer Solver::CheckLight(Term condition) {
  Z3_solver_push(context_, light_);
  Z3_solver_assert(context_, light_, condition);
  const Answer answer = Check(light_);
  if (answer == Answer::kUnsat) {
    Z3_ast_vector core = Z3_solver_get_unsat_core(context_, light_);
    Z3_ast_vector_inc_ref(context_, core);
    needs_ = 0;
    for (unsigned i = 0; i < Z3_ast_vector_size(context_, core); ++i) {
      const auto at =
          std::find(guards_.begin(), guards_.end(), Z3_ast_vector_get(context_, core, i));
      CHECK(at != guards_.end());
      needs_ = std::max(needs_, static_cast<int>(at - guards_.begin()) + 1);
    }
    Z3_ast_vector_dec_ref(context_, core);
  }
  Z3_solver_pop(context_, light_, 1);
  return answer;
}

Solver::Answer Solver::CheckWhole(_Z3_solver* solver) {
  Z3_ast_vector all = Z3_solver_get_assertions(context_, full_);
  Z3_ast_vector_inc_ref(context_, all);
  for (unsigned i = 0; i < Z3_ast_vector_size(context_, all); ++i)
    Z3_solver_assert(context_, solver, Z3_ast_vector_get(context_, all, i));
  const Answer answer = Check(solver);
  Z3_solver_dec_ref(context_, solver);
  Z3_ast_vector_dec_ref(context_, all);
  return answer;
}

Solver::Answer Solver::AskOnce() {
  return Check(full_);
}

Solver::Answer Solver::Ask(Term condition) {
  Answer answer = Answer::kUnknown;
  if (condition != nullptr) answer = CheckLight(condition);
  if (answer == Answer::kUnsat) return answer;
  Z3_solver_push(context_, full_);
  if (condition != nullptr) Z3_solver_assert(context_, full_, condition);
  answer = Check(full_);
  if (answer == Answer::kUnknown) answer = CheckWhole(MakeWhole(context_, budgets_.whole));
  if (answer == Answer::kUnknown)
    answer = CheckWhole(MakeIncremental(context_, logic_, budgets_.whole));
  Z3_solver_pop(context_, full_, 1);
  return answer;
}

}  // namespace twinwalk::proofs
