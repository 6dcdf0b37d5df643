#include "model/smmu.h"

#include <algorithm>
#include <bit>

#include "traces/check.h"

namespace twinwalk::model {

// ---- Set-up
// --------------------------------------------------------------------------------------

void Smmu::Reset(uint32_t index, const SmmuConfig& config, const std::vector<uint64_t>& sids,
                 const ModelFaults* faults, HostMemory* memory) {
  index_ = index;
  config_ = config;
  faults_ = faults;
  memory_ = memory;
  sids_ = sids;
  owners_.assign(sids.size(), 0);
  issued_.clear();
  prod_ = cons_ = 0;
  tlb_.Reset(config.tlbEntries);
  walks_.Reset(config.walkCacheEntries);
  configs_.Reset(config.configCacheEntries, static_cast<uint32_t>(sids.size()));

  // A two-level stream table (sheet 2): level 1 spans the largest stream id, level 2 exists where a
  // device is.
  constexpr uint32_t kSplit = 8;
  uint64_t most = 0;
  for (uint64_t sid : sids)
    if (sid != kNoStream) most = std::max(most, sid);
  const uint32_t log2size = std::max<uint32_t>(std::bit_width(most), kSplit);
  regs_ = SmmuRegs{};
  regs_.idr = config.idr;
  regs_.strtabBaseCfg = log2size | kSplit << 6 | 1 << 16;
  const uint64_t bytes = (uint64_t{1} << (log2size - kSplit)) * 8;
  const uint64_t frames = std::max<uint64_t>(1, bytes / kPageSize);
  regs_.strtabBase = memory->AllocateRun(frames, frames, 0, 0) * kPageSize;
  ring_ = memory->Allocate(0, 0) * kPageSize;
  for (uint64_t sid : sids) {
    if (sid == kNoStream) continue;
    const uint64_t l1 = regs_.strtabBase + (sid >> kSplit) * 8;
    uint64_t word = 0;
    memory->Read64(l1, &word);
    if (word == 0) {
      const uint64_t table = memory->AllocateRun(4, 4, 0, 0) * kPageSize;  // 256 entries
      memory->Write64(l1, table | (kSplit + 1));
    }
    memory->Write64(SteAddress(sid), 1);  // V, abort
  }
}

uint64_t Smmu::SteAddress(uint64_t sid) const {
  const uint32_t split = regs_.strtabBaseCfg >> 6 & 31;
  uint64_t l1 = 0;
  memory_->Read64(regs_.strtabBase + (sid >> split) * 8, &l1);
  return (l1 & 0x000fffffffffffc0) + (sid & ((1u << split) - 1)) * 64;
}

int Smmu::OutputBits() const {
  return static_cast<int>(std::min<uint64_t>(48, SizeOfCode<Concrete>(config_.idr[5] & 7)));
}

// ---- Driver side
// ---------------------------------------------------------------------------------

void Smmu::WriteSte(uint32_t device, const std::array<uint64_t, 4>& ste, uint64_t owner,
                    const TagName<uint64_t>& tag, bool invalidate) {
  const uint64_t at = SteAddress(sids_[device]);
  // Word 0 holds V and Config: nothing of the new entry is used before it is written.
  for (int word = 3; word >= 0; --word) memory_->Write64(at + word * 8, ste[word]);
  owners_[device] = owner;
  MicroStep<uint64_t> write;
  write.kind = MicroStepKind::kConfigWrite;
  write.tag = tag;
  write.tag.smmu = index_;
  write.sid = sids_[device];
  write.owner = owner;
  Announce(write);
  if (!invalidate) return;
  MicroStep<uint64_t> step;
  step.scope = InvScope::kConfig;
  step.tag.smmu = index_;
  step.sid = sids_[device];
  Expect(step);
  Submit(CfgiSte(sids_[device]));
  Sync();
}

void Smmu::Put(const Command& command) {
  const uint64_t at = ring_ + prod_++ % kRingEntries * 16;
  memory_->Write64(at, command.word0);
  memory_->Write64(at + 8, command.word1);
}

void Smmu::Submit(const Command& command) {
  if (prod_ - cons_ == kRingEntries - 1) Consume();  // keeps room for a SYNC
  Put(command);
}

void Smmu::Expect(MicroStep<uint64_t> step) {
  step.kind = MicroStepKind::kInvIssued;
  issued_.push_back(step);
  Announce(step);
}

void Smmu::Sync() {
  Put({kSync, 0});
  Consume();
  std::vector<MicroStep<uint64_t>> done;
  done.swap(issued_);
  for (MicroStep<uint64_t>& step : done) {
    step.kind = MicroStepKind::kInvDone;
    Announce(step);
  }
  done.clear();
  done.swap(issued_);  // keeps the storage
}

void Smmu::Consume() {
  for (; cons_ != prod_; ++cons_) {
    Command command;
    memory_->Read64(ring_ + cons_ % kRingEntries * 16, &command.word0);
    memory_->Read64(ring_ + cons_ % kRingEntries * 16 + 8, &command.word1);
    Execute(command);
  }
}

void Smmu::Execute(const Command& command) {
  switch (command.word0 & 0xff) {
    case kCfgiSte:
    case kCfgiSteRange:
    case kCfgiCd:
    case kCfgiCdAll:
      configs_.Invalidate(command, index_);
      return;
    case kAtcInv:  // no device here has a translation cache
    case kSync:
      return;
    default:
      tlb_.Invalidate(command, index_);
      walks_.Invalidate(command, index_);
  }
}

// ---- Device side
// ---------------------------------------------------------------------------------

// Walks with the help of the caches; fills them when there is a log.
struct Smmu::CachedEnv {
  Smmu& smmu;
  TranslationLog* log;
  uint16_t vmid, asid;
  uint64_t owner;

