// The whole state of the model's stack, and what its layers do to each other's parts: files above,
// objects in the middle, drivers and hardware below. Front ends (front.h) decide errnos and call
// in.
#ifndef TWINWALK_MODEL_STACK_H_
#define TWINWALK_MODEL_STACK_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "model/device_file.h"
#include "model/faults.h"
#include "model/files.h"
#include "model/group.h"
#include "model/objects.h"
#include "model/smmu.h"
#include "model/vtd.h"
#include "traces/machine.h"

namespace twinwalk::model {

// A device of the World and who has it.
struct Device {
  DeviceConfig config;
  OpenFile* file = nullptr;    // the cdev file that bound it
  Context* context = nullptr;  // owner: an iommufd, or the container of its group; or null
  DeviceObject* object = nullptr;
  Object* attached = nullptr;  // Hwpt or Nested; null: blocked
  Vdevice* vdevice = nullptr;
  uint64_t eventViommu = 0;  // key; set at attach
  uint32_t eventVirtId = 0;
  DeviceState vfio;
};

inline constexpr uint64_t UserAccount(uint32_t uid) {
  return uint64_t{uid} + 1;
}
struct Account {
  uint64_t key = 0;  // UserAccount, or Stack::ProcessKey
  uint64_t pinned = 0, limit = 0;
};

class Stack {
 public:
  explicit Stack(const ModelFaults& faults) : faults_(faults), backings_(&memory_) {}
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  void Reset(const World& world);
  void SetObserver(MicroStepObserver* observer);

  const World& world() const { return world_; }
  const ModelFaults& faults() const { return faults_; }
  HostMemory& memory() { return memory_; }
  const HostMemory& memory() const { return memory_; }
  Backings& backings() { return backings_; }
  Process& process(uint32_t index) { return processes_[index]; }
  Device& device(uint32_t index) { return devices_[index]; }
  const std::vector<Device>& devices() const { return devices_; }
  const std::vector<Account>& accounts() const { return accounts_; }
  const std::vector<std::unique_ptr<Context>>& contexts() const { return contexts_; }
  std::vector<Group>& groups() { return groups_.all; }
  Groups& all_groups() { return groups_; }
  Group& group_of(uint32_t device) { return groups_.all[groups_.ofDevice[device]]; }
  uint32_t group_number(uint32_t device) const {
    return groups_.all[groups_.ofDevice[device]].number;
  }
  Smmu& smmu(uint32_t index) { return smmus_[index]; }
  const std::vector<Smmu>& smmus() const { return smmus_; }
  // IOMMUs are numbered SMMUs first, then VT-d units.
  bool IsVtd(uint32_t iommu) const {
    return iommu >= smmus_.size() && iommu - smmus_.size() < vtds_.size();
  }
  Vtd& vtd(uint32_t iommu) { return vtds_[iommu - smmus_.size()]; }
  const std::vector<Vtd>& vtds() const { return vtds_; }

  // ---- Failing allocations (docs/TRACE.md 1): called once by an Op that would now succeed ----
  void FailAllocation(uint32_t nth) { failIn_ = nth; }
  bool AllocationFails() { return failIn_ != 0 && --failIn_ == 0; }

  // ---- Files and contexts (stack.cc) ----
  OpenFile* OpenContext();
  OpenFile* OpenContainer();
  OpenFile* NewFile(FileKind kind);
  // Stands for every file that is no memory in an area of IOAS_MAP_FILE (TRACE 8: it is not held).
  OpenFile* NotMemory();
  void CloseFile(OpenFile* file);  // one descriptor less
  Context* FindContext(uint64_t ordinal);
  void ReleaseContext(Context* context);  // one holder less
  Viommu* FindViommu(uint64_t key);

