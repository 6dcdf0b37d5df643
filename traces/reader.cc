#include "traces/reader.h"

#include <capnp/any.h>
#include <capnp/message.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "traces/frame_reader.h"
#include "traces/message.h"
#include "traces/resolve.h"
#include "traces/text.h"

namespace twinwalk {
namespace {

// Runs f, which touches Cap'n Proto pointers; "" or what is wrong.
template <class F>
std::string Guarded(F&& f) {
  std::string bad;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&] { bad = f(); })) {
    return "a malformed message: " + std::string(exception->getDescription().cStr());
  }
  return bad;
}

// A message in a frame. Reading it may cost a few times its size: lists and blobs that overlap
// cannot make more of it.
class Message {
 public:
  explicit Message(const FrameReader& frame)
      : segment_(reinterpret_cast<const capnp::word*>(frame.words()), frame.word_count()),
        reader_(kj::arrayPtr(&segment_, 1), Options(frame.word_count())) {}
  template <class T>
  typename T::Reader Root() {
    return reader_.getRoot<T>();
  }

 private:
  static capnp::ReaderOptions Options(size_t words) {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = 4 * words + 64;
    options.nestingLimit = 8;
    return options;
  }
  kj::ArrayPtr<const capnp::word> segment_;
  capnp::SegmentArrayMessageReader reader_;
};

// Which ordinals of the file were lost, and what that makes of the others.
class Renumbering {
 public:
  bool any() const { return !gaps_.empty(); }
  uint64_t lost() const { return gaps_.empty() ? 0 : gaps_.back().lost; }
  // REQUIRES: ascending.
  void Lose(uint64_t first, uint64_t end) {
    if (!gaps_.empty() && gaps_.back().end == first) {
      gaps_.back().end = end, gaps_.back().lost += end - first;
    } else {
      gaps_.push_back({first, end, lost() + end - first});
    }
  }
  Handle Map(Handle ordinal) const {
    auto it = std::upper_bound(gaps_.begin(), gaps_.end(), ordinal,
                               [](uint64_t value, const Gap& gap) { return value < gap.first; });
    if (it == gaps_.begin()) return ordinal;
    --it;
    return ordinal < it->end ? kDanglingHandle : static_cast<Handle>(ordinal - it->lost);
  }

 private:
  struct Gap {
    uint64_t first, end;
    uint64_t lost;  // in this and all gaps before
  };
  std::vector<Gap> gaps_;
};

// Applies a Renumbering to the handles of one Op.
struct HandleMapper {
  OpData* op;
  const Renumbering& renumbering;
  uint64_t own;  // ordinal of the Op in the file
  template <class T>
  void Field(const char*, T&) {}
  void HandleField(const char*, Handle& field, HandleRole, int index) {
    const uint8_t bit = static_cast<uint8_t>(1 << index);
    if ((op->results & bit) == 0) return;
    field = field < own ? renumbering.Map(field) : kDanglingHandle;
    if (field == kDanglingHandle) op->results &= static_cast<uint8_t>(~bit);
  }
};

}  // namespace

class TraceReader::Impl {
 public:
  Impl(std::unique_ptr<Source> source, const std::string& name)
      : source_(std::move(source)), name_(name), frame_(source_.get()) {}

  Status Open();
  bool Next(Op* op);

  World world;
  std::string expect;
  std::vector<Damage> damages;
  uint64_t lost_ops() const { return renumbering_.lost(); }

 private:
  Status Bad(const std::string& what, uint64_t offset) const {
    return Status{what, name_, offset, 0};
  }
  bool LoadFrame();
  bool TakeFrame();
  void TakeEnd();
  std::string OpenMessage();
  std::string ReadPointers(Op* op);
  void AddDamage(uint64_t offset, const std::string& what);
  void Lose(uint64_t until);
  void AbandonFrame(const std::string& what);
  void CutOff();

  std::unique_ptr<Source> source_;
  std::string name_;
  FrameReader frame_;
  uint64_t offset_ = 0;        // of the frame to load next
  uint64_t frame_offset_ = 0;  // of the frame in hand
  uint64_t expected_ = 0;      // ordinal of the next Op to give
  bool done_ = false;
  // The first damage since the last good frame: it will carry the number of Ops lost.
  std::optional<size_t> pending_;
  Renumbering renumbering_;
  // The frame in hand.
  std::optional<Message> message_;
  capnp::List<schema::Op>::Reader list_;
  const kj::byte* rows_ = nullptr;  // Ops, kOpWords words each
  uint32_t next_ = 0, count_ = 0;
};

