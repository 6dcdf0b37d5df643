// The World of a recording: each fact from the line that tells it.
#include "traces/import_facts.h"

#include <gtest/gtest.h>

#include "traces/import.h"
#include "traces/reader.h"
#include "traces/text.h"

namespace twinwalk {
namespace {

ImportedCapture Import(const std::string& name, const ImportOptions& options = {}) {
  return ImportCapture("traces/testdata/recordings/" + name + ".jsonl.gz", options);
}

TEST(ImportFacts, RequesterIds) {
  EXPECT_EQ(RequesterId("0000:00:10.0"), 0x80u);
  EXPECT_EQ(RequesterId("0000:03:01.7"), 0x30fu);
  EXPECT_FALSE(RequesterId("0000:03:01.8").has_value());
  EXPECT_FALSE(RequesterId("vfio0").has_value());
}

// vtd/edu-type1v2: records 2, 116, 121..168, 199..250 by hand.
TEST(ImportFacts, EduThroughAGroup) {
  const World world = Import("vtd-edu-type1v2").trace.world;
  EXPECT_TRUE(world.smmus.empty());
  ASSERT_EQ(world.vtds.size(), 1u);
  EXPECT_FALSE(world.vtds[0].scalable);
  EXPECT_TRUE(world.vtds[0].interruptRemapping);
  EXPECT_GT(world.swMsiFirst, world.swMsiLast);
  ASSERT_EQ(world.devices.size(), 1u);
  const DeviceConfig& edu = world.devices[0];
  EXPECT_EQ(edu.streamId, 0x80u);
  EXPECT_EQ(edu.group, 6u);
  EXPECT_EQ(edu.vfio.name, "0000:00:10.0");
  EXPECT_FALSE(edu.vfio.resets);
  EXPECT_FALSE(edu.vfio.slotResets);
  EXPECT_FALSE(edu.vfio.pcie);
  ASSERT_EQ(edu.vfio.regions.size(), 9u);
  EXPECT_EQ(edu.vfio.regions[0], (RegionConfig{0x100000, 7, false, {}}));
  EXPECT_EQ(edu.vfio.regions[7], (RegionConfig{256, 3, false, {}}));
  EXPECT_EQ(edu.vfio.irqs, (std::vector<uint32_t>{1, 1, 0, 0, 1}));
  EXPECT_EQ(edu.vfio.featureGet, uint64_t{1} << 11);
  EXPECT_EQ(edu.vfio.featureSet, 0b111000u);
  ASSERT_EQ(world.processes.size(), 1u);
  EXPECT_TRUE(world.processes[0].ipcLock && world.processes[0].rawIo);
}

TEST(ImportFacts, RegistersAndModeOfTheUnit) {
  const VtdConfig legacy = Import("vtd-edu-iommufd").trace.world.vtds.at(0);
  EXPECT_EQ(legacy.cap, 0x80d2008c222f0686u);
  EXPECT_EQ(legacy.ecap, 0xf00f4eu);
  EXPECT_FALSE(legacy.scalable);
  const VtdConfig scalable = Import("vtd-scalable-edu-iommufd").trace.world.vtds.at(0);
  EXPECT_EQ(scalable.ecap, 0x480080f00f4eu);
  EXPECT_TRUE(scalable.scalable);
  // Told by its fault reasons alone.
  EXPECT_TRUE(Import("vtd-scalable-fsts-edu-type1v2").trace.world.vtds.at(0).scalable);
  EXPECT_FALSE(Import("vtd-no-intremap-edu-type1v2").trace.world.vtds.at(0).interruptRemapping);
  const World arm = Import("smmuv3-edu-iommufd-late").trace.world;
  EXPECT_TRUE(arm.vtds.empty());
  EXPECT_EQ(arm.smmus.at(0).idr.at(0), 0x0d44101bu);
  EXPECT_EQ(arm.devices.at(0).group, 2u);  // readlinkat
}

// vtd/libvfn-iommufd-eventfd: the cdev's address by its folder; MSI-X mappable by the size of the
// capability chain alone. vtd/qemu-vfio-container: the chain itself, and INTx by the interrupt pin.
TEST(ImportFacts, NvmeThroughACdevAndAGroup) {
  const World cdev = Import("vtd-libvfn-iommufd-eventfd").trace.world;
  ASSERT_EQ(cdev.devices.size(), 1u);
  EXPECT_EQ(cdev.devices[0].streamId, 0x100u);
  EXPECT_TRUE(cdev.devices[0].vfio.resets);
  EXPECT_EQ(cdev.devices[0].vfio.regions[0], (RegionConfig{0x4000, 7, true, {}}));
  EXPECT_EQ(cdev.devices[0].vfio.irqs[2], 65u);
  const World group = Import("vtd-qemu-vfio-container").trace.world;
  ASSERT_EQ(group.devices.size(), 1u);
  EXPECT_EQ(group.devices[0].group, 8u);
  EXPECT_EQ(group.devices[0].vfio.regions[0], (RegionConfig{0x4000, 7, true, {}}));
  EXPECT_EQ(group.devices[0].vfio.irqs, (std::vector<uint32_t>{1, 0, 65, 1, 1}));
  EXPECT_TRUE(group.devices[0].vfio.pcie);
  EXPECT_TRUE(Import("vtd-aw-iommufd-pci-device-open").trace.world.devices[0].vfio.slotResets);
}

TEST(ImportFacts, AGivenWorldTellsWhatTheRecordingCannot) {
  const Result<Trace> given = ParseTrace(
      "# twinwalk trace 1\n"
      "world name=remark preset=linux-7.2 smmus=0\n"
      "world vtd\n"
      "world device name=0000:00:04.0 streamId=0x20 group=4\n"
      "world device name=0000:00:10.0 streamId=0x80 group=77\n",
      "given");
  ASSERT_TRUE(given.ok()) << given.status().ToString();
  ImportOptions options;
  options.world = given->world;
  options.provenance = "folder/file";
  const ImportedCapture c = Import("vtd-edu-type1v2", options);
  const World& world = c.trace.world;
  EXPECT_EQ(world.name,
            "folder/file: edu DMA and error cases through VFIO type1v2 container (remark)");
  ASSERT_EQ(world.devices.size(), 2u);
  EXPECT_EQ(world.devices[0].group, 4u);
  EXPECT_EQ(world.devices[1].group, 6u);  // the recording's word goes over it
  EXPECT_EQ(world.devices[1].vfio.regions[0].size, 0x100000u);
  EXPECT_EQ(world.vtds[0], VtdConfig());
  EXPECT_EQ(ValidateWorld(world), "");
}

TEST(ImportFacts, EachFactCountsOnce) {
  World world;
  uint64_t count = 0;
  ImportFacts facts(&world, &count);
  facts.GroupIs("0000:00:10.0", 6);
  EXPECT_EQ(count, 2u);  // the device, its group
  facts.GroupIs("0000:00:10.0", 6);
  EXPECT_EQ(count, 2u);
  // A number that no kernel gave makes way for one that it gave.
  ASSERT_EQ(facts.Cdev("vfio9"), 1u);
  world.devices[1].group = 3;
  facts.GroupIs("0000:00:11.0", 3);
  EXPECT_NE(world.devices[1].group, 3u);
  EXPECT_EQ(world.devices[2].group, 3u);
  facts.GroupOpened(3);
  EXPECT_EQ(world.devices.size(), 3u);
  facts.GroupOpened(12);  // of a device that nobody named
  EXPECT_EQ(world.devices.size(), 4u);
  EXPECT_EQ(ValidateWorld(world), "");
}

TEST(ImportFacts, TheWorldFilesOfTheFolderFitTheirRecordings) {
  struct Pair {
    const char *world, *recording;
  };
  for (const Pair& p : {Pair{"group-all-bound", "vtd-groups-all-bound"},
                        {"group-not-viable", "vtd-groups-not-viable"},
                        {"amd-iommu", "amd-iommu-edu-iommufd"},
                        {"vtd-first-stage", "vtd-scalable-fsts-edu-type1v2"}}) {
    SCOPED_TRACE(p.world);
    const Result<Trace> given =
        ReadTrace("traces/captures/worlds/" + std::string(p.world) + ".txt");
    ASSERT_TRUE(given.ok()) << given.status().ToString();
    ImportOptions options;
    options.world = given->world;
    const ImportedCapture c = Import(p.recording, options);
    EXPECT_EQ(ValidateWorld(c.trace.world), "");
    EXPECT_EQ(c.trace.world.functions.size(), given->world.functions.size());
    if (!given->world.devices.empty())
      EXPECT_EQ(c.trace.world.devices.size(), given->world.devices.size());
  }
}

}  // namespace
}  // namespace twinwalk
