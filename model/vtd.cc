#include "model/vtd.h"

#include <algorithm>
#include <bit>

#include "traces/check.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kQueueBytes = kPageSize;  // QS 0

}  // namespace

// ---- Set-up
// --------------------------------------------------------------------------------------

void Vtd::Reset(uint32_t index, const VtdConfig& config, const std::vector<uint64_t>& sids,
                const ModelFaults* faults, HostMemory* memory) {
  index_ = index;
  config_ = config;
  faults_ = faults;
  memory_ = memory;
  sids_ = sids;
  owners_.assign(sids.size(), 0);
  dids_.assign(sids.size(), 0);
  directories_.assign(sids.size(), 0);
  issued_.clear();
  head_ = tail_ = waited_ = 0;
  faultRecords_.assign(config.faultRecords, {});
  nextRecord_ = firstPending_ = 0;
  pending_ = overflow_ = false;
  iotlb_.Reset(config.iotlbEntries);
  walks_.Reset(config.walkCacheEntries);
  contexts_.Reset(config.contextCacheEntries, static_cast<uint32_t>(sids.size()));

  const auto frame = [&] { return memory->Allocate(0, 0) * kPageSize; };
  regs_ = VtdRegs{};
  regs_.cap = config.cap;
  // A World whose driver uses scalable mode has a unit that can do second stage there.
  regs_.ecap = config.ecap | (config.scalable ? uint64_t{1} << 43 | uint64_t{1} << 46 : 0);
  regs_.haw = config.hostAddressBits;
  regs_.rtaddr = frame() | (config.scalable ? 1 << 10 : 0);
  queue_ = frame();
  status_ = frame();
  for (size_t device = 0; device < sids.size(); ++device) {
    if (sids[device] == kNoSource) continue;
    const uint64_t sid = sids[device] & 0xffff;
    const uint64_t root =
        RootEntryAddress(regs_, sid) + (config.scalable && (sid & 0x80) != 0 ? 8 : 0);
    uint64_t word = 0;
    memory->Read64(root, &word);
    if (word == 0) memory->Write64(root, frame() | 1);
    if (!config.scalable) continue;
    directories_[device] = frame();
    memory->Write64(directories_[device], frame() | 1);  // PASIDs 0 to 63
  }
}

VtdTables Vtd::tables() const {
  VtdTables out;
  const int code = static_cast<int>(WidestCode<Concrete>(config_.cap));
  out.levels = code == 0 ? 0 : code + 2;
  out.inputBits = LeastBits(MgawBits<Concrete>(config_.cap), WidthOfCode<Concrete>(code));
  out.pages2M = (config_.cap >> 34 & 1) != 0;
  out.pages1G = (config_.cap >> 35 & 1) != 0;
  return out;
}

uint64_t Vtd::ContextAddress(uint64_t sid) const {
  uint64_t pointer = 0;
  if (!config_.scalable) {
    memory_->Read64(RootEntryAddress(regs_, sid), &pointer);
    return (pointer & kVtdPointerBits) + (sid & 0xff) * 16;
  }
  memory_->Read64(RootEntryAddress(regs_, sid) + ((sid & 0x80) != 0 ? 8 : 0), &pointer);
  return (pointer & kVtdPointerBits) + (sid & 0x7f) * 32;
}

// ---- Driver side
// ---------------------------------------------------------------------------------

// Each entry that names a domain is 128 bits that are stored at once; nobody sees a half.
void Vtd::WriteEntries(uint32_t device, const VtdDomain* domain) {
  const uint64_t context = ContextAddress(sids_[device] & 0xffff);
  const uint64_t present = domain != nullptr ? 1 : 0;
  const uint64_t root = present != 0 ? domain->root : 0, did = present != 0 ? domain->did : 0;
  const uint64_t aw = present != 0 ? static_cast<uint64_t>(domain->levels) - 2 : 0;
  if (!config_.scalable) {
    memory_->Write64(context, root | present);  // TT 00: no ATS
    memory_->Write64(context + 8, aw | did << 8);
    return;
  }
  uint64_t table = 0;
  memory_->Read64(directories_[device], &table);
  table &= kVtdPointerBits;  // PASID 0 is the one of requests without
  memory_->Write64(table, root | present * (aw << 2 | uint64_t{kSecondStage} << 6) | present);
  memory_->Write64(table + 8, did);
  memory_->Write64(context, present != 0 ? directories_[device] | present : 0);
}

