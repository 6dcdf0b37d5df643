#include "traces/text_scan.h"

#include <algorithm>
#include <cstring>

namespace twinwalk::text {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsPlain(std::string_view text) {
  if (text.empty() || text[0] == '#') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
}

void AppendHexByte(uint8_t byte, std::string* out) {
  *out += kDigits[byte >> 4];
  *out += kDigits[byte & 15];
}

uint64_t WordAt(std::string_view bytes, size_t at) {
  uint64_t word = 0;
  std::memcpy(&word, bytes.data() + at, 8);
  return word;
}

// Descriptors, commands and stream table words read best as words; buffers as bytes.
bool LooksLikeWords(std::string_view bytes) {
  if (bytes.empty() || bytes.size() % 8 != 0 || bytes.size() > 64) return false;
  return std::any_of(bytes.begin(), bytes.end(), [&](char c) { return c != bytes[0]; });
}

std::string Words(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 8) out += (i == 0 ? "q" : "+q") + Hex(WordAt(bytes, i));
  return out;
}

// A hex segment without its count; "0x" in front is allowed.
bool HexSegment(std::string_view hex, std::string* bytes) {
  if (hex.substr(0, 2) == "0x") hex.remove_prefix(2);
  if (hex.empty() || hex.size() % 2 != 0) return false;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = DigitOf(hex[i]), low = DigitOf(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    *bytes += static_cast<char>(high << 4 | low);
  }
  return true;
}

bool Segment(std::string_view segment, std::string* bytes) {
  if (segment.empty()) return false;
  const size_t width = segment[0] == 'q' ? 8 : segment[0] == 'w' ? 4 : 0;
  if (width == 0) return HexSegment(segment, bytes);
  uint64_t value = 0;
  if (!ParseNumber(segment.substr(1), width == 8 ? ~uint64_t{0} : 0xffffffff, &value)) return false;
  bytes->append(reinterpret_cast<const char*>(&value), width);
  return true;
}

struct ErrnoRow {
  uint16_t err;
  const char* name;
};
// Numbers of Linux, common to all architectures but a few that no Machine here is.
constexpr ErrnoRow kErrnos[] = {
    {1, "EPERM"},       {2, "ENOENT"},      {3, "ESRCH"},       {4, "EINTR"},      {5, "EIO"},
    {6, "ENXIO"},       {7, "E2BIG"},       {9, "EBADF"},       {11, "EAGAIN"},    {12, "ENOMEM"},
    {13, "EACCES"},     {14, "EFAULT"},     {16, "EBUSY"},      {17, "EEXIST"},    {19, "ENODEV"},
    {22, "EINVAL"},     {23, "ENFILE"},     {24, "EMFILE"},     {25, "ENOTTY"},    {27, "EFBIG"},
    {28, "ENOSPC"},     {29, "ESPIPE"},     {34, "ERANGE"},     {35, "EDEADLK"},   {38, "ENOSYS"},
    {52, "EBADE"},      {61, "ENODATA"},    {75, "EOVERFLOW"},  {77, "EBADFD"},    {90, "EMSGSIZE"},
    {95, "EOPNOTSUPP"}, {98, "EADDRINUSE"}, {110, "ETIMEDOUT"}, {125, "ECANCELED"}};

}  // namespace

bool SplitWords(std::string_view line, std::vector<std::string_view>* words) {
  words->clear();
  size_t i = 0;
  while (i < line.size()) {
    if (line[i] == ' ' || line[i] == '\t' || line[i] == '\r') {
      ++i;
      continue;
    }
    if (line[i] == '#') return true;
    const size_t start = i;
    bool quoted = false;
    for (; i < line.size(); ++i) {
      if (quoted && line[i] == '\\') {
        ++i;
      } else if (line[i] == '"') {
        quoted = !quoted;
      } else if (!quoted && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r')) {
        break;
      }
    }
    if (quoted) return false;
    words->push_back(line.substr(start, i - start));
  }
  return true;
}

std::vector<std::string_view> SplitAt(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    if (text.empty()) parts.push_back(text);
  }
  return parts;
}

