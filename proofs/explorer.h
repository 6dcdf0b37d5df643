// Runs a function once for each of its feasible paths: every `if` on a symbolic boolean asks here,
// takes one side and remembers the other. Along the path it collects what is assumed, and checks
// what is to be proved.
//
// One run is a trail of events (decide, fork, assume, axiom, prove, merge). To take the next path
// the function is run again; events of the common prefix are replayed from the trail, checked to be
// the very same terms (so a source that is not deterministic is noticed at once), and cost no
// solver query, because the solver's scopes survive. Budgets are the solver's resource units, not
// seconds: a verdict does not depend on how busy the machine is.
#ifndef TWINWALK_PROOFS_EXPLORER_H_
#define TWINWALK_PROOFS_EXPLORER_H_

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "proofs/solver.h"
#include "proofs/term.h"

namespace twinwalk::proofs {

enum class Verdict { kHolds, kRefuted, kUnknown };
const char* VerdictName(Verdict verdict);

// An assignment of all symbolic words, found by the solver.
class Assignment {
 public:
  Assignment(Explorer* explorer, std::shared_ptr<_Z3_model> model);
  // Words that the assignment leaves open are 0.
  uint64_t Value(const W& word) const;
  bool Value(const B& formula) const;

 private:
  Explorer* explorer_;
  std::shared_ptr<_Z3_model> model_;
};

// Obligations are counted in groups: one group is one row of the matrix.
struct Group {
  std::string name;
  Verdict verdict = Verdict::kHolds;
  std::string what;          // the first obligation that does not hold, or is not decided
  uint64_t obligations = 0;  // formulas, those that folded to true included
  uint64_t unchanged = 0;    // of them: the very term that was assumed (nothing it reads changed)
  uint64_t queries = 0;
  double seconds = 0;
  double slowest = 0;                          // seconds of the slowest query
  std::shared_ptr<Assignment> counterexample;  // when refuted
  std::vector<int> path;                       // the choices that lead there
};

struct Limits {
  Budgets budgets;
  uint64_t paths = 20'000;
  std::string stop_at;  // ends when this group is refuted
  // Told of each query of an obligation that took longer than slow_seconds.
  double slow_seconds = 1;
  std::function<void(const std::string& group, const std::string& what, double seconds)> on_slow;
};

// Thrown by Assume to leave a path that is not feasible; never leaves Explore.
struct PathAbandoned {};

class Explorer {
 public:
  explicit Explorer(const Limits& limits = {}, const char* logic = "QF_ABV");
  ~Explorer();
  Explorer(const Explorer&) = delete;
  Explorer& operator=(const Explorer&) = delete;

  // Runs f on every feasible path. f must do the same each time for equal answers.
  void Explore(const std::function<void()>& f);

  // ---- For f
  // -------------------------------------------------------------------------------------- An
  // arbitrary word of which only the bits of `mask` may be set (the others are 0).
  W Fresh(const std::string& name, uint64_t mask = ~uint64_t{0});
  B FreshB(const std::string& name);
  bool Decide(const B& condition);
  // One of n alternatives, each of them feasible.
  int Fork(int n);
  // Leaves the path when nothing satisfies it. Not inside Merge.
  void Assume(const B& condition, Solver::Weight weight = Solver::Weight::kLight);
  // A fact that holds anyway: no feasibility check.
  void Axiom(const B& condition);
  // An obligation: holds on this path? Later obligations of a refuted group are skipped.
  void Prove(const std::string& group, const std::string& what, const B& obligation);
  // A wish for counterexamples, in order of weight: each is granted if one satisfies it as well.
  void Prefer(const B& wish);
  // Makes the group exist, also when no path has an obligation for it.
  Group& FindGroup(const std::string& name);
  // Whether some path satisfies `condition` (kept per name; for checks against vacuity).
  void Cover(const std::string& name, const B& condition);

  // Explores f's paths here and now and joins the results by conditions: `run` is called per path
  // with its number and keeps its own result; `join` is called at the end with all path conditions
  // (paths that were abandoned have none). Returns what `join` gave; replayed from the trail.
  std::shared_ptr<void> Merge(
      const std::function<void()>& run,
      const std::function<std::shared_ptr<void>(const std::vector<B>&)>& join);

  // Explores f's paths here and now, for their obligations only: nothing of what they assume or
  // choose is known afterwards.
  void Aside(const std::function<void()>& f);

  // ---- What came out
  // ------------------------------------------------------------------------------
  uint64_t paths() const { return paths_; }
  uint64_t completed() const { return completed_; }        // not abandoned
  uint64_t queries() const { return solver_->queries(); }  // all, those of groups included
  double seconds() const { return solver_->seconds(); }    // inside the solver
  double slowest() const { return slowest_; }
  bool out_of_paths() const { return out_of_paths_; }
  const std::vector<Group>& groups() const { return groups_; }
  const std::vector<std::pair<std::string, bool>>& covers() const { return covers_; }
  // Conjunction of the decisions of the present path (of the innermost Merge).
  B PathCondition() const;
  // Inside of a Merge or an Aside.
  bool nested() const { return frames_.size() > 1; }
  // The choices of the present path.
  std::vector<int> PathChoices() const;

  _Z3_context* context() const { return context_; }
  Term Number(uint64_t value) const;

 private:
  enum class Kind { kDecide, kFork, kAssume, kAxiom, kProve, kMerge, kAside, kCover };
  struct Event {
    Kind kind;
    Term term = nullptr;
    int choice = 0;
    int alternatives = 1;               // still to be taken, this one included
    bool scope = false;                 // pushed a solver scope
    std::shared_ptr<Assignment> model;  // for the next alternative
    std::shared_ptr<void> result;       // of a merge
    int fresh_after = 0;
    // With scope: obligations that hold on every path that comes by here.
    std::vector<Term> proved;
  };
  struct Frame {
    std::vector<Event> trail;
    size_t at = 0;
    int fresh_at_start = 0;
    bool merge = false;
    std::vector<B> axioms;  // of the present path, for the joined result
  };
  using Answer = Solver::Answer;

  void StartPath();
  bool NextPath();
  // The event at the present place of the trail if this is a replay; checks that it is the same.
  Event* Replay(Kind kind, Term term);
  Event& Append(Kind kind, Term term);
  // Asks for `condition` besides what is asserted; of a group or (null) of nobody.
  Answer Check(const B& condition, Group* group, std::shared_ptr<Assignment>* model);
  void Assert(const B& condition, Solver::Weight weight = Solver::Weight::kLight);
  // An obligation was found to hold, whatever comes after the first `scopes` scopes.
  void RememberProved(Term obligation, int scopes);
  void GrantWishes(const B& violated, std::shared_ptr<Assignment>* model);
  bool ModelSatisfies(const B& condition) const;

  Limits limits_;
  _Z3_context* context_;
  std::unique_ptr<Solver> solver_;
  std::vector<std::unique_ptr<Frame>> frames_;
  std::shared_ptr<Assignment> model_;  // satisfies the present path; null: not known
  int fresh_ = 0;
  uint64_t paths_ = 0, completed_ = 0;
  double slowest_ = 0;
  bool out_of_paths_ = false;
  std::vector<Group> groups_;
  std::vector<B> wishes_;             // of the present path
  std::unordered_set<Term> assumed_;  // on the present path
  std::unordered_set<Term> proved_;   // on the present path
  std::vector<Term> always_;          // proved of every path of this Explore
  std::vector<std::pair<std::string, bool>> covers_;
};

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_EXPLORER_H_
