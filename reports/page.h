// The report as one self-contained HTML page for a reviewer: verdict first, then what it rests on,
// then what it does not say. No script, no request, no clock: equal findings give an equal page.
#ifndef TWINWALK_REPORTS_PAGE_H_
#define TWINWALK_REPORTS_PAGE_H_

#include <string>

#include "reports/html.h"
#include "reports/replay_report.h"

namespace twinwalk::reports {

std::string PageHtml(const Verification& verification);

// Its sections, each in the file named.
void FindingsSection(const Verification& v, Html* page);  // page_replays.cc
void CapturesSection(const Verification& v, Html* page);
void GoldensSection(const Verification& v, Html* page);
void ProofsSection(const Verification& v, Html* page);  // page_proofs.cc
void FuzzSection(const Verification& v, Html* page);    // page_words.cc
void RulesSection(const Verification& v, Html* page);
void FreedomsSection(const Verification& v, Html* page);
void LimitsSection(Html* page);

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_PAGE_H_