std::string Quote(std::string_view text) {
  if (IsPlain(text)) return std::string(text);
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      out += "\\x";
      AppendHexByte(static_cast<uint8_t>(c), &out);
    }
  }
  return out + '"';
}

bool Unquote(std::string_view word, std::string* text) {
  if (word.empty() || word[0] != '"') {
    if (!IsPlain(word)) return false;
    *text = word;
    return true;
  }
  if (word.size() < 2 || word.back() != '"') return false;
  word = word.substr(1, word.size() - 2);
  std::string out;
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '"') return false;
    if (word[i] != '\\') {
      out += word[i];
    } else if (i + 1 < word.size() && (word[i + 1] == '"' || word[i + 1] == '\\')) {
      out += word[++i];
    } else if (i + 3 < word.size() && word[i + 1] == 'x' && DigitOf(word[i + 2]) >= 0 &&
               DigitOf(word[i + 3]) >= 0) {
      out += static_cast<char>(DigitOf(word[i + 2]) << 4 | DigitOf(word[i + 3]));
      i += 3;
    } else {
      return false;
    }
  }
  *text = std::move(out);
  return true;
}

std::string Hex(uint64_t value) {
  std::string out;
  do {
    out.insert(out.begin(), kDigits[value & 15]);
    value >>= 4;
  } while (value != 0);
  return "0x" + out;
}

std::string Number(uint64_t value) {
  return value < 1024 ? std::to_string(value) : Hex(value);
}

bool ParseNumber(std::string_view word, uint64_t max, uint64_t* value) {
  uint64_t base = 10;
  if (word.substr(0, 2) == "0x") base = 16, word.remove_prefix(2);
  if (word.empty()) return false;
  uint64_t sum = 0;
  for (char c : word) {
    const int digit = DigitOf(c);
    if (digit < 0 || static_cast<uint64_t>(digit) >= base) return false;
    if (sum > (~uint64_t{0} - digit) / base) return false;
    sum = sum * base + digit;
  }
  if (sum > max) return false;
  *value = sum;
  return true;
}

std::string Bytes(std::string_view bytes) {
  if (bytes.empty()) return "-";
  if (LooksLikeWords(bytes)) return Words(bytes);
  constexpr size_t kRun = 16;  // equal bytes that are worth a count
  std::string out = "0x";
  bool open = true;  // the last segment may be continued
  for (size_t i = 0; i < bytes.size();) {
    size_t end = i + 1;
    while (end < bytes.size() && bytes[end] == bytes[i]) ++end;
    const bool run = end - i >= kRun;
    if (i != 0 && (run || !open)) out += '+';
    if (run) {
      AppendHexByte(static_cast<uint8_t>(bytes[i]), &out);
      out += '*' + std::to_string(end - i);
    } else {
      for (size_t k = i; k < end; ++k) AppendHexByte(static_cast<uint8_t>(bytes[k]), &out);
    }
    open = !run;
    i = end;
  }
  return out;
}

bool ParseBytes(std::string_view word, size_t max, std::string* bytes) {
  if (word == "-") {
    bytes->clear();
    return true;
  }
  if (word.empty()) return false;
  std::string out;
  for (std::string_view segment : SplitAt(word, '+')) {
    uint64_t count = 1;
    if (const size_t star = segment.find('*'); star != std::string_view::npos) {
      if (!ParseNumber(segment.substr(star + 1), max, &count)) return false;
      segment = segment.substr(0, star);
    }
    std::string once;
    if (!Segment(segment, &once) || once.size() > (max - out.size()) / std::max<uint64_t>(count, 1))
      return false;
    for (uint64_t i = 0; i < count; ++i) out += once;
  }
  *bytes = std::move(out);
  return true;
}

std::string ErrnoName(uint16_t err) {
  for (const ErrnoRow& row : kErrnos)
    if (row.err == err) return row.name;
  return "";
}

bool ParseErrno(std::string_view word, uint16_t* err) {
  if (word == "ok") {
    *err = 0;
    return true;
  }
  for (const ErrnoRow& row : kErrnos) {
    if (word == row.name) {
      *err = row.err;
      return true;
    }
  }
  return false;
}

}  // namespace twinwalk::text
