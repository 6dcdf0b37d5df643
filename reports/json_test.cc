#include "reports/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/test_sample.h"

namespace twinwalk::reports {
namespace {

using Json = nlohmann::json;

TEST(Json, OneObjectATrace) {
  const std::string line = ReplayJson(AgreedSample());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Json json = Json::parse(line);
  EXPECT_EQ(json["trace"], "traces/captures/vsmmu-basic.jsonl.gz");
  EXPECT_EQ(json["world"], "vsmmu-basic");
  EXPECT_EQ(json["ops"], 120);
  EXPECT_EQ(json["ioctls"], 80);
  EXPECT_EQ(json["raw_ioctls"], 2);
  EXPECT_EQ(json["recorded_agree"], 77);
  EXPECT_EQ(json["recorded_differ"], 1);
  EXPECT_EQ(json["environment"], 4);
  EXPECT_EQ(json["divergences"], 0);
  EXPECT_EQ(json["violations"], 0);
  EXPECT_EQ(json["undecided"], 0);
  EXPECT_EQ(json["freedoms"]["fd-number"], 9);
  EXPECT_EQ(json["ops_per_second"], 1000.0);
  EXPECT_EQ(json["permitted_sets"][0]["members"], 2);
  EXPECT_EQ(json["differences"][0]["reason"], "emulator: a quirk");
  EXPECT_EQ(json["passed"], true);
}

TEST(Json, AFindingIsTold) {
  const Json json = Json::parse(ReplayJson(ViolatedSample()));
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["result"], "violation of no-stale");
  EXPECT_EQ(json["findings"][0]["should_be"], "a retained translation agrees with a live area");
  EXPECT_EQ(json["findings"][0]["ordinal"], 9);
}

TEST(Json, HostileBytesStayJson) {
  ReplayReport r = AgreedSample();
  r.trace = "\xff\xfe\"\n";
  EXPECT_FALSE(Json::parse(ReplayJson(r), nullptr, false).is_discarded());
}

TEST(Json, Proofs) {
  const char* text = R"({"complete": true, "rows": [
    {"op": "ioas_map", "invariant": "no-stale", "preset": "repaired", "verdict": "holds",
     "bounds": {"area": 3, "vm": 2}, "paths": 7, "queries": 90, "seconds": 0.5, "canary": false},
    {"shape": "equals", "op": "decode", "verdict": "refuted", "bounds": "full width",
     "canary": true, "future": 1}]})";
  const auto rows = ParseProofs(text, "p");
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ((*rows).size(), 2u);
  EXPECT_EQ((*rows)[0].shape, "keeps");
  EXPECT_EQ((*rows)[0].bounds, "area 3, vm 2");
  EXPECT_EQ((*rows)[0].paths, 7u);
  EXPECT_TRUE((*rows)[0].passed());
  EXPECT_EQ((*rows)[1].bounds, "full width");
  EXPECT_TRUE((*rows)[1].passed());
}

TEST(Json, BadFilesAreValues) {
  EXPECT_FALSE(ParseProofs("", "p").ok());
  EXPECT_FALSE(ParseProofs("{\"rows\": 3}", "p").ok());
  EXPECT_FALSE(ParseProofs("[1]", "p").ok());
  EXPECT_FALSE(ParseFuzz("{}", "p").ok());
  // Wrong types are absent values, not crashes.
  const auto rows = ParseProofs("[{\"op\": 3, \"paths\": \"x\", \"canary\": 1}]", "p");
  ASSERT_TRUE(rows.ok());
  EXPECT_FALSE((*rows)[0].passed());
}

TEST(Json, Fuzz) {
  const auto rows = ParseFuzz(R"({"targets": [{"target": "trace_fuzzer", "runs": 5, "seeds": 2,
      "status": 77, "finds": ["a", "b"], "counts": {"ops": 9}}]})",
                              "f");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ((*rows)[0].finds, 2u);
  EXPECT_EQ((*rows)[0].status, 77);
  EXPECT_EQ((*rows)[0].counts.at("ops"), 9u);
}

TEST(Json, Mutants) {
  const auto rows = ParseMutants(R"({"mutants": [{"fault": "vmidReleasedEarly", "required": true,
      "found": true, "finding": "order monitor", "ops": 900, "shrunk": 9}]})",
                                 "m");
  ASSERT_TRUE(rows.ok());
  EXPECT_TRUE((*rows)[0].required && (*rows)[0].found);
  EXPECT_EQ((*rows)[0].ops, 900u);
  EXPECT_FALSE(ParseMutants("[]x", "m").ok());
}

}  // namespace
}  // namespace twinwalk::reports
