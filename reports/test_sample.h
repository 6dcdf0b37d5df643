// Reports for tests: one that passed, one of each way to fail. Made by hand, not by a Machine.
#ifndef TWINWALK_REPORTS_TEST_SAMPLE_H_
#define TWINWALK_REPORTS_TEST_SAMPLE_H_

#include "reports/replay_report.h"

namespace twinwalk::reports {

inline ReplayReport AgreedSample() {
  ReplayReport r;
  r.trace = "traces/captures/vsmmu-basic.jsonl.gz";
  r.world = "vsmmu-basic";
  r.level = "touched";
  r.ops = 120;
  r.ioctls = 80;
  r.raw_ioctls = 2;
  r.recorded_agree = 77;
  r.recorded_differ = 1;
  r.environment = 4;
  r.accesses = 20;
  r.freedoms = {{"fd-number", 9}, {"stale-translation", 1}};
  r.ops_per_second = 1000;
  r.differences = {{41, "41 dma d0", "pieces[0].fault", "0x0", "0x10", "emulator: a quirk"}};
  r.permitted_sets = {{60, "60 dma d0 iova=0x1000", 2, 1}};
  return r;
}

inline FindingReport FindingSample() {
  FindingReport f;
  f.kind = "violation";
  f.trace = "traces/golden/bad_unmap.txt";
  f.ordinal = 9;
  f.op = "9 p0 ioas_unmap fd=%0 ioasId=%1 iova=0x1000 length=0x1000";
  f.before = {"8 dma device=0 iova=0x1000"};
  f.invariant = "no-stale";
  f.words = "once an unmap is visible, no retained entry made from it is used";
  f.should_be = "a retained translation agrees with a live area";
  f.is = "retained kind=0x6 vmid=0x1 first=0x1000 last=0x1fff";
  f.rows = {f.is};
  f.sheet = "iommufd sheet 6.8";
  f.replay = "build/opt/twinwalk replay --level touched traces/golden/bad_unmap.txt";
  return f;
}

inline ReplayReport ViolatedSample() {
  ReplayReport r;
  r.trace = "traces/golden/bad_unmap.txt";
  r.world = "one-device";
  r.level = "touched";
  r.ops = 10;
  r.ioctls = 6;
  r.violations = 1;
  r.findings = {FindingSample()};
  return r;
}

// A golden whose planted fault was found, as it must be.
inline ReplayReport PlantedSample() {
  ReplayReport r = ViolatedSample();
  r.expect = "violation no-stale with model configCacheSurvivesDetach";
  r.violations = 0;
  r.planted.swap(r.findings);
  return r;
}

inline ProofRow ProofSample(const char* op, const char* invariant, const char* verdict,
                            bool canary = false) {
  ProofRow row;
  row.shape = "keeps";
  row.op = op;
  row.invariant = invariant;
  row.preset = "linux-7.2";
  row.verdict = verdict;
  row.bounds = "vm 2, dev 3, area 3";
  row.paths = 12;
  row.queries = 340;
  row.seconds = 1.5;
  row.canary = canary;
  return row;
}

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_TEST_SAMPLE_H_
