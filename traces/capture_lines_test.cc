#include "traces/capture_lines.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <vector>

namespace twinwalk {
namespace {

std::string Temp(const char* name) {
  return testing::TempDir() + "twinwalk_lines_" + std::to_string(getpid()) + name;
}

std::string Write(const char* name, const std::string& bytes) {
  std::ofstream(Temp(name), std::ios::binary) << bytes;
  return Temp(name);
}

std::string WriteGz(const char* name, const std::string& bytes) {
  gzFile file = gzopen(Temp(name).c_str(), "wb9");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return Temp(name);
}

// "LINE" for lines, "!NUMBER: what" for damage.
std::vector<std::string> All(const std::string& path) {
  CaptureLines lines(path);
  std::vector<std::string> all;
  std::string text;
  while (true) {
    const auto got = lines.Next(&text);
    if (got == CaptureLines::Got::kEnd) return all;
    all.push_back(got == CaptureLines::Got::kLine
                      ? text
                      : "!" + std::to_string(lines.number()) + ": " + text);
    if (all.size() > 100) return all;
  }
}

using Lines = std::vector<std::string>;

TEST(CaptureLines, PlainAndGzippedFilesGiveTheSameLines) {
  std::string big(300000, 'x');
  const std::string text = "a\n\n" + big + "\nlast\n";
  EXPECT_EQ(All(Write("plain", text)), (Lines{"a", "", big, "last"}));
  EXPECT_EQ(All(WriteGz("gz", text)), (Lines{"a", "", big, "last"}));
  EXPECT_EQ(All(Write("empty", "")), Lines{});
}

TEST(CaptureLines, WhatIsDamagedIsNamedAndTheRestIsKept) {
  EXPECT_EQ(All(Write("cut", "a\nbcd")), (Lines{"a", "!2: the last line is cut off (no newline)"}));
  const std::string huge(CaptureLines::kMaxLine + 1, 'y');
  EXPECT_EQ(All(Write("huge", "a\n" + huge + "\nb\n")),
            (Lines{"a", "!2: line longer than 4194304 bytes", "b"}));
  EXPECT_EQ(All(Write("fits", huge.substr(1) + "\n")).front().size(), CaptureLines::kMaxLine);
  const Lines none = All(Temp("does_not_exist"));
  ASSERT_EQ(none.size(), 1u);
  EXPECT_EQ(none[0], "!1: No such file or directory");
}

TEST(CaptureLines, ATruncatedOrRottenGzipKeepsWhatCameBefore) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  const std::string path = WriteGz("whole.gz", text);
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const Lines cut = All(Write("cut.gz", bytes.substr(0, bytes.size() / 2)));
  ASSERT_GT(cut.size(), 100u);  // All stops there
  CaptureLines lines(Temp("cut.gz"));
  std::string line;
  uint64_t kept = 0;
  while (lines.Next(&line) == CaptureLines::Got::kLine) ++kept;
  EXPECT_GT(kept, 5000u);
  EXPECT_LT(kept, 20000u);
  EXPECT_EQ(line, "the compressed data end too early");
  EXPECT_TRUE(lines.done());

  bytes[bytes.size() / 2] ^= 0x55;
  CaptureLines rotten(Write("rotten.gz", bytes));
  while (rotten.Next(&line) == CaptureLines::Got::kLine) {
  }
  EXPECT_TRUE(rotten.done());
  EXPECT_NE(line, "");
}

TEST(CaptureRecord, FieldsOfTheRightTypeOrNothing) {
  CaptureRecord r;
  ASSERT_EQ(r.Parse(R"({"a":"text","n":-1,"h":"0xff7ec00000","b":"0aff","o":{"fd":3},
                       "l":[{"x":1},7]})"),
            "");
  EXPECT_EQ(r.Text("a"), "text");
  EXPECT_EQ(r.Text("n"), std::nullopt);
  EXPECT_EQ(r.Number("n"), ~uint64_t{0});
  EXPECT_EQ(r.Number("h"), 0xff7ec00000u);
  EXPECT_EQ(r.Number("a"), std::nullopt);
  EXPECT_EQ(r.Number("missing"), std::nullopt);
  bool bad = false;
  EXPECT_EQ(r.Bytes("b", &bad), std::string("\x0a\xff"));
  EXPECT_EQ(r.Bytes("missing", &bad), std::nullopt);
  EXPECT_FALSE(bad);
  EXPECT_EQ(r.Bytes("a", &bad), std::nullopt);
  EXPECT_TRUE(bad);
  EXPECT_EQ(r.Object("o")->Number("fd"), 3u);
  EXPECT_FALSE(r.Object("a").has_value());
  EXPECT_EQ(r.ListSize("l"), 2u);
  EXPECT_EQ(r.ListAt("l", 0).Number("x"), 1u);
  EXPECT_EQ(r.ListAt("l", 1).Number("x"), std::nullopt);
  EXPECT_EQ(r.ListAt("l", 9).Number("x"), std::nullopt);
  EXPECT_EQ(r.Parse("{\"a\":"), "not JSON");
  EXPECT_EQ(r.Parse("[1]"), "not a JSON object");
  EXPECT_EQ(r.Parse(std::string(100000, '[')), "not JSON");
}

}  // namespace
}  // namespace twinwalk