  bool Read(uint64_t pa, uint64_t* value) { return smmu.memory_->Read64(pa, value); }

  Stage Stage2(const StreamEntry<Concrete>& ste, uint64_t ipa, FetchKind kind) {
    Stage out;
    const uint16_t vmid2 = static_cast<uint16_t>(ste.vmid);
    if (smmu.faults_->m21CdFetchedPhysically && kind == FetchKind::kCd) return Identity(ipa);
    if (const RangeEntry* e = smmu.tlb_.Find(EntryKind::kStage2, vmid2, 0, ipa)) {
      out.output = e->output + (ipa - e->first);
      out.log2Size = e->log2Size;
      out.permissions = e->permissions2;
    } else {
      out = WalkStage2(*this, ste, ipa);
      if (out.event == 0) {
        RangeEntry leaf;
        const uint64_t mask = (uint64_t{1} << out.log2Size) - 1;
        leaf.first = ipa & ~mask, leaf.output = out.output & ~mask, leaf.owner = owner;
        leaf.vmid = vmid2, leaf.log2Size = out.log2Size, leaf.kind = EntryKind::kStage2;
        leaf.leafLog2 = leaf.log2Size, leaf.global = true, leaf.permissions1 = 0x3f,
        leaf.permissions2 = out.permissions;
        Fill(&smmu.tlb_, leaf);
      }
    }
    if (log != nullptr && kind != FetchKind::kData && out.event == 0 &&
        (out.permissions & kUserRead) != 0)
      log->fetches.push_back({kind, ipa, out.output, RightsOf(0x3f, out.permissions, false)});
    return out;
  }

  bool Stage1Start(uint64_t va, int g, int* level, uint64_t* table, uint64_t* limits) {
    return Start(EntryKind::kWalkStage1, vmid, asid, va, g, level, table, limits);
  }
  bool Stage2Start(uint64_t ipa, int g, int* level, uint64_t* table, uint64_t* limits) {
    return Start(EntryKind::kWalkStage2, vmid, 0, ipa, g, level, table, limits);
  }
  void Stage1Table(uint64_t va, int level, int g, uint64_t table, uint64_t limits) {
    Table(EntryKind::kWalkStage1, va, level, g, table, limits);
  }
  void Stage2Table(uint64_t ipa, int level, int g, uint64_t table, uint64_t) {
    Table(EntryKind::kWalkStage2, ipa, level, g, table, 0);
  }

