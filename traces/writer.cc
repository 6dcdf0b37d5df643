#include "traces/writer.h"

#include <capnp/any.h>
#include <capnp/message.h>
#include <lz4.h>
#include <xxhash.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "traces/check.h"
#include "traces/message.h"

namespace twinwalk {
namespace {

// Upper bound of the words that an Op adds to a message, so that one segment holds them all.
uint64_t WordsOf(const Op& op) {
  constexpr uint64_t kOutcome = 16, kPiece = 4, kEvent = 6;
  uint64_t words = kOpWords + op.blob.size() / 8 + 1;
  if (op.recorded.has_value()) {
    const Outcome& o = *op.recorded;
    words += kOutcome + o.out.size() / 8 + 1 + o.data.size() / 8 + 1;
    words += 1 + o.pieces.size() * kPiece + 1 + o.events.size() * kEvent;
  }
  return words;
}

// The one segment of the message, with the stream framing in front.
std::string Flatten(capnp::MallocMessageBuilder& builder) {
  const auto segments = builder.getSegmentsForOutput();
  CHECK(segments.size() == 1, "%zu segments", segments.size());
  const auto bytes = segments[0].asBytes();
  const uint32_t prefix[2] = {0, static_cast<uint32_t>(segments[0].size())};
  std::string out(sizeof prefix + bytes.size(), '\0');
  std::memcpy(out.data(), prefix, sizeof prefix);
  std::memcpy(out.data() + sizeof prefix, bytes.begin(), bytes.size());
  return out;
}

std::string OpsMessage(const std::vector<Op>& ops) {
  uint64_t words = 8;
  for (const Op& op : ops) words += WordsOf(op);
  capnp::MallocMessageBuilder builder(static_cast<unsigned>(words),
                                      capnp::AllocationStrategy::FIXED_SIZE);
  auto list = builder.initRoot<schema::Frame>().initOps(static_cast<uint32_t>(ops.size()));
  for (uint32_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    auto data = capnp::AnyStruct::Builder(list[i]).getDataSection();
    CHECK(data.size() == sizeof(OpData), "%zu", data.size());
    std::memcpy(data.begin(), static_cast<const OpData*>(&op), sizeof(OpData));
    if (!op.blob.empty())
      list[i].setBlob({reinterpret_cast<const kj::byte*>(op.blob.data()), op.blob.size()});
    if (op.recorded.has_value()) BuildOutcome(*op.recorded, list[i].initRecorded());
  }
  return Flatten(builder);
}

std::string HeaderMessage(const World& world, const std::string& expect) {
  capnp::MallocMessageBuilder builder(1 << 16, capnp::AllocationStrategy::FIXED_SIZE);
  auto header = builder.initRoot<schema::Header>();
  BuildWorld(world, header.initWorld());
  header.setExpect(capnp::Text::Reader(expect.c_str(), expect.size()));
  return Flatten(builder);
}

// What of the Op is beyond the limits of trace.h; "" when nothing.
std::string Beyond(const Op& op) {
  if (static_cast<int>(op.kind) >= kOpKinds) return "an Op of an unknown kind";
  if (op.blob.size() > kMaxBlobBytes) return "a blob above 1 MiB";
  if (!op.recorded.has_value()) return "";
  const Outcome& o = *op.recorded;
  if (o.out.size() > kMaxBlobBytes || o.data.size() > kMaxBlobBytes)
    return "a recorded Outcome above 1 MiB";
  if (o.pieces.size() > kMaxPieces || o.events.size() > kMaxEvents)
    return "a recorded Outcome with too many pieces or events";
  return "";
}

}  // namespace

TraceWriter::TraceWriter(const World& world, const std::string& expect, const WriteOptions& options,
                         std::string* out)
    : options_(options), out_(out) {
  FileHeader header{};
  std::memcpy(header.magic, kFileMagic, sizeof header.magic);
  header.version = kSchemaVersion;
  out_->append(reinterpret_cast<const char*>(&header), sizeof header);
  Frame(FrameKind::kHeader, 0, 0, HeaderMessage(world, expect));
}

TraceWriter::~TraceWriter() = default;

Status TraceWriter::Add(const Op& op) {
  if (auto bad = Beyond(op); !bad.empty()) return Status{bad, "", 0, 0};
  if (ops() > kMaxOrdinal) return Status{"more Ops than handles can name", "", 0, 0};
  const uint64_t bytes = WordsOf(op) * 8;
  if (pending_.size() >= kFrameOps || pending_bytes_ + bytes > kFrameBytes) Flush();
  pending_.push_back(op);
  pending_bytes_ += bytes;
  return Status();
}

void TraceWriter::Flush() {
  if (pending_.empty()) return;
  Frame(FrameKind::kOps, first_, static_cast<uint32_t>(pending_.size()), OpsMessage(pending_));
  first_ += pending_.size();
  pending_.clear();
  pending_bytes_ = 0;
}

void TraceWriter::Finish() {
  Flush();
  Frame(FrameKind::kEnd, first_, 0, "");
}

void TraceWriter::Frame(FrameKind kind, uint64_t first, uint32_t ops, const std::string& message) {
  CHECK(message.size() <= kMaxFrameBytes, "%zu bytes", message.size());
  FrameHeader header{};
  header.magic = kFrameMagic;
  header.plain_length = static_cast<uint32_t>(message.size());
  header.first = first;
  header.ops = ops;
  header.kind = kind;
  header.codec = FrameCodec::kPlain;
  std::string packed;
  const std::string* stored = &message;
  if (options_.codec == FrameCodec::kLz4 && !message.empty()) {
    packed.resize(static_cast<size_t>(LZ4_compressBound(static_cast<int>(message.size()))));
    const int n =
        LZ4_compress_default(message.data(), packed.data(), static_cast<int>(message.size()),
                             static_cast<int>(packed.size()));
    CHECK(n > 0, "lz4: %d", n);
    packed.resize(static_cast<size_t>(n));
    if (packed.size() < message.size()) stored = &packed, header.codec = FrameCodec::kLz4;
  }
  header.length = static_cast<uint32_t>(stored->size());
  const uint64_t seed = XXH3_64bits(&header, kChecksummedHeaderBytes);
  header.checksum = XXH3_64bits_withSeed(stored->data(), stored->size(), seed);
  out_->append(reinterpret_cast<const char*>(&header), sizeof header);
  out_->append(*stored);
}

Result<std::string> TraceBytes(const Trace& trace, const WriteOptions& options) {
  if (auto bad = ValidateWorld(trace.world); !bad.empty())
    return Status{"the World is not possible: " + bad, "", 0, 0};
  if (trace.expect.size() > kMaxNameBytes) return Status{"expect: too long", "", 0, 0};
  std::string out;
  TraceWriter writer(trace.world, trace.expect, options, &out);
  for (const Op& op : trace.ops)
    if (Status status = writer.Add(op); !status.ok()) return status;
  writer.Finish();
  return out;
}

Status WriteTrace(const Trace& trace, const std::string& path, const WriteOptions& options) {
  Result<std::string> bytes = TraceBytes(trace, options);
  if (!bytes.ok()) {
    Status status = bytes.status();
    status.file = path;
    return status;
  }
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return Status{std::strerror(errno), path, 0, 0};
  const bool written = std::fwrite(bytes->data(), 1, bytes->size(), file) == bytes->size();
  if (std::fclose(file) != 0 || !written)
    return Status{"cannot write: " + std::string(std::strerror(errno)), path, 0, 0};
  return Status();
}

}  // namespace twinwalk
