#include "traces/capture_lines.h"

#include <zlib.h>

#include <cerrno>
#include <cstring>

namespace twinwalk {

CaptureLines::CaptureLines(const std::string& path) {
  errno = 0;
  file_ = gzopen(path.c_str(), "rb");
  if (file_ == nullptr) broken_ = errno != 0 ? std::strerror(errno) : "cannot be opened";
}

CaptureLines::~CaptureLines() {
  if (file_ != nullptr) gzclose(static_cast<gzFile>(file_));
}

bool CaptureLines::Fill() {
  if (!broken_.empty()) return false;
  buffer_.erase(0, at_);
  at_ = 0;
  const size_t had = buffer_.size();
  const size_t chunk = 1 << 16;
  buffer_.resize(had + chunk);
  gzFile file = static_cast<gzFile>(file_);
  const int got = gzread(file, buffer_.data() + had, chunk);
  buffer_.resize(had + (got > 0 ? got : 0));
  if (got > 0) bytes_ += got;
  if (bytes_ > kMaxBytes) {
    broken_ = "more than " + std::to_string(kMaxBytes) + " bytes";
    return false;
  }
  int code = Z_OK;
  const char* what = gzerror(file, &code);
  if (code == Z_BUF_ERROR) {
    broken_ = "the compressed data end too early";
  } else if (got < 0) {
    broken_ = code == Z_ERRNO ? std::strerror(errno) : what;
  }
  return got > 0;
}

CaptureLines::Got CaptureLines::Stop(const std::string& why, std::string* text) {
  done_ = true;
  *text = why;
  return why.empty() ? Got::kEnd : Got::kDamaged;
}

CaptureLines::Got CaptureLines::Next(std::string* text) {
  if (done_) return Stop("", text);
  ++number_;
  bool too_long = false;
  size_t searched = at_;
  for (;;) {
    const size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      if (too_long || end - at_ > kMaxLine) {
        at_ = end + 1;
        *text = "line longer than " + std::to_string(kMaxLine) + " bytes";
        return Got::kDamaged;
      }
      text->assign(buffer_, at_, end - at_);
      at_ = end + 1;
      return Got::kLine;
    }
    if (buffer_.size() - at_ > kMaxLine) {
      too_long = true;
      at_ = buffer_.size();
    }
    const size_t rest = buffer_.size() - at_;
    if (Fill()) {
      searched = rest;
      continue;
    }
    if (!broken_.empty()) return Stop(broken_, text);
    if (buffer_.size() == at_ && !too_long) return Stop("", text);
    return Stop("the last line is cut off (no newline)", text);
  }
}

std::string CaptureRecord::Parse(const std::string& line) {
  json_ = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (json_.is_discarded()) return "not JSON";
  if (!json_.is_object()) return "not a JSON object";
  return "";
}

const CaptureRecord::Json* CaptureRecord::Find(const char* key) const {
  if (!json_.is_object()) return nullptr;
  auto it = json_.find(key);
  return it == json_.end() ? nullptr : &*it;
}

std::optional<std::string> CaptureRecord::Text(const char* key) const {
  const Json* value = Find(key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get_ref<const std::string&>();
}

std::string CaptureRecord::TextOr(const char* key, const char* otherwise) const {
  return Text(key).value_or(otherwise);
}

std::optional<uint64_t> CaptureRecord::Number(const char* key) const {
  const Json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_unsigned()) return value->get<uint64_t>();
  if (value->is_number_integer()) return static_cast<uint64_t>(value->get<int64_t>());
  if (!value->is_string()) return std::nullopt;
  const std::string& text = value->get_ref<const std::string&>();
  if (text.size() < 3 || text.size() > 18 || text[0] != '0' || text[1] != 'x') return std::nullopt;
  if (text.find_first_not_of("0123456789abcdef", 2) != std::string::npos) return std::nullopt;
  return std::strtoull(text.c_str(), nullptr, 16);
}

uint64_t CaptureRecord::NumberOr(const char* key, uint64_t otherwise) const {
  return Number(key).value_or(otherwise);
}

std::optional<std::string> CaptureRecord::Bytes(const char* key, bool* bad) const {
  const Json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  const std::string* hex = value->is_string() ? &value->get_ref<const std::string&>() : nullptr;
  if (hex == nullptr || hex->size() % 2 != 0 ||
      hex->find_first_not_of("0123456789abcdef") != std::string::npos) {
    *bad = true;
    return std::nullopt;
  }
  auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes(hex->size() / 2, 0);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(nibble((*hex)[2 * i]) << 4 | nibble((*hex)[2 * i + 1]));
  }
  return bytes;
}

std::optional<CaptureRecord> CaptureRecord::Object(const char* key) const {
  const Json* value = Find(key);
  if (value == nullptr || !value->is_object()) return std::nullopt;
  return CaptureRecord(*value);
}

size_t CaptureRecord::ListSize(const char* key) const {
  const Json* value = Find(key);
  return value != nullptr && value->is_array() ? value->size() : 0;
}

std::optional<std::string> CaptureRecord::TextAt(const char* key, size_t index) const {
  const Json* list = Find(key);
  if (list == nullptr || !list->is_array() || index >= list->size()) return std::nullopt;
  const Json& element = (*list)[index];
  if (!element.is_string()) return std::nullopt;
  return element.get<std::string>();
}

CaptureRecord CaptureRecord::ListAt(const char* key, size_t index) const {
  const Json* value = Find(key);
  if (value == nullptr || !value->is_array() || index >= value->size()) return CaptureRecord();
  return CaptureRecord((*value)[index]);
}

}  // namespace twinwalk
