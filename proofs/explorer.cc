#include "proofs/explorer.h"

#include <z3.h>

#include <chrono>

#include "traces/check.h"

namespace twinwalk::proofs {
namespace {

void OnZ3Error(Z3_context z3, Z3_error_code code) {
  CHECK(false, "z3: %s", Z3_get_error_msg(z3, code));
}

Z3_solver MakeSolver(Z3_context z3, const std::string& logic, uint64_t units) {
  Z3_solver solver = Z3_mk_solver_for_logic(z3, Z3_mk_string_symbol(z3, logic.c_str()));
  Z3_solver_inc_ref(z3, solver);
  Z3_params params = Z3_mk_params(z3);
  Z3_params_inc_ref(z3, params);
  Z3_params_set_uint(z3, params, Z3_mk_string_symbol(z3, "rlimit"), static_cast<unsigned>(units));
  Z3_solver_set_params(z3, solver, params);
  Z3_params_dec_ref(z3, params);
  return solver;
}

}  // namespace

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kRefuted:
      return "refuted";
    case Verdict::kUnknown:
      return "unknown";
  }
  CHECK(false);
}

// ---- Assignment
// ----------------------------------------------------------------------------------

Assignment::Assignment(Explorer* explorer, _Z3_model* model) : explorer_(explorer), model_(model) {
  Z3_model_inc_ref(explorer_->context(), model_);
}
Assignment::~Assignment() {
  Z3_model_dec_ref(explorer_->context(), model_);
}

uint64_t Assignment::Value(const W& word) const {
  if (word.is_constant()) return word.constant();
  Term value = nullptr;
  CHECK(Z3_model_eval(explorer_->context(), model_, word.term(), true, &value));
  uint64_t number = 0;
  CHECK(Z3_get_numeral_uint64(explorer_->context(), value, &number));
  return number;
}
bool Assignment::Value(const B& formula) const {
  if (formula.is_constant()) return formula.constant();
  Term value = nullptr;
  CHECK(Z3_model_eval(explorer_->context(), model_, formula.term(), true, &value));
  return Z3_get_bool_value(explorer_->context(), value) == Z3_L_TRUE;
}

// ---- Explorer
// ------------------------------------------------------------------------------------

Explorer::Explorer(const Limits& limits, const char* logic) : limits_(limits), logic_(logic) {
  Z3_config config = Z3_mk_config();
  context_ = Z3_mk_context(config);
  Z3_del_config(config);
  Z3_set_error_handler(context_, OnZ3Error);
  solver_ = MakeSolver(context_, logic_, limits_.query_units);
}
Explorer::~Explorer() {
  frames_.clear();
  groups_.clear();
  model_.reset();
  Z3_solver_dec_ref(context_, solver_);
  Z3_del_context(context_);
}

Term Explorer::Number(uint64_t value) const {
  return Z3_mk_unsigned_int64(context_, value, Z3_mk_bv_sort(context_, 64));
}

W Explorer::Fresh(const std::string& name, uint64_t mask) {
  const std::string full = name + "!" + std::to_string(fresh_++);
  // Each run of ones in the mask is a free piece, each run of zeroes a constant.
  Term joined = nullptr;
  for (int low = 0; low < 64;) {
    const bool free = (mask >> low & 1) != 0;
    int high = low;
    while (high < 64 && ((mask >> high & 1) != 0) == free) ++high;
    Z3_sort sort = Z3_mk_bv_sort(context_, static_cast<unsigned>(high - low));
    const std::string piece = low == 0 && high == 64 ? full : full + "." + std::to_string(low);
    Term term = free ? Z3_mk_const(context_, Z3_mk_string_symbol(context_, piece.c_str()), sort)
                     : Z3_mk_unsigned_int64(context_, 0, sort);
    joined = joined == nullptr ? term : Z3_mk_concat(context_, term, joined);
    low = high;
  }
  return mask == 0 ? W(0) : W(this, joined);
}
B Explorer::FreshB(const std::string& name) {
  const std::string full = name + "!" + std::to_string(fresh_++);
  return B(this, Z3_mk_const(context_, Z3_mk_string_symbol(context_, full.c_str()),
                             Z3_mk_bool_sort(context_)));
}

