// Finds frames in a Source: checks headers, limits and checksums, takes a frame's message out, and
// finds the next frame behind damage. Knows nothing of Ops.
#ifndef TWINWALK_TRACES_FRAME_READER_H_
#define TWINWALK_TRACES_FRAME_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "traces/frame.h"
#include "traces/source.h"

namespace twinwalk {

class FrameReader {
 public:
  explicit FrameReader(Source* source);

  // Takes in the frame at `offset`; "" or what is wrong with it. Nothing larger than kMaxFrameBytes
  // or than the rest of the file is allocated, and `plain_length` is believed only after the
  // checksum held.
  std::string Load(uint64_t offset);
  // Of the frame that Load took in.
  const FrameHeader& header() const { return header_; }
  uint64_t end() const { return end_; }  // offset behind it
  // Its message as words, without the stream prefix; empty when it is not one segment.
  const uint64_t* words() const { return plain_.data() + kMessagePrefixBytes / 8; }
  size_t word_count() const { return word_count_; }

  // Where to go on after the bad frame at `offset`: behind it when its header can be believed that
  // far, else at the next place where a whole good frame begins, else the end of the file.
  // Searching costs at most a few times the size of the file, then gives up at the end.
  uint64_t After(uint64_t offset);
  bool gave_up() const { return gave_up_; }

 private:
  // Whether there is a header at `offset` that obeys the limits and ends inside the file.
  std::string LoadHeader(uint64_t offset);
  std::string Unpack();
  uint64_t Search(uint64_t offset);

  Source* source_;
  FrameHeader header_{};
  uint64_t end_ = 0;
  std::vector<char> stored_;     // reused from frame to frame
  std::vector<uint64_t> plain_;  // likewise
  size_t word_count_ = 0;
  uint64_t bytes_read_ = 0;
  uint64_t search_budget_;  // bytes that may still be read for nothing while searching
  bool gave_up_ = false;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_FRAME_READER_H_
