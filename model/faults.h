// Test-only switches for planted faults. All are off in every shipped program; each is one
// deviating line at the place where real systems once had the fault, and each must be found by the
// ordinary checks. Names M.. are the numbers of the list of required mutants.
#ifndef TWINWALK_MODEL_FAULTS_H_
#define TWINWALK_MODEL_FAULTS_H_

namespace twinwalk {

struct ModelFaults {
  // The four that the fuzzer must find from the seeds.
  bool invalidateWrongVmid = false;        // host TLBI by another VMID than the one that changed
  bool unpinBeforeInvDone = false;         // unmap unpins before its invalidation completed
  bool configCacheSurvivesDetach = false;  // detach writes the STE but issues no CFGI_STE
  bool vmidReleasedEarly = false;  // a VMID or ASID is freed without being invalidated (M35)

  bool m01UnchargesCaller = false;            // unmap gives the charge back to who calls it
  bool m02PinIgnoresWriteProtection = false;  // DMA write through a read-only page
  bool m03SameVmidTwice = false;              // VMID given though another HWPT has it
  bool m04MissingAcsIgnored = false;          // functions without ACS get groups of their own
  bool m07UserRangeWraps = false;             // user_va + length may wrap
  bool m08ReplaceOfUnattached = false;        // a group member joins with another HWPT
  bool m09AlignUpWraps = false;               // hole start rounded up past 2^64
  bool m10SplitKeepsOldShare = false;         // a split updates one of two indices
  bool m11CopyUpgrades = false;               // a copy may be writable though the map was not
  bool m12CarryCounts = false;                // frames carried to the next batch count as put
  bool m14FrameZeroIsUnmapped = false;        // unmap walk skips physical address 0
  bool m18UnmapKeepsCombined = false;         // stage-2 unmap issues no TLBI_NH_ALL
  bool m20BypassDropsStage2 = false;          // vSTE bypass becomes a physical bypass STE
  bool m21CdFetchedPhysically = false;        // CD address taken as host-physical
  bool m22GuestVmidForwarded = false;         // VMID field of a guest command not overwritten
  bool m23ReservedBitsPass = false;           // reserved command bits reach the queue
  bool m24VdeviceOutlivesDevice = false;      // unbind leaves the virtual stream id registered
  bool m28LastPageNotFlushed = false;         // range size = end - start
  bool m29LeafOnlyFlushOfTable = false;       // VT-d: IH although a table was unlinked
  bool m31CombinedEntryTooLarge = false;      // combined entry has the size of the stage-1 leaf
  bool m32UnalignedFlushLeavesTail = false;   // VT-d: AM by the size alone, not by the base
  bool m36PagesFreedBeforeFlush = false;      // unmap never invalidates its range
  bool m47AttachIgnoresMsiConflict = false;   // an area may lie under a new reserved window
};

struct ModelFaultName {
  const char* name;
  bool ModelFaults::*fault;
};

// Every switch by name, for command lines and goldens.
inline constexpr ModelFaultName kModelFaults[] = {
    {"invalidateWrongVmid", &ModelFaults::invalidateWrongVmid},
    {"unpinBeforeInvDone", &ModelFaults::unpinBeforeInvDone},
    {"configCacheSurvivesDetach", &ModelFaults::configCacheSurvivesDetach},
    {"vmidReleasedEarly", &ModelFaults::vmidReleasedEarly},
    {"m01UnchargesCaller", &ModelFaults::m01UnchargesCaller},
    {"m02PinIgnoresWriteProtection", &ModelFaults::m02PinIgnoresWriteProtection},
    {"m03SameVmidTwice", &ModelFaults::m03SameVmidTwice},
    {"m04MissingAcsIgnored", &ModelFaults::m04MissingAcsIgnored},
    {"m07UserRangeWraps", &ModelFaults::m07UserRangeWraps},
    {"m08ReplaceOfUnattached", &ModelFaults::m08ReplaceOfUnattached},
    {"m09AlignUpWraps", &ModelFaults::m09AlignUpWraps},
    {"m10SplitKeepsOldShare", &ModelFaults::m10SplitKeepsOldShare},
    {"m11CopyUpgrades", &ModelFaults::m11CopyUpgrades},
    {"m12CarryCounts", &ModelFaults::m12CarryCounts},
    {"m14FrameZeroIsUnmapped", &ModelFaults::m14FrameZeroIsUnmapped},
    {"m18UnmapKeepsCombined", &ModelFaults::m18UnmapKeepsCombined},
    {"m20BypassDropsStage2", &ModelFaults::m20BypassDropsStage2},
    {"m21CdFetchedPhysically", &ModelFaults::m21CdFetchedPhysically},
    {"m22GuestVmidForwarded", &ModelFaults::m22GuestVmidForwarded},
    {"m23ReservedBitsPass", &ModelFaults::m23ReservedBitsPass},
    {"m24VdeviceOutlivesDevice", &ModelFaults::m24VdeviceOutlivesDevice},
    {"m28LastPageNotFlushed", &ModelFaults::m28LastPageNotFlushed},
    {"m29LeafOnlyFlushOfTable", &ModelFaults::m29LeafOnlyFlushOfTable},
    {"m31CombinedEntryTooLarge", &ModelFaults::m31CombinedEntryTooLarge},
    {"m32UnalignedFlushLeavesTail", &ModelFaults::m32UnalignedFlushLeavesTail},
    {"m36PagesFreedBeforeFlush", &ModelFaults::m36PagesFreedBeforeFlush},
    {"m47AttachIgnoresMsiConflict", &ModelFaults::m47AttachIgnoresMsiConflict},
};

}  // namespace twinwalk

#endif  // TWINWALK_MODEL_FAULTS_H_
