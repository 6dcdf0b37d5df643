// Traces as text: one readable line per Op, both ways without loss. Goldens, reports and mails use
// it; docs/TRACE.md section 6 describes it.
//
//   # twinwalk trace 1
//   world name=example preset=linux-7.2
//   world device streamId=0x80
//   0 p0 open node=iommu => ok fd=3
//   1 p0 ioas_alloc fd=%0 => ok id=1
//   expect agree
#ifndef TWINWALK_TRACES_TEXT_H_
#define TWINWALK_TRACES_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "traces/status.h"
#include "traces/trace.h"

namespace twinwalk {

// First line of a trace in text form.
inline constexpr std::string_view kTextMagic = "# twinwalk trace";

// The whole trace, canonical: equal traces give equal text.
std::string TraceText(const Trace& trace);
// One line without its end. "7 p0 ioas_map fd=%3 ... => ok values=0x4000000"
std::string OpText(uint64_t ordinal, const Op& op);
// What stands behind "=>". Only what is known; "all" in front when everything is.
std::string OutcomeText(const Outcome& outcome);
// The leading lines, each with its end.
std::string WorldText(const World& world);

// Reads TraceText, and what people write: any order of fields, comments, labels ("map: p0 mmap
// ..." and "%map"), ordinals and defaults left out. `file` is for messages only.
Result<Trace> ParseTrace(std::string_view text, const std::string& file,
                         const ReadLimits& limits = {});
// One Op line. `ordinal`, when the line has one, must match.
Result<Op> ParseOp(std::string_view line, uint64_t ordinal);

// Inner parts, shared between the files of the text form. "" means success.
std::string ParseWorldWords(const std::vector<std::string_view>& words, World* world);
std::string ParseOutcomeWords(const std::vector<std::string_view>& words, Outcome* outcome);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_TEXT_H_