// Change, then flush what may remember it: context, PASID, IOTLB, each with a wait (sheet 8).
void Vtd::SetDomain(uint32_t device, const VtdDomain* domain) {
  const uint16_t old = dids_[device];
  WriteEntries(device, domain);
  dids_[device] = domain != nullptr ? domain->did : 0;
  owners_[device] = domain != nullptr ? domain->owner : 0;
  MicroStep<uint64_t> step;
  step.kind = MicroStepKind::kConfigWrite;
  step.tag = {index_, dids_[device], 0};
  step.sid = sids_[device];
  step.owner = owners_[device];
  if (domain == nullptr) step.tag = {index_, 0, 0};
  Announce(step);
  if (domain == nullptr && faults_->configCacheSurvivesDetach) return;
  MicroStep<uint64_t> flush;
  flush.scope = InvScope::kConfig;
  flush.tag.smmu = index_;
  flush.sid = sids_[device];
  Expect(flush);
  Submit(ContextCacheDescriptor(kInvDevice, old, sids_[device] & 0xffff));
  Wait();
  if (config_.scalable) {
    Submit(PasidCacheDescriptor(kOnePasid, old, 0));
    Wait();
  }
  if (old != 0 && !faults_->vmidReleasedEarly) InvalidateDomain(old);
}

void Vtd::InvalidateDomain(uint16_t did) {
  MicroStep<uint64_t> step;
  step.scope = InvScope::kVmid;
  step.tag = {index_, did, 0};
  Expect(step);
  Submit(IotlbDescriptor(kInvDomain, did, 0, 0, false));
  Wait();
}

// One descriptor: the smallest aligned power of two of pages that holds the range.
void Vtd::InvalidateRange(uint16_t did, uint64_t first, uint64_t last, bool tables) {
  const uint64_t from = first / kPageSize, to = last / kPageSize;
  int order = std::bit_width(from ^ to);
  if (faults_->m32UnalignedFlushLeavesTail) order = std::bit_width(to - from);
  const bool pages = (config_.cap >> 39 & 1) != 0;  // PSI
  if (!pages || order > static_cast<int>(config_.cap >> 48 & 63)) return InvalidateDomain(did);
  MicroStep<uint64_t> step;
  step.scope = InvScope::kStage2Range;
  step.tag = {index_, did, 0};
  step.first = first;
  step.last = last;
  Expect(step);
  // It also takes whatever of the domain went through a first stage.
  step.scope = InvScope::kStage1Vmid;
  step.first = step.last = 0;
  Expect(step);
  const bool leaf_only = !tables || faults_->m29LeafOnlyFlushOfTable;
  Submit(IotlbDescriptor(kInvPage, did, from >> order << order << 12, static_cast<uint64_t>(order),
                         leaf_only));
  Wait();
}

void Vtd::Submit(const VtdDescriptor& descriptor) {
  const uint64_t size = config_.scalable ? 32 : 16;
  for (uint64_t word = 0; word * 8 < size; ++word)
    memory_->Write64(queue_ + tail_ + word * 8, descriptor[word]);
  tail_ = (tail_ + size) % kQueueBytes;
}

void Vtd::Expect(MicroStep<uint64_t> step) {
  step.kind = MicroStepKind::kInvIssued;
  issued_.push_back(step);
  Announce(step);
}

void Vtd::Wait() {
  Submit(WaitDescriptor(status_, ++waited_));
  CHECK(Consume());
  uint64_t status = 0;
  memory_->Read64(status_, &status);
  CHECK(status == waited_);
  std::vector<MicroStep<uint64_t>> done;
  done.swap(issued_);
  for (MicroStep<uint64_t>& step : done) {
    step.kind = MicroStepKind::kInvDone;
    Announce(step);
  }
  done.clear();
  done.swap(issued_);  // keeps the storage
}

// ---- The invalidation queue
// ----------------------------------------------------------------------

// False: a bad descriptor; the head stays there (IQE).
bool Vtd::Consume() {
  const uint64_t size = config_.scalable ? 32 : 16;
  while (head_ != tail_) {
    VtdDescriptor words{};
    for (uint64_t word = 0; word * 8 < size; ++word)
      memory_->Read64(queue_ + head_ + word * 8, &words[word]);
    const auto inv =
        DecodeVtdInvalidation<Concrete>(words, config_.cap >> 48 & 63, config_.scalable);
    if (inv.legal == 0) return false;
    if (inv.type == kWait) {
      const uint32_t data = static_cast<uint32_t>(words[0] >> 32);
      if ((words[0] >> 5 & 1) != 0) memory_->Write(words[1], &data, sizeof data);
    } else {
      Execute(inv);
    }
    head_ = (head_ + size) % kQueueBytes;
  }
  return true;
}

void Vtd::Execute(const VtdInvalidation<Concrete>& inv) {
  const auto ranges = [&](const RangeEntry& e) { return Covers<Concrete>(inv, RowOf(e, index_)); };
  iotlb_.DropIf(ranges);
  walks_.DropIf(ranges);
  contexts_.DropIf([&](const ContextEntry& e) {
    return Covers<Concrete>(inv, ContextRowOf(e, index_, kConfig)) ||
           (config_.scalable && Covers<Concrete>(inv, ContextRowOf(e, index_, kCd)));
  });
}

// ---- Device side
// ---------------------------------------------------------------------------------

// Walks with the help of the caches; fills them when there is a log.
struct Vtd::CachedEnv {
  Vtd& unit;
  TranslationLog* log;
  uint16_t did = 0;
  uint64_t owner = 0;

