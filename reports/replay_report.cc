#include "reports/replay_report.h"

#include <algorithm>

#include "traces/invariants.h"
#include "traces/text.h"

namespace twinwalk::reports {

namespace {

std::string WordsOf(const std::string& invariant) {
  std::string words;
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&&) {
    if (invariant == info.id) words = info.words;
  });
  if (invariant == "monitor")
    words = "no page is unpinned, no table frame or tag freed while hardware may still use it";
  return words;
}

std::string Joined(const std::vector<Difference>& differences, std::string Difference::*side) {
  std::string text;
  for (const Difference& d : differences) {
    if (!text.empty()) text += "; ";
    text += d.field + " = " + d.*side;
  }
  return text;
}

bool IsViolation(const Finding& finding) {
  switch (finding.kind) {
    case Finding::Kind::kViolation:
    case Finding::Kind::kOrder:
      return true;
    case Finding::Kind::kDivergence:
    case Finding::Kind::kViewDiffers:
    case Finding::Kind::kProbe:
      return false;
  }
  return false;
}

Clause FillClause(const Finding& finding) {
  Clause clause;
  clause.kind = IsViolation(finding) ? "violation" : FindingKindName(finding.kind);
  clause.invariant = finding.invariant;
  clause.rows = finding.rows;
  if (finding.differences.empty()) {
    clause.should_be = finding.clause;
    clause.is = finding.rows.empty() ? "not so" : finding.rows.front();
  } else {
    clause.should_be = Joined(finding.differences, &Difference::should_be);
    clause.is = Joined(finding.differences, &Difference::is);
  }
  return clause;
}

// The different things that are wrong, each with all of its rows.
std::vector<Clause> Clauses(const std::vector<Finding>& findings) {
  std::vector<Clause> clauses;
  for (const Finding& finding : findings) {
    const Clause one = FillClause(finding);
    const auto same = std::find_if(clauses.begin(), clauses.end(), [&](const Clause& other) {
      return other.kind == one.kind && other.invariant == one.invariant &&
             other.should_be == one.should_be && !one.rows.empty();
    });
    if (same == clauses.end()) {
      clauses.push_back(one);
      continue;
    }
    for (const std::string& row : one.rows)
      if (std::find(same->rows.begin(), same->rows.end(), row) == same->rows.end())
        same->rows.push_back(row);
  }
  return clauses;
}

// All findings of a trace are of one Op, its last.
std::vector<FindingReport> Fill(const ReplaySource& source, const Trace& trace,
                                const std::vector<Finding>& findings, const std::string& fault) {
  if (findings.empty()) return {};
  const std::vector<Clause> clauses = Clauses(findings);
  const size_t ordinal = findings.front().ordinal;
  FindingReport report;
  report.kind = clauses[0].kind;
  report.invariant = clauses[0].invariant;
  report.should_be = clauses[0].should_be;
  report.is = clauses[0].is;
  report.rows = clauses[0].rows;
  report.also.assign(clauses.begin() + 1, clauses.end());
  report.trace = source.file;
  report.ordinal = ordinal;
  report.words = WordsOf(report.invariant);
  if (ordinal < trace.ops.size()) {
    for (size_t i = ordinal - std::min(ordinal, kShownBefore); i < ordinal; ++i)
      report.before.push_back(OpText(i, trace.ops[i]));
    report.op = OpText(ordinal, trace.ops[ordinal]);
    report.sheet = SheetOf(trace.ops[ordinal].kind);
  }
  report.replay = "build/opt/twinwalk replay --level " + std::string(LevelName(source.level)) +
                  (fault.empty() ? "" : " --fault " + fault) + " " + source.file;
  return {report};
}

}  // namespace

const char* LevelName(CheckLevel level) {
  switch (level) {
    case CheckLevel::kOutcome:
      return "outcome";
    case CheckLevel::kTouched:
      return "touched";
    case CheckLevel::kFull:
      return "full";
  }
  return "";
}