void Explorer::Push() {
  Z3_solver_push(context_, solver_);
  ++scopes_;
}
void Explorer::Pop() {
  CHECK(scopes_ > 0);
  Z3_solver_pop(context_, solver_, 1);
  --scopes_;
}
void Explorer::Assert(const B& condition) {
  if (condition.is_constant()) {
    CHECK(condition.constant(), "asserting false");
    return;
  }
  Z3_solver_assert(context_, solver_, condition.term());
}
bool Explorer::ModelSatisfies(const B& condition) const {
  return model_ != nullptr && model_->Value(condition);
}

Explorer::Answer Explorer::Check(Group* group, std::shared_ptr<Assignment>* model) {
  const auto start = std::chrono::steady_clock::now();
  const Z3_lbool answer = Z3_solver_check(context_, solver_);
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++queries_, seconds_ += took, slowest_ = std::max(slowest_, took);
  if (group != nullptr) {
    ++group->queries, group->seconds += took, group->slowest = std::max(group->slowest, took);
  }
  if (answer == Z3_L_TRUE)
    *model = std::make_shared<Assignment>(this, Z3_solver_get_model(context_, solver_));
  return answer == Z3_L_TRUE    ? Answer::kSat
         : answer == Z3_L_FALSE ? Answer::kUnsat
                                : Answer::kUnknown;
}

Explorer::Answer Explorer::CheckWith(const B& condition, Group* group,
                                     std::shared_ptr<Assignment>* model) {
  if (condition.is_constant() && !condition.constant()) return Answer::kUnsat;
  Push();
  Assert(condition);
  Answer answer = Check(group, model);
  if (answer == Answer::kUnknown) answer = CheckFresh(group, model);
  Pop();
  return answer;
}

// A stuck incremental solver: the same question to a new one.
Explorer::Answer Explorer::CheckFresh(Group* group, std::shared_ptr<Assignment>* model) {
  Z3_ast_vector all = Z3_solver_get_assertions(context_, solver_);
  Z3_ast_vector_inc_ref(context_, all);
  Z3_solver stuck = solver_;
  solver_ = MakeSolver(context_, logic_, limits_.query_units);
  for (unsigned i = 0; i < Z3_ast_vector_size(context_, all); ++i)
    Z3_solver_assert(context_, solver_, Z3_ast_vector_get(context_, all, i));
  const Answer answer = Check(group, model);
  Z3_solver_dec_ref(context_, solver_);
  solver_ = stuck;
  Z3_ast_vector_dec_ref(context_, all);
  return answer;
}

void Explorer::StartPath() {
  Frame& frame = *frames_.back();
  frame.at = 0;
  frame.axioms.clear();
  if (frames_.size() == 1) {
    assumed_.clear();
    wishes_.clear();
  }
  fresh_ = frame.fresh_at_start;
}

Explorer::Event* Explorer::Replay(Kind kind, Term term) {
  CHECK(!frames_.empty(), "symbolic value used outside of Explore");
  Frame& frame = *frames_.back();
  if (frame.at == frame.trail.size()) return nullptr;
  Event& event = frame.trail[frame.at++];
  CHECK(event.kind == kind && event.term == term,
        "the explored function is not deterministic (event %zu: %d, was %d)", frame.at - 1,
        static_cast<int>(kind), static_cast<int>(event.kind));
  return &event;
}
Explorer::Event& Explorer::Append(Kind kind, Term term) {
  Frame& frame = *frames_.back();
  Event event;
  event.kind = kind;
  event.term = term;
  frame.trail.push_back(std::move(event));
  ++frame.at;
  return frame.trail.back();
}

bool Explorer::NextPath() {
  Frame& frame = *frames_.back();
  while (!frame.trail.empty()) {
    Event& event = frame.trail.back();
    if (event.scope) Pop();
    if (event.alternatives > 1) {
      --event.alternatives;
      Push();
      model_ = std::move(event.model);
      if (event.kind == Kind::kDecide) {
        event.choice = 1 - event.choice;
        const B condition(this, event.term);
        Assert(event.choice == 1 ? condition : !condition);
      } else {
        ++event.choice;
        event.model = model_;
      }
      return true;
    }
    frame.trail.pop_back();
  }
  return false;
}

