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
};
inline constexpr int kOpKinds = 26;

// A literal number, or (when its bit in Op::results is set) the ordinal of the Op whose result it
// is. What is taken from that Op follows from the field: an fd, an object id, or an mmap base.
using Handle = uint32_t;
inline constexpr Handle kDanglingHandle =
    0xffffffff;  // what a handle becomes when its Op is removed

enum class HandleRole : uint8_t { kFd, kId, kMap };

// ---- Arguments, one struct a kind. Naturally aligned, no padding that is not named. ------------

// An ioctl that no typed kind describes. blob: the readable bytes at `arg`.
struct RawArgs {
  uint32_t command;
  uint32_t reserved;
  uint64_t arg;
  uint64_t unused[8];  // keeps ten words allocated, so that every other group lays out naturally
};

enum class Node : uint32_t { kIommu = 0, kVfioCdev = 1 };
struct OpenArgs {
  uint32_t node;    // Node
  uint32_t device;  // index into World::devices, for kVfioCdev
};
struct CloseArgs {};
struct DupArgs {};

// ioctls: field names and order of the uapi structs (iommufd sheet 3.1, 19). `size` is in the head.
// `xPtr` are user addresses; with `xMap` a result they are offsets into that mapping.
struct BindArgs {
  uint32_t flags;
  Handle iommufd;  // fd of /dev/iommu
  uint32_t outDevid;
  uint32_t reserved;
  uint64_t tokenPtr;
};
struct AttachArgs {
  uint32_t flags;  // bit 0: pasid is valid
  Handle ptId;
  uint32_t pasid;
};
struct DetachArgs {
  uint32_t flags;
  uint32_t pasid;
};
struct IoasAllocArgs {
  uint32_t flags;
  uint32_t outIoasId;
};
struct IoasMapArgs {
  uint32_t flags;  // bit 0 FIXED_IOVA, 1 WRITEABLE, 2 READABLE
  Handle ioasId;
  uint32_t reserved;
  Handle userMap;
  uint64_t userVa;  // bytes
  uint64_t length;  // bytes
  uint64_t iova;
};
struct IoasUnmapArgs {
  Handle ioasId;
  uint32_t unused;
  uint64_t iova;
  uint64_t length;
};
struct IoasIovaRangesArgs {
  Handle ioasId;
  uint32_t numIovas;
  uint32_t reserved;
  uint32_t bufWritable;  // bytes that may be written at allowedIovas
  uint64_t allowedIovas;
  uint64_t outIovaAlignment;
};
struct GetHwInfoArgs {
  uint32_t flags;
  Handle devId;
  uint32_t dataLen;
  uint32_t bufWritable;  // bytes that may be written at dataPtr
  uint64_t dataPtr;
  uint32_t dataType;
  uint32_t maxPasidAndReserved;  // out_max_pasid_log2 in byte 0, reserved in bytes 1..3
  uint64_t outCapabilities;
};
// blob: the readable bytes at dataPtr, after the trailing bytes of the struct.
struct HwptAllocArgs {
  uint32_t flags;  // bit 0 NEST_PARENT, 1 DIRTY_TRACKING, 2 FAULT_ID_VALID, 3 PASID
  Handle devId;
  Handle ptId;
  uint32_t outHwptId;
  uint32_t reserved;
  uint32_t dataType;
  uint32_t dataLen;
  Handle faultId;
  uint64_t dataPtr;
  uint32_t reserved2;
  uint32_t unused;
};
struct ViommuAllocArgs {
  uint32_t flags;
  uint32_t type;
  Handle devId;
  Handle hwptId;
  uint32_t outViommuId;
  uint32_t dataLen;
  uint32_t reserved;
  uint32_t unused;
  uint64_t dataPtr;
};
struct VdeviceAllocArgs {
  Handle viommuId;
  Handle devId;
  uint32_t outVdeviceId;
  uint32_t unused;
  uint64_t virtId;
};
struct VeventqAllocArgs {
  uint32_t flags;
  Handle viommuId;
  uint32_t type;
  uint32_t depth;
  uint32_t outVeventqId;
  uint32_t outVeventqFd;
  uint32_t reserved;
};
// blob: the readable bytes of the array at dataPtr, after the trailing bytes of the struct.
struct HwptInvalidateArgs {
  Handle hwptId;
  uint32_t dataType;
  uint32_t entryLen;
  uint32_t entryNum;
  uint32_t reserved;
  uint32_t unused;
  uint64_t dataPtr;
};
struct DestroyArgs {
  Handle id;
};

struct ReadArgs {
  uint64_t count;   // bytes
  uint64_t offset;  // of pread; 0 with positional = 0
  uint32_t positional;
  uint32_t bufWritable;  // bytes that may be written at the buffer
};
struct PollArgs {
  uint32_t events;
};

enum Prot : uint32_t { kProtRead = 1, kProtWrite = 2, kProtExec = 4 };
// Head fd: the memfd or iommufd mapped, literal 0xffffffff for anonymous memory. Maps at `base`
// exactly (the trace tells where the kernel put it); EEXIST if anything is mapped there.
struct MmapArgs {
  uint64_t base;
  uint64_t length;
  uint64_t offset;  // bytes into the file
  uint32_t prot;    // Prot
  uint32_t shared;  // 1: MAP_SHARED
};
struct MunmapArgs {
  Handle map;
  uint32_t unused;
  uint64_t address;  // offset into `map` when that is a result
  uint64_t length;
};
struct MemfdArgs {
  uint64_t length;
};
// The guest (or its VMM) stores blob to its own memory. EFAULT when not all of it is writable.
struct MemWriteArgs {
  Handle map;
  uint32_t unused;
  uint64_t address;  // offset into `map` when that is a result
};

enum DmaFlags : uint32_t {
  kDmaWrite = 1,
  kDmaPrivileged = 2,
  kDmaInstruction = 4,
  kDmaHasPasid = 8
};
// One DMA of one device. blob: the bytes that it writes (empty when it reads).
// placeKind != 0: happens inside the next Op, at its `placeNth` micro-step of kind placeKind - 1.
struct DmaArgs {
  uint32_t device;  // index into World::devices
  uint32_t flags;   // DmaFlags
  uint64_t iova;
  uint32_t length;  // bytes, at most kMaxDma
  uint32_t pasid;
  uint16_t placeKind;
  uint16_t placeNth;
};
inline constexpr uint32_t kMaxDma = 1u << 16;

// The nth allocation from now on fails: see Freedom "failing allocation" in docs/TRACE.md.
struct FailAllocArgs {
  uint32_t nth;  // 1 = the next; 0 cancels
};

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
