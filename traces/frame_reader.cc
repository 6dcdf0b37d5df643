#include "traces/frame_reader.h"

#include <lz4.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace twinwalk {

FrameReader::FrameReader(Source* source)
    : source_(source), search_budget_(4 * source->size() + (64 << 20)) {}

std::string FrameReader::LoadHeader(uint64_t offset) {
  if (!source_->Read(offset, &header_, sizeof header_))
    return "the file ends inside a frame header";
  if (header_.magic != kFrameMagic) return "no frame begins here";
  if (header_.zero != 0 || header_.codec > FrameCodec::kLz4 || header_.kind > FrameKind::kEnd)
    return "a frame header with unknown codec or kind";
  if (header_.length > kMaxFrameBytes || header_.plain_length > kMaxFrameBytes)
    return "a frame larger than " + std::to_string(kMaxFrameBytes) + " bytes";
  if (header_.codec == FrameCodec::kPlain && header_.length != header_.plain_length)
    return "a frame header whose lengths differ";
  const bool has_ops = header_.kind == FrameKind::kOps;
  if (header_.ops > kMaxFrameOps || (header_.ops != 0) != has_ops)
    return "a frame that claims " + std::to_string(header_.ops) + " Ops";
  if (header_.length > source_->size() - offset - sizeof header_)
    return "the file ends inside a frame";
  end_ = offset + sizeof header_ + header_.length;
  return "";
}

std::string FrameReader::Load(uint64_t offset) {
  if (auto bad = LoadHeader(offset); !bad.empty()) return bad;
  // A plain message is read straight to its place.
  const bool plain = header_.codec == FrameCodec::kPlain;
  char* to = nullptr;
  if (plain) {
    plain_.resize((header_.length + 7) / 8);
    to = reinterpret_cast<char*>(plain_.data());
  } else {
    stored_.resize(header_.length);
    to = stored_.data();
  }
  if (!source_->Read(offset + sizeof header_, to, header_.length)) return "the file cannot be read";
  bytes_read_ += header_.length;
  const uint64_t seed = XXH3_64bits(&header_, kChecksummedHeaderBytes);
  if (XXH3_64bits_withSeed(to, header_.length, seed) != header_.checksum)
    return "the checksum of a frame does not hold";
  return Unpack();
}

std::string FrameReader::Unpack() {
  word_count_ = 0;
  if (header_.kind == FrameKind::kEnd)
    return header_.length == 0 ? "" : "an end frame with contents";
  if (header_.codec == FrameCodec::kLz4) {
    plain_.resize((header_.plain_length + 7) / 8);
    const int n = LZ4_decompress_safe(stored_.data(), reinterpret_cast<char*>(plain_.data()),
                                      static_cast<int>(header_.length),
                                      static_cast<int>(header_.plain_length));
    if (n != static_cast<int>(header_.plain_length)) return "a frame that does not decompress";
  }
  // One segment that fills the message: see frame.h.
  uint32_t prefix[2] = {1, 0};
  if (header_.plain_length >= sizeof prefix) std::memcpy(prefix, plain_.data(), sizeof prefix);
  if (prefix[0] != 0 || header_.plain_length != sizeof prefix + uint64_t{prefix[1]} * 8)
    return "a frame whose message is not one segment";
  word_count_ = prefix[1];
  return "";
}

uint64_t FrameReader::After(uint64_t offset) {
  if (LoadHeader(offset).empty()) {
    // Only the contents seem to be rotten. What they hold may look like a frame (a trace in guest
    // memory), so it is skipped, not searched, when something sensible stands behind it.
    const uint64_t behind = end_;
    if (behind == source_->size() || LoadHeader(behind).empty()) return behind;
  }
  return Search(offset + 1);
}

uint64_t FrameReader::Search(uint64_t offset) {
  constexpr size_t kBlock = 1 << 16;
  std::string block;
  const std::string_view magic(reinterpret_cast<const char*>(&kFrameMagic), sizeof kFrameMagic);
  while (source_->size() - offset >= sizeof(FrameHeader) && !gave_up_) {
    block.resize(std::min<uint64_t>(kBlock, source_->size() - offset));
    if (!source_->Read(offset, block.data(), block.size())) break;
    size_t at = 0;
    for (; (at = block.find(magic, at)) != std::string::npos; ++at) {
      const uint64_t before = bytes_read_;
      if (Load(offset + at).empty()) return offset + at;
      const uint64_t cost = bytes_read_ - before;
      gave_up_ = cost > search_budget_;
      if (gave_up_) return source_->size();
      search_budget_ -= cost;
    }
    if (block.size() < kBlock) break;
    offset += kBlock - (magic.size() - 1);
  }
  return source_->size();
}

}  // namespace twinwalk
