// One event of a trace, as a plain struct: who acts, what is called, with every field that the
// callee would read. The in-memory layout is the data section of `Op` in trace.capnp, byte for byte
// (trace_layout_test holds them together), so decoding a hot Op is one copy of 96 bytes.
//
// Handles. A field of type `Handle` names either a literal number or "the result of Op n"; bit i of
// `Op::results` says which, for the i-th handle field in visiting order. Machines never see the
// second form: `traces/resolve.h` replaces it by the number that Op n returned on that Machine.
#ifndef TWINWALK_TRACES_OP_H_
#define TWINWALK_TRACES_OP_H_

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "traces/op_args.h"
#include "traces/outcome.h"

namespace twinwalk {

// DO NOT CHANGE THE VALUES: they are stored in traces (discriminants of the union in trace.capnp).
enum class OpKind : uint16_t {
  kRaw = 0,
  kOpen = 1,
  kClose = 2,
  kDup = 3,
  kBindIommufd = 4,
  kAttachIommufdPt = 5,
  kDetachIommufdPt = 6,
  kIoasAlloc = 7,
  kIoasMap = 8,
  kIoasUnmap = 9,
  kIoasIovaRanges = 10,
  kGetHwInfo = 11,
  kHwptAlloc = 12,
  kViommuAlloc = 13,
  kVdeviceAlloc = 14,
  kVeventqAlloc = 15,
  kHwptInvalidate = 16,
  kDestroy = 17,
  kRead = 18,
  kPoll = 19,
  kMmap = 20,
  kMunmap = 21,
  kMemfd = 22,
  kMemWrite = 23,
  kDma = 24,
  kFailAlloc = 25,
  kWrite = 26,
  kEventfd = 27,
  kFork = 28,
  kExec = 29,
  kExit = 30,
  kPassFd = 31,
  kSetrlimit = 32,
  kVfioGetApiVersion = 33,
  kVfioCheckExtension = 34,
  kVfioSetIommu = 35,
  kVfioIommuGetInfo = 36,
  kVfioIommuMapDma = 37,
  kVfioIommuUnmapDma = 38,
  kVfioIommuDirtyPages = 39,
  kVfioGroupGetStatus = 40,
  kVfioGroupSetContainer = 41,
  kVfioGroupUnsetContainer = 42,
  kVfioGroupGetDeviceFd = 43,
  kVfioDeviceGetInfo = 44,
  kVfioDeviceGetRegionInfo = 45,
  kVfioDeviceGetIrqInfo = 46,
  kVfioDeviceSetIrqs = 47,
  kVfioDeviceReset = 48,
  kVfioPciHotResetInfo = 49,
  kVfioPciHotReset = 50,
  kVfioDeviceIoeventfd = 51,
  kVfioDeviceFeature = 52,
  kIoasAllowIovas = 53,
  kIoasCopy = 54,
  kIoasMapFile = 55,
  kIommuOption = 56,
  kVfioIoas = 57,
  kHwptSetDirty = 58,
  kHwptGetDirty = 59,
  kFaultQueueAlloc = 60,
  kIoasChangeProcess = 61,
};
inline constexpr int kOpKinds = 62;

// ---- The Op
// --------------------------------------------------------------------------------------

// First 16 bytes of every Op, in the order that the schema compiler gives them.
struct OpHead {
  uint8_t process = 0;  // index into World::processes; ignored by device and host Ops
  uint8_t results = 0;  // bit i: the i-th Handle (fd is number 0) names the result of an earlier Op
  uint16_t readable = 0;        // ioctl: bytes of the struct that can be read (65535: that or more)
  Handle fd = kDanglingHandle;  // the file of ioctl, read, poll, close, dup, mmap
  uint32_t size = 0;            // ioctl: the size or argsz word of the user's struct
  uint16_t writable = 0;        // ioctl: bytes of the struct that can be written
  OpKind kind = OpKind::kRaw;
};

struct OpData : OpHead {
  union {
    uint64_t words[10];
    RawArgs raw;
    OpenArgs open;
    BindArgs bind;
    AttachArgs attach;
    DetachArgs detach;
    IoasAllocArgs ioasAlloc;
    IoasMapArgs ioasMap;
    IoasUnmapArgs ioasUnmap;
    IoasIovaRangesArgs ioasIovaRanges;
    GetHwInfoArgs getHwInfo;
    HwptAllocArgs hwptAlloc;
    ViommuAllocArgs viommuAlloc;
    VdeviceAllocArgs vdeviceAlloc;
    VeventqAllocArgs veventqAlloc;
    HwptInvalidateArgs hwptInvalidate;
    DestroyArgs destroy;
    ReadArgs read;
    PollArgs poll;
    MmapArgs mmap;
    MunmapArgs munmap;
    MemfdArgs memfd;
    MemWriteArgs memWrite;
    DmaArgs dma;
    FailAllocArgs failAlloc;
    WriteArgs write;
    EventfdArgs eventfd;
    ForkArgs fork;
    ExecArgs exec;
    ExitArgs exit;
    PassFdArgs passFd;
    SetrlimitArgs setrlimit;
    VfioGetApiVersionArgs vfioGetApiVersion;
    VfioCheckExtensionArgs vfioCheckExtension;
    VfioSetIommuArgs vfioSetIommu;
    VfioIommuGetInfoArgs vfioIommuGetInfo;
    VfioIommuMapDmaArgs vfioIommuMapDma;
    VfioIommuUnmapDmaArgs vfioIommuUnmapDma;
    VfioIommuDirtyPagesArgs vfioIommuDirtyPages;
    VfioGroupGetStatusArgs vfioGroupGetStatus;
    VfioGroupSetContainerArgs vfioGroupSetContainer;
    VfioGroupUnsetContainerArgs vfioGroupUnsetContainer;
    VfioGroupGetDeviceFdArgs vfioGroupGetDeviceFd;
    VfioDeviceGetInfoArgs vfioDeviceGetInfo;
    VfioDeviceGetRegionInfoArgs vfioDeviceGetRegionInfo;
    VfioDeviceGetIrqInfoArgs vfioDeviceGetIrqInfo;
    VfioDeviceSetIrqsArgs vfioDeviceSetIrqs;
    VfioDeviceResetArgs vfioDeviceReset;
    VfioPciHotResetInfoArgs vfioPciHotResetInfo;
    VfioPciHotResetArgs vfioPciHotReset;
    VfioDeviceIoeventfdArgs vfioDeviceIoeventfd;
    VfioDeviceFeatureArgs vfioDeviceFeature;
    IoasAllowIovasArgs ioasAllowIovas;
    IoasCopyArgs ioasCopy;
    IoasMapFileArgs ioasMapFile;
    IommuOptionArgs iommuOption;
    VfioIoasArgs vfioIoas;
    HwptSetDirtyArgs hwptSetDirty;
    HwptGetDirtyArgs hwptGetDirty;
    FaultQueueAllocArgs faultQueueAlloc;
    IoasChangeProcessArgs ioasChangeProcess;
  };
  OpData() { std::memset(words, 0, sizeof words); }
};
static_assert(sizeof(OpData) == 96);

struct Op : OpData {
  // ioctl: bytes of the user's struct beyond the kernel's (size and readable allowing), then the
  // bytes of the one buffer that it points to. Otherwise as said at the kind.
  std::string blob;
  std::optional<Outcome> recorded;  // what the recorded kernel answered, as far as known
};

// Size of the kernel's own struct of this ioctl (sheet table 3; 0: not an ioctl).
uint32_t StructSize(OpKind kind);
const char* OpName(OpKind kind);  // "ioas_map"
std::optional<OpKind> OpKindOf(const std::string& name);

// Bytes of blob that continue the user's struct, before the pointed-to buffer begins.
inline uint32_t TrailingBytes(const OpData& op) {
  const uint32_t known = StructSize(op.kind);
  const uint32_t there = op.size < op.readable ? op.size : op.readable;
  return known != 0 && there > known ? there - known : 0;
}

// Calls v.Field(name, ref) for each scalar and v.HandleField(name, ref, role, index) for each
// handle, in layout order; `index` is the bit in Op::results. One description serves text, checks,
// mutation and documentation.
template <class Data, class V>
void VisitArgs(Data& op, V&& v);

}  // namespace twinwalk

#include "traces/op_visit.h"

#endif  // TWINWALK_TRACES_OP_H_
