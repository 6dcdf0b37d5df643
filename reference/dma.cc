// Device accesses, piece by piece, and the search among what is permitted (TRACE 4; design 3). The
// choices of a DMA are made one piece after the other: the search is a sum, not a product.
#include <algorithm>

#include "reference/shell.h"
#include "traces/compare.h"

namespace twinwalk::reference {

// 0, or why the DMA does not even start.
int Shell::SliceDma(const Op& op, std::vector<Slice>* slices) const {
  const DmaArgs& in = op.dma;
  if (in.device >= world_.devices.size()) return ENODEV;
  if (in.length > kMaxDma) return EINVAL;
  if (in.length > 0 && in.iova + (in.length - 1) < in.iova) return EINVAL;
  const uint64_t step = world_.devices[in.device].transactionBytes;
  for (uint64_t at = 0; at < in.length;) {
    Slice slice;
    slice.in.device = uint64_t{in.device} + 1;
    slice.in.iova = in.iova + at;
    slice.in.length = std::min<uint64_t>(in.length - at, 4096 - slice.in.iova % 4096);
    slice.in.write = (in.flags & kDmaWrite) != 0;
    slice.in.hasPasid = (in.flags & kDmaHasPasid) != 0;
    slice.in.pasid = in.pasid;
    slice.in.privileged = slice.in.hasPasid && (in.flags & kDmaPrivileged) != 0;
    slice.in.instruction =
        slice.in.hasPasid && (in.flags & kDmaInstruction) != 0 && !slice.in.write;
    slice.at = at;
    if (step != 0) slice.copies = (slice.in.length + step - 1) / step, slice.stride = step;
    at += slice.in.length;
    slices->push_back(slice);
  }
  return 0;
}

Shell::Member Shell::Look(const Slice& slice, AccessOut<Concrete> out) const {
  Member m;
  m.piece.iova = slice.in.iova;
  m.piece.length = static_cast<uint32_t>(slice.in.length);
  m.piece.fault = static_cast<uint8_t>(out.event);
  if (out.event == 0) {
    m.piece.rights = static_cast<uint8_t>(out.rights);
    m.piece.backing = out.backing, m.piece.offset = out.offset;
  }
  if (!slice.in.write) {
    m.data.assign(slice.in.length, '\0');
    if (out.event == 0) processes_.ReadBytes(out.backing, out.offset, m.data.data(), m.data.size());
  }
  m.out = std::move(out);
  return m;
}

template <class Stop>
bool Shell::ForEachMember(const Slice& slice, size_t limit, Stop&& stop) const {
  const Env<Real> env = MakeEnv();
  Choices& choices = d_.choices();
  const auto run = [&] {
    choices.Restart();
    return Access(env, s_, slice.in);
  };
  // Present memory: every choice left alone. What it met on the way and did not take is noted.
  met_.clear();
  choices.Clear();
  Member present = Look(slice, run());
  // When each candidate that it met is what it makes itself, there is no other member.
  const bool alone = std::all_of(met_.begin(), met_.end(), [&](const RetainedRow<Real>* row) {
    const auto& made = present.out.retained;
    return std::any_of(made.begin(), made.end(),
                       [&](const RetainedRow<Real>& own) { return SameRow(own, *row); });
  });
  if (stop(std::move(present)) || alone) return true;
  choices.Clear();
  run();
  for (size_t paths = 1; choices.Next(); ++paths) {
    if (paths >= limit) return false;
    if (stop(Look(slice, run()))) return true;
  }
  return true;
}

std::vector<FaultRecord> Shell::CommitTo(State<Concrete>* s, const Slice& slice,
                                         const AccessOut<Concrete>& out) const {
  View<Real>& v = s->view;
  std::vector<FaultRecord> records;
  for (const Delivered<Real>& d : Commit(MakeEnv(), *s, v.retained, v.accesses, v.veventqs, s->log,
                                         v.events, slice.in, out, slice.copies, slice.stride)) {
    records.push_back({d.queue, static_cast<uint32_t>(d.position), d.words});
  }
  return records;
}

// The records that committing `out` would make.
std::vector<FaultRecord> Shell::Predict(const Slice& slice, const AccessOut<Concrete>& out) const {
  if (out.event == 0 || out.event == kAbortedSilently) return {};
  State<Real> scratch;  // what routing reads and writes
  scratch.view.devices = s_.view.devices, scratch.view.nesteds = s_.view.nesteds;
  scratch.view.vdevices = s_.view.vdevices, scratch.view.veventqs = s_.view.veventqs;
  scratch.log = s_.log;
  return CommitTo(&scratch, slice, out);
}

void Shell::Land(const Op& op, const Slice& slice, const Member& member) {
  if (!slice.in.write || member.out.event != 0) return;
  std::string bytes =
      slice.at < op.blob.size() ? op.blob.substr(slice.at, slice.in.length) : std::string();
  bytes.resize(slice.in.length, '\0');
  processes_.WriteBytes(member.out.backing, member.out.offset, bytes.data(), bytes.size());
}

namespace {

// Whether a recorded or other Machine's Outcome can have this piece, as far as it tells.
struct Wish {
  const Outcome& wanted;
  bool exact() const { return wanted.known == Outcome().known; }
  bool Piece(size_t index, const twinwalk::Piece& is) const {
    if ((wanted.known & Outcome::kPieces) == 0) return true;
    return index < wanted.pieces.size() && PieceAgrees(is, wanted.pieces[index]);
  }
  bool Data(size_t at, const std::string& is) const {
    if ((wanted.known & Outcome::kData) == 0 || is.empty()) return true;
    return at < wanted.data.size() && wanted.data.compare(at, is.size(), is) == 0;
  }
  bool Events(size_t cursor, const std::vector<FaultRecord>& is) const {
    return cursor + is.size() <= wanted.events.size() &&
           std::equal(is.begin(), is.end(),
                      wanted.events.begin() + static_cast<std::ptrdiff_t>(cursor));
  }
};

}  // namespace

GuidedStep Shell::DoDma(const Op& op, const Outcome* wanted) {
  GuidedStep step;
  Outcome& outcome = step.outcome;
  std::vector<Slice> slices;
  outcome.err = static_cast<uint16_t>(SliceDma(op, &slices));
  for (size_t i = 0; i < slices.size(); ++i) {
    const Slice& slice = slices[i];
    const size_t cursor = outcome.events.size();
    Member taken;
    bool any = false, agreed = false;
    uint32_t looked = 0;
    std::vector<RetainedRow<Real>> also;  // what other members that agree would have left
    const bool all = ForEachMember(slice, kMaxMembers, [&](Member m) {
      if (wanted == nullptr) return taken = std::move(m), true;
      const Wish wish{*wanted};
      const bool same = wish.Piece(i, m.piece) && wish.Data(slice.at, m.data) &&
                        (!wish.exact() || wish.Events(cursor, Predict(slice, m.out)));
      if (agreed) {
        if (same) also.insert(also.end(), m.out.retained.begin(), m.out.retained.end());
        return false;
      }
      ++looked;
      if (same || !any) taken = std::move(m), any = true;
      agreed = same;
      return false;
    });
    if (wanted != nullptr && looked > 1) step.members += looked - 1;
    if (wanted != nullptr && !agreed && step.match == Match::kEqual)
      step.match = all ? Match::kDifferent : Match::kUndecided;
    // The hardware did one of the members that look alike: it may retain what any of them left.
    for (const RetainedRow<Real>& row : also) s_.view.retained.Insert(row);
    for (FaultRecord& record : CommitTo(&s_, slice, taken.out)) {
      const bool lost = record.words == std::array<uint64_t, 4>{};
      if (record.queue != 0) {
        std::deque<std::string>& waiting = records_[record.queue];
        if (!waiting.empty() && waiting.back().size() == 8) waiting.pop_back();
        const uint32_t header[2] = {lost ? 1u : 0u, record.position};
        std::string bytes(reinterpret_cast<const char*>(header), 8);
        if (!lost) bytes.append(reinterpret_cast<const char*>(record.words.data()), 32);
        waiting.push_back(std::move(bytes));
      }
      outcome.events.push_back(record);
    }
    Land(op, slice, taken);
    outcome.pieces.push_back(taken.piece);
    outcome.data += taken.data;
  }
  if (wanted != nullptr && step.match == Match::kEqual) {
    const bool pieces =
        (wanted->known & Outcome::kPieces) == 0 || wanted->pieces.size() == outcome.pieces.size();
    const bool exact = wanted->known != Outcome().known || *wanted == outcome;
    if (!pieces || !exact) step.match = Match::kDifferent;
  }
  return step;
}

Outcome Shell::Peek(const Op& op) const {
  Outcome out;
  std::vector<Slice> slices;
  out.err = static_cast<uint16_t>(SliceDma(op, &slices));
  for (const Slice& slice : slices) {
    ForEachMember(slice, 1, [&](const Member& m) {
      out.pieces.push_back(m.piece);
      return true;
    });
  }
  return out;
}

// The product of the pieces' members. What an earlier piece wrote is not seen by the walk of a
// later one here (it is in Step): no difference unless a DMA rewrites the tables that it is walked
// by.
std::vector<Outcome> Shell::Permitted(const Op& op, size_t limit) const {
  if (op.kind != OpKind::kDma) return {};
  std::vector<Slice> slices;
  Outcome start;
  start.err = static_cast<uint16_t>(SliceDma(op, &slices));
  struct Partial {
    Outcome outcome;
    State<Real> routing;  // vEVENTQs and log as they are after the pieces so far
  };
  Partial first{start, {}};
  first.routing.view.devices = s_.view.devices, first.routing.view.nesteds = s_.view.nesteds;
  first.routing.view.vdevices = s_.view.vdevices, first.routing.view.veventqs = s_.view.veventqs;
  first.routing.log = s_.log;
  std::vector<Partial> partials{first};
  for (const Slice& slice : slices) {
    std::vector<Member> members;
    ForEachMember(slice, kMaxMembers, [&](const Member& m) {
      const bool known = std::any_of(members.begin(), members.end(), [&](const Member& o) {
        return o.piece == m.piece && o.data == m.data && o.out.record == m.out.record;
      });
      if (!known) members.push_back(m);
      return members.size() >= limit;
    });
    std::vector<Partial> next;
    for (const Partial& p : partials) {
      for (const Member& m : members) {
        if (next.size() >= limit) break;
        Partial q = p;
        q.outcome.pieces.push_back(m.piece);
        q.outcome.data += m.data;
        for (const FaultRecord& record : CommitTo(&q.routing, slice, m.out))
          q.outcome.events.push_back(record);
        next.push_back(std::move(q));
      }
    }
    partials = std::move(next);
  }
  std::vector<Outcome> out;
  for (Partial& p : partials) out.push_back(std::move(p.outcome));
  return out;
}

}  // namespace twinwalk::reference
