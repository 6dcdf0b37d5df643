// One observable step inside an Op. A closed list; both Machines announce the same kinds, the
// monitor (monitor.h) judges their order. Addresses and lengths are in bytes.
#ifndef TWINWALK_TRACES_MICRO_STEP_H_
#define TWINWALK_TRACES_MICRO_STEP_H_

#include <cstdint>

namespace twinwalk {

enum class MicroStepKind : uint8_t {
  kMapVisible,  // tag, first..last of IOVA/IPA -> backing, offset, rights: hardware can walk it now
  kMapGone,     // tag, first..last: no walk that begins now finds it
  kConfigWrite,      // sid, word: one word of its STE was written (value: owner, 0 = abort)
  kInvIssued,        // the invalidation below was queued
  kInvDone,          // ... and completed (SYNC): scope, tag or sid, first..last
  kPagePinned,       // backing, offset, length
  kPageUnpinned,     // backing, offset, length
  kTableFrameFreed,  // tag, first..last: a table that mapped this range was freed
  kTagAllocated,     // tag, owner
  kTagFreed,         // tag
  kMapSplit,  // tag, first..last -> backing, offset: mapped as before, but from now on in two parts
              // that go by themselves; length: bytes of the first
};
inline constexpr int kMicroStepKinds = 11;

// What an invalidation covers.
enum class InvScope : uint8_t {
  kStage2Range,     // TLBI_S2_IPA: stage-2-only entries of the VMID in first..last
  kStage1Vmid,      // TLBI_NH_ALL: stage-1 and combined entries of the VMID
  kVmid,            // TLBI_S12_VMALL: everything of the VMID
  kAsid,            // TLBI_NH_ASID: non-global entries of (VMID, ASID)
  kVaRange,         // TLBI_NH_VA: (VMID, ASID or global), first..last
  kVaRangeAllAsid,  // TLBI_NH_VAA
  kConfig,          // CFGI_STE / CFGI_CD*: configuration of sid
};

// Tags name (SMMU, VMID, ASID). Stage-2 and nested entries: asid 0 in the tag of a mapping.
// Host-owned stage 1: vmid 0 and its ASID.
template <class W>
struct TagName {
  W smmu{0}, vmid{0}, asid{0};
};

// Over the domain, so that proofs can quantify over every field that is not structure.
template <class W>
struct MicroStep {
  MicroStepKind kind;
  InvScope scope = InvScope::kVmid;
  TagName<W> tag;
  W first{0}, last{0};  // inclusive
  W backing{0}, offset{0}, length{0};
  W rights{0};
  W sid{0}, owner{0};  // owner: ObjectKey
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_MICRO_STEP_H_