Status TraceReader::Impl::Open() {
  if (source_->size() == 0) return Bad("the file is empty", 0);
  FileHeader header{};
  if (!source_->Read(0, &header, std::min<uint64_t>(source_->size(), sizeof header)))
    return Bad("cannot be read", 0);
  if (std::memcmp(header.magic, kFileMagic, sizeof header.magic) != 0)
    return Bad("not a trace: it does not begin with TWINWALK", 0);
  if (source_->size() < sizeof header) return Bad("the file ends inside its header", 0);
  if (header.version != kSchemaVersion)
    return Bad("schema version " + std::to_string(header.version) + ", this program reads " +
                   std::to_string(kSchemaVersion),
               8);
  if (header.zero != 0) return Bad("a file header that is not of version 1", 12);
  std::string bad = frame_.Load(sizeof header);
  if (bad.empty() && frame_.header().kind != FrameKind::kHeader) bad = "no header frame";
  if (bad.empty()) {
    bad = Guarded([&]() -> std::string {
      Message message(frame_);
      const auto root = message.Root<schema::Header>();
      if (root.getExpect().size() > kMaxNameBytes) return "expect: too long";
      expect.assign(root.getExpect().begin(), root.getExpect().size());
      return ReadWorld(root.getWorld(), &world);
    });
  }
  if (!bad.empty()) return Bad("the header with the World is not usable: " + bad, sizeof header);
  offset_ = frame_.end();
  return Status();
}

void TraceReader::Impl::AddDamage(uint64_t offset, const std::string& what) {
  if (damages.size() < kMaxDamages) {
    const bool last = damages.size() + 1 == kMaxDamages;
    damages.push_back({offset, last ? "this and further damage, not listed" : what, expected_, 0});
  }
  if (!pending_.has_value()) pending_ = damages.size() - 1;
}

// The Ops from expected_ to `until` are gone.
void TraceReader::Impl::Lose(uint64_t until) {
  if (until == expected_) {
    pending_.reset();
    return;
  }
  if (!pending_.has_value()) AddDamage(frame_offset_, "Ops are missing before this frame");
  Damage& damage = damages[*pending_];
  damage.lost += until - expected_;
  pending_.reset();
  renumbering_.Lose(expected_, until);
  expected_ = until;
}

void TraceReader::Impl::CutOff() {
  AddDamage(source_->size(), frame_.gave_up() ? "too much damage: the rest was not searched"
                                              : "no end frame: the file was cut");
  damages[*pending_].lost = damages.back().lost = kLostUnknown;
  done_ = true;
}

void TraceReader::Impl::TakeEnd() {
  const uint64_t total = frame_.header().first;
  if (total < expected_ || total > kMaxOrdinal + 1)
    AddDamage(frame_offset_, "an end frame that counts " + std::to_string(total) + " Ops");
  else
    Lose(total);
  if (offset_ != source_->size())
    AddDamage(offset_, std::to_string(source_->size() - offset_) + " bytes behind the end");
  done_ = true;
}

// The frame just loaded; whether it has Ops to give.
bool TraceReader::Impl::TakeFrame() {
  const FrameHeader& header = frame_.header();
  if (header.kind == FrameKind::kEnd) return TakeEnd(), false;
  if (header.kind == FrameKind::kHeader)
    return AddDamage(frame_offset_, "a second header frame"), false;
  if (header.first < expected_)
    return AddDamage(frame_offset_, "a frame with Ops that were there before"), false;
  if (header.first > kMaxOrdinal || header.first + header.ops > kMaxOrdinal + 1)
    return AddDamage(frame_offset_, "a frame with Ops that handles cannot name"), false;
  if (auto bad = Guarded([&] { return OpenMessage(); }); !bad.empty())
    return AddDamage(frame_offset_, bad), false;
  Lose(header.first);
  next_ = 0, count_ = header.ops;
  return true;
}

bool TraceReader::Impl::LoadFrame() {
  next_ = count_ = 0;
  while (!done_) {
    frame_offset_ = offset_;
    if (offset_ >= source_->size()) {
      CutOff();
    } else if (auto bad = frame_.Load(offset_); !bad.empty()) {
      AddDamage(offset_, bad);
      offset_ = frame_.After(offset_);
    } else {
      offset_ = frame_.end();
      if (TakeFrame()) return true;
    }
  }
  return false;
}

