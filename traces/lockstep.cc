#include "traces/lockstep.h"

#include <algorithm>

#include "traces/invariants.h"
#include "traces/known_defects.h"

namespace twinwalk {
namespace {

constexpr size_t kKeptProbes = 4;
constexpr size_t kMaxSightings = 256;  // a bound on the work of one Op at level kFull

// Whether the access reached memory that the step says is no longer pinned: then only what is
// permitted after the Op excuses it.
bool MetFreedPage(const Outcome& met, const MicroStep<uint64_t>& step) {
  if (step.kind != MicroStepKind::kPageUnpinned) return false;
  return std::any_of(met.pieces.begin(), met.pieces.end(), [&](const Piece& piece) {
    return piece.fault == 0 && piece.backing == step.backing && piece.offset >= step.offset &&
           piece.offset < step.offset + step.length;
  });
}

bool SamePieces(const Outcome& a, const Outcome& b) {
  return a.pieces == b.pieces;
}

}  // namespace

const char* FindingKindName(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::kDivergence:
      return "divergence";
    case Finding::Kind::kViewDiffers:
      return "view-differs";
    case Finding::Kind::kViolation:
      return "violation";
    case Finding::Kind::kOrder:
      return "order";
    case Finding::Kind::kProbe:
      return "probe";
  }
  return "?";
}

Lockstep::Lockstep(Machine* subject, PermittingMachine* reference, CheckLevel level)
    : subject_(subject), reference_(reference), level_(level) {}

Lockstep::~Lockstep() {
  subject_->SetObserver(nullptr);
}

void Lockstep::Reset(const World& world) {
  world_ = world;
  subject_->SetObserver(nullptr);
  subject_->Reset(world);
  reference_->Reset(world);
  if (level_ != CheckLevel::kOutcome) subject_->SetObserver(this);
  subject_resolver_.Clear();
  reference_resolver_.Clear();
  monitor_.Clear();
  findings_.clear();
  counts_ = {};
  probes_.clear();
  placed_.clear();
}

bool Lockstep::Step(const Op& op) {
  const size_t before = findings_.size();
  Outcome reference_outcome;
  const Op& resolved = subject_resolver_.Resolve(op);
  const Op& reference_op = reference_resolver_.Resolve(op);
  if (op.kind == OpKind::kDma && op.dma.placeKind != 0) {  // happens inside the next Op
    Probe probe;
    probe.op = resolved;
    probe.kind = op.dma.placeKind, probe.nth = op.dma.placeNth;
    probe.op.dma.placeKind = probe.op.dma.placeNth = 0;
    placed_.push_back(std::move(probe));
    outcome_ = reference_outcome = Outcome{};
  } else {
    seen_.fill(0);
    BeginProbes();
    outcome_ = subject_->Step(resolved);
    GuidedStep guided = reference_->StepTowards(reference_op, outcome_);
    if (op.kind == OpKind::kDma) ++counts_.accesses;
    if (guided.match == Match::kUndecided) ++counts_.undecided;
    if (guided.match == Match::kEqual && guided.members > 1) ++counts_.other_member;
    // An undecided access may be any of too many members: counted, and the pair cannot go on.
    std::vector<Difference> differences = CompareExact(guided.outcome, outcome_);
    if (!differences.empty() && guided.match != Match::kUndecided) {
      Finding finding;
      finding.kind = Finding::Kind::kDivergence;
      finding.ordinal = counts_.ops;
      finding.clause = "the Outcome is one that the reference permits";
      finding.differences = std::move(differences);
      findings_.push_back(std::move(finding));
    }
    JudgeProbes();
    if (level_ != CheckLevel::kOutcome) CheckInvariants();
    if (level_ == CheckLevel::kFull) {
      CheckViews();
      if (op.kind == OpKind::kDma) RememberProbe(resolved);
    }
    placed_.clear();
    reference_outcome = std::move(guided.outcome);
  }
  subject_resolver_.Record(op, outcome_);
  reference_resolver_.Record(op, reference_outcome);
  ++counts_.ops;
  return findings_.size() == before;
}

void Lockstep::OnMicroStep(const MicroStep<uint64_t>& step) {
  monitor_.OnStep(step, [&](bool ok, const char* what, const auto& row) {
    if (!ok) Violated(Finding::Kind::kOrder, "monitor", what, RowText(row));
  });
  const uint32_t nth = seen_[static_cast<size_t>(step.kind)]++;
  const auto look = [&](const Probe& probe, size_t index) {
    if (sightings_.size() >= kMaxSightings) return;
    ++counts_.probes;
    Outcome met = subject_->Peek(probe.op);
    const bool freed = MetFreedPage(met, step);
    sightings_.push_back({index, freed, std::move(met)});
  };
  for (size_t i = 0; i < probes_.size(); ++i) look(probes_[i], i);
  for (size_t i = 0; i < placed_.size(); ++i) {
    const Probe& probe = placed_[i];
    if (probe.kind == static_cast<uint16_t>(step.kind) + 1 && probe.nth == nth)
      look(probe, kKeptProbes + i);
  }
}

