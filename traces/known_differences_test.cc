#include "traces/known_differences.h"

#include <gtest/gtest.h>

namespace twinwalk {
namespace {

KnownDifferences Good(const std::string& text) {
  auto parsed = KnownDifferences::Parse(text, "list.txt");
  EXPECT_TRUE(parsed.ok()) << parsed.status().ToString();
  return parsed.ok() ? *parsed : KnownDifferences();
}

std::string Bad(const std::string& text) {
  auto parsed = KnownDifferences::Parse(text, "list.txt");
  return parsed.ok() ? "accepted" : parsed.status().ToString();
}

TEST(KnownDifferences, ReadsLinesAndExcusesOnlyWhatTheyName) {
  KnownDifferences list = Good(
      "# a comment\n"
      "\n"
      "basic  125      pieces,data  the emulator ignores AP[1]\n"
      "basic\t135-141\tout\tsequence numbers\r\n"
      "  faults 3 err no fault queues  \n");
  ASSERT_EQ(list.lines().size(), 3u);
  EXPECT_EQ(list.lines()[0].reason, "the emulator ignores AP[1]");
  EXPECT_EQ(list.lines()[0].fields, (std::vector<std::string>{"pieces", "data"}));
  EXPECT_EQ(list.lines()[1].first, 135u);
  EXPECT_EQ(list.lines()[1].last, 141u);
  EXPECT_EQ(list.lines()[2].line, 5u);

  const KnownDifference* line = list.Excuse("basic", 125, "pieces[3]");
  ASSERT_NE(line, nullptr);
  EXPECT_EQ(line->line, 3u);
  EXPECT_EQ(list.Excuse("basic", 125, "err"), nullptr);
  EXPECT_EQ(list.Excuse("basic", 124, "pieces[0]"), nullptr);
  EXPECT_EQ(list.Excuse("stale", 125, "pieces[0]"), nullptr);
  EXPECT_EQ(list.Excuse("basic", 142, "out"), nullptr);
  EXPECT_NE(list.Excuse("basic", 135, "out"), nullptr);
}

TEST(KnownDifferences, LinesThatExcuseNothingAreErrors) {
  KnownDifferences list = Good("a 1 err,out r\na 5-9 out r\nb 1 err r\n");
  list.Excuse("a", 1, "err");
  list.Excuse("a", 5, "out");
  list.Excuse("a", 7, "out");
  std::vector<std::string> unused;
  for (const Status& status : list.Unused("a")) unused.push_back(status.ToString());
  EXPECT_EQ(unused, (std::vector<std::string>{
                        "list.txt:1: 'out' does not differ",
                        "list.txt:2: its range ends at Op 9, which does not differ"}));
  ASSERT_EQ(list.Unused("b").size(), 1u);
  EXPECT_EQ(list.Unused("b")[0].ToString(), "list.txt:3: excuses a difference that does not exist");
  list.Excuse("a", 1, "out");
  list.Excuse("a", 9, "out");
  EXPECT_TRUE(list.Unused("a").empty());
  ASSERT_EQ(list.Strangers({"a"}).size(), 1u);
  EXPECT_EQ(list.Strangers({"a"})[0].line, 3u);
}

TEST(KnownDifferences, MalformedLinesAreNamed) {
  EXPECT_EQ(Bad("# fine\nbasic 12\n"),
            "list.txt:2: expected: CAPTURE ORDINAL[-LAST] FIELDS REASON");
  EXPECT_EQ(Bad("basic 12 err\n"), "list.txt:1: a difference without a reason");
  EXPECT_EQ(Bad("basic x err r\n"), "list.txt:1: 'x' is no ordinal and no range of ordinals");
  EXPECT_EQ(Bad("basic 9-3 err r\n"), "list.txt:1: '9-3' is no ordinal and no range of ordinals");
  EXPECT_EQ(Bad("basic 99999999999 err r\n"),
            "list.txt:1: '99999999999' is no ordinal and no range of ordinals");
  EXPECT_EQ(Bad("basic 1 errno r\n"), "list.txt:1: 'errno' is no field of an Outcome");
  EXPECT_EQ(Bad("basic 1 err,err r\n"), "list.txt:1: 'err' twice");
  EXPECT_EQ(Bad("b 1-5 err r\nb 3 out,err r\n"), "list.txt:2: line 1 excuses the same difference");
  EXPECT_EQ(Bad("b 1-5 err r\nb 3 out r\nc 3 err r\n"), "accepted");
  EXPECT_FALSE(KnownDifferences::Read("/nowhere/at/all").ok());
}

TEST(KnownDifferences, CaptureNames) {
  EXPECT_EQ(KnownDifferences::CaptureName("a/b.c/vsmmu-basic.jsonl.gz"), "vsmmu-basic");
  EXPECT_EQ(KnownDifferences::CaptureName("vsmmu-basic.tw"), "vsmmu-basic");
}

}  // namespace
}  // namespace twinwalk