 private:
  bool Start(EntryKind kind, uint16_t tag, uint16_t tag2, uint64_t address, int g, int* level,
             uint64_t* table, uint64_t* limits) {
    const RangeEntry* e = smmu.walks_.Find(kind, tag, tag2, address);
    // An entry of another granule or above where this walk begins says nothing here.
    if (e == nullptr || e->granule != g || e->level <= *level) return false;
    *level = e->level;
    *table = e->output;
    *limits = e->permissions1;
    return true;
  }
  void Table(EntryKind kind, uint64_t address, int level, int g, uint64_t table, uint64_t limits) {
    if (log == nullptr || level < 2) return;  // the upper levels are not worth an entry
    RangeEntry e;
    e.log2Size = static_cast<uint8_t>(ShiftOf(level - 1, g));
    e.first = address >> e.log2Size << e.log2Size;
    e.output = table, e.owner = owner, e.vmid = vmid, e.kind = kind;
    e.asid = kind == EntryKind::kWalkStage1 ? asid : 0;
    e.global = kind == EntryKind::kWalkStage2;
    e.level = static_cast<uint8_t>(level), e.granule = static_cast<uint8_t>(g);
    e.permissions1 = static_cast<uint8_t>(limits);
    Fill(&smmu.walks_, e);
  }
  void Fill(RangeCache* cache, const RangeEntry& e) {
    if (log == nullptr || cache->Insert(e) < 0) return;
    log->filled.push_back({RowOf(e, smmu.index_), e.output});
  }
};

Translation Smmu::Finish(const StreamConfig& config, const WalkQuery& query, const Attributes& a,
                         const Stage& fault) const {
  Translation out;
  out.event = Recorded(config, fault, regs_) ? fault.event : kAbortedSilently;
  if (out.event != kAbortedSilently) out.record = MakeRecord(query, a, fault);
  out.stage2Fault = fault.stage2;
  return out;
}

// Both permission checks on one remembered (or just made) leaf; stage 1's comes first.
Translation Smmu::FromLeaf(const StreamConfig& config, const WalkQuery& query, const Attributes& a,
                           const RangeEntry& leaf, uint64_t va) const {
  const uint64_t ipa = leaf.ipa + (va - leaf.first);
  if (config.stage1 && !Stage1Allows(leaf.permissions1, a))
    return Finish(config, query, a, Fault(kPermission, kClassInput, false, 0));
  if (config.stage2 && !Stage2Allows(leaf.permissions2, a))
    return Finish(config, query, a, Fault(kPermission, kClassInput, true, ipa));
  // Built where the caller wants it: a hit has no time for a copy.
  return Translation{.pa = leaf.output + (va - leaf.first),
                     .input = leaf.kind == EntryKind::kCombined ? ipa : va,
                     .rights = RightsOf(leaf.permissions1, leaf.permissions2, false),
                     .accessRights = RightsOf(leaf.permissions1, leaf.permissions2, a.privileged)};
}

RangeEntry Smmu::MakeLeaf(const StreamConfig& config, const Translated& walked, uint64_t va,
                          uint64_t owner) const {
  RangeEntry leaf;
  leaf.log2Size = std::min(walked.first.log2Size, walked.second.log2Size);
  if (faults_->m31CombinedEntryTooLarge && config.stage1) leaf.log2Size = walked.first.log2Size;
  const uint64_t mask = (uint64_t{1} << leaf.log2Size) - 1;
  leaf.first = va & ~mask;
  leaf.output = walked.second.output - (va & mask);
  leaf.ipa = walked.first.output - (va & mask);
  leaf.owner = owner;
  leaf.vmid = static_cast<uint16_t>(config.ste.vmid);
  leaf.global = !config.stage1 || walked.first.global;
  leaf.asid = config.stage1 ? static_cast<uint16_t>(config.cd.asid) : 0;
  leaf.kind = !config.stage1  ? EntryKind::kStage2
              : config.stage2 ? EntryKind::kCombined
                              : EntryKind::kHostStage1;
  leaf.leafLog2 = config.stage1 ? walked.first.log2Size : leaf.log2Size;
  leaf.permissions1 = walked.first.permissions;
  leaf.permissions2 = walked.second.permissions;
  return leaf;
}

// Reads the configuration of a request from tables into `fresh`; keeps it when there is a log and
// no event.
const ConfigEntry* Smmu::LoadEntry(uint32_t device, const WalkQuery& query, TranslationLog* log,
                                   ConfigEntry* fresh) {
  fresh->device = device;
  fresh->sid = query.sid;
  fresh->hasSsid = query.hasSsid;
  fresh->ssid = query.ssid;
  fresh->owner = owners_[device];
  // The fetch of a context descriptor walks stage 2 under the VMID of the STE.
  uint64_t vmid = 0;
  memory_->Read64(SteAddress(query.sid) + 16, &vmid);
  CachedEnv env{*this, log, static_cast<uint16_t>(vmid), 0, fresh->owner};
  fresh->config = LoadConfig(env, regs_, query);
  if (fresh->config.event != 0 || log == nullptr) return fresh;
  const ConfigEntry* kept = configs_.Insert(*fresh);
  if (kept == nullptr) return fresh;
  log->filled.push_back({ConfigRowOf(*kept, index_), 0});
  if (kept->config.stage1) log->filled.push_back({CdRowOf(*kept, index_), 0});
  return kept;
}

Translation Smmu::Translate(uint32_t device, const WalkQuery& query, TranslationLog* log) {
  const ConfigEntry* entry = configs_.Find(device, query.hasSsid, query.ssid);
  if (entry != nullptr) return TranslateWith(*entry, query, log);
  ConfigEntry fresh;
  entry = LoadEntry(device, query, log, &fresh);
  if (entry->config.event == 0) return TranslateWith(*entry, query, log);
  const Attributes a = AttributesOf(entry->config, query);
  return Finish(entry->config, query, a, entry->config.fault);
}

Translation Smmu::TranslateWith(const ConfigEntry& entry, const WalkQuery& query,
                                TranslationLog* log) {
  const StreamConfig& config = entry.config;
  const Attributes a = AttributesOf(config, query);
  if (config.bypass) {
    Translation out;
    out.pa = out.input = query.address;
    out.rights = out.accessRights = kRead | kWrite;
    return out;
  }
  const uint64_t va = config.stage1 ? CanonicalVa(config.cd, query.address) : query.address;
  const EntryKind kind = !config.stage1  ? EntryKind::kStage2
                         : config.stage2 ? EntryKind::kCombined
                                         : EntryKind::kHostStage1;
  const uint16_t vmid = static_cast<uint16_t>(config.ste.vmid);
  const uint16_t asid = config.stage1 ? static_cast<uint16_t>(config.cd.asid) : 0;
  if (kind != EntryKind::kStage2 && HasTable(config.cd, va))
    if (const RangeEntry* leaf = tlb_.Find(kind, vmid, asid, va))
      return FromLeaf(config, query, a, *leaf, va);
  CachedEnv env{*this, log, vmid, asid, entry.owner};
  Translated walked;
  const Stage fault = WalkStages(env, regs_, config, va, a, &walked);
  if (fault.event != 0) return Finish(config, query, a, fault);
  const RangeEntry leaf = MakeLeaf(config, walked, va, entry.owner);
  if (log != nullptr && kind != EntryKind::kStage2 && tlb_.Insert(leaf) >= 0)
    log->filled.push_back({RowOf(leaf, index_), leaf.output});
  return FromLeaf(config, query, a, leaf, va);
}

}  // namespace twinwalk::model
