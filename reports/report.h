// Reports as text: what a person reads on a terminal or in a mail. A Divergence or violation is
// told as "should be, is, how to replay" in about ten lines.
#ifndef TWINWALK_REPORTS_REPORT_H_
#define TWINWALK_REPORTS_REPORT_H_

#include <string>
#include <vector>

#include "reports/replay_report.h"

namespace twinwalk::reports {

// The ten-line form of one finding.
std::string FindingText(const FindingReport& finding);
// One line when the trace passed; else that line and everything that a person needs to act.
std::string ReplayText(const ReplayReport& report);
// One JUnit XML file, one test case a trace.
std::string JUnitText(const std::vector<ReplayReport>& reports);

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_REPORT_H_
