// The concrete shell around the templates: files and framing before them, bytes and records after.
// Private to the reference.
#ifndef TWINWALK_REFERENCE_SHELL_H_
#define TWINWALK_REFERENCE_SHELL_H_

#include <deque>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "reference/access.h"
#include "reference/groups.h"
#include "reference/iommufd.h"
#include "reference/processes.h"
#include "reference/type1.h"
#include "reference/vfio_device.h"
#include "traces/machine.h"

namespace twinwalk::reference {

using Real = Concrete;

class Shell : public PermittingMachine, private Host<Concrete> {
 public:
  explicit Shell(const ReferenceFaults& faults) : faults_(faults) {}
  const char* name() const override { return "reference"; }
  void Reset(const World& world) override;
  Outcome Step(const Op& op) override;
  void GetView(ViewScope scope, View<Concrete>* view) const override;
  Outcome Peek(const Op& op) const override;
  void SetObserver(MicroStepObserver* observer) override { observer_ = observer; }
  GuidedStep StepTowards(const Op& op, const Outcome& wanted) override;
  std::vector<Outcome> Permitted(const Op& op, size_t limit) const override;

 private:
  // ---- Host ----
  void Announce(bool when, const MicroStep<uint64_t>& step) override;
  std::vector<Run<Concrete>> Resolve(uint64_t process, uint64_t va, uint64_t length,
                                     uint64_t rights) override;
  std::vector<Run<Concrete>> ResolveFile(uint64_t file, uint64_t offset, uint64_t length) override;
  uint64_t Room(uint64_t pages) override;
  bool Listens() override { return observer_ != nullptr; }
  uint64_t ReadGuest(uint64_t backing, uint64_t offset) override;
  bool Redundant(const RetainedRow<Concrete>& row) override;

  // ---- vfio_ioctls.cc: containers, groups, devices ----
  Outcome DoVfio(const Op& op);
  // compat.cc: commands of a VFIO container on the fd of an iommufd (iommufd 8.2).
  Outcome DoCompat(const Op& op, uint64_t context);

  // ---- container_ioctls.cc ----
  Outcome DoContainer(const Op& op, uint64_t container);
  Outcome CheckExtension(uint64_t container, uint64_t extension);
  Outcome DoSetIommu(const Op& op, uint64_t container);
  Outcome DoIommuInfo(const Op& op, uint64_t container);
  Outcome DoMapDma(const Op& op, uint64_t container);
  Outcome DoUnmapDma(const Op& op, uint64_t container);
  Outcome DoDirtyPages(const Op& op, uint64_t container);

  // ---- group_ioctls.cc ----
  struct OpenGroup {  // a group whose file is open, or held by a device's
    uint32_t number = 0;
    bool noiommu = false;
    uint64_t container = 0;  // ordinal of its container or iommufd; 0: none
    bool compat = false;     // that is an iommufd
    bool open = false;       // its own file is
    uint64_t devices = 0;    // device files that hold it
  };
  Outcome OpenGroupNode(const Op& op);
  Outcome DoGroup(const Op& op, OpenGroup* group);
  Outcome DoSetContainer(const Op& op, OpenGroup* group);
  Outcome DoUnsetContainer(OpenGroup* group);
  Outcome DoGetDeviceFd(const Op& op, OpenGroup* group);
  OpenGroup* FindGroup(uint32_t number, bool noiommu);
  void CloseGroupFile(const File& file);
  void CloseDeviceFile(const File& file);
  void MaybeReleaseGroup(OpenGroup* group);
  void LeaveGroup(OpenGroup* group);
  void MaybeEndContainer(uint64_t container);
  std::vector<GroupIn<Concrete>> GroupsOf(uint64_t container) const;
  // Whether VFIO has the group's node open, or a cdev of it is bound (iommufd 19.1).
  bool GroupIsOpen(uint32_t number) const;
  bool CdevIsBound(uint32_t number) const;

  // ---- device_ioctls.cc ----
  Outcome DoDevice(const Op& op, const File& file);
  struct ResetFunction {  // what a hot reset resets along
    uint32_t rid = 0, group = 0;
    size_t device = 0;  // index into World::devices plus 1; 0: none
  };
  std::vector<ResetFunction> ResetTogether(size_t device) const;
  uint32_t DevIdOf(const ResetFunction& f, uint64_t context) const;
  Outcome DoHotResetInfo(const Op& op, const File& file);
  Outcome DoHotReset(const Op& op, const File& file);
  Outcome DoRegionAccess(const File& file, uint64_t position, uint64_t count,
                         uint64_t accessible) const;
  Outcome DoRegionMmap(const Op& op, const File& file);
  // 0, or why this number names no eventfd.
  int EventfdError(size_t process, uint32_t fd) const;

