// Derivation of groups: the recorded machine's own (vtd-groups capture, groups.txt), and each rule
// of TRACE 8 alone.
#include "reference/groups.h"

#include <gtest/gtest.h>

namespace twinwalk::reference {
namespace {

using F = PciFunction;

// Adds a function that is a World device of its own; its DeviceConfig::group is 100 + its index.
uint32_t Add(World* world, F function) {
  world->devices.emplace_back();
  world->devices.back().group = 99 + static_cast<uint32_t>(world->devices.size());
  function.device = static_cast<uint32_t>(world->devices.size());
  if (function.driver == F::kNone) function.driver = F::kVfio;
  world->functions.push_back(function);
  return static_cast<uint32_t>(world->functions.size());
}
F Make(uint32_t bus, uint32_t device, uint32_t function, F::Kind kind, uint32_t parent = 0,
       bool acs = false) {
  F f;
  f.rid = bus << 8 | device << 3 | function;
  f.kind = kind, f.parent = parent, f.acs = acs;
  return f;
}
std::vector<uint32_t> Derive(const World& world) {
  const Groups groups(world);
  std::vector<uint32_t> numbers;
  for (size_t i = 0; i < world.devices.size(); ++i) numbers.push_back(groups.OfDevice(i) - 100);
  return numbers;
}

TEST(Groups, TheRecordedMachine) {
  World w;
  Add(&w, Make(0, 0, 0, F::kConventional));
  const uint32_t port1 = Add(&w, Make(0, 1, 0, F::kRootPort, 0, true));
  const uint32_t port2 = Add(&w, Make(0, 2, 0, F::kRootPort, 0, true));
  const uint32_t port3 = Add(&w, Make(0, 3, 0, F::kRootPort, 0, true));
  Add(&w, Make(0, 4, 0, F::kConventional));
  Add(&w, Make(0, 5, 0, F::kConventional));
  F isa = Make(0, 0x1f, 0, F::kConventional);
  isa.multifunction = true;
  Add(&w, isa);
  Add(&w, Make(0, 0x1f, 2, F::kConventional));
  Add(&w, Make(0, 0x1f, 3, F::kConventional));
  Add(&w, Make(1, 0, 0, F::kEndpoint, port1));
  const uint32_t bridge = Add(&w, Make(2, 0, 0, F::kPcieToPci, port2));
  Add(&w, Make(3, 1, 0, F::kConventional, bridge));
  Add(&w, Make(3, 2, 0, F::kConventional, bridge));
  Add(&w, Make(3, 3, 0, F::kConventional, bridge));
  Add(&w, Make(4, 0, 0, F::kEndpoint, port3));
  const std::vector<uint32_t> expected = {0, 1, 2, 3, 4, 5, 6, 6, 6, 9, 10, 10, 10, 10, 14};
  EXPECT_EQ(Derive(w), expected);
}

TEST(Groups, APortThatDoesNotIsolate) {
  World w;
  const uint32_t open = Add(&w, Make(0, 1, 0, F::kRootPort));
  Add(&w, Make(1, 0, 0, F::kEndpoint, open));
  const uint32_t root = Add(&w, Make(0, 2, 0, F::kRootPort, 0, true));
  const uint32_t up = Add(&w, Make(2, 0, 0, F::kUpstreamPort, root, true));
  const uint32_t down = Add(&w, Make(3, 0, 0, F::kDownstreamPort, up));
  const uint32_t closed = Add(&w, Make(3, 1, 0, F::kDownstreamPort, up, true));
  Add(&w, Make(4, 0, 0, F::kEndpoint, down));
  Add(&w, Make(5, 0, 0, F::kEndpoint, closed));
  const std::vector<uint32_t> expected = {0, 0, 2, 3, 4, 5, 4, 7};
  EXPECT_EQ(Derive(w), expected);
}

TEST(Groups, BehindTheTopmostBridge) {
  World w;
  const uint32_t top = Add(&w, Make(0, 1, 0, F::kPciBridge));
  const uint32_t below = Add(&w, Make(1, 0, 0, F::kPciBridge, top));
  Add(&w, Make(2, 0, 0, F::kConventional, below));
  Add(&w, Make(1, 1, 0, F::kConventional, top));
  Add(&w, Make(0, 2, 0, F::kConventional));
  const std::vector<uint32_t> expected = {0, 0, 0, 0, 4};
  EXPECT_EQ(Derive(w), expected);
}

TEST(Groups, FunctionsOfOneDevice) {
  for (const bool isolates : {false, true}) {
    World w;
    F first = Make(1, 0, 0, F::kEndpoint, 0, true);
    first.multifunction = true;
    Add(&w, first);
    Add(&w, Make(1, 0, 1, F::kEndpoint, 0, isolates));
    Add(&w, Make(1, 1, 0, F::kEndpoint, 0, false));  // another device
    const std::vector<uint32_t> expected = {0, isolates ? 1u : 0u, 2};
    EXPECT_EQ(Derive(w), expected);
  }
}

TEST(Groups, Aliases) {
  World w;
  F alias = Make(1, 0, 0, F::kEndpoint, 0, true);
  alias.aliasDevfn = 0x09 + 1;
  Add(&w, alias);
  Add(&w, Make(1, 1, 1, F::kEndpoint, 0, true));
  Add(&w, Make(2, 1, 1, F::kEndpoint, 0, true));  // of another bus
  const std::vector<uint32_t> expected = {0, 0, 2};
  EXPECT_EQ(Derive(w), expected);
}

TEST(Groups, ViableUnlessAHostDriver) {
  World w;
  F first = Make(1, 0, 0, F::kEndpoint);
  first.multifunction = true;
  Add(&w, first);
  F neighbour = Make(1, 0, 1, F::kEndpoint);
  for (const uint32_t driver : {F::kNone, F::kVfio, F::kStub, F::kInterconnect, F::kHost}) {
    World v = w;
    neighbour.driver = driver;
    v.functions.push_back(neighbour);  // no device of the World
    const Groups groups(v);
    EXPECT_EQ(groups.Viable(100), driver != F::kHost) << driver;
    EXPECT_TRUE(groups.Viable(7));
    EXPECT_TRUE(groups.DrivenByVfio(0));
    EXPECT_EQ(groups.OfFunction(1), 100u);
  }
}

TEST(Groups, WithoutTopologyAsTheWorldSays) {
  World w;
  w.devices.resize(3);
  w.devices[0].group = 7, w.devices[1].group = 7, w.devices[2].group = 2;
  const Groups groups(w);
  EXPECT_EQ(groups.OfDevice(0), 7u);
  EXPECT_EQ(groups.OfDevice(1), 7u);
  EXPECT_EQ(groups.OfDevice(2), 2u);
  EXPECT_TRUE(groups.Viable(7));
}

}  // namespace
}  // namespace twinwalk::reference
