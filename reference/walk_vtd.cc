// Hardware level: registers, root, context and PASID tables (hw-vtd 1, 2, "Required order").
#include "reference/walk_vtd.h"

#include "traces/word.h"

namespace twinwalk::reference {
namespace {

using D = Concrete;

bool BeyondMgaw(uint64_t address, uint64_t cap) {
  return VtdMgaw(cap) < 64 && Exceeds(address, VtdMgaw(cap));
}

class Physical {
 public:
  explicit Physical(WalkMemory& memory) : memory_(memory) {}
  bool Read(uint64_t address, uint64_t* word) { return memory_.Read64(address, word); }
  template <size_t n>
  bool ReadAll(uint64_t address, std::array<uint64_t, n>* words) {
    for (size_t i = 0; i < n; ++i)
      if (!memory_.Read64(address + 8 * i, &(*words)[i])) return false;
    return true;
  }

 private:
  WalkMemory& memory_;
};

// One request on its way.
class Walk {
 public:
  Walk(const VtdRegs& regs, WalkMemory& memory, const VtdQuery& query)
      : regs_(regs), q_(query), memory_(memory) {}

  VtdAnswer Legacy();
  VtdAnswer Scalable();

  // Translated without tables.
  VtdAnswer Pass() {
    VtdAnswer out = tag_;
    out.passThrough = true, out.pa = q_.address, out.rights = kRead | kWrite;
    return out;
  }
  VtdAnswer Fail(uint64_t reason) const {
    VtdAnswer out;
    out.reason = static_cast<uint8_t>(reason);
    out.recorded = VtdUnqualified(reason) || !fault_disable_;
    if (out.recorded)
      out.record = VtdRecordOf<D>(reason, q_.sid, q_.hasPasid, q_.pasid, q_.address, q_.write,
                                  q_.privileged, q_.instruction && !q_.write);
    return out;
  }

 private:
  uint64_t Bus() const { return q_.sid >> 8; }
  uint64_t Devfn() const { return q_.sid & 0xff; }
  VtdAnswer Second(uint64_t table, uint64_t bits, const VtdReasons& reasons);