const char* SheetOf(OpKind kind) {
  switch (kind) {
    case OpKind::kRaw:
      return "none: not typed";
    case OpKind::kOpen:
      return "iommufd sheet 1, docs/TRACE.md 1";
    case OpKind::kClose:
      return "iommufd sheet 1, 19.4";
    case OpKind::kDup:
      return "docs/TRACE.md 1";
    case OpKind::kBindIommufd:
      return "iommufd sheet 10.1, 19.1";
    case OpKind::kAttachIommufdPt:
      return "iommufd sheet 10, 19.2, docs/TRACE.md 3";
    case OpKind::kDetachIommufdPt:
      return "iommufd sheet 10, 19.3";
    case OpKind::kIoasAlloc:
      return "iommufd sheet 6.1";
    case OpKind::kIoasMap:
      return "iommufd sheet 5, 6.4, 6.5, 7.2";
    case OpKind::kIoasUnmap:
      return "iommufd sheet 6.8";
    case OpKind::kIoasIovaRanges:
      return "iommufd sheet 6.2";
    case OpKind::kGetHwInfo:
      return "iommufd sheet 11, hw-smmuv3 sheet 9";
    case OpKind::kHwptAlloc:
      return "iommufd sheet 9, hw-smmuv3 sheet 9, docs/TRACE.md 3";
    case OpKind::kViommuAlloc:
      return "iommufd sheet 15.1";
    case OpKind::kVdeviceAlloc:
      return "iommufd sheet 15.2";
    case OpKind::kVeventqAlloc:
      return "iommufd sheet 16";
    case OpKind::kHwptInvalidate:
      return "iommufd sheet 13, hw-smmuv3 sheet 7, 9";
    case OpKind::kDestroy:
      return "iommufd sheet 4.2";
    case OpKind::kRead:
      return "iommufd sheet 16";
    case OpKind::kPoll:
      return "iommufd sheet 16";
    case OpKind::kMmap:
      return "docs/TRACE.md 1";
    case OpKind::kMunmap:
      return "docs/TRACE.md 1";
    case OpKind::kMemfd:
      return "docs/TRACE.md 1";
    case OpKind::kMemWrite:
      return "docs/TRACE.md 1";
    case OpKind::kDma:
      return "hw-smmuv3 sheet, Required order of checks, What may be stale";
    case OpKind::kFailAlloc:
      return "docs/TRACE.md 1";
    case OpKind::kWrite:
      return "docs/TRACE.md 1";
    case OpKind::kEventfd:
      return "docs/TRACE.md 1";
    case OpKind::kFork:
      return "docs/TRACE.md 1";
    case OpKind::kExec:
      return "docs/TRACE.md 1";
    case OpKind::kExit:
      return "docs/TRACE.md 1";
    case OpKind::kPassFd:
      return "docs/TRACE.md 1";
    case OpKind::kSetrlimit:
      return "docs/TRACE.md 1";
    case OpKind::kVfioGetApiVersion:
      return "vfio-type1 sheet 4";
    case OpKind::kVfioCheckExtension:
      return "vfio-type1 sheet 4";
    case OpKind::kVfioSetIommu:
      return "vfio-type1 sheet 4";
    case OpKind::kVfioIommuGetInfo:
      return "vfio-type1 sheet 8";
    case OpKind::kVfioIommuMapDma:
      return "vfio-type1 sheet 9";
    case OpKind::kVfioIommuUnmapDma:
      return "vfio-type1 sheet 10";
    case OpKind::kVfioIommuDirtyPages:
      return "vfio-type1 sheet 11";
    case OpKind::kVfioGroupGetStatus:
      return "vfio-type1 sheet 5";
    case OpKind::kVfioGroupSetContainer:
      return "vfio-type1 sheet 5";
    case OpKind::kVfioGroupUnsetContainer:
      return "vfio-type1 sheet 5";
    case OpKind::kVfioGroupGetDeviceFd:
      return "vfio-type1 sheet 5";
    case OpKind::kVfioDeviceGetInfo:
      return "vfio-type1 sheet 6";
    case OpKind::kVfioDeviceGetRegionInfo:
      return "vfio-type1 sheet 6";
    case OpKind::kVfioDeviceGetIrqInfo:
      return "vfio-type1 sheet 6";
    case OpKind::kVfioDeviceSetIrqs:
      return "vfio-type1 sheet 6";
    case OpKind::kVfioDeviceReset:
      return "vfio-type1 sheet 6";
    case OpKind::kVfioPciHotResetInfo:
      return "vfio-type1 sheet 6";
    case OpKind::kVfioPciHotReset:
      return "vfio-type1 sheet 6";
    case OpKind::kVfioDeviceIoeventfd:
      return "vfio-type1 sheet 6";
    case OpKind::kVfioDeviceFeature:
      return "vfio-type1 sheet 6";
    case OpKind::kIoasAllowIovas:
      return "iommufd sheet 6.3";
    case OpKind::kIoasCopy:
      return "iommufd sheet 6.7";
    case OpKind::kIoasMapFile:
      return "iommufd sheet 6.6";
    case OpKind::kIommuOption:
      return "iommufd sheet 7.1";
    case OpKind::kVfioIoas:
      return "iommufd sheet 8.1";
    case OpKind::kHwptSetDirty:
      return "iommufd sheet 12";
    case OpKind::kHwptGetDirty:
      return "iommufd sheet 12";
    case OpKind::kFaultQueueAlloc:
      return "iommufd sheet 14.1";
    case OpKind::kIoasChangeProcess:
      return "iommufd sheet 6.9";
  }
  return "";
}

