// Lines of a capture file, plain or gzipped, under hard limits; and one line's fields, typed. Both
// judge nothing: what does not parse is an absent value, what is damaged is named with its line.
#ifndef TWINWALK_TRACES_CAPTURE_LINES_H_
#define TWINWALK_TRACES_CAPTURE_LINES_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace twinwalk {

class CaptureLines {
 public:
  static constexpr size_t kMaxLine = 4u << 20;       // bytes of one line
  static constexpr uint64_t kMaxBytes = 4ull << 30;  // of the file, after decompression

  explicit CaptureLines(const std::string& path);
  ~CaptureLines();
  CaptureLines(const CaptureLines&) = delete;
  CaptureLines& operator=(const CaptureLines&) = delete;

  enum class Got { kLine, kDamaged, kEnd };
  // kDamaged: *text says what is wrong; later lines can follow, unless done().
  Got Next(std::string* text);
  uint64_t number() const { return number_; }  // of the line given last, from 1
  bool done() const { return done_; }

 private:
  // The bytes that have been read and not yet given out; false when there are no more.
  bool Fill();
  Got Stop(const std::string& why, std::string* text);

  void* file_ = nullptr;  // gzFile: reads plain files as they are
  std::string buffer_;
  size_t at_ = 0;
  uint64_t number_ = 0;
  uint64_t bytes_ = 0;
  std::string broken_;
  bool done_ = false;
};

// One record. A field that is absent or of another type is nullopt: recorders and damage alike.
class CaptureRecord {
 public:
  using Json = nlohmann::json;
  // "" or what is wrong with the line.
  std::string Parse(const std::string& line);
  explicit CaptureRecord(Json json = Json()) : json_(std::move(json)) {}

  std::optional<std::string> Text(const char* key) const;
  std::string TextOr(const char* key, const char* otherwise) const;
  // Numbers are written as JSON numbers or as hex strings ("0x3b81").
  std::optional<uint64_t> Number(const char* key) const;
  uint64_t NumberOr(const char* key, uint64_t otherwise) const;
  // Bytes written in hex. Sets *bad when there is something else.
  std::optional<std::string> Bytes(const char* key, bool* bad) const;
  std::optional<CaptureRecord> Object(const char* key) const;
  size_t ListSize(const char* key) const;
  std::optional<std::string> TextAt(const char* key, size_t index) const;  // element of a list
  CaptureRecord ListAt(const char* key, size_t index) const;  // an empty record if it is no object

 private:
  const Json* Find(const char* key) const;
  Json json_;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_CAPTURE_LINES_H_
