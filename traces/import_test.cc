#include "traces/import.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "traces/compare.h"

namespace twinwalk {
namespace {

using Counts = std::map<std::string, uint64_t>;

std::string Capture(const std::string& name) {
  return "traces/testdata/vsmmu-" + name + ".jsonl.gz";
}

// Counted in the recordings and in the client's own output by other means (grep), not by importing.
struct Expected {
  const char* name;
  uint64_t records, dmas, pokes, polls, reads;
  Counts ioctls, raw;
};
const Expected kExpected[] = {
    {"basic",
     242,
     40,
     45,
     7,
     8,
     {{"IOMMU_GET_HW_INFO", 6},
      {"IOMMU_HWPT_ALLOC", 2},
      {"IOMMU_IOAS_ALLOC", 1},
      {"IOMMU_IOAS_IOVA_RANGES", 2},
      {"IOMMU_IOAS_MAP", 2},
      {"IOMMU_VDEVICE_ALLOC", 1},
      {"IOMMU_VEVENTQ_ALLOC", 1},
      {"IOMMU_VIOMMU_ALLOC", 1},
      {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", 4},
      {"VFIO_DEVICE_BIND_IOMMUFD", 1},
      {"VFIO_DEVICE_DETACH_IOMMUFD_PT", 2},
      {"VFIO_DEVICE_GET_REGION_INFO", 1}},
     {{"fcntl iommufd-veventq", 1}}},
    {"stale",
     448,
     55,
     67,
     12,
     13,
     {{"IOMMU_HWPT_ALLOC", 4},
      {"IOMMU_HWPT_INVALIDATE", 27},
      {"IOMMU_IOAS_ALLOC", 1},
      {"IOMMU_IOAS_MAP", 2},
      {"IOMMU_VDEVICE_ALLOC", 1},
      {"IOMMU_VEVENTQ_ALLOC", 1},
      {"IOMMU_VIOMMU_ALLOC", 1},
      {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", 4},
      {"VFIO_DEVICE_BIND_IOMMUFD", 1},
      {"VFIO_DEVICE_DETACH_IOMMUFD_PT", 1},
      {"VFIO_DEVICE_GET_REGION_INFO", 1}},
     {{"fcntl iommufd-veventq", 1}}},
    {"attach",
     432,
     37,
     45,
     19,
     20,
     {{"IOMMU_DESTROY", 1},
      {"IOMMU_HWPT_ALLOC", 7},
      {"IOMMU_IOAS_ALLOC", 1},
      {"IOMMU_IOAS_MAP", 4},
      {"IOMMU_IOAS_UNMAP", 1},
      {"IOMMU_VDEVICE_ALLOC", 1},
      {"IOMMU_VEVENTQ_ALLOC", 1},
      {"IOMMU_VIOMMU_ALLOC", 1},
      {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", 21},
      {"VFIO_DEVICE_BIND_IOMMUFD", 1},
      {"VFIO_DEVICE_DETACH_IOMMUFD_PT", 3},
      {"VFIO_DEVICE_GET_REGION_INFO", 1}},
     {{"fcntl iommufd-veventq", 1}}},
    {"errors",
     285,
     3,
     46,
     0,
     1,
     {{"IOMMU_DESTROY", 4},
      {"IOMMU_HWPT_ALLOC", 33},
      {"IOMMU_HWPT_INVALIDATE", 3},
      {"IOMMU_HWPT_SET_DIRTY_TRACKING", 2},
      {"IOMMU_IOAS_ALLOC", 1},
      {"IOMMU_IOAS_MAP", 2},
      {"IOMMU_VDEVICE_ALLOC", 11},
      {"IOMMU_VIOMMU_ALLOC", 15},
      {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", 3},
      {"VFIO_DEVICE_BIND_IOMMUFD", 1},
      {"VFIO_DEVICE_DETACH_IOMMUFD_PT", 2},
      {"VFIO_DEVICE_GET_REGION_INFO", 1}},
     {{"IOMMU_HW_QUEUE_ALLOC", 4}}},
    {"faults",
     891,
     68,
     83,
     55,
     58,
     {{"IOMMU_DESTROY", 5},
      {"IOMMU_FAULT_QUEUE_ALLOC", 1},
      {"IOMMU_HWPT_ALLOC", 5},
      {"IOMMU_HWPT_INVALIDATE", 21},
      {"IOMMU_IOAS_ALLOC", 1},
      {"IOMMU_IOAS_MAP", 2},
      {"IOMMU_VDEVICE_ALLOC", 3},
      {"IOMMU_VEVENTQ_ALLOC", 11},
      {"IOMMU_VIOMMU_ALLOC", 1},
      {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", 7},
      {"VFIO_DEVICE_BIND_IOMMUFD", 1},
      {"VFIO_DEVICE_DETACH_IOMMUFD_PT", 2},
      {"VFIO_DEVICE_GET_REGION_INFO", 1}},
     {{"fcntl iommufd-veventq", 2}, {"lseek iommufd-veventq", 1}}},
    {"vste",
     764,
     50,
     45,
     25,
     26,
     {{"IOMMU_DESTROY", 21},
      {"IOMMU_HWPT_ALLOC", 42},
      {"IOMMU_IOAS_ALLOC", 1},
      {"IOMMU_IOAS_MAP", 2},
      {"IOMMU_VDEVICE_ALLOC", 2},
      {"IOMMU_VEVENTQ_ALLOC", 1},
      {"IOMMU_VIOMMU_ALLOC", 1},
      {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", 29},
      {"VFIO_DEVICE_BIND_IOMMUFD", 1},
      {"VFIO_DEVICE_DETACH_IOMMUFD_PT", 21},
      {"VFIO_DEVICE_GET_REGION_INFO", 1}},
     {{"fcntl iommufd-veventq", 1}}},
};

TEST(Import, EveryCallOfTheSixCapturesIsCounted) {
  for (const Expected& e : kExpected) {
    SCOPED_TRACE(e.name);
    const ImportedCapture c = ImportCapture(Capture(e.name));
    EXPECT_EQ(c.errors, std::vector<std::string>{});
    EXPECT_EQ(c.stats.records, e.records);
    EXPECT_EQ(c.stats.dmas, e.dmas);
    EXPECT_EQ(c.stats.guest_writes, e.pokes);
    EXPECT_EQ(c.stats.raw, e.raw);
    Counts ioctls;
    uint64_t sum = 0, typed_others = 0;
    for (const auto& [name, count] : c.stats.typed) {
      if (name.rfind("IOMMU_", 0) == 0 || name.rfind("VFIO_", 0) == 0) {
        ioctls[name] = count;
        sum += count;
      } else {
        typed_others += count;
      }
    }
    EXPECT_EQ(ioctls, e.ioctls);
    EXPECT_EQ(c.stats.ioctls, sum);
    const auto kinds = [&](OpKind kind) {
      return static_cast<uint64_t>(std::count_if(c.trace.ops.begin(), c.trace.ops.end(),
                                                 [&](const Op& op) { return op.kind == kind; }));
    };
    EXPECT_EQ(kinds(OpKind::kPoll), e.polls);
    EXPECT_EQ(kinds(OpKind::kRead), e.reads);
    EXPECT_EQ(kinds(OpKind::kDma), e.dmas);
    EXPECT_EQ(kinds(OpKind::kMemWrite), e.pokes + c.stats.memory_writes);
    uint64_t raw = 0;
    for (const auto& [name, count] : c.stats.raw) raw += count;
    EXPECT_EQ(c.trace.ops.size(), c.stats.ops);
    EXPECT_EQ(c.stats.ops, sum + typed_others + raw + c.stats.dmas + c.stats.guest_writes +
                               c.stats.memory_writes + c.stats.derived);
    EXPECT_EQ(ValidateWorld(c.trace.world), "");
  }
}

TEST(Import, HandlesNameEarlierOpsOfTheRightKind) {
  struct Check {
    const std::vector<Op>& ops;
    size_t at;
    uint8_t results;
    void Field(const char*, uint64_t) {}
    void HandleField(const char* name, Handle handle, HandleRole role, int index) {
      if ((results >> index & 1) == 0) return;
      ASSERT_LT(handle, at) << name;
      const Op& from = ops[handle];
      if (role == HandleRole::kMap) EXPECT_EQ(from.kind, OpKind::kMmap);
      if (role == HandleRole::kFd)
        EXPECT_NE(from.recorded->fd, 0u) << "op " << at << " " << name << " from " << handle;
      if (role == HandleRole::kId)
        EXPECT_NE(from.recorded->id, 0u) << "op " << at << " " << name << " from " << handle;
    }
  };
  for (const Expected& e : kExpected) {
    SCOPED_TRACE(e.name);
    ImportedCapture c = ImportCapture(Capture(e.name));
    for (size_t i = 0; i < c.trace.ops.size(); ++i)
      VisitArgs(static_cast<OpData&>(c.trace.ops[i]),
                Check{c.trace.ops, i, c.trace.ops[i].results});
  }
}

TEST(Import, TheWorldIsWhatTheKernelTold) {
  const ImportedCapture c = ImportCapture(Capture("basic"));
  const World& world = c.trace.world;
  EXPECT_EQ(world.name, "vsmmucli basic: nested translation, edu0");
  ASSERT_EQ(world.devices.size(), 1u);
  EXPECT_EQ(world.devices[0].streamId, 0x80u);  // 0000:00:10.0
  EXPECT_EQ(world.devices[0].transactionBytes, 4u);
  ASSERT_EQ(world.smmus.size(), 1u);
  EXPECT_EQ(world.smmus[0].idr,
            (std::array<uint32_t, 6>{0x0d44101b, 0x02730010, 0, 0x1414, 0, 0x74}));
  EXPECT_EQ(world.smmus[0].iidr, 0u);
  EXPECT_EQ(world.smmus[0].aidr, 1u);
  EXPECT_EQ(world.swMsiFirst, 0x08000000u);
  EXPECT_EQ(world.swMsiLast, 0x080fffffu);
  ASSERT_EQ(world.processes.size(), 1u);
  EXPECT_TRUE(world.rules == PresetRules(Preset::kLinux72));
  EXPECT_EQ(c.stats.environment, 8u + 4);  // registers; address, transactions, regions 0 and 7
}

// Ops of "basic", compared by hand with its lines.
TEST(Import, OpsOfBasicReadByHand) {
  const ImportedCapture c = ImportCapture(Capture("basic"));
  const std::vector<Op>& ops = c.trace.ops;
  // n 1: mmap of 18 MiB at 0xffff7fc00000.
  EXPECT_EQ(ops[0].kind, OpKind::kMmap);
  EXPECT_EQ(ops[0].mmap.base, 0xffff7fc00000u);
  EXPECT_EQ(ops[0].mmap.length, 18874368u);
  EXPECT_EQ(ops[0].mmap.prot, kProtRead | kProtWrite);
  EXPECT_EQ(ops[0].mmap.shared, 0u);
  EXPECT_EQ(ops[0].fd, kDanglingHandle);
  // n 5 and 11: /dev/iommu is fd 3, the cdev fd 4. n 13: bind gives device id 1.
  EXPECT_EQ(ops[3].open.node, static_cast<uint32_t>(Node::kIommu));
  EXPECT_EQ(ops[4].open.node, static_cast<uint32_t>(Node::kVfioCdev));
  EXPECT_EQ(ops[5].kind, OpKind::kBindIommufd);
  EXPECT_EQ(ops[5].fd, 4u);            // made by Op 4
  EXPECT_EQ(ops[5].bind.iommufd, 3u);  // made by Op 3
  EXPECT_EQ(ops[5].results, 3u);
  EXPECT_EQ(ops[5].recorded->id, 1u);
  // n 28: map [0x4000000, +16 MiB) of the first mapping, READABLE | WRITEABLE | FIXED.
  const Op& map = ops[11];
  EXPECT_EQ(map.kind, OpKind::kIoasMap);
  EXPECT_EQ(map.size, 40u);
  EXPECT_EQ(map.ioasMap.flags, 7u);
  EXPECT_EQ(map.ioasMap.ioasId, 10u);
  EXPECT_EQ(map.ioasMap.userMap, 0u);
  EXPECT_EQ(map.ioasMap.userVa, 0u);
  EXPECT_EQ(map.ioasMap.length, 0x1000000u);
  EXPECT_EQ(map.ioasMap.iova, 0x4000000u);
  EXPECT_EQ(map.results, 7u);
  EXPECT_EQ(map.recorded->known, Outcome::kErr | Outcome::kValues);
  EXPECT_EQ(map.recorded->values[0], 0x4000000u);
  // n 35: GET_HW_INFO with a buffer of 16 bytes.
  const Op& info = ops[25];
  EXPECT_EQ(info.kind, OpKind::kGetHwInfo);
  EXPECT_EQ(info.getHwInfo.dataLen, 16u);
  EXPECT_EQ(info.getHwInfo.bufWritable, 16u);
  EXPECT_EQ(info.recorded->values, (std::array<uint64_t, 3>{40, 2, 8}));
  EXPECT_EQ(info.recorded->out,
            std::string("\0\0\0\0\0\0\0\0\x1b\x10\x44\x0d\x10\x00\x73\x02", 16));
  EXPECT_EQ(ops[27].recorded->err, 95u);  // n 41: EOPNOTSUPP
  EXPECT_EQ(ops[27].recorded->known, Outcome::kErr);
  // n 124: IOVA ranges without the MSI window.
  const Op& ranges = ops[87];
  EXPECT_EQ(ranges.recorded->values, (std::array<uint64_t, 3>{2, 0x1000, 0}));
  EXPECT_EQ(ranges.recorded->out, std::string("\0\0\0\0\0\0\0\0\xff\xff\xff\x07\0\0\0\0"
                                              "\0\0\x10\x08\0\0\0\0\xff\xff\xff\xff\xff\x0f\0\0",
                                              32));
  // n 112: attach before there is a vDEVICE; the HWPT is that of Op 81.
  EXPECT_EQ(ops[81].hwptAlloc.dataType, 2u);
  EXPECT_EQ(ops[81].blob, std::string("\x0b\0\0\x04\0\0\0\0\xd4\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(ops[82].kind, OpKind::kAttachIommufdPt);
  EXPECT_EQ(ops[82].attach.ptId, 81u);
  EXPECT_EQ(ops[82].recorded->err, 2u);
  EXPECT_EQ(ops[84].recorded->fd, 5u);  // n 118: the vEVENTQ's
  // "poke gpa 0x4010000 = 0x0000000004011003"
  EXPECT_EQ(ops[33].kind, OpKind::kMemWrite);
  EXPECT_EQ(ops[33].memWrite.map, 0u);
  EXPECT_EQ(ops[33].memWrite.address, 0x10000u);
  EXPECT_EQ(ops[33].blob, std::string("\x03\x10\x01\x04\0\0\0\0", 8));
  // n 179 and 181: one event, in words as printed.
  EXPECT_EQ(ops[134].kind, OpKind::kPoll);
  EXPECT_EQ(ops[134].recorded->ret, 1);
  EXPECT_EQ(ops[135].kind, OpKind::kRead);
  EXPECT_EQ(ops[135].read.count, 4096u);
  EXPECT_EQ(ops[135].recorded->ret, 40);
  EXPECT_EQ(ops[135].recorded->out.substr(8, 8), std::string("\x10\0\0\0\x10\0\0\0", 8));
}

TEST(Import, DmaOfBasicReadByHand) {
  const ImportedCapture c = ImportCapture(Capture("basic"));
  const std::vector<Op>& ops = c.trace.ops;
  // "read VA page 0: edu0 dma iova 0x400000 len 4088 dir 0": D0+0x0, stored at 0x410b000.
  const Op& read = ops[88];
  EXPECT_EQ(read.dma.flags, 0u);
  EXPECT_EQ(read.dma.iova, 0x400000u);
  ASSERT_EQ(read.recorded->pieces.size(), 1u);
  EXPECT_EQ(read.recorded->pieces[0], (Piece{0x400000, 4088, 0, 0, 1, 0x100000}));
  ASSERT_EQ(read.recorded->data.size(), 4088u);
  EXPECT_EQ(read.recorded->data.substr(4080), std::string("\xfe\x01\0\0\0\0\0\xd0", 8));
  const Op& store = ops[89];
  EXPECT_EQ(store.dma.flags, kDmaWrite);
  EXPECT_EQ(store.blob, read.recorded->data);
  EXPECT_EQ(store.recorded->pieces[0], (Piece{0x40b000, 4088, 0, 0, 1, 0x10b000}));
  // Put back: page 11 holds 0xd000000b_0000IIII.
  EXPECT_EQ(ops[90].kind, OpKind::kMemWrite);
  EXPECT_EQ(ops[90].memWrite.address, 0x10b000u);
  EXPECT_EQ(ops[90].blob.substr(8, 8), std::string("\x01\0\0\0\x0b\0\0\xd0", 8));
  // "write across pages 0 and 1: edu0 dma iova 0x400f80 len 256"
  const Op& across = ops[100];
  EXPECT_EQ(across.blob, std::string(256, '\xe5'));
  EXPECT_EQ(across.recorded->pieces, (std::vector<Piece>{{0x400f80, 0x80, 0, 0, 1, 0x100f80},
                                                         {0x401000, 0x80, 0, 0, 1, 0x101000}}));
  // "write unmapped VA: edu0 dma iova 0x403000 len 4": nowhere.
  const Op& nowhere = ops[133];
  EXPECT_EQ(nowhere.recorded->pieces, (std::vector<Piece>{{0x403000, 4, kFaultUnknown, 0, 0, 0}}));
  // "read page whose GPA stage 2 maps read-only": the third mapping, memory 3.
  EXPECT_EQ(ops[121].recorded->pieces[0], (Piece{0x409000, 4088, 0, 0, 3, 0}));
  // Loading the marker: nothing printed says where it came from.
  EXPECT_EQ(ops[79].recorded->known, Outcome::kErr);
}

TEST(Import, ReusedIdsNameTheLastOpThatReturnedThem) {
  const ImportedCapture c = ImportCapture(Capture("errors"));
  const std::vector<Op>& ops = c.trace.ops;
  // Two vDEVICEs got id 5 in turn; each DESTROY of 5 must name the one that lived.
  std::vector<Handle> destroyed, made;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].kind == OpKind::kVdeviceAlloc && ops[i].recorded->err == 0)
      made.push_back(static_cast<Handle>(i));
    if (ops[i].kind == OpKind::kDestroy) destroyed.push_back(ops[i].destroy.id);
  }
  ASSERT_EQ(made.size(), 4u);
  EXPECT_EQ(destroyed, made);
  // 999 never existed: a literal.
  const auto literal = std::find_if(ops.begin(), ops.end(), [](const Op& op) {
    return op.kind == OpKind::kHwptAlloc && op.hwptAlloc.devId == 999;
  });
  ASSERT_NE(literal, ops.end());
  EXPECT_EQ(literal->results >> 1 & 1, 0);
}

TEST(Import, AnAutomaticHwptIsNamedByTheAttachThatMadeIt) {
  const ImportedCapture c = ImportCapture(Capture("attach"));
  uint64_t seen = 0;
  for (const Op& op : c.trace.ops) {
    if (op.kind != OpKind::kAttachIommufdPt || op.recorded->err != 0) continue;
    const Op& target = c.trace.ops[op.attach.ptId];
    if (target.kind == OpKind::kIoasAlloc) {
      EXPECT_EQ(op.recorded->id, 13u);  // "pt id now 13"
      ++seen;
    } else {
      EXPECT_EQ(target.kind, OpKind::kHwptAlloc);
      EXPECT_EQ(op.recorded->id, target.recorded->id);
    }
  }
  EXPECT_EQ(seen, 1u);
}

TEST(Import, TwoImportsAreTheSame) {
  const ImportedCapture a = ImportCapture(Capture("faults")), b = ImportCapture(Capture("faults"));
  EXPECT_TRUE(SameTrace(a.trace, b.trace));
}

}  // namespace
}  // namespace twinwalk
