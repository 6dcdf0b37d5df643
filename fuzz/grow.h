// Growth: the next Op of a trace, made from what the earlier ones made. One rule for each kind of
// Op (some kinds have several, named by Step); a rule that lacks something says which Step would
// make it.
#ifndef TWINWALK_FUZZ_GROW_H_
#define TWINWALK_FUZZ_GROW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/random.h"
#include "fuzz/scene.h"
#include "traces/trace.h"

namespace twinwalk::fuzz {

enum class Step : uint8_t {
  kOpenIommu,
  kOpenCdev,
  kClose,
  kDup,
  kBind,
  kAttachPaging,
  kAttachNested,
  kDetach,
  kIoasAlloc,
  kMapGuest,
  kMapMore,
  kUnmap,
  kRanges,
  kHwInfo,
  kHwptPlain,
  kHwptParent,
  kHwptNested,
  kViommu,
  kVdevice,
  kVeventq,
  kInvalidate,
  kDestroy,
  kRead,
  kPoll,
  kMmap,
  kMunmap,
  kMemfd,
  kWriteTables,
  kWriteEntry,
  kWriteData,
  kDma,
  kFailAlloc,
  kRaw,
  // Containers, groups, devices.
  kOpenContainer,
  kOpenGroup,
  kVersion,
  kExtension,
  kSetIommu,
  kType1Info,
  kType1Map,
  kType1Unmap,
  kType1Dirty,
  kGroupStatus,
  kSetContainer,
  kUnsetContainer,
  kDeviceFd,
  kDeviceInfo,
  kRegionInfo,
  kIrqInfo,
  kSetIrqs,
  kDeviceReset,
  kHotResetInfo,
  kHotReset,
  kIoeventfd,
  kFeature,
  // Files and processes.
  kWrite,
  kEventfd,
  kFork,
  kExec,
  kExit,
  kPassFd,
  kSetrlimit,
  // The rest of the iommufd core.
  kAllowIovas,
  kCopy,
  kMapFile,
  kOption,
  kVfioIoas,
  kSetDirty,
  kGetDirty,
  kFaultQueue,
  kChangeProcess
};
inline constexpr int kSteps = static_cast<int>(Step::kChangeProcess) + 1;
OpKind KindOf(Step step);
// The Steps that make Ops of this kind; at least one for each kind.
std::vector<Step> StepsOf(OpKind kind);

// Carries Ops out on some Machine, so that growth builds on what really exists.
class Oracle {
 public:
  virtual ~Oracle() = default;
  virtual void Reset(const World& world) = 0;
  virtual bool Succeeds(const Op& op) = 0;  // the next Op, handles unresolved
};

struct GrowOptions {
  uint64_t broken_one_in = 48;  // handles that are wrong on purpose; 0: never
  uint64_t odd_one_in = 24;     // fields that are; 0: never
  size_t max_blob = 4096;       // bytes
  Oracle* oracle = nullptr;     // null: every Op is taken to succeed
};

class Grower {
 public:
  Grower(const Scene* scene, Random* random, const GrowOptions& options = {})
      : scene_(scene), random_(random), options_(options) {}

  // True: *op is the next Op. False: *missing would make what this one needs.
  bool Make(Step step, Op* op, Step* missing);

 private:
  // Chooses among living Things of a role (rarely among dead ones); kNone when there is none.
  int Choose(Role role, int context = kNone);
  int ChooseParent(bool parent);
  int FileOf(int context);
  int CdevOf(uint32_t device);
  // Mostly one that has an iommufd already; the others' files and memory are out of its reach.
  uint8_t AnyProcess();
  static bool Need(Step step, Step* missing) {
    *missing = step;
    return false;
  }
  bool Odd() { return options_.odd_one_in != 0 && random_->OneIn(options_.odd_one_in); }
  // Makes a field name the result of a Thing, or breaks it on purpose.
  void Link(Op* op, int index, Handle* field, int thing);
  void Ioctl(Op* op, OpKind kind, int file);
  void MakeOdd(Op* op);

  bool Open(Op* op, Node node);
  bool CloseOrDup(Op* op, OpKind kind, Step* missing);
  bool Bind(Op* op, Step* missing);
  bool AttachPaging(Op* op, Step* missing);
  bool AttachNested(Op* op, Step* missing);
  bool Detach(Op* op, Step* missing);
  bool IoasAlloc(Op* op, Step* missing);
  bool Map(Op* op, bool first, Step* missing);
  bool Unmap(Op* op, Step* missing);
  bool Ranges(Op* op, Step* missing);
  bool HwInfo(Op* op, Step* missing);
  bool HwptPaging(Op* op, bool parent, Step* missing);
  bool HwptNested(Op* op, Step* missing);
  bool Viommu(Op* op, Step* missing);
  bool Vdevice(Op* op, Step* missing);
  bool Veventq(Op* op, Step* missing);
  bool Invalidate(Op* op, Step* missing);
  std::string Command(int viommu);
  bool Destroy(Op* op, Step* missing);
  bool Queue(Op* op, OpKind kind, Step* missing);
  bool Mmap(Op* op);
  bool Munmap(Op* op, Step* missing);
  bool WriteTables(Op* op, Step* missing);
  bool WriteEntry(Op* op, Step* missing);
  bool WriteData(Op* op, Step* missing);
  void WriteAt(Op* op, uint8_t process, uint64_t va, std::string blob);
  bool Dma(Op* op, Step* missing);
  uint64_t AddressFor(int attached);
  // grow_vfio.cc
  bool MakeVfio(Step step, Op* op, Step* missing);
  int Container();
  int DeviceFile();
  bool Type1Map(Op* op, Step* missing);
  bool Type1Unmap(Op* op, Step* missing);
  bool Type1Dirty(Op* op, Step* missing);
  bool SetContainer(Op* op, Step* missing);
  bool DeviceFd(Op* op, Step* missing);
  bool DeviceCall(Step step, Op* op, Step* missing);
  void SetIrqs(Op* op);
  // grow_core.cc
  bool MakeProcess(Step step, Op* op, Step* missing);
  bool MakeCore(Step step, Op* op, Step* missing);
  bool Copy(Op* op, Step* missing);
  bool MapFile(Op* op, Step* missing);
  bool AllowIovas(Op* op, Step* missing);

  const Scene* scene_;
  Random* random_;
  GrowOptions options_;
};

// A growing trace: Ops, and the Scene that they make.
class Builder {
 public:
  Builder(const World& world, Random* random, const GrowOptions& options = {})
      : scene_(world), grower_(&scene_, random, options), oracle_(options.oracle) {
    if (oracle_ != nullptr) oracle_->Reset(world);
  }
  void Add(Op op) {
    scene_.Note(op, oracle_ == nullptr || oracle_->Succeeds(op));
    ops_.push_back(std::move(op));
  }
  // Appends an Op of this Step, and before it whatever it needs. At most `limit` Ops in all.
  void Want(Step step, size_t limit);
  const Scene& scene() const { return scene_; }
  std::vector<Op>& ops() { return ops_; }

 private:
  Scene scene_;
  Grower grower_;
  Oracle* oracle_;
  std::vector<Op> ops_;
};

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_GROW_H_