void Explorer::Explore(const std::function<void()>& f) {
  CHECK(frames_.empty(), "Explore inside Explore: use Merge");
  frames_.push_back(std::make_unique<Frame>());
  fresh_ = 0;
  Push();
  model_.reset();
  do {
    StartPath();
    ++paths_;
    try {
      f();
      ++completed_;
    } catch (const PathAbandoned&) {
    }
    CHECK(frames_.back()->at == frames_.back()->trail.size(), "replay ended early");
    const bool enough =
        !limits_.stop_at.empty() && FindGroup(limits_.stop_at).verdict == Verdict::kRefuted;
    if (enough || paths_ >= limits_.paths) {
      out_of_paths_ = true;
      while (scopes_ > 1) Pop();
      break;
    }
  } while (NextPath());
  Pop();
  frames_.clear();
}

bool Explorer::Decide(const B& condition) {
  if (condition.is_constant()) return condition.constant();
  if (Event* event = Replay(Kind::kDecide, condition.term())) return event->choice == 1;
  const bool first = model_ == nullptr || model_->Value(condition);
  // The side that the present model takes is feasible; ask for the other.
  std::shared_ptr<Assignment> other_model, own_model = model_;
  Answer own = Answer::kSat;
  if (model_ == nullptr) own = CheckWith(first ? condition : !condition, nullptr, &own_model);
  const Answer other = CheckWith(first ? !condition : condition, nullptr, &other_model);
  Event& event = Append(Kind::kDecide, condition.term());
  if (own == Answer::kUnsat) {
    // Only the other side is left (or nothing: then any choice is harmless).
    event.choice = first ? 0 : 1;
    model_ = other_model;
    return event.choice == 1;
  }
  event.choice = first ? 1 : 0;
  model_ = own == Answer::kSat ? own_model : nullptr;
  if (other == Answer::kUnsat) return first;
  event.alternatives = 2;
  event.model = other == Answer::kSat ? other_model : nullptr;
  event.scope = true;
  Push();
  Assert(first ? condition : !condition);
  return first;
}

int Explorer::Fork(int n) {
  CHECK(n >= 1);
  if (n == 1) return 0;
  if (frames_.back()->merge) {  // a joined result needs a condition for each alternative
    for (int i = 0; i + 1 < n; ++i)
      if (Decide(FreshB("fork"))) return i;
    return n - 1;
  }
  if (Event* event = Replay(Kind::kFork, nullptr)) return event->choice;
  Event& event = Append(Kind::kFork, nullptr);
  event.alternatives = n;
  event.scope = true;
  event.model = model_;
  Push();
  return 0;
}

void Explorer::Assume(const B& condition) {
  CHECK(!frames_.empty() && !frames_.back()->merge, "Assume inside Merge");
  if (condition.is_constant()) {
    if (!condition.constant()) throw PathAbandoned();
    return;
  }
  assumed_.insert(condition.term());
  if (Event* event = Replay(Kind::kAssume, condition.term())) {
    if (event->choice == 0) throw PathAbandoned();
    return;
  }
  Assert(condition);
  Answer answer = Answer::kSat;
  if (!ModelSatisfies(condition)) {
    std::shared_ptr<Assignment> model;
    answer = Check(nullptr, &model);
    model_ = model;
  }
  Append(Kind::kAssume, condition.term()).choice = answer == Answer::kUnsat ? 0 : 1;
  if (answer == Answer::kUnsat) throw PathAbandoned();
}

void Explorer::Axiom(const B& condition) {
  if (condition.is_constant()) {
    CHECK(condition.constant(), "an axiom that is false");
    return;
  }
  if (frames_.back()->merge) frames_.back()->axioms.push_back(!PathCondition() || condition);
  if (Replay(Kind::kAxiom, condition.term()) != nullptr) return;
  Assert(condition);
  if (!ModelSatisfies(condition)) model_.reset();
  Append(Kind::kAxiom, condition.term());
}

Group& Explorer::FindGroup(const std::string& name) {
  for (Group& group : groups_)
    if (group.name == name) return group;
  groups_.emplace_back();
  groups_.back().name = name;
  return groups_.back();
}

