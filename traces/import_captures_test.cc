// The traces of traces/captures are what the importer makes of their recordings today: they can be
// neither stale nor edited. (Of the one recording that is too large to keep, its beginning.)
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "traces/import.h"
#include "traces/reader.h"

namespace twinwalk {
namespace {

const char kFolder[] = "traces/captures/";

struct Source {
  std::string trace, recording, world;
};
std::vector<Source> Sources() {
  std::ifstream file(std::string(kFolder) + "sources.txt");
  std::vector<Source> all;
  for (std::string line; std::getline(file, line);) {
    Source source;
    std::stringstream words(line);
    if (line.empty() || line[0] == '#' || !(words >> source.trace >> source.recording)) continue;
    words >> source.world;
    all.push_back(source);
  }
  return all;
}

Trace Read(const std::string& path) {
  Result<Trace> trace = ReadTrace(path);
  EXPECT_TRUE(trace.ok()) << trace.status().ToString();
  return trace.ok() ? std::move(*trace) : Trace();
}

TEST(Captures, EachTraceIsItsRecordingImported) {
  for (const Source& source : Sources()) {
    SCOPED_TRACE(source.trace);
    std::string recording = "traces/testdata/recordings/" + source.trace + ".jsonl.gz";
    const bool whole = std::filesystem::exists(recording);
    if (!whole) recording = "traces/testdata/recordings/" + source.trace + "-head.jsonl.gz";
    ImportOptions options;
    options.provenance = source.recording.substr(0, source.recording.find(".jsonl"));
    if (!source.world.empty())
      options.world = Read(std::string(kFolder) + "worlds/" + source.world + ".txt").world;
    const ImportedCapture imported = ImportCapture(recording, options);
    Trace kept = Read(kFolder + source.trace + ".trace");
    EXPECT_TRUE(kept.damages.empty());
    EXPECT_EQ(imported.ok(), whole);
    if (!whole) {
      ASSERT_GT(kept.ops.size(), imported.trace.ops.size());
      kept.ops.resize(imported.trace.ops.size());
    }
    EXPECT_TRUE(SameTrace(imported.trace, kept));
    // Where it comes from stands in the trace itself.
    EXPECT_EQ(kept.world.name.rfind(options.provenance + ": ", 0), 0u) << kept.world.name;
    EXPECT_EQ(ValidateWorld(kept.world), "");
  }
}

TEST(Captures, TheListNamesEveryTrace) {
  std::set<std::string> listed, there;
  for (const Source& source : Sources()) listed.insert(source.trace);
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (entry.path().extension() == ".trace") there.insert(entry.path().stem().string());
  EXPECT_EQ(listed, there);
  EXPECT_EQ(there.size(), 29u);
}

}  // namespace
}  // namespace twinwalk