  bool Read(uint64_t pa, uint64_t* value) { return unit.memory_->Read64(pa, value); }
  bool Start(uint64_t address, int* level, uint64_t* table, uint8_t* rights) {
    const RangeEntry* e = unit.walks_.Find(EntryKind::kWalkStage2, did, 0, address);
    if (e == nullptr || e->level >= *level) return false;
    *level = e->level;
    *table = e->output;
    *rights = e->permissions1;
    return true;
  }
  void Table(uint64_t address, int level, uint64_t table, uint8_t rights) {
    if (level > 2) return;  // the upper levels are not worth an entry
    RangeEntry e;
    e.log2Size = static_cast<uint8_t>(VtdShift(level + 1));
    e.first = address >> e.log2Size << e.log2Size;
    e.output = table, e.owner = owner, e.vmid = did, e.kind = EntryKind::kWalkStage2;
    e.level = static_cast<uint8_t>(level), e.granule = 12;
    e.global = true;
    e.permissions1 = rights;
    Fill(&unit.walks_, e);
  }
  void Leaf(uint64_t address, const VtdLeaf& leaf) {
    RangeEntry e;
    const uint64_t inside = (uint64_t{1} << leaf.log2Size) - 1;
    e.first = address & ~inside, e.output = leaf.output & ~inside, e.owner = owner;
    e.vmid = did, e.log2Size = e.leafLog2 = leaf.log2Size, e.kind = EntryKind::kStage2;
    e.global = true;
    e.permissions1 = 0x3f, e.permissions2 = static_cast<uint8_t>(leaf.rights << 2);
    Fill(&unit.iotlb_, e);
  }

 private:
  void Fill(RangeCache* cache, const RangeEntry& e) {
    if (log == nullptr || cache->Insert(e) < 0) return;
    log->filled.push_back({RowOf(e, unit.index_), e.output});
  }
};

// Reads what the tables say of a request into `fresh`. Kept when there is a log: never a fault
// (sheet 9, CM 0; with CM 1 a unit may, this one does not), and none with a PASID, of which our
// domains have no use.
const ContextEntry* Vtd::LoadEntry(uint32_t device, const VtdQuery& query, TranslationLog* log,
                                   ContextEntry* fresh) {
  fresh->device = device;
  fresh->sid = sids_[device];
  fresh->owner = owners_[device];
  CachedEnv env{*this, log};
  fresh->stream = LoadStream(env, regs_, query);
  if (fresh->stream.reason != 0 || log == nullptr || query.hasPasid) return fresh;
  const ContextEntry* kept = contexts_.Insert(*fresh);
  log->filled.push_back({ContextRowOf(*kept, index_, kConfig), 0});
  return kept;
}

VtdLeaf Vtd::FindLeaf(const ContextEntry& entry, const VtdQuery& query, TranslationLog* log) {
  const uint16_t did = entry.stream.did;
  VtdLeaf leaf;
  if (const RangeEntry* e = iotlb_.Find(EntryKind::kStage2, did, 0, query.address)) {
    leaf.output = e->output + (query.address - e->first);
    leaf.log2Size = e->log2Size;
    leaf.rights = e->permissions2 >> 2;
    return Allows(leaf.rights, query) ? leaf : NoRight(entry.stream, query.write);
  }
  CachedEnv env{*this, log, did, entry.owner};
  leaf = WalkSecondStage(env, regs_, entry.stream, query);
  if (leaf.reason == 0) env.Leaf(query.address, leaf);
  return leaf;
}

Translation Vtd::Translate(uint32_t device, const VtdQuery& query, TranslationLog* log) {
  VtdAnswer answer;
  if (!AnswerEarly(regs_, query, &answer)) {
    ContextEntry fresh;
    const ContextEntry* entry = query.hasPasid ? nullptr : contexts_.Find(device);
    if (entry == nullptr) entry = LoadEntry(device, query, log, &fresh);
    if (const uint8_t reason = RefusedAtOnce(entry->stream, query))
      PutFault(query, entry->stream, reason, &answer);
    else if (entry->stream.passThrough)
      PutPassThrough(entry->stream, query, &answer);
    else
      PutLeaf(entry->stream, query, FindLeaf(*entry, query, log), &answer);
  }
  Translation out;
  out.event = answer.interrupt ? kAbortedSilently : answer.reason;  // an interrupt is no memory
  out.record = {answer.record[0], answer.record[1], 0, 0};
  out.pa = answer.pa;
  out.input = query.address;
  out.rights = out.accessRights = answer.rights;
  return out;
}

// Sheet 6.
void Vtd::Record(uint64_t lo, uint64_t hi) {
  if (overflow_) return;
  std::array<uint64_t, 2>& place = faultRecords_[nextRecord_];
  if (place[1] >> 63 != 0) {
    overflow_ = true;
    return;
  }
  place = {lo, hi};
  if (!pending_) firstPending_ = nextRecord_;
  pending_ = true;
  nextRecord_ = (nextRecord_ + 1) % faultRecords_.size();
}

}  // namespace twinwalk::model