  // ---- Pages (pins.cc) ----
  // Pins what `area` shows: 0, EFAULT, EINVAL (not a memfd, or beyond its end) or ENOMEM (nothing
  // changed).
  int Pin(Area* area);
  void Unpin(Area* area);
  static uint64_t PinnedPages(const Area& area);  // that it pays for
  // One more page for `key` (an Account's; 0: nobody) each: 0, or ENOMEM beyond `limit`.
  int Charge(uint64_t key, uint64_t pages, uint64_t limit);
  void Uncharge(uint64_t key, uint64_t pages);
  uint64_t MemlockPages(uint32_t process) const { return processes_[process].memlockPages; }
  uint64_t NewPages() { return ++pagesMade_; }  // ordinal of what one map shows
  // The account of a process alone (docs/TRACE.md 8), there once it was charged.
  static uint64_t ProcessKey(uint32_t process) { return (uint64_t{1} << 32) + process + 1; }
  void SetLimit(uint32_t process, uint64_t pages);  // RLIMIT_MEMLOCK

  // ---- Page tables and tags (hwpts.cc) ----
  // A page table of `ioas` on an SMMU, joined to it. Null: *error says why, nothing changed. Fails
  // with ENOMEM when `doomed` says so after all checks.
  template <class Doomed>
  Hwpt* MakeHwpt(Context* context, Ioas* ioas, uint32_t smmu, uint32_t flags, bool automatic,
                 int* error, Doomed&& doomed) {
    Hwpt* hwpt = Prepare(context, ioas, smmu, flags, automatic, error);
    if (hwpt == nullptr) return nullptr;
    *error = doomed();
    if (*error == 0)
      Show(hwpt);
    else
      DestroyHwpt(hwpt);
    return *error == 0 ? hwpt : nullptr;
  }
  void DestroyHwpt(Hwpt* hwpt);
  void ShowArea(Hwpt* hwpt, const Area& area);
  // Puts an area into an IOAS and pins it when a page table uses that; ShowArea is still to come.
  // `from`: it shows pages of the area of that IOAS that begins at `source`. 0 or an errno, and
  // then nothing changed. REQUIRES: there is room for it.
  int EnterArea(Ioas* ioas, Area area, Ioas* from = nullptr, uint64_t source = 0);
  // Takes out an area that no table shows.
  void DropArea(Ioas* ioas, Space::Areas::iterator area);
  // Takes a pinned or unpinned area out of its IOAS: tables, invalidation, pins, in that order.
  void RemoveArea(Ioas* ioas, Space::Areas::iterator area);
  // The area that contains `at` ends before it from now on, and another begins there.
  void CutArea(Ioas* ioas, Space::Areas::iterator area, uint64_t at);

  // ---- Attachments (attachments.cc) ----
  // Puts `target` (Hwpt or Nested) in force for a device, or takes it back (null).
  void SetAttached(uint32_t device, Object* target);
  // Detaches; an automatic HWPT that nobody uses any more is freed.
  void Detach(uint32_t device);
  void Unbind(uint32_t device);
  void DestroyVdevice(Vdevice* vdevice, bool tombstone);
  static Hwpt* PagingOf(Object* target);  // the HWPT_PAGING behind an attachment
  // Where a device's interrupts go: reserved in the IOAS that it is attached to. False: nowhere.
  bool MsiWindow(uint32_t device, uint64_t* first, uint64_t* last) const;

  // ---- Objects (stack.cc) ----
  void DestroyObject(Object* object);  // REQUIRES: users() is 0

  // ---- Guest commands (guest_commands.cc) ----
  // Runs an array of commands for a vIOMMU: 0 or EIO, and how many were handled.
  int RunGuestCommands(Viommu* viommu, const std::vector<Command>& commands, uint32_t* handled);

  // ---- Device accesses (dma.cc) ----
  Outcome Dma(const Op& op);
  Outcome PeekDma(const Op& op) const;

