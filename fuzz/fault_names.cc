#include "fuzz/fault_names.h"

namespace twinwalk::fuzz {

std::vector<FaultName> FaultNames() {
  using F = ModelFaults;
  return {{"invalidateWrongVmid", &F::invalidateWrongVmid},
          {"unpinBeforeInvDone", &F::unpinBeforeInvDone},
          {"configCacheSurvivesDetach", &F::configCacheSurvivesDetach},
          {"vmidReleasedEarly", &F::vmidReleasedEarly},
          {"m02PinIgnoresWriteProtection", &F::m02PinIgnoresWriteProtection},
          {"m03SameVmidTwice", &F::m03SameVmidTwice},
          {"m07UserRangeWraps", &F::m07UserRangeWraps},
          {"m08ReplaceOfUnattached", &F::m08ReplaceOfUnattached},
          {"m09AlignUpWraps", &F::m09AlignUpWraps},
          {"m14FrameZeroIsUnmapped", &F::m14FrameZeroIsUnmapped},
          {"m18UnmapKeepsCombined", &F::m18UnmapKeepsCombined},
          {"m20BypassDropsStage2", &F::m20BypassDropsStage2},
          {"m21CdFetchedPhysically", &F::m21CdFetchedPhysically},
          {"m22GuestVmidForwarded", &F::m22GuestVmidForwarded},
          {"m23ReservedBitsPass", &F::m23ReservedBitsPass},
          {"m24VdeviceOutlivesDevice", &F::m24VdeviceOutlivesDevice},
          {"m28LastPageNotFlushed", &F::m28LastPageNotFlushed},
          {"m31CombinedEntryTooLarge", &F::m31CombinedEntryTooLarge},
          {"m36PagesFreedBeforeFlush", &F::m36PagesFreedBeforeFlush},
          {"m47AttachIgnoresMsiConflict", &F::m47AttachIgnoresMsiConflict}};
}

bool SetFault(const std::string& name, ModelFaults* faults) {
  for (const FaultName& f : FaultNames()) {
    if (name != f.name) continue;
    faults->*f.fault = true;
    return true;
  }
  return false;
}

}  // namespace twinwalk::fuzz
