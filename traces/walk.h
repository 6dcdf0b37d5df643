// A walker's question and answer, and the shapes that its pure parts give back: what the reference
// and the model both return, so that they can be compared (vectors, walk_fuzzer, Equals proofs).
// No architecture constant and no code: each side decodes on its own.
#ifndef TWINWALK_TRACES_WALK_H_
#define TWINWALK_TRACES_WALK_H_

#include <array>
#include <cstdint>

#include "traces/outcome.h"

namespace twinwalk {

// Physical memory as a walker sees it.
class WalkMemory {
 public:
  virtual ~WalkMemory() = default;
  // One aligned 64-bit single-copy-atomic read. False: external abort.
  virtual bool Read64(uint64_t address, uint64_t* value) = 0;
};

// The registers of an SMMUv3 that a translation depends on (hw-smmuv3 sheet 1).
struct SmmuRegs {
  std::array<uint32_t, 6> idr{};  // IDR0..IDR5
  bool enabled = true;            // CR0.SMMUEN
  bool gbpaAbort = true;          // GBPA.ABORT
  bool recInvSid = true;          // CR2.RECINVSID
  bool hyp2E2h = false;           // CR2.E2H
  uint64_t strtabBase = 0;        // STRTAB_BASE
  uint32_t strtabBaseCfg = 0;     // STRTAB_BASE_CFG
};

struct WalkQuery {
  uint32_t sid = 0;
  bool hasSsid = false;
  uint32_t ssid = 0;
  uint64_t address = 0;
  bool write = false, privileged = false, instruction = false;
};

struct WalkAnswer {
  uint8_t event = 0;                 // 0: translated; kAbortedSilently; else the event number
  std::array<uint64_t, 4> record{};  // the event, when it is recorded; else zeroes
  bool bypass = false;               // translated without any table
  uint64_t pa = 0;
  uint8_t rights = 0;           // Rights of the whole translation, for this privilege
  uint64_t size = 0;            // bytes that one TLB entry of it may cover; 0 for bypass
  uint16_t vmid = 0, asid = 0;  // tags of that entry (asid 0 when global or stage 2 only)
  bool global = false;
  bool operator==(const WalkAnswer&) const = default;
};

// ---- Pure parts, over a domain D (traces/word.h): the rows of proofs/walks.cc
// ---------------------

enum DescriptorKind : uint64_t {
  kInvalidDescriptor = 0,
  kTableDescriptor = 1,
  kLeafDescriptor = 2
};
enum Permission : uint64_t {
  kPrivRead = 1,
  kPrivWrite = 2,
  kUserRead = 4,
  kUserWrite = 8,
  kPrivExec = 16,
  kUserExec = 32
};
// Restrictions that a stage-1 table descriptor puts on everything below it.
enum TableLimit : uint64_t { kNoUser = 1, kNoWrite = 2, kNoUserExec = 4, kNoPrivExec = 8 };

// One descriptor, decoded at (level, log2 of granule): hw-smmuv3 sheet 4.1.
template <class D>
struct Descriptor {
  using W = typename D::W;
  W kind{0};         // DescriptorKind
  W output{0};       // next table, or first byte of the leaf
  W permissions{0};  // leaf: Permission bits, before table limits and WXN; stage 2 uses kUserRead,
                     // kUserWrite, kUserExec
  W limits{0};       // stage-1 table: TableLimit bits
  W accessFlag{0};   // leaf: AF
  W notGlobal{0};    // stage-1 leaf: nG
};

// A context descriptor, decoded: hw-smmuv3 sheet 3. Fields hold only when legal is 1.
template <class D>
struct ContextDescriptor {
  using W = typename D::W;
  W legal{0};
  W asid{0};
  W outputBits{0};  // effective IPS in bits (52 counts only for 64K)
  W ttb0{0}, size0{0}, granule0{0},
      off0{0};  // table base, input bits (64 - T0SZ), log2 bytes, EPD0
  W ttb1{0}, size1{0}, granule1{0}, off1{0};
  W tbi0{0}, tbi1{0}, affd{0}, wxn{0}, hads0{0}, hads1{0};
  W record{0}, abort{0};  // R, A
  W wide{0};  // OAS is 52 bits: bits 15:12 of a 64K descriptor are address; else they are ignored
};

// A stream table entry, decoded: hw-smmuv3 sheet 2.1.
template <class D>
struct StreamEntry {
  using W = typename D::W;
  W verdict{0};  // 0: use it; 1: C_BAD_STE; 2: abort silently
  W stage1{0}, stage2{0};
  W contextPtr{0}, s1fmt{0}, s1cdmax{0}, s1dss{0};
  W vmid{0};
  W s2ttb{0}, s2size{0}, s2level{0}, s2granule{0}, s2outputBits{0}, s2affd{0}, s2record{0};
  W wide{0};  // as in ContextDescriptor
};

// What a command of a guest becomes: hw-smmuv3 sheet 9, iommufd sheet Observed 3 and 6.
template <class D>
struct HostCommand {
  using W = typename D::W;
  W allowed{0};          // 0: EIO
  W needsStream{0};      // 1: word0's stream id must still be replaced by the vDEVICE's
  W word0{0}, word1{0};  // with the host's VMID in place
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_WALK_H_