  // ---- life.cc: processes and eventfds ----
  Outcome DoLife(const Op& op);
  Outcome DoEventfdRead(const Op& op, File* file);
  Outcome DoWrite(const Op& op);
  Outcome DoFork(const Op& op);
  void SetMemlock(size_t process, uint64_t pages);
  void CloseAll(size_t process, const std::vector<uint32_t>& fds);
  Outcome CloseFd(size_t process, uint32_t fd);

  // ---- files.cc: what is no ioctl ----
  Outcome Dispatch(const Op& op);
  Outcome DoOpen(const Op& op);
  Outcome DoClose(const Op& op);
  Outcome DoDup(const Op& op);
  Outcome DoRead(const Op& op);
  Outcome DoPoll(const Op& op);
  Outcome DoMmap(const Op& op);
  Outcome DoMunmap(const Op& op);
  Outcome DoMemfd(const Op& op);
  Outcome DoMemWrite(const Op& op);
  // Ends a context that nothing refers to any more (iommufd 1).
  void MaybeEndContext(uint64_t context);

  // ---- ioctls.cc ----
  Outcome DoIoctl(const Op& op);
  Outcome DoBind(const Op& op, File* file);
  Outcome DoAttach(const Op& op, const File& file);
  Outcome DoDetach(const Op& op, const File& file);
  Outcome DoIommufd(const Op& op, uint64_t context);
  Outcome DoIovaRanges(const Op& op, uint64_t context);
  Outcome DoHwInfo(const Op& op, uint64_t context);
  Outcome DoHwptAlloc(const Op& op, uint64_t context);
  Outcome DoVeventqAlloc(const Op& op, uint64_t context);
  Outcome DoInvalidate(const Op& op, uint64_t context);

  // ---- ioctls_more.cc: the rest of the iommufd core ----
  Outcome DoIommufdRest(const Op& op, uint64_t context);
  Outcome DoAllowIovas(const Op& op, uint64_t context);
  Outcome DoMapFile(const Op& op, uint64_t context);
  Outcome DoFaultQueueAlloc(const Op& op, uint64_t context);

  // ---- dma.cc ----
  struct Slice {  // one page piece of a DMA
    AccessIn<Concrete> in;
    size_t at = 0;                    // bytes into the DMA
    uint64_t copies = 1, stride = 0;  // of its record, if it faults
  };
  // A way in which a piece may be answered, and how it looks from outside.
  struct Member {
    AccessOut<Concrete> out;
    Piece piece;
    std::string data;  // a read's
  };
  int SliceDma(const Op& op, std::vector<Slice>* slices) const;
  Member Look(const Slice& slice, AccessOut<Concrete> out) const;
  // All members of a piece, that of present memory first, at most `limit` paths; `stop` ends the
  // search. False when there were more.
  template <class Stop>
  bool ForEachMember(const Slice& slice, size_t limit, Stop&& stop) const;
  std::vector<FaultRecord> CommitTo(State<Concrete>* s, const Slice& slice,
                                    const AccessOut<Concrete>& out) const;
  std::vector<FaultRecord> Predict(const Slice& slice, const AccessOut<Concrete>& out) const;
  void Land(const Op& op, const Slice& slice, const Member& member);
  GuidedStep DoDma(const Op& op, const Outcome* wanted);

  Env<Concrete> MakeEnv() const { return {d_, world_, faults_, *const_cast<Shell*>(this)}; }

  const ReferenceFaults faults_;
  World world_;
  MicroStepObserver* observer_ = nullptr;
  mutable Concrete d_;
  State<Concrete> s_;
  Processes processes_;
  Groups groups_;
  std::list<OpenGroup> open_groups_;  // in the order in which they joined their containers
  std::vector<VfioDevice> vfio_devices_;
  uint64_t pinned_bound_ = 0;  // pages pinned in the World, at most
  uint64_t last_context_ = 0;
  std::map<uint64_t, std::deque<std::string>> records_;  // waiting in each vEVENTQ; marker: 8 bytes
  // Rows that present memory makes for the piece at hand: choosing one of them changes nothing.
  mutable std::vector<const RetainedRow<Concrete>*> met_;  // candidates of the run in hand
};

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_SHELL_H_