void Lockstep::RememberProbe(const Op& op) {
  Probe probe;
  static_cast<OpData&>(probe.op) = op;
  const uint64_t in_page = 4096 - op.dma.iova % 4096;
  probe.op.dma.length = static_cast<uint32_t>(std::min<uint64_t>({op.dma.length, in_page, 8}));
  if (probe.op.dma.length == 0) return;
  probe.op.blob.assign((op.dma.flags & kDmaWrite) != 0 ? probe.op.dma.length : 0, '\0');
  for (const Probe& old : probes_) {
    if (old.op.dma.device == op.dma.device && old.op.dma.iova == op.dma.iova &&
        old.op.dma.flags == op.dma.flags) {
      return;
    }
  }
  if (probes_.size() == kKeptProbes) probes_.pop_front();
  probes_.push_back(std::move(probe));
}

void Lockstep::BeginProbes() {
  sightings_.clear();
  if (level_ == CheckLevel::kOutcome) return;
  for (Probe& probe : probes_) probe.before = reference_->Permitted(probe.op, 64);
  for (Probe& probe : placed_) probe.before = reference_->Permitted(probe.op, 64);
}

void Lockstep::JudgeProbes() {
  // An Op that fails may have done and undone something: only a freed page tells then. One that
  // shows or hides several ranges, one after the other, passes through states that are neither
  // before nor after: a fault is then right, and what is reached must be of either.
  const bool undone = outcome_.err != 0;
  const bool several = seen_[static_cast<size_t>(MicroStepKind::kMapGone)] > 1 ||
                       seen_[static_cast<size_t>(MicroStepKind::kMapVisible)] > 1;
  for (const Sighting& s : sightings_) {
    if (undone && !s.freed) continue;
    if (several && std::all_of(s.met.pieces.begin(), s.met.pieces.end(),
                               [](const Piece& piece) { return piece.fault != 0; })) {
      continue;
    }
    const Probe& probe = s.probe < kKeptProbes ? probes_[s.probe] : placed_[s.probe - kKeptProbes];
    const auto permitted = [&](const std::vector<Outcome>& set) {
      return std::any_of(set.begin(), set.end(),
                         [&](const Outcome& o) { return SamePieces(o, s.met); });
    };
    const std::vector<Outcome> after = reference_->Permitted(probe.op, 64);
    if (permitted(after) || (!s.freed && permitted(probe.before))) continue;
    Finding finding;
    finding.kind = Finding::Kind::kProbe;
    finding.ordinal = counts_.ops;
    finding.clause = "an access inside the Op meets what is permitted before or after it";
    if (!after.empty()) finding.differences = CompareExact(after[0], s.met, 2);
    findings_.push_back(std::move(finding));
    return;
  }
}

void Lockstep::CheckInvariants() {
  view_ = View<Concrete>();
  subject_->GetView(level_ == CheckLevel::kFull ? ViewScope::kAll : ViewScope::kTouched, &view_);
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&& check) {
    check(view_, [&](bool ok, const char* what, const auto& row) {
      if (!ok) Violated(Finding::Kind::kViolation, info.id, what, RowText(row));
    });
  });
}

void Lockstep::CheckViews() {
  View<Concrete> reference_view;
  reference_->GetView(ViewScope::kAll, &reference_view);
  std::vector<std::string> rows = CompareViews(reference_view, view_);
  if (rows.empty()) return;
  Finding finding;
  finding.kind = Finding::Kind::kViewDiffers;
  finding.ordinal = counts_.ops;
  finding.clause = "the Views after the Op are equal";
  finding.rows = std::move(rows);
  findings_.push_back(std::move(finding));
}

void Lockstep::Violated(Finding::Kind kind, const char* invariant, const char* clause,
                        std::string row) {
  if (FindKnownDefect(world_.rules, invariant, clause) != nullptr) {
    ++counts_.known_defects;
    return;
  }
  if (findings_.size() >= 16) return;  // enough to read; the run stops here anyway
  Finding finding;
  finding.kind = kind;
  finding.ordinal = counts_.ops;
  finding.invariant = invariant;
  finding.clause = clause;
  finding.rows.push_back(std::move(row));
  findings_.push_back(std::move(finding));
}

}  // namespace twinwalk
