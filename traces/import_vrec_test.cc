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
  VrecImporter importer(&builder, std::nullopt);
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
  ASSERT_EQ(ops.size(), 10u);
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
  // The end of the process: what is mapped from below, then what is open.
  EXPECT_EQ(ops[6].munmap.map, 0u);
  EXPECT_EQ(ops[6].munmap.length, 0x2000u);
  EXPECT_EQ(ops[7].munmap.map, 3u);
  EXPECT_EQ(ops[8].munmap.map, 5u);
  EXPECT_EQ(ops[8].munmap.length, 0x2000u);
  EXPECT_EQ(ops[9].kind, OpKind::kClose);
  EXPECT_EQ(ops[9].fd, 4u);
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
  EXPECT_EQ(ops[4].kind, OpKind::kClose);
  EXPECT_EQ(ops[5].process, 0u);  // the place of a process that ended is free
  EXPECT_EQ(c.trace.world.processes.size(), 2u);
}

TEST(ImportVrec, ReadsAndPollsOfFaults) {
  const ImportedCapture c = ImportCapture("traces/testdata/vsmmu-faults.jsonl.gz");
  // "read 4 bytes", "read 0 bytes", "pread at 8", "read of 8/39/40/79 bytes", the rest 4096.
  std::map<uint64_t, int> counts;
  for (const Op& op : c.trace.ops) {
    if (op.kind != OpKind::kRead) continue;
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
