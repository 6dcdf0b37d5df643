#include "proofs/explorer.h"

#include <z3.h>

#include "traces/check.h"

namespace twinwalk::proofs {
namespace {

void OnZ3Error(Z3_context z3, Z3_error_code code) {
  CHECK(false, "z3: %s", Z3_get_error_msg(z3, code));
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

Assignment::Assignment(Explorer* explorer, std::shared_ptr<_Z3_model> model)
    : explorer_(explorer), model_(std::move(model)) {}

uint64_t Assignment::Value(const W& word) const {
  if (word.is_constant()) return word.constant();
  Term value = nullptr;
  CHECK(Z3_model_eval(explorer_->context(), model_.get(), word.term(), true, &value));
  uint64_t number = 0;
  CHECK(Z3_get_numeral_uint64(explorer_->context(), value, &number));
  return number;
}
bool Assignment::Value(const B& formula) const {
  if (formula.is_constant()) return formula.constant();
  Term value = nullptr;
  CHECK(Z3_model_eval(explorer_->context(), model_.get(), formula.term(), true, &value));
  return Z3_get_bool_value(explorer_->context(), value) == Z3_L_TRUE;
}

// ---- Explorer
// ------------------------------------------------------------------------------------

Explorer::Explorer(const Limits& limits, const char* logic) : limits_(limits) {
  Z3_config config = Z3_mk_config();
  context_ = Z3_mk_context(config);
  Z3_del_config(config);
  Z3_set_error_handler(context_, OnZ3Error);
  solver_ = std::make_unique<Solver>(context_, logic, limits_.budgets);
}
Explorer::~Explorer() {
  frames_.clear();
  groups_.clear();
  model_.reset();
  solver_.reset();
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

void Explorer::Assert(const B& condition, Solver::Weight weight) {
  if (condition.is_constant()) {
    CHECK(condition.constant(), "asserting false");
    return;
  }
  solver_->Assert(condition.term(), weight);
}
bool Explorer::ModelSatisfies(const B& condition) const {
  return model_ != nullptr && model_->Value(condition);
}

Explorer::Answer Explorer::Check(const B& condition, Group* group,
                                 std::shared_ptr<Assignment>* model) {
  if (condition.is_constant() && !condition.constant()) return Answer::kUnsat;
  const uint64_t queries = solver_->queries();
  const double seconds = solver_->seconds();
  const Answer answer = solver_->Ask(condition.is_constant() ? nullptr : condition.term());
  const double took = solver_->seconds() - seconds;
  slowest_ = std::max(slowest_, took);
  if (group != nullptr) {
    group->queries += solver_->queries() - queries;
    group->seconds += took, group->slowest = std::max(group->slowest, took);
  }
  if (answer == Answer::kSat) *model = std::make_shared<Assignment>(this, solver_->model());
  return answer;
}

void Explorer::StartPath() {
  Frame& frame = *frames_.back();
  frame.at = 0;
  frame.axioms.clear();
  if (frames_.size() == 1) {
    assumed_.clear();
    proved_.clear();
    proved_.insert(always_.begin(), always_.end());
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
  proved_.insert(event.proved.begin(), event.proved.end());
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
    if (event.scope) solver_->Pop();
    if (event.alternatives > 1) {
      --event.alternatives;
      event.proved.clear();
      solver_->Push();
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
  always_.clear();
  solver_->Push();
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
      while (solver_->depth() > 1) solver_->Pop();
      break;
    }
  } while (NextPath());
  solver_->Pop();
  frames_.clear();
}

bool Explorer::Decide(const B& condition) {
  if (condition.is_constant()) return condition.constant();
  if (Event* event = Replay(Kind::kDecide, condition.term())) return event->choice == 1;
  const bool first = model_ == nullptr || model_->Value(condition);
  // The side that the present model takes is feasible; ask for the other.
  std::shared_ptr<Assignment> other_model, own_model = model_;
  Answer own = Answer::kSat;
  if (model_ == nullptr) own = Check(first ? condition : !condition, nullptr, &own_model);
  const Answer other = Check(first ? !condition : condition, nullptr, &other_model);
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
  solver_->Push();
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
  solver_->Push();
  return 0;
}

void Explorer::Assume(const B& condition, Solver::Weight weight) {
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
  Assert(condition, weight);
  Answer answer = Answer::kSat;
  if (!ModelSatisfies(condition)) {
    answer = solver_->AskOnce();
    model_ =
        answer == Answer::kSat ? std::make_shared<Assignment>(this, solver_->model()) : nullptr;
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
  if (proved_.contains(obligation.term()) || group.verdict == Verdict::kRefuted) return;
  std::shared_ptr<Assignment> model;
  Answer answer = Answer::kSat;
  const double before = group.seconds;
  if (ModelSatisfies(!obligation)) {
    model = model_;
  } else {
    answer = Check(!obligation, &group, &model);
  }
  if (limits_.on_slow && group.seconds - before > limits_.slow_seconds)
    limits_.on_slow(name, what, group.seconds - before);
  if (answer == Answer::kUnsat) return RememberProved(obligation.term(), solver_->needs());
  if (answer == Answer::kUnknown && group.verdict != Verdict::kHolds) return;
  if (answer == Answer::kSat) GrantWishes(!obligation, &model);
  group.verdict = answer == Answer::kSat ? Verdict::kRefuted : Verdict::kUnknown;
  group.what = what;
  group.counterexample = model;
  group.path = PathChoices();
}

void Explorer::RememberProved(Term obligation, int scopes) {
  if (obligation == nullptr || frames_.size() > 1) return;
  proved_.insert(obligation);
  // Scope 1 is Explore's own; each one further is an event's.
  if (scopes <= 1) return always_.push_back(obligation);
  for (Event& event : frames_.back()->trail)
    if (event.scope && --scopes == 1) return event.proved.push_back(obligation);
  CHECK(false, "a scope without an event");
}

void Explorer::Prefer(const B& wish) {
  if (!wish.is_constant()) wishes_.push_back(wish);
}

void Explorer::GrantWishes(const B& violated, std::shared_ptr<Assignment>* model) {
  solver_->Push();
  Assert(violated);
  for (const B& wish : wishes_) {
    if ((*model)->Value(wish)) {
      Assert(wish);
      continue;
    }
    std::shared_ptr<Assignment> better;
    if (Check(wish, nullptr, &better) != Answer::kSat) continue;
    Assert(wish);
    *model = better;
  }
  solver_->Pop();
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
  cover->second = ModelSatisfies(condition) || Check(condition, nullptr, &model) == Answer::kSat;
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
  solver_->Push();
  do {
    StartPath();
    run();
    conditions.push_back(PathCondition());
    axioms.insert(axioms.end(), frames_.back()->axioms.begin(), frames_.back()->axioms.end());
    fresh_after = std::max(fresh_after, fresh_);
  } while (NextPath());
  solver_->Pop();
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

void Explorer::Aside(const std::function<void()>& f) {
  if (Event* event = Replay(Kind::kAside, nullptr)) {
    fresh_ = event->fresh_after;
    return;
  }
  const std::shared_ptr<Assignment> model = model_;
  const std::unordered_set<Term> assumed = assumed_;
  frames_.push_back(std::make_unique<Frame>());
  frames_.back()->fresh_at_start = fresh_;
  int fresh_after = fresh_;
  solver_->Push();
  do {
    StartPath();
    assumed_ = assumed;
    try {
      f();
    } catch (const PathAbandoned&) {
    }
    fresh_after = std::max(fresh_after, fresh_);
  } while (NextPath());
  solver_->Pop();
  frames_.pop_back();
  fresh_ = fresh_after;
  model_ = model;
  assumed_ = assumed;
  Append(Kind::kAside, nullptr).fresh_after = fresh_after;
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
