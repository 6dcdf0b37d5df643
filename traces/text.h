// Traces as text: one readable line per Op, both ways without loss. Goldens, reports and mails use
// it.
//
//   # twinwalk trace 1
//   world name=example preset=linux-7.2 invalidCdCacheable=false
//   world device streamId=0x80
//   0 p0 open node=iommu => ok fd=3
//   1 p0 ioas_alloc fd=%0 => ok id=1
//   2 p0 ioas_map fd=%0 flags=0x7 ioasId=%1 userMap=%4 userVa=+0x1000 length=0x2000 => EFAULT
//   expect agree
//
// An Op line is [ordinal] [pN] name field=value... [=> outcome]. Fields are those of op.h; 0 may be
// left out (fd: `none`), so may size, readable and writable when they are the size of the kernel's
// struct. %n is the result of Op n; "map: mmap ..." labels an Op, and %map is then its result.
// Bytes are hex, with counts ("0xe5*4088+00"), or words ("q0x1747+q0"): see text_scan.h. What no
// field shows (bytes between fields) stands as wN=<word N of the arguments> and results=<bits>.
//
// An outcome says only what is known: ok or an errno, then id, fd, ret, values, out, data, and
//   pieces=iova+length@backing:offset/rights,iova+length!fault    fault: event number, or abort
//   events=queue#position:w0:w1:w2:w3                queue: context.id of a vEVENTQ, log, dropped
// "all" in front: everything is known, what is not named is 0 or empty. "nothing": nothing is
// known.
//
// World lines come first (fields as in world.h; preset before single rules), one line for each
// smmu, device and process; `expect` comes last. Anywhere: empty lines, and comments behind "# ".
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
