// Stage 1 and stage 2 of the SMMUv3 walk over the bits of physical memory, in the sheet's order of
// checks, and the event records. There is no cache in here; a stage is a template over an Env,
// which reads memory and may know where a walk can begin (model/smmu.cc has the one with caches).
//
// Env has:
//   bool Read(uint64_t pa, uint64_t* value)          one aligned word; false: external abort
//   Stage Stage2(const StreamEntry<Concrete>&, uint64_t ipa, FetchKind)   WalkStage2, or a cache
//   bool Stage1Start / Stage2Start(address, int* level, uint64_t* table, uint64_t* limits)
//   void Stage1Table / Stage2Table(address, int level, int granule, uint64_t table, limits)
#ifndef TWINWALK_MODEL_STAGES_SMMUV3_H_
#define TWINWALK_MODEL_STAGES_SMMUV3_H_

#include "model/commands_smmuv3.h"
#include "model/decode_smmuv3.h"

namespace twinwalk::model {

enum Event : uint8_t {
  kBadStreamId = 0x02,
  kSteFetch = 0x03,
  kBadSte = 0x04,
  kStreamDisabled = 0x06,
  kBadSubstream = 0x08,
  kCdFetchAbort = 0x09,
  kBadCd = 0x0a,
  kWalkAbort = 0x0b,
  kTranslation = 0x10,
  kAddressSize = 0x11,
  kAccessFlag = 0x12,
  kPermission = 0x13,
};

enum class FetchKind : uint8_t { kData, kTable, kCd };  // why stage 2 is asked
enum RecordClass : uint8_t { kClassCd = 0, kClassTable = 1, kClassInput = 2 };

// How one stage ended.
struct Stage {
  uint8_t event = 0;
  RecordClass cls = kClassInput;
  bool stage2 = false;  // the fault is stage 2's
  uint64_t ipa = 0;     // ... at this IPA
  uint64_t fetch = 0;   // address of the aborted fetch
  uint64_t output = 0;
  uint8_t log2Size = 0;
  uint8_t permissions = 0;  // Permission bits
  bool global = false;
};

// What a stream's tables say about a request (steps 1 to 8).
struct StreamConfig {
  uint8_t event =
      0;        // 0, kAbortedSilently, or a C_ or fetch event (also stage-2 faults of a CD fetch)
  Stage fault;  // of that event
  bool bypass = false;  // no translation at all
  bool stage1 = false, stage2 = false;
  uint8_t privCfg = 0, instCfg = 0;
  uint32_t ssid = 0;  // of the CD used
  StreamEntry<Concrete> ste;
  ContextDescriptor<Concrete> cd;
  std::array<uint64_t, 3> cdWords{};
};

// ---- Stages
// --------------------------------------------------------------------------------------

inline Stage Fault(uint8_t event, RecordClass cls, bool stage2, uint64_t ipa, uint64_t fetch = 0) {
  Stage out;
  out.event = event, out.cls = cls, out.stage2 = stage2, out.ipa = ipa, out.fetch = fetch;
  return out;
}

inline constexpr uint64_t kNarrowOutput = (uint64_t{1} << 48) - 1;

// Sheet 4.3, step 11. The permission check is the caller's: a cached leaf is checked alike.
template <class Env>
Stage WalkStage2(Env& env, const StreamEntry<Concrete>& ste, uint64_t ipa) {
  const int size = static_cast<int>(ste.s2size), g = static_cast<int>(ste.s2granule);
  if (ipa >> size != 0) return Fault(kTranslation, kClassInput, true, ipa);
  int level = static_cast<int>(ste.s2level);
  const int stride = g - 3;
  const int startBits = size - ShiftOf(level, g);
  const int alignment = startBits + 3 < 6 ? 6 : startBits + 3;
  uint64_t table = ste.s2ttb >> alignment << alignment;
  uint64_t index = ipa >> ShiftOf(level, g);  // one big index over concatenated tables
  uint64_t unused = 0;
  if (env.Stage2Start(ipa, g, &level, &table, &unused))
    index = ipa >> ShiftOf(level, g) & ((uint64_t{1} << stride) - 1);
  for (;;) {
    const uint64_t where = table + index * 8;
    uint64_t word = 0;
    if (!env.Read(where, &word)) return Fault(kWalkAbort, kClassTable, true, ipa, where);
    Descriptor<Concrete> d = DecodeStage2<Concrete>(word, level, g);
    if (ste.wide == 0) d.output &= kNarrowOutput;
    if (d.kind == kInvalidDescriptor) return Fault(kTranslation, kClassInput, true, ipa);
    if (d.output >> ste.s2outputBits != 0) return Fault(kAddressSize, kClassInput, true, ipa);
    if (d.kind == kLeafDescriptor) {
      if (d.accessFlag == 0 && ste.s2affd == 0) return Fault(kAccessFlag, kClassInput, true, ipa);
      Stage out;
      const int shift = ShiftOf(level, g);
      out.output = d.output | (ipa & ((uint64_t{1} << shift) - 1));
      out.log2Size = static_cast<uint8_t>(shift);
      out.permissions = static_cast<uint8_t>(d.permissions);
      return out;
    }
    table = d.output;
    env.Stage2Table(ipa, ++level, g, table, 0);
    index = ipa >> ShiftOf(level, g) & ((uint64_t{1} << stride) - 1);
  }
}

// A word of a stage-1 structure: through stage 2 when there is one.
template <class Env>
bool FetchStage1(Env& env, const StreamConfig& config, uint64_t address, FetchKind kind,
                 uint64_t* value, Stage* fault) {
  const RecordClass cls = kind == FetchKind::kCd ? kClassCd : kClassTable;
  uint64_t pa = address;
  if (config.stage2) {
    Stage s2 = env.Stage2(config.ste, address, kind);
    if (s2.event == 0 && (s2.permissions & kUserRead) == 0)
      s2 = Fault(kPermission, cls, true, address);
    if (s2.event != 0) {
      *fault = s2;
      fault->ipa = address;
      if (s2.event != kWalkAbort) fault->cls = cls;  // an abort is always of a descriptor
      return false;
    }
    pa = s2.output;
  }
  if (env.Read(pa, value)) return true;
  *fault = Fault(kind == FetchKind::kCd ? kCdFetchAbort : kWalkAbort, cls, false, 0, pa);
  return false;
}

// The address as tags and tables know it: without a tag byte where TBI ignores it.
inline uint64_t CanonicalVa(const ContextDescriptor<Concrete>& cd, uint64_t va) {
  const bool high = (va >> 55 & 1) != 0;
  if ((high ? cd.tbi1 : cd.tbi0) == 0) return va;
  return high ? va | uint64_t{0xff} << 56 : va & ~(uint64_t{0xff} << 56);
}

// Step 9: whether the CD gives this address a table at all. It comes before any cache is asked: it
// depends on the CD alone. REQUIRES: va is canonical.
inline bool HasTable(const ContextDescriptor<Concrete>& cd, uint64_t va) {
  const bool high = (va >> 55 & 1) != 0;
  const int size = static_cast<int>(high ? cd.size1 : cd.size0);
  if ((high ? cd.off1 : cd.off0) != 0) return false;
  return va >> size == (high ? ~uint64_t{0} >> size : 0);
}

// Sheet 4.2, steps 9 and 10, without the permission check. REQUIRES: va is canonical.
template <class Env>
Stage WalkStage1(Env& env, const StreamConfig& config, uint64_t va) {
  const ContextDescriptor<Concrete>& cd = config.cd;
  const bool high = (va >> 55 & 1) != 0;
  const int size = static_cast<int>(high ? cd.size1 : cd.size0);
  const int g = static_cast<int>(high ? cd.granule1 : cd.granule0);
  if (!HasTable(cd, va)) return Fault(kTranslation, kClassInput, false, 0);
  const uint64_t input = va & ((uint64_t{1} << size) - 1);
  const int stride = g - 3;
  const int start = 4 - (size - 4) / stride;
  const int startBits = size - ShiftOf(start, g);
  const int alignment = startBits + 3 < 6 ? 6 : startBits + 3;
  const uint64_t outputBits = OutputBitsFor<Concrete>(cd.outputBits, g);
  const bool flat = (high ? cd.hads1 : cd.hads0) != 0;

  int level = start;
  uint64_t table = (high ? cd.ttb1 : cd.ttb0) >> alignment << alignment;
  uint64_t limits = 0;
  uint64_t index = input >> ShiftOf(level, g);
  int hintLevel = level;
  if (env.Stage1Start(va, g, &hintLevel, &table, &limits)) {
    level = hintLevel;
    index = input >> ShiftOf(level, g) & ((uint64_t{1} << stride) - 1);
  }
  for (;;) {
    uint64_t word = 0;
    Stage fault;
    if (!FetchStage1(env, config, table + index * 8, FetchKind::kTable, &word, &fault))
      return fault;
    Descriptor<Concrete> d = DecodeStage1<Concrete>(word, level, g);
    if (cd.wide == 0) d.output &= kNarrowOutput;
    if (d.kind == kInvalidDescriptor) return Fault(kTranslation, kClassInput, false, 0);
    if (d.output >> outputBits != 0) return Fault(kAddressSize, kClassInput, false, 0);
    if (d.kind == kLeafDescriptor) {
      if (d.accessFlag == 0 && cd.affd == 0) return Fault(kAccessFlag, kClassInput, false, 0);
      Stage out;
      const int shift = ShiftOf(level, g);
      out.output = d.output | (va & ((uint64_t{1} << shift) - 1));
      out.log2Size = static_cast<uint8_t>(shift);
      out.permissions =
          static_cast<uint8_t>(EffectivePermissions<Concrete>(d.permissions, limits, cd.wxn));
      out.global = d.notGlobal == 0;
      return out;
    }
    table = d.output;
    if (!flat) limits |= d.limits;
    env.Stage1Table(va, ++level, g, table, limits);
    index = input >> ShiftOf(level, g) & ((uint64_t{1} << stride) - 1);
  }
}

// ---- Permissions and records
// ---------------------------------------------------------------------

struct Attributes {
  bool write = false, privileged = false, instruction = false;
};
inline Attributes AttributesOf(const StreamConfig& config, const WalkQuery& query) {
  Attributes a{query.write, query.privileged, query.instruction};
  if (config.privCfg >= 2) a.privileged = config.privCfg == 3;
  if (config.instCfg >= 2) a.instruction = config.instCfg == 3;
  if (a.write) a.instruction = false;  // writes are data
  return a;
}
// Sheet 4.6. A write needs write permission, whatever else it says it is.
inline bool Stage1Allows(uint8_t permissions, const Attributes& a) {
  const int shift = a.privileged ? 0 : 2;  // kPrivRead, kPrivWrite; kUserRead, kUserWrite
  if (a.write) return (permissions >> shift & kPrivWrite) != 0;
  if (a.instruction) return (permissions & (a.privileged ? kPrivExec : kUserExec)) != 0;
  return (permissions >> shift & kPrivRead) != 0;
}
inline bool Stage2Allows(uint8_t permissions, const Attributes& a) {
  if (a.write) return (permissions & kUserWrite) != 0;
  return (permissions & (a.instruction ? kUserExec : kUserRead)) != 0;
}
inline uint8_t RightsOf(uint8_t permissions1, uint8_t permissions2, bool privileged) {
  const uint8_t both = (permissions1 >> (privileged ? 0 : 2)) & (permissions2 >> 2);
  return both & (kRead | kWrite);
}

// Whether the fault is recorded (sheet 5).
inline bool Recorded(const StreamConfig& config, const Stage& fault, const SmmuRegs& regs) {
  if (fault.event == kAbortedSilently) return false;
  if (fault.event == kBadStreamId) return regs.recInvSid;
  if (fault.event < kTranslation) return true;
  if (fault.stage2) return config.ste.s2record != 0;
  return !config.stage1 || config.cd.record != 0;
}

inline std::array<uint64_t, 4> MakeRecord(const WalkQuery& query, const Attributes& a,
                                          const Stage& fault) {
  std::array<uint64_t, 4> r{};
  r[0] = fault.event | uint64_t{query.sid} << 32;
  if (query.hasSsid && fault.event != kStreamDisabled) {
    r[0] |= uint64_t{query.ssid & 0xfffff} << 12;
    if (fault.event != kBadSubstream) r[0] |= uint64_t{1} << 11;
  }
  if (fault.event == kSteFetch || fault.event == kCdFetchAbort) r[3] = fault.fetch & ~uint64_t{7};
  if (fault.event < kWalkAbort) return r;
  r[1] = uint64_t{a.privileged} << 33 | uint64_t{a.instruction} << 34 | uint64_t{!a.write} << 35 |
         uint64_t{fault.stage2} << 39 | uint64_t{fault.cls} << 40;
  r[2] = query.address;
  if (fault.event == kWalkAbort)
    r[3] = fault.fetch & ~uint64_t{7};
  else if (fault.stage2)
    r[3] = fault.ipa & 0x000ffffffffff000;
  return r;
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_STAGES_SMMUV3_H_
