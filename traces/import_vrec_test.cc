#include "traces/import_vrec.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "traces/import.h"

namespace twinwalk {
namespace {

// Records as the recorder writes them, without the fields that do not matter here.
ImportedCapture Play(const std::vector<std::string>& records) {
  ImportedCapture capture;
  ImportBuilder builder(&capture, ReadLimits());
  VrecImporter importer(&builder, CaptureRecord(), std::nullopt);
  for (const std::string& text : records) {
    CaptureRecord record;
    EXPECT_EQ(record.Parse(text), "");
    const std::string wrong = importer.Record(record);
    if (!wrong.empty()) capture.errors.push_back(wrong);
  }
  return capture;
}

const char kOpenIommu[] = R"({"sys":"openat","pid":9,"name":"/dev/iommu","ret":3,)"
                          R"("newfd":{"fd":3,"obj":2,"kind":"iommufd"}})";

TEST(ImportVrec, MemoryOfAProcess) {
  const ImportedCapture c = Play({
      R"({"sys":"mmap","pid":9,"addr":"0x0","length":16384,"prot":3,"flags":"0x22","kind":"anon",)"
      R"("ret":"0x10000"})",
      R"({"sys":"munmap","pid":9,"addr":"0x12000","length":4096,"ret":0})",
      R"({"sys":"munmap","pid":9,"addr":"0x90000","length":4096,"ret":0})",
      R"({"sys":"mmap","pid":9,"addr":"0x13000","length":4096,"prot":1,"flags":"0x32",)"
      R"("kind":"anon","ret":"0x13000"})",
      R"({"sys":"memfd_create","pid":9,"name":"m","ret":5,)"
      R"("newfd":{"fd":5,"obj":4,"kind":"memfd"}})",
      R"({"sys":"ftruncate","pid":9,"fd":5,"obj":4,"kind":"memfd","length":65536,"ret":0})",
      R"({"sys":"mmap","pid":9,"addr":"0x0","length":8192,"prot":3,"flags":"0x1","fd":5,"obj":4,)"
      R"("kind":"memfd","offset":"0x4000","ret":"0x40000"})",
      R"({"sys":"madvise","pid":9,"ret":0})",
      R"({"sys":"exit","pid":9,"tid":9,"status":0})",
  });
  EXPECT_TRUE(c.ok());
  const std::vector<Op>& ops = c.trace.ops;
  ASSERT_EQ(ops.size(), 7u);
  EXPECT_EQ(ops[1].kind, OpKind::kMunmap);
  EXPECT_EQ(ops[1].munmap.map, 0u);
  EXPECT_EQ(ops[1].munmap.address, 0x2000u);  // into Op 0's mapping
  EXPECT_EQ(ops[1].results, 2u);
  // MAP_FIXED over the tail of the first mapping: that is unmapped before.
  EXPECT_EQ(ops[2].kind, OpKind::kMunmap);
  EXPECT_EQ(ops[2].munmap.address, 0x13000u);
  EXPECT_EQ(ops[2].results, 0u);
  EXPECT_EQ(ops[2].recorded->known, 0u);
  EXPECT_EQ(ops[3].mmap.base, 0x13000u);
  EXPECT_EQ(ops[3].fd, kDanglingHandle);
  EXPECT_EQ(ops[4].kind, OpKind::kMemfd);
  EXPECT_EQ(ops[4].memfd.length, 65536u);
  EXPECT_EQ(ops[5].mmap.shared, 1u);
  EXPECT_EQ(ops[5].mmap.offset, 0x4000u);
  EXPECT_EQ(ops[5].fd, 4u);
  EXPECT_EQ(ops[5].results, 1u);
  // What the end of the process releases is part of the Op.
  EXPECT_EQ(ops[6].kind, OpKind::kExit);
}

TEST(ImportVrec, DupAndCloseFollowTheFile) {
  const ImportedCapture c = Play({
      kOpenIommu,
      R"({"sys":"fcntl","pid":9,"fd":3,"obj":2,"kind":"iommufd","cmd":1030,"arg":10,"ret":10,)"
      R"("newfd":{"fd":10,"obj":2,"kind":"iommufd","dupof":3}})",
      R"({"sys":"close","pid":9,"fd":3,"obj":2,"kind":"iommufd","ret":0})",
      R"({"sys":"ioctl","pid":9,"fd":10,"obj":2,"kind":"iommufd","cmd":"0x3b81",)"
      R"("ioctl":"IOMMU_IOAS_ALLOC","arg":"0x1000","len":12,"in":"0c0000000000000000000000",)"
      R"("out":"0c0000000000000001000000","ret":0})",
      R"({"sys":"ioctl","pid":9,"fd":10,"obj":2,"kind":"iommufd","cmd":"0x3b80",)"
      R"("ioctl":"IOMMU_DESTROY","arg":"0x1000","len":8,"in":"0800000001000000","ret":0})",
      R"({"sys":"ioctl","pid":9,"fd":3,"obj":2,"kind":"iommufd","cmd":"0x3b80",)"
      R"("ioctl":"IOMMU_DESTROY","arg":"0x1000","len":8,"in":"0800","ret":-1,"errno":14})",
  });
  const std::vector<Op>& ops = c.trace.ops;
  ASSERT_EQ(ops.size(), 6u);
  EXPECT_EQ(ops[1].kind, OpKind::kDup);
  EXPECT_EQ(ops[1].fd, 0u);
  EXPECT_EQ(ops[1].recorded->fd, 10u);
  EXPECT_EQ(ops[2].fd, 0u);
  EXPECT_EQ(ops[3].fd, 1u);          // through the duplicate
  EXPECT_EQ(ops[4].destroy.id, 3u);  // same context: the id is known
  EXPECT_EQ(ops[5].fd, 0u);          // the closed one, a stale number
  EXPECT_EQ(ops[5].readable, 2u);
  EXPECT_EQ(ops[5].size, 8u);
  EXPECT_EQ(ops[5].recorded->err, 14u);
}

TEST(ImportVrec, EachProcessHasItsOwnNumbers) {
  const ImportedCapture c = Play({
      kOpenIommu,
      R"({"sys":"openat","pid":12,"name":"/dev/iommu","ret":3,)"
      R"("newfd":{"fd":3,"obj":7,"kind":"iommufd"}})",
      R"({"sys":"ioctl","pid":9,"fd":3,"obj":2,"kind":"iommufd","cmd":"0x3b81","len":12,)"
      R"("in":"0c0000000000000000000000","out":"0c0000000000000001000000","ret":0})",
      R"({"sys":"ioctl","pid":12,"fd":3,"obj":7,"kind":"iommufd","cmd":"0x3b80","len":8,)"
      R"("in":"0800000001000000","ret":-1,"errno":2})",
      R"({"sys":"exit","pid":9,"tid":9})",
      R"({"sys":"openat","pid":15,"name":"/dev/iommu","ret":3,)"
      R"("newfd":{"fd":3,"obj":8,"kind":"iommufd"}})",
  });
  const std::vector<Op>& ops = c.trace.ops;
  ASSERT_EQ(ops.size(), 6u);
  EXPECT_EQ(ops[1].process, 1u);
  EXPECT_EQ(ops[3].fd, 1u);
  EXPECT_EQ(ops[3].results, 1u);  // id 1 of that context was never returned: a literal
  EXPECT_EQ(ops[3].destroy.id, 1u);
  EXPECT_EQ(ops[4].kind, OpKind::kExit);
  EXPECT_EQ(ops[5].process, 2u);  // the place of a process that ended stays its own
  EXPECT_EQ(c.trace.world.processes.size(), 3u);
}

// An eventfd that a device signals: what was read beyond what the client wrote.
TEST(ImportVrec, InterruptsReachEventfdsFromOutside) {
  const std::string read = R"({"sys":"read","pid":9,"fd":7,"obj":6,"kind":"eventfd","count":8,)";
  const ImportedCapture c = Play({
      R"({"sys":"eventfd2","pid":9,"initval":0,"flags":524288,"ret":7,)"
      R"("newfd":{"fd":7,"obj":6,"kind":"eventfd"}})",
      R"({"sys":"poll","pid":9,"fds":[{"fd":7,"obj":6,"kind":"eventfd","events":1,"revents":1}],)"
      R"("ret":1})",
      read + R"("data":"0300000000000000","ret":8})",
      R"({"sys":"write","pid":9,"fd":7,"obj":6,"kind":"eventfd","count":8,)"
      R"("data":"0500000000000000","ret":8})",
      read + R"("data":"0500000000000000","ret":8})",
      read + R"("ret":-1,"errno":11})",
      R"({"sys":"poll","pid":9,"fds":[{"fd":7,"obj":6,"kind":"eventfd","events":1,"revents":0}],)"
      R"("ret":0})",
      R"({"sys":"close","pid":9,"fd":7,"obj":6,"kind":"eventfd","ret":0})",
  });
  EXPECT_TRUE(c.ok());
  const std::vector<Op>& ops = c.trace.ops;
  const OpKind kinds[] = {OpKind::kEventfd, OpKind::kWrite, OpKind::kPoll, OpKind::kWrite,
                          OpKind::kRead,    OpKind::kWrite, OpKind::kRead, OpKind::kRead,
                          OpKind::kPoll,    OpKind::kClose};
  ASSERT_EQ(ops.size(), std::size(kinds));
  for (size_t i = 0; i < ops.size(); ++i) EXPECT_EQ(ops[i].kind, kinds[i]) << i;
  EXPECT_EQ(ops[1].blob, std::string("\1\0\0\0\0\0\0\0", 8));  // at least one, by the poll
  EXPECT_EQ(ops[1].recorded->known, 0);
  EXPECT_EQ(ops[3].blob[0], 2);  // three, by the read
  EXPECT_EQ(ops[4].recorded->out, std::string("\3\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(ops[5].recorded->ret, 8);
  EXPECT_EQ(ops[7].recorded->err, 11);
  EXPECT_EQ(ops[8].recorded->ret, 0);
  EXPECT_EQ(c.stats.derived, 2u);
}

// Another thread's write was recorded before a poll that did not see it.
TEST(ImportVrec, ARaceOfThreadsTellsNothing) {
  const ImportedCapture c = Play({
      R"({"sys":"eventfd2","pid":9,"initval":1,"flags":0,"ret":7,)"
      R"("newfd":{"fd":7,"obj":6,"kind":"eventfd"}})",
      R"({"sys":"poll","pid":9,"fds":[{"fd":7,"obj":6,"kind":"eventfd","events":1,"revents":0}],)"
      R"("ret":0})",
  });
  ASSERT_EQ(c.trace.ops.size(), 2u);
  EXPECT_EQ(c.trace.ops[1].recorded->known, 0);
}

TEST(ImportVrec, ContainerGroupAndDevice) {
  const ImportedCapture c = Play({
      R"({"sys":"readlink","pid":9,"name":"/sys/bus/pci/devices/0000:00:10.0/iommu_group",)"
      R"("ret":30,"target":"../../../kernel/iommu_groups/6"})",
      R"({"sys":"openat","pid":9,"name":"/dev/vfio/vfio","ret":3,)"
      R"("newfd":{"fd":3,"obj":1,"kind":"vfio-container"}})",
      R"({"sys":"openat","pid":9,"name":"/dev/vfio/6","ret":4,)"
      R"("newfd":{"fd":4,"obj":3,"kind":"vfio-group"}})",
      R"({"sys":"openat","pid":9,"name":"/dev/vfio/6","ret":-1,"errno":16})",
      R"({"sys":"ioctl","pid":9,"fd":4,"obj":3,"kind":"vfio-group","cmd":"0x3b68",)"
      R"("ioctl":"VFIO_GROUP_SET_CONTAINER","arg":"0x1000","len":4,"in":"01000000",)"
      R"("ret":-1,"errno":77})",
      R"({"sys":"ioctl","pid":9,"fd":4,"obj":3,"kind":"vfio-group","cmd":"0x3b68",)"
      R"("ioctl":"VFIO_GROUP_SET_CONTAINER","arg":"0x1000","len":4,"in":"03000000","ret":0})",
      R"({"sys":"ioctl","pid":9,"fd":4,"obj":3,"kind":"vfio-group","cmd":"0x3b6a",)"
      R"("ioctl":"VFIO_GROUP_GET_DEVICE_FD","arg":"0x2000","len":13,)"
      R"("in":"303030303a30303a31302e3000","ret":5,)"
      R"("newfd":{"fd":5,"obj":4,"kind":"vfio-device"}})",
      R"({"sys":"mmap","pid":9,"addr":"0x0","length":4096,"prot":3,"flags":"0x1","fd":5,"obj":4,)"
      R"("kind":"vfio-device","offset":"0x20000001000","ret":"0x40000"})",
      R"({"sys":"pread64","pid":9,"fd":5,"obj":4,"kind":"vfio-device","count":4,)"
      R"("offset":"0x70000000000","data":"3412e811","ret":4})",
      R"({"sys":"ioctl","pid":9,"fd":3,"obj":1,"kind":"vfio-container","cmd":"0x3b71",)"
      R"("ioctl":"VFIO_IOMMU_MAP_DMA","arg":"0x1000","len":32,)"
      R"("in":"2000000003000000000804000000000000000001000000000010000000000000","ret":0})",
  });
  EXPECT_EQ(c.errors, std::vector<std::string>{});
  const std::vector<Op>& ops = c.trace.ops;
  ASSERT_EQ(ops.size(), 10u);
  EXPECT_EQ(ops[0].open.node, static_cast<uint32_t>(Node::kVfioContainer));
  EXPECT_EQ(ops[1].open.node, static_cast<uint32_t>(Node::kVfioGroup));
  EXPECT_EQ(ops[1].open.device, 6u);
  EXPECT_EQ(ops[2].recorded->err, 16);
  // fd 1 is open and no container: some file like that comes before.
  EXPECT_EQ(ops[3].kind, OpKind::kEventfd);
  EXPECT_EQ(ops[4].vfioGroupSetContainer.container, 3u);
  EXPECT_EQ(ops[4].results, 3);
  EXPECT_EQ(ops[5].vfioGroupSetContainer.container, 0u);
  EXPECT_EQ(ops[6].recorded->fd, 5u);
  EXPECT_EQ(ops[7].fd, 6u);
  EXPECT_EQ(ops[7].mmap.offset, 0x20000001000u);
  EXPECT_EQ(ops[8].recorded->known, Outcome::kErr | Outcome::kRet);  // registers are environment
  EXPECT_EQ(ops[9].vfioIommuMapDma.vaddrMap, 7u);
  EXPECT_EQ(ops[9].vfioIommuMapDma.vaddr, 0x800u);
  ASSERT_EQ(c.trace.world.devices.size(), 1u);
  EXPECT_EQ(c.trace.world.devices[0].group, 6u);
}

TEST(ImportVrec, AChildInheritsFilesAndThreadsAreNoChildren) {
  const ImportedCapture c = Play({
      kOpenIommu,
      R"({"sys":"fork","pid":9,"tid":9,"child_pid":9,"child_tid":10})",
      R"({"sys":"fork","pid":9,"tid":9,"child_pid":11,"child_tid":11})",
      R"({"sys":"close","pid":11,"fd":3,"obj":2,"kind":"iommufd","ret":0})",
      R"({"sys":"exit","pid":9,"tid":10,"status":0})",
      R"({"sys":"exit","pid":9,"tid":9,"signal":9})",
  });
  const std::vector<Op>& ops = c.trace.ops;
  ASSERT_EQ(ops.size(), 4u);
  EXPECT_EQ(ops[1].kind, OpKind::kFork);
  EXPECT_EQ(ops[1].fork.child, 1u);
  EXPECT_EQ(ops[2].process, 1u);
  EXPECT_EQ(ops[2].fd, 0u);  // what the parent had opened
  EXPECT_EQ(ops[3].exit.status, 137u);
  ASSERT_EQ(c.trace.world.processes.size(), 2u);
  EXPECT_TRUE(c.trace.world.processes[1].unborn);
}

TEST(ImportVrec, ReadsAndPollsOfFaults) {
  const ImportedCapture c = ImportCapture("traces/testdata/vsmmu-faults.jsonl.gz");
  // "read 4 bytes", "read 0 bytes", "pread at 8", "read of 8/39/40/79 bytes", the rest 4096.
  std::map<uint64_t, int> counts;
  for (const Op& op : c.trace.ops) {
    if (op.kind != OpKind::kRead || c.trace.ops[op.fd].kind == OpKind::kOpen) continue;
    ++counts[op.read.count];
    EXPECT_EQ(op.read.positional, op.read.count == 64 ? 1u : 0u);
    EXPECT_EQ(op.read.offset, op.read.count == 64 ? 8u : 0u);
    if (op.read.count == 64) EXPECT_EQ(op.recorded->err, 29u);
    if (op.read.count == 39 || op.read.count < 9) EXPECT_EQ(op.recorded->err, 22u);
  }
  EXPECT_EQ(counts, (std::map<uint64_t, int>{
                        {0, 1}, {4, 1}, {8, 1}, {39, 1}, {40, 2}, {64, 1}, {79, 1}, {4096, 49}}));
  EXPECT_TRUE(std::all_of(c.trace.ops.begin(), c.trace.ops.end(), [](const Op& op) {
    return op.kind != OpKind::kPoll || op.poll.events == 1;
  }));
}

}  // namespace
}  // namespace twinwalk