  // ---- What the last Op did ----
  void ForgetLast();
  std::vector<AccessRow<Concrete>> accesses;
  std::vector<EventRow<Concrete>> events;
  std::vector<CommandRow<Concrete>> commands;
  std::vector<Filled> filled;  // retained entries that it added
  bool onlyAccesses = false;   // it changed no area, configuration or account

  // Owner of a physical address, as backing and offset (0, 0: none).
  void Locate(uint64_t pa, uint64_t* backing, uint64_t* offset) const {
    const HostMemory::Frame* frame = memory_.Find(pa);
    const bool owned = frame != nullptr && frame->backing != 0;
    *backing = owned ? frame->backing : 0;
    *offset = owned ? frame->page * kPageSize + pa % kPageSize : 0;
  }

 private:
  Hwpt* Prepare(Context* context, Ioas* ioas, uint32_t smmu, uint32_t flags, bool automatic,
                int* error);
  void Show(Hwpt* hwpt);
  void CloseGroup(Group* group);
  void CloseDevice(uint32_t index);
  void WriteCd(Hwpt* hwpt);
  int PinAll(Ioas* ioas);
  int PinToMap(Area* area);  // like Pin; EINVAL where no table could show it
  void ForgetArea(Ioas* ioas, Space::Areas::iterator area);
  TagName<uint64_t> TagOf(const Hwpt* hwpt) const { return {hwpt->smmu, hwpt->vmid, hwpt->asid}; }
  void HideArea(Hwpt* hwpt, const Area& area, std::vector<FreedTable>* freed);
  // tables: tables were unlinked too.
  void InvalidateRange(Hwpt* hwpt, uint64_t first, uint64_t last, bool tables);
  void InvalidateTag(Hwpt* hwpt);
  void FreeTables(Hwpt* hwpt, const std::vector<FreedTable>& freed);
  void ReleaseTag(Hwpt* hwpt);
  uint64_t WrongVmid(const Hwpt* hwpt) const;
  uint16_t LowestFreeTag(uint32_t smmu, bool vmid);
  void Announce(const MicroStep<uint64_t>& step) const {
    if (observer_ != nullptr) observer_->OnMicroStep(step);
  }
  void AnnounceRun(MicroStepKind kind, const Hwpt* hwpt, const Run& run, uint8_t rights) const;
  std::array<uint64_t, 4> SteFor(Object* target) const;
  void PutInForce(uint32_t device, Object* target);
  // By the IOMMU of the device; `log` null: looks only.
  Translation Translate(uint32_t device, const WalkQuery& query, TranslationLog* log);
  void NoteLog(uint32_t device);
  void Report(uint32_t device, const Translation& t, uint32_t length,
              std::vector<FaultRecord>* out);
  void TakeFaults(uint32_t device, std::vector<FaultRecord>* out);
  void Deliver(uint32_t device, bool stage2, std::array<uint64_t, 4> words,
               std::vector<FaultRecord>* out);
  bool EventTarget(uint32_t device, Veventq** queue, uint32_t* virt_id);

  ModelFaults faults_;
  World world_;
  MicroStepObserver* observer_ = nullptr;
  HostMemory memory_;
  Backings backings_;
  std::vector<Smmu> smmus_;
  std::vector<Vtd> vtds_;
  std::vector<Device> devices_;
  std::vector<Process> processes_;
  Groups groups_;
  std::vector<Account> accounts_;
  std::vector<std::unique_ptr<Context>> contexts_;  // live ones, ascending ordinal
  std::vector<std::unique_ptr<OpenFile>> files_;
  OpenFile* notMemory_ = nullptr;
  std::vector<std::vector<uint64_t>> vmids_, asids_;  // by IOMMU: bitmaps of tags in use
  uint64_t contextsMade_ = 0, pagesMade_ = 0;
  uint64_t pinnedPages_ = 0;
  uint32_t failIn_ = 0;
  uint32_t hostLog_ = 0;  // events logged by the host so far
  TranslationLog log_;
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_STACK_H_