void Explorer::Prove(const std::string& name, const std::string& what, const B& obligation) {
  if (Replay(Kind::kProve, obligation.term()) != nullptr) return;
  Append(Kind::kProve, obligation.term());
  Group& group = FindGroup(name);
  ++group.obligations;
  if (obligation.is_constant() ? obligation.constant() : assumed_.contains(obligation.term())) {
    ++group.unchanged;
    return;
  }
  if (group.verdict == Verdict::kRefuted) return;
  std::shared_ptr<Assignment> model;
  Answer answer = Answer::kSat;
  const double before = group.seconds;
  if (ModelSatisfies(!obligation)) {
    model = model_;
  } else {
    answer =
        obligation.is_constant() ? Check(&group, &model) : CheckWith(!obligation, &group, &model);
  }
  if (limits_.on_slow && group.seconds - before > limits_.slow_seconds)
    limits_.on_slow(name, what, group.seconds - before);
  if (answer == Answer::kUnsat) return;
  if (answer == Answer::kUnknown && group.verdict != Verdict::kHolds) return;
  if (answer == Answer::kSat) GrantWishes(!obligation, &model);
  group.verdict = answer == Answer::kSat ? Verdict::kRefuted : Verdict::kUnknown;
  group.what = what;
  group.counterexample = model;
  group.path = PathChoices();
}

void Explorer::Prefer(const B& wish) {
  if (!wish.is_constant()) wishes_.push_back(wish);
}

void Explorer::GrantWishes(const B& violated, std::shared_ptr<Assignment>* model) {
  Push();
  Assert(violated);
  for (const B& wish : wishes_) {
    if ((*model)->Value(wish)) {
      Assert(wish);
      continue;
    }
    std::shared_ptr<Assignment> better;
    Push();
    Assert(wish);
    const bool granted = Check(nullptr, &better) == Answer::kSat;
    Pop();
    if (!granted) continue;
    Assert(wish);
    *model = better;
  }
  Pop();
}

void Explorer::Cover(const std::string& name, const B& condition) {
  if (Replay(Kind::kCover, condition.term()) != nullptr) return;
  Append(Kind::kCover, condition.term());
  std::pair<std::string, bool>* cover = nullptr;
  for (auto& each : covers_)
    if (each.first == name) cover = &each;
  if (cover == nullptr) cover = &covers_.emplace_back(name, false);
  if (cover->second) return;
  std::shared_ptr<Assignment> model;
  cover->second =
      ModelSatisfies(condition) || CheckWith(condition, nullptr, &model) == Answer::kSat;
}

std::shared_ptr<void> Explorer::Merge(
    const std::function<void()>& run,
    const std::function<std::shared_ptr<void>(const std::vector<B>&)>& join) {
  if (Event* event = Replay(Kind::kMerge, nullptr)) {
    fresh_ = event->fresh_after;
    return event->result;
  }
  const std::shared_ptr<Assignment> before = model_;
  frames_.push_back(std::make_unique<Frame>());
  frames_.back()->merge = true;
  frames_.back()->fresh_at_start = fresh_;
  int fresh_after = fresh_;
  std::vector<B> conditions;
  std::vector<B> axioms;
  Push();
  do {
    StartPath();
    run();
    conditions.push_back(PathCondition());
    axioms.insert(axioms.end(), frames_.back()->axioms.begin(), frames_.back()->axioms.end());
    fresh_after = std::max(fresh_after, fresh_);
  } while (NextPath());
  Pop();
  frames_.pop_back();
  fresh_ = fresh_after;
  model_ = before;
  std::shared_ptr<void> result = join(conditions);
  for (const B& axiom : axioms) Assert(axiom);
  for (const B& axiom : axioms)
    if (!ModelSatisfies(axiom)) model_.reset();
  Event& event = Append(Kind::kMerge, nullptr);
  event.result = result;
  event.fresh_after = fresh_after;
  return result;
}

B Explorer::PathCondition() const {
  B all = true;
  for (const Event& event : frames_.back()->trail) {
    if (event.kind != Kind::kDecide || !event.scope) continue;
    const B condition(const_cast<Explorer*>(this), event.term);
    all = all && (event.choice == 1 ? condition : !condition);
  }
  return all;
}

std::vector<int> Explorer::PathChoices() const {
  std::vector<int> choices;
  for (const Event& event : frames_.front()->trail)
    if (event.kind == Kind::kDecide || event.kind == Kind::kFork) choices.push_back(event.choice);
  return choices;
}

}  // namespace twinwalk::proofs
