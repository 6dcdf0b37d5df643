#include "reports/commands.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "traces/text.h"
#include "traces/writer.h"

namespace twinwalk::reports {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGolden = "traces/golden/good_nested.txt";
constexpr const char* kFaultGolden = "traces/golden/bad_fault_config_survives.txt";

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A folder of this test's own, gone with it.
class Commands : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/twinwalk-commands-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
    return folder_ + "/" + name;
  }
  // Exit status and standard output.
  template <class Args>
  std::pair<int, std::string> Run(int (*command)(const Args&), const Args& args) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = command(args);
    errors_ = testing::internal::GetCapturedStderr();
    return {status, testing::internal::GetCapturedStdout()};
  }
  std::pair<int, std::string> Replay(const std::string& file, const std::string& fault = "",
                                     bool json = false) {
    ReplayArgs args;
    args.files = {file};
    args.fault = fault;
    args.json = json;
    return Run(ReplayCommand, args);
  }

  std::string folder_, errors_;
};

TEST_F(Commands, ReplayAgrees) {
  const auto [status, text] = Replay(kGolden);
  EXPECT_EQ(status, kAgreed) << text;
  EXPECT_NE(text.find("agrees"), std::string::npos);
}

TEST_F(Commands, ReplayOfAPlantedFaultSaysSo) {
  const auto [status, text] = Replay(kFaultGolden, "configCacheSurvivesDetach");
  EXPECT_EQ(status, kDisagreed);
  EXPECT_NE(text.find("FAILED"), std::string::npos) << text;
  EXPECT_NE(text.find("should be"), std::string::npos) << text;
  EXPECT_NE(text.find("--fault configCacheSurvivesDetach"), std::string::npos) << text;
  EXPECT_EQ(Replay(kFaultGolden, "noSuchFault").first, kBadInput);
}

TEST_F(Commands, AFalseAnswerInATraceIsADifference) {
  std::string text = Slurp(kGolden);
  const size_t at = text.find("=> ok id=1");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 10, "=> EBUSY");
  const auto [status, said] = Replay(Write("wrong.txt", text));
  EXPECT_EQ(status, kDisagreed) << said;
}

TEST_F(Commands, BadInputIsNamed) {
  EXPECT_EQ(Replay(folder_ + "/missing.trace").first, kBadInput);
  EXPECT_EQ(Replay(Write("empty.trace", "")).first, kBadInput);
  EXPECT_EQ(Replay(Write("junk.trace", std::string(5000, '\xff'))).first, kBadInput);
  EXPECT_EQ(Replay(Write("junk.jsonl", "{\"n\": 0}\n{not json\n")).first, kBadInput);
  EXPECT_EQ(Replay(Write("junk.jsonl.gz", "\x1f\x8bnot gzip at all")).first, kBadInput);
  const auto [status, text] =
      Replay(Write("line.txt", "# twinwalk trace 1\nworld name=x\nfly me\n"));
  EXPECT_EQ(status, kBadInput);
  EXPECT_NE(text.find("line.txt:3"), std::string::npos) << text;
  ShowArgs show{folder_ + "/junk.trace"};
  EXPECT_EQ(Run(ShowCommand, show).first, kBadInput);
}

// What is intact before the damage is kept and replayed; the damage is named with its place.
TEST_F(Commands, ATornTraceIsKeptUpToTheTear) {
  const Result<Trace> trace = ParseTrace(Slurp(kGolden), kGolden);
  ASSERT_TRUE(trace.ok());
  const Result<std::string> bytes = TraceBytes(*trace);
  ASSERT_TRUE(bytes.ok());
  const std::string torn = Write("torn.trace", bytes->substr(0, bytes->size() - 5));
  const auto [status, text] = Replay(torn);
  EXPECT_EQ(status, kBadInput);
  EXPECT_NE(text.find("byte "), std::string::npos) << text;
  EXPECT_EQ(Replay(Write("whole.trace", *bytes)).first, kAgreed);
}

TEST_F(Commands, ShowGivesBackWhatWasRead) {
  ShowArgs show{kGolden};
  const auto [status, text] = Run(ShowCommand, show);
  EXPECT_EQ(status, kAgreed);
  EXPECT_EQ(Replay(Write("shown.txt", text)).first, kAgreed);
}

TEST_F(Commands, ReportWritesThePageAlsoWhenSomethingFailed) {
  fs::create_directories(folder_ + "/none");
  ReportArgs args;
  args.out = folder_ + "/out";
  args.captures = folder_ + "/none";
  args.traces = "/no/such";
  args.goldens = folder_ + "/none";
  args.known = "";
  EXPECT_EQ(Run(ReportCommand, args).first, kDisagreed);  // nothing was replayed
  EXPECT_NE(Slurp(args.out + "/index.html").find("No recording was replayed"), std::string::npos);
  args.proofs = Write("proofs.json", "not json");
  EXPECT_EQ(Run(ReportCommand, args).first, kBadInput);
}

}  // namespace
}  // namespace twinwalk::reports
