// The small change of the text form: words of a line, numbers, byte strings, names of errnos.
// Every Parse answers false for what it does not accept and then leaves its output alone.
#ifndef TWINWALK_TRACES_TEXT_SCAN_H_
#define TWINWALK_TRACES_TEXT_SCAN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twinwalk::text {

// Splits at blanks outside of double quotes; '#' at the start of a word begins a comment. Quotes
// stay in the words (see Unquote). False: a quote is not closed.
bool SplitWords(std::string_view line, std::vector<std::string_view>* words);

// Parts between separators; the empty string has none.
std::vector<std::string_view> SplitAt(std::string_view text, char separator);

// `text` itself when it is a plain word, else in double quotes with \" \\ and \xNN.
std::string Quote(std::string_view text);
bool Unquote(std::string_view word, std::string* text);

// How open() names its nodes, in the order of Node (op_args.h).
inline constexpr std::string_view kNodeNames[] = {"iommu", "vfio-cdev", "vfio-container",
                                                  "vfio-group", "vfio-noiommu-group"};

// Decimal below 1024, else hexadecimal. Both are read, up to `max`.
std::string Number(uint64_t value);
std::string Hex(uint64_t value);
bool ParseNumber(std::string_view word, uint64_t max, uint64_t* value);

// Bytes as segments joined by '+', each with an optional "*count": pairs of hex digits in memory
// order ("0x00e5*4088"), or q<number>, w<number>: 8 or 4 bytes little-endian. "-" is the empty
// string. Printed as q-words when that is what they look like (see text_scan.cc).
std::string Bytes(std::string_view bytes);
bool ParseBytes(std::string_view word, size_t max, std::string* bytes);

// "EINVAL"; "" when `err` has no name here. ParseErrno also takes "ok".
std::string ErrnoName(uint16_t err);
bool ParseErrno(std::string_view word, uint16_t* err);

}  // namespace twinwalk::text

#endif  // TWINWALK_TRACES_TEXT_SCAN_H_
