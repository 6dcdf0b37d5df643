// The arguments of every kind of Op, one struct a kind: the fields of its group in trace.capnp, in
// that order. What each field means, in which unit, and the sheet's section, is said there.
#ifndef TWINWALK_TRACES_OP_ARGS_H_
#define TWINWALK_TRACES_OP_ARGS_H_

#include <cstdint>

namespace twinwalk {

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

// kVfioGroup: `device` is the number of the group. kVfioNoiommuGroup: likewise, of a group without
// IOMMU.
enum class Node : uint32_t {
  kIommu = 0,
  kVfioCdev = 1,
  kVfioContainer = 2,
  kVfioGroup = 3,
  kVfioNoiommuGroup = 4
};
struct OpenArgs {
  uint32_t node;    // Node
  uint32_t device;  // index into World::devices, for kVfioCdev; number of the group
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

// ---- Files and processes -----------------------------------------------------------------------

struct WriteArgs {
  uint64_t offset;
  uint32_t positional;
};
struct EventfdArgs {
  uint32_t initval;
  uint32_t flags;
};
struct ForkArgs {
  uint32_t child;
};
struct ExecArgs {
  uint32_t unused;
};
struct ExitArgs {
  uint32_t status;
};
struct PassFdArgs {
  uint32_t to;
};
struct SetrlimitArgs {
  uint64_t memlockPages;
};

// ---- VFIO containers, groups, devices ----------------------------------------------------------
// `arg`: the number itself. Where the user's struct has a size word it is OpHead::size.

struct VfioGetApiVersionArgs {
  uint64_t arg;
};
struct VfioCheckExtensionArgs {
  uint64_t arg;
};
struct VfioSetIommuArgs {
  uint64_t arg;
};
struct VfioIommuGetInfoArgs {
  uint32_t flags;
  uint32_t capOffset;
  uint32_t pad;
  uint32_t unused;
  uint64_t iovaPgsizes;
};
struct VfioIommuMapDmaArgs {
  uint32_t flags;
  Handle vaddrMap;
  uint64_t vaddr;
  uint64_t iova;
  uint64_t length;
};
struct VfioIommuUnmapDmaArgs {
  uint32_t flags;
  uint32_t bufWritable;
  uint64_t iova;
  uint64_t length;
  uint64_t bitmapPgsize;
  uint64_t bitmapSize;
  uint64_t bitmapData;
};
struct VfioIommuDirtyPagesArgs {
  uint32_t flags;
  uint32_t bufWritable;
  uint64_t iova;
  uint64_t length;
  uint64_t bitmapPgsize;
  uint64_t bitmapSize;
  uint64_t bitmapData;
};
struct VfioGroupGetStatusArgs {
  uint32_t flags;
};
struct VfioGroupSetContainerArgs {
  Handle container;
};
struct VfioGroupUnsetContainerArgs {
  uint64_t arg;
};
struct VfioGroupGetDeviceFdArgs {
  uint64_t arg;
};
struct VfioDeviceGetInfoArgs {
  uint32_t flags;
  uint32_t numRegions;
  uint32_t numIrqs;
  uint32_t capOffset;
  uint32_t pad;
};
struct VfioDeviceGetRegionInfoArgs {
  uint32_t flags;
  uint32_t index;
  uint32_t capOffset;
  uint32_t unused;
  uint64_t regionSize;
  uint64_t regionOffset;
};
struct VfioDeviceGetIrqInfoArgs {
  uint32_t flags;
  uint32_t index;
  uint32_t count;
};
struct VfioDeviceSetIrqsArgs {
  uint32_t flags;
  uint32_t index;
  uint32_t start;
  uint32_t count;
  uint64_t fdResults;
};
struct VfioDeviceResetArgs {
  uint64_t arg;
};
struct VfioPciHotResetInfoArgs {
  uint32_t flags;
  uint32_t count;
};
struct VfioPciHotResetArgs {
  uint32_t flags;
  uint32_t count;
  uint64_t fdResults;
};
struct VfioDeviceIoeventfdArgs {
  uint32_t flags;
  Handle eventfd;
  uint64_t offset;
  uint64_t data;
  uint32_t reserved;
};
struct VfioDeviceFeatureArgs {
  uint32_t flags;
};

// ---- iommufd, the rest of the core -------------------------------------------------------------

struct IoasAllowIovasArgs {
  Handle ioasId;
  uint32_t numIovas;
  uint32_t reserved;
  uint32_t unused;
  uint64_t allowedIovas;
};
struct IoasCopyArgs {
  uint32_t flags;
  Handle dstIoasId;
  Handle srcIoasId;
  uint32_t unused;
  uint64_t length;
  uint64_t dstIova;
  uint64_t srcIova;
};
struct IoasMapFileArgs {
  uint32_t flags;
  Handle ioasId;
  Handle file;
  uint32_t unused;
  uint64_t start;
  uint64_t length;
  uint64_t iova;
};
struct IommuOptionArgs {
  uint32_t optionId;
  Handle objectId;
  uint16_t op;
  uint16_t reserved;
  uint32_t unused;
  uint64_t val64;
};
struct VfioIoasArgs {
  Handle ioasId;
  uint16_t op;
  uint16_t reserved;
};
struct HwptSetDirtyArgs {
  uint32_t flags;
  Handle hwptId;
  uint32_t reserved;
};
struct HwptGetDirtyArgs {
  Handle hwptId;
  uint32_t flags;
  uint32_t reserved;
  uint32_t bufWritable;
  uint64_t iova;
  uint64_t length;
  uint64_t pageSize;
  uint64_t data;
};
struct FaultQueueAllocArgs {
  uint32_t flags;
  uint32_t outFaultId;
  uint32_t outFaultFd;
};
struct IoasChangeProcessArgs {
  uint32_t reserved;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_OP_ARGS_H_
