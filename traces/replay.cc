#include "traces/replay.h"

#include <algorithm>

#include "traces/codec_layouts.h"

namespace twinwalk {
namespace {

// Which context the ids of an Op belong to: the Op that opened its iommufd, plus 1 (0: unknown).
class Contexts {
 public:
  uint64_t Of(const Op& op, size_t ordinal) {
    if (op.kind == OpKind::kOpen) {
      roots_[ordinal] = op.open.node == static_cast<uint32_t>(Node::kIommu) ? ordinal + 1 : 0;
      return roots_[ordinal];
    }
    if ((op.results & 1) == 0) return 0;
    const uint64_t context = roots_[op.fd];
    if (op.kind == OpKind::kDup) roots_[ordinal] = context;
    if (op.kind == OpKind::kVeventqAlloc) roots_[ordinal] = context;
    if (op.kind == OpKind::kBindIommufd && (op.results & 2) != 0)
      return roots_[op.fd] = roots_[op.bind.iommufd];
    return context;
  }

 private:
  std::map<size_t, uint64_t> roots_;
};

// The recording as one opinion: what it says must be permitted, and becomes the state.
class RecordedReplay {
 public:
  RecordedReplay(PermittingMachine* reference, const Trace& trace)
      : reference_(reference), is_golden_(!trace.expect.empty()) {
    reference_->Reset(trace.world);
  }

  void Step(const Op& op, size_t ordinal, ReplayResult* result) {
    const Op& resolved = resolver_.Resolve(op);
    const uint64_t context = contexts_.Of(op, ordinal);
    GuidedStep guided;
    if (op.kind == OpKind::kDma && op.recorded) {
      NoteSet(resolved, ordinal, result);
      guided = reference_->StepTowards(resolved, *op.recorded);
    } else {
      guided.outcome = reference_->Step(resolved);
    }
    resolver_.Record(op, guided.outcome);
    if (!op.recorded || op.kind == OpKind::kRaw) return;
    std::vector<Difference> differences = CompareRecorded(op, *op.recorded, guided.outcome, context,
                                                          is_golden_ ? nullptr : &renaming_);
    if ((op.recorded->known & Outcome::kFd) != 0 && op.recorded->fd != guided.outcome.fd)
      ++result->freedoms["fd-number"];
    if ((op.recorded->known & Outcome::kId) != 0 && op.recorded->id != guided.outcome.id)
      ++result->freedoms["object-renaming"];
    if (differences.empty())
      ++result->recorded_agree;
    else
      result->recorded_differ.push_back({ordinal, std::move(differences)});
  }

 private:
  // Records the permitted set when it has several members, and which one the kernel's machine took.
  void NoteSet(const Op& op, size_t ordinal, ReplayResult* result) {
    const std::vector<Outcome> set = reference_->Permitted(op, kCountedMembers);
    if (set.size() < 2) return;
    PermittedSet note{ordinal, set.size(), -1};
    if ((op.recorded->known & Outcome::kPieces) != 0) {
      for (size_t i = 0; i < set.size() && note.recorded_member < 0; ++i) {
        const auto& is = set[i].pieces;
        const auto& wanted = op.recorded->pieces;
        if (is.size() == wanted.size() &&
            std::equal(is.begin(), is.end(), wanted.begin(), PieceAgrees)) {
          note.recorded_member = static_cast<int>(i);
        }
      }
    }
    result->permitted_sets.push_back(note);
    if (note.recorded_member > 0) ++result->freedoms["stale-translation"];
  }

  PermittingMachine* reference_;
  bool is_golden_;  // names are ours: exact
  Resolver resolver_;
  Renaming renaming_;
  Contexts contexts_;
};

}  // namespace

bool IsIoctl(OpKind kind) {
  return kind == OpKind::kRaw || LayoutOf(kind) != nullptr;
}

ReplayResult Replay(const Trace& trace, CheckLevel level, const MachineFactory& make) {
  ReplayResult result;
  MachinePair pair = make();
  Lockstep lockstep(pair.model.get(), pair.reference.get(), level);
  lockstep.Reset(trace.world);
  for (const Op& op : trace.ops) {
    if (op.kind == OpKind::kRaw)
      result.raw_ioctls += op.raw.command != 0;  // 0: another call
    else if (IsIoctl(op.kind))
      ++result.ioctls;
    if (!lockstep.Step(op)) break;
  }
  result.counts = lockstep.counts();
  result.findings = lockstep.findings();
  if (result.counts.other_member > 0)
    result.freedoms["stale-translation"] += result.counts.other_member;
  if (std::any_of(trace.ops.begin(), trace.ops.end(),
                  [](const Op& op) { return op.recorded.has_value(); })) {
    MachinePair recorded = make();
    RecordedReplay replay(recorded.reference.get(), trace);
    for (size_t i = 0; i < trace.ops.size(); ++i) replay.Step(trace.ops[i], i, &result);
  }
  return result;
}

}  // namespace twinwalk
