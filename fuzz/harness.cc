#include "fuzz/harness.h"

#include <cstdio>

#include "traces/text.h"

namespace twinwalk::fuzz {
namespace {

std::string Line(const char* format, const std::string& name, uint64_t a, uint64_t b) {
  char line[160];
  std::snprintf(line, sizeof line, format, name.c_str(), static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b));
  return line;
}

}  // namespace

std::string Coverage::Text() const {
  std::string text;
  const std::pair<const char*, uint64_t> totals[] = {
      {"traces", traces},
      {"ops", counts.ops},
      {"accesses", counts.accesses},
      {"answered from a cache (members > 1)", counts.other_member},
      {"undecided", counts.undecided},
      {"known defects", counts.known_defects},
      {"probes", counts.probes}};
  for (const auto& [name, value] : totals) text += Line("%-40s %llu\n", name, value, 0);
  text += "Ops by kind: errno x times\n";
  for (int kind = 0; kind < kOpKinds; ++kind) {
    text += Line("  %-20s", OpName(static_cast<OpKind>(kind)), 0, 0);
    for (const auto& [key, times] : errnos)
      if (key.first == kind)
        text += Line("%s %llux%llu", "", static_cast<uint64_t>(key.second), times);
    text += "\n";
  }
  text += "pieces by fault:";
  for (const auto& [fault, times] : faults)
    text += Line("%s 0x%llx x%llu", "", static_cast<uint64_t>(fault), times);
  return text + "\n";
}

std::optional<Finding> Harness::Run(const Trace& trace) {
  lockstep_.Reset(trace.world);
  novel_ = false;
  last_ = 0;
  ++coverage_.traces;
  std::optional<Finding> found;
  for (const Op& op : trace.ops) {
    const bool agreed = lockstep_.Step(op);
    Note(op, lockstep_.outcome());
    if (agreed) continue;
    found = lockstep_.findings().front();
    break;
  }
  const LockstepCounts& c = lockstep_.counts();
  LockstepCounts& sum = coverage_.counts;
  sum.ops += c.ops, sum.accesses += c.accesses, sum.other_member += c.other_member;
  sum.undecided += c.undecided, sum.known_defects += c.known_defects, sum.probes += c.probes;
  return found;
}

void Harness::Note(const Op& op, const Outcome& outcome) {
  ++coverage_.errnos[{static_cast<int>(op.kind), outcome.err}];
  for (const Piece& piece : outcome.pieces) ++coverage_.faults[piece.fault];
  uint64_t behaviour = static_cast<uint64_t>(op.kind) << 24 | uint64_t{outcome.err} << 16;
  if (!outcome.pieces.empty())
    behaviour |= outcome.pieces[0].fault | uint64_t{outcome.pieces[0].rights} << 8;
  behaviour |= (outcome.events.empty() ? 0 : outcome.events[0].queue == 0 ? 1 : 2) << 12;
  // Powers of two of a pair's times count as news, too.
  const uint64_t times = ++seen_[last_ << 32 | behaviour];
  novel_ |= times <= 64 && (times & (times - 1)) == 0;
  last_ = behaviour;
}

void MachineOracle::Reset(const World& world) {
  machine_->Reset(world);
  resolver_.Clear();
}

bool MachineOracle::Succeeds(const Op& op) {
  const Outcome outcome = machine_->Step(resolver_.Resolve(op));
  resolver_.Record(op, outcome);
  return outcome.err == 0;
}

std::string FindingText(const Trace& trace, const Finding& finding) {
  std::string text =
      std::string(FindingKindName(finding.kind)) + " at Op " + std::to_string(finding.ordinal);
  if (finding.ordinal < trace.ops.size())
    text += std::string(" (") + OpName(trace.ops[finding.ordinal].kind) + ")";
  if (!finding.invariant.empty()) text += ", " + finding.invariant;
  text += ": not so: " + finding.clause + "\n";
  for (const Difference& d : finding.differences)
    text += "  " + d.field + "\n    should be " + d.should_be + "\n    is        " + d.is + "\n";
  for (const std::string& row : finding.rows) text += "  " + row + "\n";
  return text + TraceText(trace);
}

std::optional<CheckLevel> CheckLevelOf(const std::string& name) {
  if (name == "outcome") return CheckLevel::kOutcome;
  if (name == "touched") return CheckLevel::kTouched;
  if (name == "full") return CheckLevel::kFull;
  return std::nullopt;
}

}  // namespace twinwalk::fuzz
