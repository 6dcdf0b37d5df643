#include "traces/world.h"

#include <gtest/gtest.h>

#include "traces/test_trace.h"

namespace twinwalk {
namespace {

TEST(World, DefaultIsPossible) {
  EXPECT_EQ(ValidateWorld(World()), "");
}

TEST(World, RandomOnesArePossible) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ValidateWorld(RandomWorld(random)), "");
}

template <class F>
std::string With(F&& change) {
  World world;
  world.devices.resize(1);
  change(world);
  return ValidateWorld(world);
}

TEST(World, NamesTheFirstLimitExceeded) {
  EXPECT_EQ(With([](World& w) { w.smmus.clear(); }), "number of smmus = 0, must be 1..4");
  EXPECT_EQ(With([](World& w) { w.smmus.resize(5); }), "number of smmus = 5, must be 1..4");
  EXPECT_EQ(With([](World& w) { w.devices.resize(65); }), "number of devices = 65, must be 0..64");
  EXPECT_EQ(With([](World& w) { w.processes.clear(); }), "number of processes = 0, must be 1..16");
  EXPECT_EQ(With([](World& w) { w.frames = 0; }), "frames = 0, must be 1..68719476736");
  EXPECT_EQ(With([](World& w) { w.smmus[0].tlbEntries = 0; }),
            "smmu 0.tlbEntries = 0, must be 1..65536");
  EXPECT_EQ(With([](World& w) { w.smmus[0].eventQueueEntries = 70000; }),
            "smmu 0.eventQueueEntries = 70000, must be 1..65536");
  EXPECT_EQ(With([](World& w) { w.smmus[0].vmidLimit = 0; }),
            "smmu 0.vmidLimit = 0, must be 1..65536");
  EXPECT_EQ(With([](World& w) { w.devices[0].smmu = 1; }),
            "device 0.smmu = 1, there is no such IOMMU");
  EXPECT_EQ(With([](World& w) { w.devices.push_back(w.devices[0]); }),
            "device 1.streamId = 0, another device has it");
}

TEST(World, NamesWhatIsWrongWithVtdUnitsAndFunctions) {
  EXPECT_EQ(With([](World& w) { w.smmus.clear(), w.vtds.resize(1); }), "");
  EXPECT_EQ(With([](World& w) { w.vtds.resize(5); }), "number of vtds = 5, must be 0..4");
  EXPECT_EQ(With([](World& w) { w.vtds.resize(1), w.vtds[0].hostAddressBits = 60; }),
            "vtd 0.hostAddressBits = 60, must be 36..52");
  EXPECT_EQ(With([](World& w) { w.vtds.resize(1), w.devices[0].smmu = 1; }), "");
  EXPECT_EQ(With([](World& w) { w.devices[0].smmu = kNoIommu; }),
            "device 0.smmu = 4294967295, there is no such IOMMU");
  EXPECT_EQ(With([](World& w) { w.devices[0].smmu = kNoIommu, w.noiommu = true; }), "");
  EXPECT_EQ(With([](World& w) { w.functions.resize(1), w.functions[0].parent = 1; }),
            "function 0.parent = 1, must be 0..0");
  EXPECT_EQ(With([](World& w) {
              w.functions.resize(2);
              w.functions[0].device = w.functions[1].device = 1;
            }),
            "function 1.device = 1, another function is it");
  EXPECT_EQ(With([](World& w) { w.devices[0].vfio.regions[0].size = uint64_t{1} << 41; }),
            "device 0: size of a region = 2199023255552, must be 0..1099511627776");
}

TEST(World, SameStreamOnTwoSmmusIsPossible) {
  EXPECT_EQ(With([](World& w) {
              w.smmus.resize(2);
              w.devices.push_back(w.devices[0]);
              w.devices[1].smmu = 1;
            }),
            "");
}

}  // namespace
}  // namespace twinwalk
