// A VT-d walker's question and answer, and the shapes that its pure parts give back (see walk.h for
// their purpose). Legacy mode, and scalable mode with second-stage or pass-through entries; first
// stage and nested entries answer what the unit says of an unsupported type. No architecture
// constant and no code: each side decodes on its own. Sections: hw-vtd sheet.
#ifndef TWINWALK_TRACES_WALK_VTD_H_
#define TWINWALK_TRACES_WALK_VTD_H_

#include <array>
#include <cstdint>

#include "traces/walk.h"

namespace twinwalk {

// The registers of a VT-d unit that a translation depends on (hw-vtd sheet 1).
struct VtdRegs {
  uint64_t cap = 0;     // CAP_REG
  uint64_t ecap = 0;    // ECAP_REG
  uint32_t haw = 46;    // host address width, bits
  uint64_t rtaddr = 0;  // RTADDR_REG: root table and translation table mode
  bool enabled = true;  // GSTS.TES
};

struct VtdQuery {
  uint16_t sid = 0;  // bus, device, function
  bool hasPasid = false;
  uint32_t pasid = 0;
  uint64_t address = 0;
  bool write = false, privileged = false, instruction = false;
  bool translationRequest = false;  // an ATS translation request
};

struct VtdAnswer {
  uint8_t reason = 0;     // 0: translated (or ATS denied: rights 0); else the fault reason
  bool recorded = false;  // the fault is to be recorded (FPD clear, or not qualified)
  std::array<uint64_t, 2> record{};  // {lo, hi} of the fault record with F set, when recorded
  bool interrupt = false;            // an interrupt request: never translated
  bool passThrough = false;          // translated without any table
  uint64_t pa = 0;
  uint8_t rights = 0;  // Rights of the whole translation
  uint64_t size = 0;   // bytes that one TLB entry of it may cover; 0: pass-through
  uint16_t did = 0;    // tag of that entry
  uint8_t pgtt = 0;    // scalable mode: the PASID entry's type; 0 in legacy mode
  bool operator==(const VtdAnswer&) const = default;
};

// ---- Pure parts, over a domain D: the rows of proofs/walks_vtd.cc
// ------------------------------------

// Legacy root or scalable root half, context entry and PASID entry, decoded (hw-vtd sheet 2).
template <class D>
struct VtdPointer {
  using W = typename D::W;
  W present{0};
  W reserved{0};  // 1: a reserved bit is set
  W table{0};
};
template <class D>
struct VtdContext {
  using W = typename D::W;
  W present{0}, faultDisable{0};
  W reserved{0};  // 1: a reserved bit is set
  W invalid{0};   // 1: a type or width that the unit does not support
  W type{0};      // TT
  W bits{0};      // input width in bits (39, 48, 57)
  W table{0};     // SSPTPTR
  W did{0};
};
template <class D>
struct VtdPasidEntry {
  using W = typename D::W;
  W present{0}, faultDisable{0}, reserved{0}, invalid{0};
  W type{0};  // PGTT
  W bits{0};  // second-stage input width in bits
  W table{0};
  W did{0};
  W dirty{0};  // SSADE
};

// One second-stage entry, decoded at `level` (1 leaf only .. 5): hw-vtd sheet 3.
template <class D>
struct VtdEntry {
  using W = typename D::W;
  W present{0};   // R or W set
  W reserved{0};  // 1: a reserved bit is set (page bits, unsupported page size, width)
  W leaf{0};
  W output{0};  // next table, or first byte of the leaf
  W rights{0};  // Rights bits of this entry alone
};

// What an invalidation descriptor asks for (hw-vtd sheet 8). Fields hold only when legal is 1.
template <class D>
struct VtdInvalidation {
  using W = typename D::W;
  W legal{0};
  W type{0};         // 1 context, 2 IOTLB, 5 wait, 7 PASID cache, ...
  W granularity{0};  // the descriptor's G
  W did{0}, sid{0}, functionMask{0}, pasid{0};
  W first{0}, last{0};  // page-selective: bytes covered, inclusive
  W leafOnly{0};        // IH
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_WALK_VTD_H_
