// The VT-d walker: root, context and PASID entry (steps 1 to 4 of the sheet's order of checks), the
// second stage (step 5), then the answer and its fault record. Legacy mode, and scalable mode with
// second-stage or pass-through PASID entries; first stage and nesting are answered as types that
// the unit does not support. No cache inside: a step is a template over an Env, which reads memory
// and may know where a walk can begin (model/vtd.cc has the one with caches).
//
// Env has:
//   bool Read(uint64_t pa, uint64_t* value)   one aligned word; false: access error
//   bool Start(uint64_t address, int* level, uint64_t* table, uint8_t* rights)
//   void Table(uint64_t address, int level, uint64_t table, uint8_t rights)
#ifndef TWINWALK_MODEL_WALK_VTD_H_
#define TWINWALK_MODEL_WALK_VTD_H_

#include "model/decode_vtd.h"
#include "traces/word.h"

namespace twinwalk::model {

// Fault reasons (sheet 6).
enum VtdReason : uint8_t {
  kReasonRootAbsent = 0x01,
  kReasonContextAbsent = 0x02,
  kReasonContextInvalid = 0x03,
  kReasonBeyondWidth = 0x04,
  kReasonNoWrite = 0x05,
  kReasonNoRead = 0x06,
  kReasonTableAccess = 0x07,
  kReasonRootAccess = 0x08,
  kReasonContextAccess = 0x09,
  kReasonRootReserved = 0x0a,
  kReasonContextReserved = 0x0b,
  kReasonTableReserved = 0x0c,
  kReasonTypeBlocked = 0x0d,
  kReasonInterruptRange = 0x0e,
  kReasonBadMode = 0x30,
  kReasonPasidInLegacy = 0x31,
  kReasonSmRootAccess = 0x38,
  kReasonSmRootAbsent = 0x39,
  kReasonSmRootReserved = 0x3a,
  kReasonSmContextAccess = 0x40,
  kReasonSmContextAbsent = 0x41,
  kReasonSmContextReserved = 0x42,
  kReasonNoDeviceTlb = 0x44,
  kReasonNoPasid = 0x45,
  kReasonPasidBeyond = 0x46,
  kReasonRidPasidBeyond = 0x48,
  kReasonDirectoryAccess = 0x50,
  kReasonDirectoryAbsent = 0x51,
  kReasonDirectoryReserved = 0x52,
  kReasonPasidAccess = 0x58,
  kReasonPasidAbsent = 0x59,
  kReasonPasidReserved = 0x5a,
  kReasonPasidInvalid = 0x5b,
  kReasonNoSupervisor = 0x5d,
  kReasonSsAccess = 0x78,
  kReasonSsAbsent = 0x79,
  kReasonSsReserved = 0x7a,
  kReasonSsPointer = 0x7b,
  kReasonSmBeyondWidth = 0x83,
  kReasonSmNoWrite = 0x85,
  kReasonSmNoRead = 0x86,
  kReasonSmInterruptRange = 0x87,
};

// Whether FPD can keep the fault from being recorded. Access errors of the tables above, faults of
// the root, and what is wrong before any entry was read are recorded in any case.
inline bool Qualified(uint8_t reason) {
  switch (reason) {
    case kReasonRootAbsent:
    case kReasonRootAccess:
    case kReasonContextAccess:
    case kReasonRootReserved:
    case kReasonBadMode:
    case kReasonPasidInLegacy:
    case kReasonSmRootAccess:
    case kReasonSmRootAbsent:
    case kReasonSmRootReserved:
    case kReasonSmContextAccess:
    case kReasonDirectoryAccess:
    case kReasonPasidAccess:
      return false;
    default:
      return true;
  }
}

inline constexpr uint64_t kVtdInterruptFirst = 0xfee00000, kVtdInterruptLast = 0xfeefffff;
inline bool InInterruptRange(uint64_t address) {
  return address >= kVtdInterruptFirst && address <= kVtdInterruptLast;
}

// ---- Root, context, PASID entry
// ------------------------------------------------------------------

// What the tables of a unit say about the requests of a function.
struct VtdStream {
  uint8_t reason = 0;         // 0, or why there is none
  bool faultDisable = false;  // any FPD on the way
  bool scalable = false;
  bool passThrough = false;
  uint8_t pgtt = 0;
  uint16_t did = 0;
  uint64_t table = 0;
  int levels = 0;  // of its tables
  int bits = 0;    // input width: of the tables, or MGAW
};

inline bool Stop(VtdStream* out, uint8_t reason) {
  out->reason = reason;
  return false;
}
inline bool Scalable(const VtdRegs& regs) {
  return (regs.rtaddr >> 10 & 3) == 1;
}
inline int LeastBits(uint64_t a, uint64_t b) {
  return static_cast<int>(Least<Concrete>(a, b));
}

// By bus.
inline uint64_t RootEntryAddress(const VtdRegs& regs, uint64_t sid) {
  return (regs.rtaddr & kVtdPointerBits) + (sid >> 8) * 16;
}

// Reads `n` words in a row.
template <class Env>
bool ReadWords(Env& env, uint64_t at, uint64_t* words, int n) {
  for (int i = 0; i < n; ++i)
    if (!env.Read(at + i * 8, &words[i])) return false;
  return true;
}

// Step 2. False: out->reason says why.
template <class Env>
bool LoadLegacy(Env& env, const VtdRegs& regs, const VtdQuery& query, VtdStream* out) {
  if (query.hasPasid) return Stop(out, kReasonPasidInLegacy);
  uint64_t words[2];
  if (!ReadWords(env, RootEntryAddress(regs, query.sid), words, 2))
    return Stop(out, kReasonRootAccess);
  const auto pointer = DecodeLegacyRoot<Concrete>(words[0], words[1]);
  if (pointer.present == 0) return Stop(out, kReasonRootAbsent);
  if (pointer.reserved != 0) return Stop(out, kReasonRootReserved);
  if (!ReadWords(env, pointer.table + (query.sid & 0xffu) * 16, words, 2))
    return Stop(out, kReasonContextAccess);
  const auto context = DecodeLegacyContext<Concrete>(words[0], words[1], regs.cap, regs.ecap);
  out->faultDisable = context.faultDisable != 0;
  if (context.present == 0) return Stop(out, kReasonContextAbsent);
  if (context.reserved != 0) return Stop(out, kReasonContextReserved);
  if (context.invalid != 0) return Stop(out, kReasonContextInvalid);
  if (query.translationRequest && context.type != kWithAts) return Stop(out, kReasonTypeBlocked);
  out->passThrough = context.type == kBypassed;
  out->did = static_cast<uint16_t>(context.did);
  out->table = context.table;
  const uint64_t mgaw = MgawBits<Concrete>(regs.cap);
  out->bits = out->passThrough ? static_cast<int>(mgaw) : LeastBits(mgaw, context.bits);
  out->levels = static_cast<int>((context.bits - 12) / 9);
  return true;
}

// Step 4, for a PASID entry that a first stage would serve: what comes before its walk, which is
// not here. qw2: of the entry.
inline uint8_t RefuseFirstStage(const VtdRegs& regs, const VtdPasidEntry<Concrete>& entry,
                                uint64_t qw2, bool supervisor) {
  if ((qw2 & 0xf00) != 0) return kReasonPasidReserved;
  const uint64_t mode = qw2 >> 2 & 3;  // FSPM: 4 levels, 5 levels
  const bool levels = mode == 0 || (mode == 1 && (regs.cap >> 60 & 1) != 0);
  const bool type =
      entry.type == kFirstStage
          ? (regs.ecap >> 47 & 1) != 0
          : (regs.ecap >> 26 & 1) != 0 && WidthSupported<Concrete>(regs.cap, (entry.bits - 30) / 9);
  const bool offered = type && levels;
  return offered && supervisor && (qw2 & 1) == 0 ? kReasonNoSupervisor : kReasonPasidInvalid;
}

// Step 4. context: of the function.
template <class Env>
bool LoadPasid(Env& env, const VtdRegs& regs, const VtdQuery& query,
               const VtdScalableContext<Concrete>& context, VtdStream* out) {
  const uint64_t pasid = query.hasPasid ? query.pasid & 0xfffff : context.ridPasid;
  if (pasid >> 6 >> context.log2Entries != 0)
    return Stop(out, query.hasPasid ? kReasonPasidBeyond : kReasonRidPasidBeyond);
  uint64_t word = 0;
  if (!env.Read(context.directory + (pasid >> 6) * 8, &word))
    return Stop(out, kReasonDirectoryAccess);
  const auto directory = DecodePasidDirectory<Concrete>(word);
  out->faultDisable |= (word & 2) != 0;
  if (directory.present == 0) return Stop(out, kReasonDirectoryAbsent);
  if (directory.reserved != 0) return Stop(out, kReasonDirectoryReserved);
  const uint64_t at = directory.table + (pasid & 63) * 64;
  uint64_t words[3];  // the rest is ignored
  if (!ReadWords(env, at, words, 3)) return Stop(out, kReasonPasidAccess);
  const auto entry = DecodePasidEntry<Concrete>(words[0], words[1], regs.cap, regs.ecap);
  out->faultDisable |= entry.faultDisable != 0;
  if (entry.present == 0) return Stop(out, kReasonPasidAbsent);
  if (entry.reserved != 0) return Stop(out, kReasonPasidReserved);
  if (entry.type == kFirstStage || entry.type == kNestedStages) {
    const bool supervisor = query.hasPasid ? query.privileged : context.ridPrivileged != 0;
    return Stop(out, RefuseFirstStage(regs, entry, words[2], supervisor));
  }
  if (entry.invalid != 0) return Stop(out, kReasonPasidInvalid);
  out->passThrough = entry.type == kPassThrough;
  out->pgtt = static_cast<uint8_t>(entry.type);
  out->did = static_cast<uint16_t>(entry.did);
  out->table = entry.table;
  const uint64_t mgaw = MgawBits<Concrete>(regs.cap);
  out->bits = out->passThrough ? static_cast<int>(mgaw) : LeastBits(mgaw, entry.bits);
  out->levels = static_cast<int>((entry.bits - 12) / 9);
  return true;
}

// Step 3.
template <class Env>
bool LoadScalable(Env& env, const VtdRegs& regs, const VtdQuery& query, VtdStream* out) {
  uint64_t half = 0;
  const uint64_t root = RootEntryAddress(regs, query.sid);
  if (!env.Read(root + ((query.sid & 0x80) != 0 ? 8 : 0), &half))
    return Stop(out, kReasonSmRootAccess);
  const auto pointer = DecodeScalableRoot<Concrete>(half);
  if (pointer.present == 0) return Stop(out, kReasonSmRootAbsent);
  if (pointer.reserved != 0) return Stop(out, kReasonSmRootReserved);
  std::array<uint64_t, 4> words{};
  if (!ReadWords(env, pointer.table + (query.sid & 0x7fu) * 32, words.data(), 4))
    return Stop(out, kReasonSmContextAccess);
  const auto context = DecodeScalableContext<Concrete>(words);
  out->faultDisable = context.faultDisable != 0;
  if (context.present == 0) return Stop(out, kReasonSmContextAbsent);
  if (context.reserved != 0) return Stop(out, kReasonSmContextReserved);
  if (query.translationRequest && context.deviceTlb == 0) return Stop(out, kReasonNoDeviceTlb);
  if (query.hasPasid && context.pasidEnable == 0) return Stop(out, kReasonNoPasid);
  return LoadPasid(env, regs, query, context, out);
}

template <class Env>
VtdStream LoadStream(Env& env, const VtdRegs& regs, const VtdQuery& query) {
  VtdStream out;
  out.scalable = Scalable(regs);
  if (out.scalable)
    LoadScalable(env, regs, query, &out);
  else if ((regs.rtaddr >> 10 & 3) == 0)
    LoadLegacy(env, regs, query, &out);
  else
    Stop(&out, kReasonBadMode);
  return out;
}

// ---- Second stage
// --------------------------------------------------------------------------------

// A leaf, or why there is none.
struct VtdLeaf {
  uint8_t reason = 0;
  bool denied = false;  // ... because a right, or the entry, is missing: ATS answers that
  uint64_t output = 0;  // of the address asked
  uint8_t log2Size = 0;
  uint8_t rights = 0;  // of all levels together
};

inline VtdLeaf NoLeaf(uint8_t reason, bool denied = false) {
  VtdLeaf out;
  out.reason = reason, out.denied = denied;
  return out;
}
inline VtdLeaf NoRight(const VtdStream& stream, bool write) {
  if (stream.scalable) return NoLeaf(write ? kReasonSmNoWrite : kReasonSmNoRead, true);
  return NoLeaf(write ? kReasonNoWrite : kReasonNoRead, true);
}
inline bool Allows(uint8_t rights, const VtdQuery& query) {
  if (query.translationRequest) return rights != 0;
  return (rights & (query.write ? kWrite : kRead)) != 0;
}

// Step 5. REQUIRES: stream has a table; the address is within its width.
template <class Env>
VtdLeaf WalkSecondStage(Env& env, const VtdRegs& regs, const VtdStream& stream,
                        const VtdQuery& query) {
  int level = stream.levels;
  uint64_t table = stream.table;
  uint8_t rights = kRead | kWrite;
  env.Start(query.address, &level, &table, &rights);
  for (;; --level) {
    uint64_t word = 0;
    const uint64_t index = query.address >> VtdShift(level) & 511;
    if (!env.Read(table + index * 8, &word)) {
      if (level == stream.levels)
        return NoLeaf(stream.scalable ? kReasonSsPointer : kReasonContextInvalid);
      return NoLeaf(stream.scalable ? kReasonSsAccess : kReasonTableAccess);
    }
    const auto e = DecodeVtdEntry<Concrete>(word, level, regs.cap, regs.ecap, regs.haw);
    if (e.present == 0)
      return stream.scalable ? NoLeaf(kReasonSsAbsent, true) : NoRight(stream, query.write);
    if (e.reserved != 0) return NoLeaf(stream.scalable ? kReasonSsReserved : kReasonTableReserved);
    rights &= static_cast<uint8_t>(e.rights);
    // A translation request asks what is granted: it is told at the end, also that nothing is.
    if ((!query.translationRequest || e.leaf != 0) && !Allows(rights, query))
      return NoRight(stream, query.write);
    if (e.leaf != 0) {
      VtdLeaf out;
      const int shift = VtdShift(level);
      out.output = e.output | (query.address & ((uint64_t{1} << shift) - 1));
      out.log2Size = static_cast<uint8_t>(shift);
      out.rights = rights;
      return out;
    }
    table = e.output;
    env.Table(query.address, level - 1, table, rights);
  }
}

// ---- The answer
// ----------------------------------------------------------------------------------

inline void PutFault(const VtdQuery& query, const VtdStream& stream, uint8_t reason,
                     VtdAnswer* answer) {
  answer->reason = reason;
  answer->recorded = !(stream.faultDisable && Qualified(reason));
  if (!answer->recorded) return;
  const bool supervisor = query.hasPasid && query.privileged;
  const bool execute = query.hasPasid && query.instruction && !query.write;
  answer->record[0] = query.address & ~uint64_t{0xfff};
  answer->record[1] = query.sid | uint64_t{supervisor} << 29 | uint64_t{execute} << 30 |
                      uint64_t{query.hasPasid} << 31 | uint64_t{reason} << 32 |
                      uint64_t{query.hasPasid ? query.pasid & 0xfffff : 0} << 40 |
                      uint64_t{!query.write} << 62 | uint64_t{1} << 63;
}

// Step 1: what needs no table. True: `answer` is final.
inline bool AnswerEarly(const VtdRegs& regs, const VtdQuery& query, VtdAnswer* answer) {
  if (!regs.enabled) {
    if (query.translationRequest) return true;  // refused, and nothing is recorded
    answer->passThrough = true;
    answer->pa = query.address;
    answer->rights = kRead | kWrite;
    return true;
  }
  // Reads too are the interrupt path's to refuse; it is not described here.
  if (!query.translationRequest && InInterruptRange(query.address)) answer->interrupt = true;
  return answer->interrupt;
}

// What comes between the tables of the stream and a walk: its own fault, or one that depends on
// the address alone. 0: none.
inline uint8_t RefusedAtOnce(const VtdStream& stream, const VtdQuery& query) {
  if (stream.reason != 0) return stream.reason;
  if (stream.bits < 64 && query.address >> stream.bits != 0)
    return stream.scalable ? kReasonSmBeyondWidth : kReasonBeyondWidth;
  if (stream.passThrough && InInterruptRange(query.address))
    return stream.scalable ? kReasonSmInterruptRange : kReasonInterruptRange;
  return 0;
}

// Fills `answer` from a leaf, found now or remembered.
inline void PutLeaf(const VtdStream& stream, const VtdQuery& query, const VtdLeaf& leaf,
                    VtdAnswer* answer) {
  if (leaf.reason != 0) {
    if (leaf.denied && query.translationRequest)
      answer->size = uint64_t{1} << 12;
    else
      PutFault(query, stream, leaf.reason, answer);
    return;
  }
  if (InInterruptRange(leaf.output))
    return PutFault(query, stream,
                    stream.scalable ? kReasonSmInterruptRange : kReasonInterruptRange, answer);
  answer->did = stream.did;
  answer->pgtt = stream.pgtt;
  answer->pa = leaf.output;
  answer->rights = leaf.rights;
  answer->size = uint64_t{1} << leaf.log2Size;
}

inline void PutPassThrough(const VtdStream& stream, const VtdQuery& query, VtdAnswer* answer) {
  answer->did = stream.did;
  answer->pgtt = stream.pgtt;
  answer->passThrough = true;
  answer->pa = query.address;
  answer->rights = kRead | kWrite;
}

// Reads physical memory and knows no shortcut.
struct PlainVtdEnv {
  WalkMemory& memory;
  bool Read(uint64_t pa, uint64_t* value) { return memory.Read64(pa, value); }
  bool Start(uint64_t, int*, uint64_t*, uint8_t*) { return false; }
  void Table(uint64_t, int, uint64_t, uint8_t) {}
};

// What present memory says.
inline VtdAnswer WalkVtd(const VtdRegs& regs, WalkMemory& memory, const VtdQuery& query) {
  PlainVtdEnv env{memory};
  VtdAnswer answer;
  if (AnswerEarly(regs, query, &answer)) return answer;
  const VtdStream stream = LoadStream(env, regs, query);
  if (const uint8_t reason = RefusedAtOnce(stream, query)) {
    PutFault(query, stream, reason, &answer);
    return answer;
  }
  if (stream.passThrough)
    PutPassThrough(stream, query, &answer);
  else
    PutLeaf(stream, query, WalkSecondStage(env, regs, stream, query), &answer);
  return answer;
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_WALK_VTD_H_
