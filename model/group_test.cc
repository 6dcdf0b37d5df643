// Groups as the recorded kernel numbers them, and as the rule of docs/TRACE.md 8 says beyond that.
#include "model/group.h"

#include <gtest/gtest.h>

namespace twinwalk::model {
namespace {

class Topology {
 public:
  // Adds a function; the result is what `parent` of another takes.
  uint32_t Add(uint32_t rid, PciFunction::Kind kind, uint32_t parent = 0) {
    PciFunction f;
    f.rid = rid;
    f.kind = kind;
    f.parent = parent;
    f.acs = kind == PciFunction::kRootPort || kind == PciFunction::kDownstreamPort;
    world.functions.push_back(f);
    return static_cast<uint32_t>(world.functions.size());
  }
  PciFunction& At(uint32_t name) { return world.functions[name - 1]; }
  // Makes it a device of the World, in the group that the kernel calls `number`.
  void Give(uint32_t name, uint32_t number) {
    DeviceConfig device;
    device.streamId = At(name).rid;
    device.group = number;
    world.devices.push_back(device);
    At(name).device = static_cast<uint32_t>(world.devices.size());
    At(name).driver = PciFunction::kVfio;
  }
  bool Together(uint32_t a, uint32_t b, const ModelFaults& faults = {}) const {
    const Groups groups = DeriveGroups(world, faults);
    return groups.ofFunction[a - 1] == groups.ofFunction[b - 1];
  }
  World world;
};

// groups.txt of the recorded machine: 00:1f.0/2/3 are one group, so are the PCIe-to-PCI bridge
// 02:00.0 and all behind it; ports, root-complex functions and what is beneath a port are alone.
TEST(Group, AsTheRecordedKernelHasThem) {
  Topology t;
  const uint32_t host = t.Add(0x00, PciFunction::kConventional);
  const uint32_t port1 = t.Add(0x08, PciFunction::kRootPort);
  const uint32_t port2 = t.Add(0x10, PciFunction::kRootPort);
  const uint32_t net = t.Add(0x20, PciFunction::kConventional);
  const uint32_t isa = t.Add(0xf8, PciFunction::kConventional);
  const uint32_t sata = t.Add(0xfa, PciFunction::kConventional);
  const uint32_t smbus = t.Add(0xfb, PciFunction::kConventional);
  t.At(isa).multifunction = true;
  const uint32_t nvme = t.Add(0x100, PciFunction::kEndpoint, port1);
  const uint32_t bridge = t.Add(0x200, PciFunction::kPcieToPci, port2);
  const uint32_t edu1 = t.Add(0x308, PciFunction::kConventional, bridge);
  const uint32_t edu2 = t.Add(0x310, PciFunction::kConventional, bridge);
  const uint32_t blk = t.Add(0x318, PciFunction::kConventional, bridge);
  EXPECT_TRUE(t.Together(isa, sata));
  EXPECT_TRUE(t.Together(sata, smbus));
  EXPECT_TRUE(t.Together(bridge, edu1));
  EXPECT_TRUE(t.Together(edu1, edu2));
  EXPECT_TRUE(t.Together(edu1, blk));
  EXPECT_EQ(DeriveGroups(t.world, {}).all.size(), 7u);  // 12 functions
  for (uint32_t other : {port1, port2, net, isa, nvme, bridge})
    EXPECT_FALSE(t.Together(host, other));
  EXPECT_FALSE(t.Together(port1, nvme));
  EXPECT_FALSE(t.Together(port2, bridge));
}

TEST(Group, APortWithoutAcsJoinsEverythingBeneath) {
  Topology t;
  const uint32_t root = t.Add(0x08, PciFunction::kRootPort);
  const uint32_t up = t.Add(0x100, PciFunction::kUpstreamPort, root);
  t.At(up).acs = true;
  const uint32_t down1 = t.Add(0x200, PciFunction::kDownstreamPort, up);
  const uint32_t down2 = t.Add(0x208, PciFunction::kDownstreamPort, up);
  const uint32_t a = t.Add(0x300, PciFunction::kEndpoint, down1);
  const uint32_t b = t.Add(0x400, PciFunction::kEndpoint, down2);
  EXPECT_FALSE(t.Together(a, b));
  EXPECT_FALSE(t.Together(a, down1));
  t.At(down1).acs = false;
  EXPECT_TRUE(t.Together(a, down1));
  EXPECT_FALSE(t.Together(a, b));
  t.At(down1).acs = true;
  t.At(root).acs = false;
  EXPECT_TRUE(t.Together(a, b));
  EXPECT_TRUE(t.Together(a, root));
}

TEST(Group, FunctionsOfOneSlotNeedAcsEach) {
  Topology t;
  const uint32_t port = t.Add(0x08, PciFunction::kRootPort);
  const uint32_t f0 = t.Add(0x100, PciFunction::kEndpoint, port);
  const uint32_t f1 = t.Add(0x101, PciFunction::kEndpoint, port);
  EXPECT_FALSE(t.Together(f0, f1));  // neither says that it is part of a multifunction device
  t.At(f0).multifunction = true;
  EXPECT_TRUE(t.Together(f0, f1));
  t.At(f0).acs = true;
  EXPECT_TRUE(t.Together(f0, f1));  // f1 still lacks it
  t.At(f1).acs = true;
  EXPECT_FALSE(t.Together(f0, f1));
}

TEST(Group, AnAliasIsWithWhoHasIt) {
  Topology t;
  const uint32_t port = t.Add(0x08, PciFunction::kRootPort);
  const uint32_t f0 = t.Add(0x100, PciFunction::kEndpoint, port);
  const uint32_t f1 = t.Add(0x109, PciFunction::kEndpoint, port);
  EXPECT_FALSE(t.Together(f0, f1));
  t.At(f1).aliasDevfn = 0x00 + 1;
  EXPECT_TRUE(t.Together(f0, f1));
}

TEST(Group, BehindTheTopmostBridgeAllIsOne) {
  Topology t;
  const uint32_t port = t.Add(0x08, PciFunction::kRootPort);
  const uint32_t top = t.Add(0x100, PciFunction::kPcieToPci, port);
  const uint32_t inner = t.Add(0x208, PciFunction::kPciBridge, top);
  const uint32_t deep = t.Add(0x300, PciFunction::kConventional, inner);
  const uint32_t beside = t.Add(0x210, PciFunction::kConventional, top);
  EXPECT_TRUE(t.Together(deep, top));
  EXPECT_TRUE(t.Together(deep, beside));
  EXPECT_FALSE(t.Together(deep, port));
}

TEST(Group, ViableWithHarmlessDriversOnly) {
  using Driver = PciFunction::Driver;
  for (Driver driver :
       {Driver::kNone, Driver::kVfio, Driver::kStub, Driver::kInterconnect, Driver::kHost}) {
    Topology t;
    const uint32_t bridge = t.Add(0x08, PciFunction::kPcieToPci);
    const uint32_t device = t.Add(0x100, PciFunction::kConventional, bridge);
    const uint32_t neighbour = t.Add(0x108, PciFunction::kConventional, bridge);
    t.Give(device, 8);
    t.At(neighbour).driver = driver;
    Groups groups = DeriveGroups(t.world, {});
    ASSERT_NE(groups.Find(8), nullptr);
    EXPECT_EQ(groups.Find(8)->viable, driver != Driver::kHost) << driver;
    EXPECT_EQ(groups.Find(8)->devices, std::vector<uint32_t>{0});
    EXPECT_EQ(groups.Find(9), nullptr);
  }
}

TEST(Group, WithoutTopologyNumbersAreGroups) {
  World world;
  world.devices.resize(3);
  world.devices[0].group = world.devices[2].group = 4;
  world.devices[1].group = 5;
  Groups groups = DeriveGroups(world, {});
  EXPECT_EQ(groups.all.size(), 2u);
  EXPECT_EQ(groups.Find(4)->devices, (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(groups.Find(5)->devices, (std::vector<uint32_t>{1}));
}

}  // namespace
}  // namespace twinwalk::model
