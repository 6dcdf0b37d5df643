// The concrete shell around the templates: files and framing before them, bytes and records after.
// Private to the reference.
#ifndef TWINWALK_REFERENCE_SHELL_H_
#define TWINWALK_REFERENCE_SHELL_H_

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "reference/access.h"
#include "reference/iommufd.h"
#include "reference/processes.h"
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
  uint64_t ReadGuest(uint64_t backing, uint64_t offset) override;
  bool Redundant(const RetainedRow<Concrete>& row) override;

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
  Member Look(const Slice& slice, const AccessOut<Concrete>& out) const;
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
  uint64_t last_context_ = 0;
  std::map<uint64_t, std::deque<std::string>> records_;  // waiting in each vEVENTQ; marker: 8 bytes
  // Rows that present memory makes for the piece at hand: choosing one of them changes nothing.
  mutable const std::vector<RetainedRow<Concrete>>* fresh_ = nullptr;
};

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_SHELL_H_