// Finds the rows of Ops. Element sizes are checked here, once for all.
std::string TraceReader::Impl::OpenMessage() {
  message_.emplace(frame_);
  list_ = message_->Root<schema::Frame>().getOps();
  if (list_.size() != frame_.header().ops) return "a frame whose header miscounts its Ops";
  const capnp::AnyStruct::Reader first(list_[0]);
  if (first.getDataSection().size() != sizeof(OpData) || first.getPointerSection().size() != 2)
    return "a frame with Ops of another size";
  rows_ = first.getDataSection().begin();
  const auto* last = capnp::AnyStruct::Reader(list_[list_.size() - 1]).getDataSection().begin();
  if (last != rows_ + (list_.size() - 1) * uint64_t{kOpWords} * 8) return "a frame with odd rows";
  for (uint32_t i = 0; i < list_.size(); ++i) {
    uint16_t kind = 0;
    std::memcpy(&kind, rows_ + i * uint64_t{kOpWords} * 8 + offsetof(OpHead, kind), sizeof kind);
    if (kind >= kOpKinds) return "an Op of the unknown kind " + std::to_string(kind);
  }
  return "";
}

std::string TraceReader::Impl::ReadPointers(Op* op) {
  const auto from = list_[next_];
  if (!ReadBytes(from.getBlob(), &op->blob)) return "a blob above 1 MiB";
  if (!from.hasRecorded()) {
    op->recorded.reset();
    return "";
  }
  if (!op->recorded.has_value()) op->recorded.emplace();
  return ReadOutcome(from.getRecorded(), &*op->recorded);
}

// The Op at next_ and those behind it cannot be read.
void TraceReader::Impl::AbandonFrame(const std::string& what) {
  AddDamage(frame_offset_, what);
  next_ = count_;
}

bool TraceReader::Impl::Next(Op* op) {
  for (;;) {
    if (next_ == count_ && !LoadFrame()) return false;
    const kj::byte* row = rows_ + next_ * uint64_t{kOpWords} * 8;
    std::memcpy(static_cast<OpData*>(op), row, sizeof(OpData));
    uint64_t pointers[2];
    std::memcpy(pointers, row + sizeof(OpData), sizeof pointers);
    if ((pointers[0] | pointers[1]) == 0) {
      op->blob.clear();
      op->recorded.reset();
    } else if (auto bad = Guarded([&] { return ReadPointers(op); }); !bad.empty()) {
      AbandonFrame(bad);
      continue;
    }
    if (renumbering_.any()) {
      if (op->results != 0)
        VisitArgs(static_cast<OpData&>(*op), HandleMapper{op, renumbering_, expected_});
      FillFdWords(*op, &op->blob, [&](Handle from) {
        return from < expected_ ? renumbering_.Map(from) : kDanglingHandle;
      });
    }
    ++next_, ++expected_;
    return true;
  }
}

TraceReader::TraceReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TraceReader::TraceReader(TraceReader&&) = default;
TraceReader::~TraceReader() = default;
const World& TraceReader::world() const {
  return impl_->world;
}
const std::string& TraceReader::expect() const {
  return impl_->expect;
}
bool TraceReader::Next(Op* op) {
  return impl_->Next(op);
}
const std::vector<Damage>& TraceReader::damages() const {
  return impl_->damages;
}
uint64_t TraceReader::lost_ops() const {
  return impl_->lost_ops();
}

Result<TraceReader> TraceReader::Open(const std::string& path) {
  auto source = Source::File(path, ReadLimits().file_bytes);
  if (!source.ok()) return source.status();
  return OpenSource(std::move(*source), path);
}

Result<TraceReader> TraceReader::OpenBytes(std::string_view bytes, const std::string& name) {
  return OpenSource(Source::Memory(bytes), name);
}

Result<TraceReader> TraceReader::OpenSource(std::unique_ptr<Source> source,
                                            const std::string& name) {
  auto impl = std::make_unique<Impl>(std::move(source), name);
  if (Status status = impl->Open(); !status.ok()) return status;
  return TraceReader(std::move(impl));
}

}  // namespace twinwalk