  const VtdRegs& regs_;
  const VtdQuery& q_;
  Physical memory_;
  bool fault_disable_ = false;  // an FPD bit was met
  VtdAnswer tag_;               // did, pgtt
};

// Second stage, and what it makes of an ATS request: what is missing denies, and is no fault.
VtdAnswer Walk::Second(uint64_t table, uint64_t bits, const VtdReasons& reasons) {
  const VtdStage<D> stage = VtdSecondStage<D>(memory_, table, bits, q_.address, q_.write,
                                              q_.translationRequest, reasons, regs_);
  if (q_.translationRequest && stage.missing != 0) {
    VtdAnswer denied;
    denied.size = 4096;
    return denied;
  }
  if (stage.reason != 0) return Fail(stage.reason);
  VtdAnswer out = tag_;
  out.pa = stage.output;
  out.rights = static_cast<uint8_t>(stage.rights);
  out.size = stage.last - stage.first + 1;
  return out;
}

VtdAnswer Walk::Legacy() {
  // 2.
  if (q_.hasPasid) return Fail(kVtdLegacyPasid);
  std::array<uint64_t, 2> root{};
  const uint64_t root_table = regs_.rtaddr & Mask(63, 12);
  if (!memory_.ReadAll(root_table + 16 * Bus(), &root)) return Fail(kVtdRootAccess);
  const VtdPointer<D> bus = DecodeVtdRoot<D>(root[0], root[1]);
  if (bus.present == 0) return Fail(kVtdRootNotPresent);
  if (bus.reserved != 0) return Fail(kVtdRootReserved);
  std::array<uint64_t, 2> entry{};
  if (!memory_.ReadAll(bus.table + 16 * Devfn(), &entry)) return Fail(kVtdContextAccess);
  const VtdContext<D> context = DecodeVtdContext<D>(entry[0], entry[1], regs_);
  fault_disable_ = context.faultDisable != 0;
  if (context.present == 0) return Fail(kVtdContextNotPresent);
  if (context.reserved != 0) return Fail(kVtdContextReserved);
  if (context.invalid != 0) return Fail(kVtdContextInvalid);
  if (q_.translationRequest && context.type != 1) return Fail(kVtdTypeBlocked);
  tag_.did = static_cast<uint16_t>(context.did);
  if (context.type == 2) return BeyondMgaw(q_.address, regs_.cap) ? Fail(kVtdBeyondWidth) : Pass();
  return Second(context.table, context.bits, kVtdLegacy);
}

VtdAnswer Walk::Scalable() {
  // 3.
  const uint64_t half = Devfn() >> 7;
  std::array<uint64_t, 1> word{};
  const uint64_t root_table = regs_.rtaddr & Mask(63, 12);
  if (!memory_.ReadAll(root_table + 16 * Bus() + 8 * half, &word)) return Fail(kVtdSmRootAccess);
  const VtdPointer<D> bus = DecodeVtdRootHalf<D>(word[0]);
  if (bus.present == 0) return Fail(kVtdSmRootNotPresent);
  if (bus.reserved != 0) return Fail(kVtdSmRootReserved);
  std::array<uint64_t, 4> words{};
  if (!memory_.ReadAll(bus.table + 32 * (Devfn() & 0x7f), &words)) return Fail(kVtdSmContextAccess);
  const VtdScalableContext<D> context = DecodeVtdScalableContext<D>(words);
  fault_disable_ = context.faultDisable != 0;
  if (context.present == 0) return Fail(kVtdSmContextNotPresent);
  if (context.reserved != 0) return Fail(kVtdSmContextReserved);
  if (q_.translationRequest && context.deviceTlb == 0) return Fail(kVtdNoDeviceTlb);
  if (q_.hasPasid && context.pasidEnable == 0) return Fail(kVtdNoPasids);
  const uint64_t pasid = q_.hasPasid ? q_.pasid & 0xfffff : context.ridPasid;
  if (Exceeds(pasid >> 6, context.directoryBits))
    return Fail(q_.hasPasid ? kVtdBeyondDirectory : kVtdRidPasid);
  // 4.
  if (!memory_.ReadAll(context.table + 8 * (pasid >> 6), &word)) return Fail(kVtdDirectoryAccess);
  const VtdPointer<D> directory = DecodeVtdDirectory<D>(word[0]);
  fault_disable_ = fault_disable_ || Bits(word[0], 1, 1) != 0;
  if (directory.present == 0) return Fail(kVtdDirectoryNotPresent);
  if (directory.reserved != 0) return Fail(kVtdDirectoryReserved);
  std::array<uint64_t, 3> entry{};
  if (!memory_.ReadAll(directory.table + 64 * (pasid & 63), &entry)) return Fail(kVtdPasidAccess);
  const VtdPasidEntry<D> stages = DecodeVtdPasidEntry<D>(entry, regs_);
  fault_disable_ = fault_disable_ || stages.faultDisable != 0;
  if (stages.present == 0) return Fail(kVtdPasidNotPresent);
  if (stages.reserved != 0) return Fail(kVtdPasidReserved);
  if (stages.invalid != 0) return Fail(kVtdPasidInvalid);
  const bool first_stage = stages.type == kFirstStage || stages.type == kNestedStages;
  const bool privileged = q_.hasPasid ? q_.privileged : context.ridPrivileged != 0;
  if (first_stage && privileged && Bits(entry[2], 0, 0) == 0) return Fail(kVtdNoSupervisor);
  if (first_stage) return Fail(kVtdPasidInvalid);  // walk_vtd.h: not covered
  // 5.
  tag_.did = static_cast<uint16_t>(stages.did);
  tag_.pgtt = static_cast<uint8_t>(stages.type);
  if (stages.type == kSecondStage) return Second(stages.table, stages.bits, kVtdScalable);
  if (BeyondMgaw(q_.address, regs_.cap)) return Fail(kVtdSmBeyondWidth);
  // 8: reached by ATS requests only.
  if (VtdTouchesInterrupts(q_.address, q_.address)) return Fail(kVtdSmOutputInterrupt);
  return Pass();
}

}  // namespace

VtdAnswer WalkVtd(const VtdRegs& regs, WalkMemory& memory, const VtdQuery& query) {
  Walk walk(regs, memory, query);
  // 1: an ATS request of a unit that is off is unsupported, not translated.
  if (!regs.enabled) return query.translationRequest ? VtdAnswer() : walk.Pass();
  if (!query.translationRequest && VtdTouchesInterrupts(query.address, query.address)) {
    VtdAnswer out;
    out.interrupt = true;
    return out;
  }
  switch (Bits(regs.rtaddr, 11, 10)) {
    case 0:
      return walk.Legacy();
    case 1:
      return walk.Scalable();
    default:
      return walk.Fail(kVtdModeInvalid);
  }
}

}  // namespace twinwalk::reference