uint64_t ReplayReport::unexplained() const {
  uint64_t n = 0;
  for (const DifferenceReport& d : differences) n += d.reason.empty();
  return n;
}

std::string ReplayReport::result() const {
  if (!error.empty()) return "bad input";
  if (!findings.empty()) {
    const FindingReport& first = findings.front();
    return first.kind + (first.invariant.empty() ? "" : " of " + first.invariant);
  }
  if (unexplained() != 0) return "differs from the recording";
  return undecided != 0 ? "undecided" : "agrees";
}

bool ReplayReport::passed() const {
  return met && result() == "agrees";
}

bool ProofRow::passed() const {
  if (must_be_refuted()) return verdict == "refuted";
  return verdict == "holds" || verdict == "framed" || not_run();
}

std::vector<FindingReport> Verification::findings() const {
  std::vector<FindingReport> all;
  for (const auto* reports : {&captures, &goldens}) {
    for (const ReplayReport& report : *reports) {
      if (!report.passed()) all.insert(all.end(), report.findings.begin(), report.findings.end());
    }
  }
  return all;
}

bool Verification::passed() const {
  if (captures.empty() || goldens.empty()) return false;  // silence is no success
  for (const auto* reports : {&captures, &goldens})
    for (const ReplayReport& report : *reports)
      if (!report.passed()) return false;
  for (const ProofRow& row : proofs)
    if (!row.passed()) return false;
  for (const FuzzRow& row : fuzz)
    if (row.status != 0 || row.finds != 0) return false;
  for (const MutantRow& row : mutants)
    if (row.required && !row.found) return false;
  return true;
}

ReplayReport FillReplayReport(const ReplaySource& source, const Trace& trace,
                              const ReplayResult& result, KnownDifferences* known) {
  ReplayReport report;
  report.trace = source.file;
  report.world = trace.world.name;
  report.level = LevelName(source.level);
  report.expect = trace.expect;
  report.environment = source.environment;
  report.ops = result.counts.ops;
  report.ioctls = result.ioctls;
  report.raw_ioctls = result.raw_ioctls;
  report.recorded_agree = result.recorded_agree;
  report.recorded_differ = result.recorded_differ.size();
  report.known_defects = result.counts.known_defects;
  report.undecided = result.counts.undecided;
  report.probes = result.counts.probes;
  report.accesses = result.counts.accesses;
  report.other_member = result.counts.other_member;
  report.freedoms = result.freedoms;
  if (source.cpu_seconds > 0)
    report.ops_per_second = static_cast<double>(result.counts.ops) / source.cpu_seconds;
  report.findings = Fill(source, trace, result.findings, source.fault);
  for (const Clause& clause : Clauses(result.findings))
    (clause.kind == "violation" ? report.violations : report.divergences) += 1;
  const std::string capture = KnownDifferences::CaptureName(source.file);
  for (const RecordedDifference& one : result.recorded_differ) {
    for (const Difference& d : one.differences) {
      DifferenceReport difference;
      difference.ordinal = one.ordinal;
      if (one.ordinal < trace.ops.size())
        difference.op = OpText(one.ordinal, trace.ops[one.ordinal]);
      difference.field = d.field;
      difference.recorded = d.should_be;
      difference.reference = d.is;
      if (known != nullptr) {
        const KnownDifference* line = known->Excuse(capture, one.ordinal, d.field);
        if (line != nullptr) difference.reason = line->reason;
      }
      report.differences.push_back(difference);
    }
  }
  for (const PermittedSet& set : result.permitted_sets) {
    PermittedReport permitted;
    permitted.ordinal = set.ordinal;
    if (set.ordinal < trace.ops.size()) permitted.op = OpText(set.ordinal, trace.ops[set.ordinal]);
    permitted.members = set.members;
    permitted.recorded_member = set.recorded_member;
    report.permitted_sets.push_back(permitted);
  }
  if (known != nullptr) {
    for (const Status& unused : known->Unused(capture)) {
      report.met = false;
      report.why += (report.why.empty() ? "" : "; ") + unused.ToString();
    }
  }
  return report;
}

std::vector<FindingReport> FillFindings(const ReplaySource& source, const Trace& trace,
                                        const ReplayResult& result, const std::string& fault) {
  return Fill(source, trace, result.findings, fault);
}

}  // namespace twinwalk::reports
