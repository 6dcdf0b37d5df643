// Damaged, foreign and hostile captures: an error with its line, and what was intact is kept.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "traces/capture_lines.h"
#include "traces/import.h"

namespace twinwalk {
namespace {

std::string Capture(const std::string& name) {
  return "traces/testdata/vsmmu-" + name + ".jsonl.gz";
}

std::vector<std::string> Lines(const std::string& name) {
  CaptureLines lines(Capture(name));
  std::vector<std::string> all;
  std::string line;
  while (lines.Next(&line) == CaptureLines::Got::kLine) all.push_back(line);
  return all;
}

ImportedCapture ImportLines(const std::vector<std::string>& lines) {
  const std::string path = testing::TempDir() + "twinwalk_import_" + std::to_string(getpid());
  std::ofstream out(path, std::ios::binary);
  for (const std::string& line : lines) out << line << "\n";
  out.close();
  ImportedCapture imported = ImportCapture(path);
  std::remove(path.c_str());
  for (std::string& error : imported.errors) error.erase(0, path.size() + 1);
  return imported;
}

TEST(ImportDamage, DamageIsNamedWithItsLineAndTheRestIsKept) {
  const std::vector<std::string> good = Lines("basic");
  ASSERT_EQ(good.size(), 242u);
  ASSERT_EQ(ImportLines(good).errors, std::vector<std::string>{});
  const uint64_t ops = ImportLines(good).stats.ops;

  auto lines = good;
  lines[27].resize(100);  // n 26, a printed line, torn
  ImportedCapture c = ImportLines(lines);
  EXPECT_EQ(c.errors,
            (std::vector<std::string>{"28: not JSON", "29: record 28 follows record 26"}));
  lines = good;
  lines[25].replace(lines[25].find("\"in\":\"0c"), 8, "\"in\":\"zz");  // n 25: IOAS_ALLOC
  c = ImportLines(lines);
  ASSERT_FALSE(c.errors.empty());
  EXPECT_EQ(c.errors[0], "26: an ioctl's bytes are not hex");
  EXPECT_EQ(c.trace.ops[10].kind, OpKind::kIoasMap);  // the next one, its IOAS now a literal
  EXPECT_EQ(c.trace.ops[10].ioasMap.ioasId, 2u);
  EXPECT_EQ(c.trace.ops[10].results >> 1 & 1, 0);

  lines = good;
  lines.insert(lines.begin() + 100, std::string(CaptureLines::kMaxLine + 1, '{'));
  c = ImportLines(lines);
  EXPECT_EQ(c.errors, std::vector<std::string>{"101: line longer than 4194304 bytes"});
  EXPECT_EQ(c.stats.ops, ops);

  lines = good;
  lines.resize(60);
  c = ImportLines(lines);
  EXPECT_EQ(c.errors, std::vector<std::string>{"61: the capture ends without a footer"});
  EXPECT_EQ(c.stats.ops, 24u);
  EXPECT_LT(c.stats.ops, ops);
}

TEST(ImportDamage, WhatIsNoCaptureIsRefused) {
  using Errors = std::vector<std::string>;
  auto lines = Lines("basic");
  lines[0].replace(lines[0].find("vrec-1"), 6, "vrec-2");
  ImportedCapture c = ImportLines(lines);
  EXPECT_EQ(c.errors, Errors{"1: format 'vrec-2', only vrec-1 is known"});
  EXPECT_TRUE(c.trace.ops.empty());
  EXPECT_EQ(ImportLines({"{\"sys\":\"open\"}"}).errors,
            Errors{"1: not a capture: the first record is no header"});
  EXPECT_EQ(ImportLines({"<html>"}).errors, Errors{"1: not JSON"});
  EXPECT_EQ(ImportLines({}).errors, Errors{"1: an empty file"});
  EXPECT_EQ(ValidateWorld(ImportLines({}).trace.world), "");
  const ImportedCapture missing = ImportCapture("traces/testdata/no-such-capture.jsonl");
  EXPECT_EQ(missing.errors,
            Errors{"traces/testdata/no-such-capture.jsonl:1: No such file or directory"});
}

// Records of the wrong shape, one a time, must neither crash nor be taken for something else.
TEST(ImportDamage, HostileRecordsAreNoCrash) {
  const std::string header = Lines("basic")[0];
  const char* kRecords[] = {
      R"({"n":1})",
      R"({"n":1,"sys":7,"pid":1})",
      R"({"n":1,"sys":"ioctl"})",
      R"({"n":1,"sys":"ioctl","pid":1,"kind":"iommufd","ret":0})",
      R"({"n":1,"sys":"ioctl","pid":1,"kind":"iommufd","fd":-1,"cmd":"0x3b85","in":"")"
      R"(,"ret":0})",
      R"({"n":1,"sys":"ioctl","pid":1,"kind":"iommufd","fd":3,"cmd":"0x3b84")"
      R"(,"in":"20","len":99,"ptr":7,"ret":0})",
      R"({"n":1,"sys":"ioctl","pid":1,"kind":"vfio-device","fd":3,"cmd":"0x3b76")"
      R"(,"in":"18","ptr":[[]],"ret":-1})",
      R"({"n":1,"sys":"mmap","pid":1,"kind":"anon","length":-1,"flags":"0x22")"
      R"(,"ret":"0xfffffffffffff000"})",
      R"({"n":1,"sys":"mmap","pid":1,"kind":"anon","length":0,"flags":"0x32","ret":"0x0"})",
      R"({"n":1,"sys":"munmap","pid":1,"addr":"0xffffffffffffffff","length":-1,"ret":0})",
      R"({"n":1,"sys":"openat","pid":1,"name":"/dev/vfio/devices/vfio0","ret":4)"
      R"(,"newfd":{"fd":"x"}})",
      R"({"n":1,"sys":"close","pid":1,"fd":3,"kind":"iommufd","ret":0})",
      R"({"n":1,"sys":"read","pid":1,"fd":3,"kind":"iommufd-veventq","count":-1)"
      R"(,"data":"00","ret":4096})",
      R"({"n":1,"sys":"ppoll","pid":1,"fds":[1,{"fd":3,"kind":"iommufd"}],"ret":1})",
      R"({"n":1,"sys":"fcntl","pid":1,"fd":3,"kind":"iommufd","cmd":0,"ret":9})",
      R"({"n":1,"sys":"exit","pid":1,"tid":1})",
      R"({"n":1,"sys":"write","pid":1,"fd":1,"kind":"stdio")"
      R"(,"text":"edu0 dma iova 0x0 len 1 dir 1\n","ret":1})",
      R"({"n":1,"sys":"write","pid":1,"fd":1,"kind":"stdio")"
      R"(,"text":"poke gpa 0x1 = 0x2\npoke gpa 0x8 = 0x2\n  landed: nowhere)"
      R"(\n  read: D1+0x0 (seen in gpa 0x0)\n")"
      R"(,"ret":1})",
      R"({"n":18446744073709551615,"sys":"signal","pid":1})",
  };
  for (const char* record : kRecords) {
    SCOPED_TRACE(record);
    const ImportedCapture c = ImportLines({header, record, record});
    EXPECT_LE(c.stats.ops, 3u);
    EXPECT_EQ(ValidateWorld(c.trace.world), "");
  }
  // Every call a name of its own: counted, but not each by its name.
  std::vector<std::string> names = {header};
  for (int n = 1; n <= 300; ++n)
    names.push_back(R"({"n":)" + std::to_string(n) + R"(,"sys":"call)" + std::to_string(n) +
                    R"(","pid":1,"ret":0})");
  const ImportedCapture counted = ImportLines(names);
  EXPECT_EQ(counted.stats.skipped.size(), 257u);
  EXPECT_EQ(counted.stats.skipped.at("(others)"), 44u);
  // Every pid a process of its own: more than a World has.
  std::vector<std::string> many = {header};
  for (int pid = 1; pid <= 40; ++pid)
    many.push_back(R"({"n":)" + std::to_string(pid) +
                   R"(,"sys":"openat","name":"/dev/iommu","pid":)" + std::to_string(pid) +
                   R"(,"ret":3,"newfd":{"fd":3,"obj":1,"kind":"iommufd"}})");
  const ImportedCapture c = ImportLines(many);
  EXPECT_EQ(c.stats.ops, kMaxProcesses);
  EXPECT_EQ(c.stats.skipped.at("more processes than a World can have"), 40 - kMaxProcesses);
  EXPECT_EQ(ValidateWorld(c.trace.world), "");
}

TEST(ImportDamage, LimitsEndTheImport) {
  ImportOptions options;
  options.limits.ops = 50;
  const ImportedCapture c = ImportCapture(Capture("stale"), options);
  EXPECT_EQ(c.trace.ops.size(), 50u);
  ASSERT_EQ(c.errors.size(), 1u);
  EXPECT_NE(c.errors[0].find("more Ops or bytes than a trace may have"), std::string::npos);
  options.limits = ReadLimits();
  options.limits.payload_bytes = 10000;
  EXPECT_EQ(ImportCapture(Capture("stale"), options).errors.size(), 1u);
}

}  // namespace
}  // namespace twinwalk
