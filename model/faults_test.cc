// Each planted fault changes what can be observed: the same scenario, with and without it.
#include "model/faults.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "model/vfio_driver.h"

namespace twinwalk::model {
namespace {

ModelFaults With(bool ModelFaults::*fault) {
  ModelFaults faults;
  faults.*fault = true;
  return faults;
}

// Runs scenario(faults) without and with `fault`; it returns something that must differ, and that
// without the fault must be `good`.
template <class T, class F>
void Differs(bool ModelFaults::*fault, T good, F&& scenario) {
  EXPECT_EQ(scenario(ModelFaults{}), good);
  EXPECT_NE(scenario(With(fault)), good);
}

// What a bypassing guest's device meets at an IPA whose mapping was just removed.
int AfterUnmap(const ModelFaults& faults) {
  Guest g(faults);
  const uint64_t more = 0x30000000;
  g.d.Mmap(more, 2 * 4096);
  g.d.Map(g.iommu, g.ioas, more, 2 * 4096, 0x50000);
  const uint32_t bypass = g.d.Nested(g.iommu, g.dev, g.viommu, 4 << 1 | 1).id;
  g.d.Attach(g.cdev, bypass);
  g.d.DmaRead(0, 0x51000, 1);
  g.d.Unmap(g.iommu, g.ioas, 0x50000, 2 * 4096);
  return g.d.DmaRead(0, 0x51000, 1).pieces[0].fault;
}

TEST(Faults, InvalidateWrongVmid) {
  Differs(&ModelFaults::invalidateWrongVmid, 0x10, AfterUnmap);
}
TEST(Faults, M28LastPageNotFlushed) {
  Differs(&ModelFaults::m28LastPageNotFlushed, 0x10, AfterUnmap);
}
TEST(Faults, M36PagesFreedBeforeFlush) {
  Differs(&ModelFaults::m36PagesFreedBeforeFlush, 0x10, AfterUnmap);
}

TEST(Faults, UnpinBeforeInvDone) {
  Differs(&ModelFaults::unpinBeforeInvDone, true, [](const ModelFaults& faults) {
    Plain p(faults);
    p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, Plain::kIova);
    p.d.Unmap(p.iommu, p.ioas, Plain::kIova, 4096);
    const auto at = [&](MicroStepKind kind) {
      return std::find_if(p.d.steps.begin(), p.d.steps.end(),
                          [&](const auto& s) { return s.kind == kind; });
    };
    EXPECT_NE(at(MicroStepKind::kPageUnpinned), p.d.steps.end());
    return at(MicroStepKind::kInvDone) < at(MicroStepKind::kPageUnpinned);
  });
}

TEST(Faults, ConfigCacheSurvivesDetach) {
  Differs(&ModelFaults::configCacheSurvivesDetach, int{kAbortedSilently},
          [](const ModelFaults& faults) -> int {
            Plain p(faults);
            p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, Plain::kIova);
            p.d.DmaRead(0, Plain::kIova, 1);
            p.d.Detach(p.cdev);
            return p.d.DmaRead(0, Plain::kIova, 1).pieces[0].fault;
          });
}

// The next HWPT gets the freed ASID and must not meet its entries.
TEST(Faults, VmidReleasedEarly) {
  Differs(&ModelFaults::vmidReleasedEarly, uint64_t{0x1000}, [](const ModelFaults& faults) {
    Plain p(faults);
    p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, Plain::kIova);
    p.d.DmaRead(0, Plain::kIova, 1);
    p.d.Detach(p.cdev);
    EXPECT_EQ(p.d.Destroy(p.iommu, p.hwpt).err, 0);
    const uint32_t other = p.d.Ioas(p.iommu);
    p.d.Map(p.iommu, other, Plain::kVa + 0x1000, 4096, Plain::kIova);
    p.d.Attach(p.cdev, p.d.Hwpt(p.iommu, p.dev, other, 0).id);
    return p.d.DmaRead(0, Plain::kIova, 1).pieces[0].offset;
  });
}

// Another process takes away what the first has mapped.
TEST(Faults, M01UnchargesCaller) {
  Differs(&ModelFaults::m01UnchargesCaller, uint64_t{0}, [](const ModelFaults& faults) {
    Type1 t(faults);
    t.d.MapDma(t.container, Type1::kVa, Type1::kIova, 0x4000);
    const uint32_t passed = t.d.Pass(t.container, 1).fd;
    t.d.process = 1;
    EXPECT_EQ(t.d.UnmapDma(passed, Type1::kIova, 0x4000).values[0], 0x4000u);
    return t.d.Charged(0);
  });
}

// What M02 was found with: device memory that the process itself may only read.
TEST(Faults, M02OnDeviceMemory) {
  Differs(&ModelFaults::m02PinIgnoresWriteProtection, EFAULT, [](const ModelFaults& faults) -> int {
    Type1 t(faults);
    const uint32_t device = t.d.DeviceFd(t.group, "0000:00:10.0").fd;
    EXPECT_EQ(t.d.Mmap(0x30000000, 0x1000, kProtRead, device).err, 0);
    return t.d.MapDma(t.container, 0x30000000, 0x7000000, 0x1000).err;
  });
}

TEST(Faults, M02PinIgnoresWriteProtection) {
  Differs(&ModelFaults::m02PinIgnoresWriteProtection, EFAULT, [](const ModelFaults& faults) -> int {
    Plain p(faults);
    p.d.Mmap(0x50000000, 4096, kProtRead);
    return p.d.Map(p.iommu, p.ioas, 0x50000000, 4096, Plain::kIova).err;
  });
}

TEST(Faults, M03SameVmidTwice) {
  Differs(&ModelFaults::m03SameVmidTwice, size_t{2}, [](const ModelFaults& faults) {
    Plain p(faults);
    const uint32_t other = p.d.Ioas(p.iommu);
    p.d.Hwpt(p.iommu, p.dev, p.ioas, 1);
    p.d.Hwpt(p.iommu, p.dev, other, 1);
    const View<Concrete> view = p.d.GetView();
    return view.tags.size() - 1;  // beside the ASID of `hwpt`
  });
}

// Two devices beneath a switch port without ACS, one for each user.
TEST(Faults, M04MissingAcsIgnored) {
  Differs(&ModelFaults::m04MissingAcsIgnored, EPERM, [](const ModelFaults& faults) -> int {
    World world = TwoDevices();
    world.devices[1].group = world.devices[0].group;
    world.functions.resize(3);
    world.functions[0].rid = 0x100, world.functions[0].kind = PciFunction::kDownstreamPort;
    for (uint32_t i = 1; i < 3; ++i) {
      world.functions[i].rid = 0x200 + 8 * i, world.functions[i].parent = 1;
      world.functions[i].driver = PciFunction::kVfio, world.functions[i].device = i;
    }
    Driver d(world, faults);
    EXPECT_EQ(d.Bind(d.OpenDevice(0), d.OpenIommu()).err, 0);
    return d.Bind(d.OpenDevice(1), d.OpenIommu()).err;
  });
}

TEST(Faults, M07UserRangeWraps) {
  Differs(&ModelFaults::m07UserRangeWraps, EOVERFLOW, [](const ModelFaults& faults) -> int {
    Plain p(faults);
    return p.d.Map(p.iommu, p.ioas, ~uint64_t{0xfff}, 2 * 4096, Plain::kIova).err;
  });
}

TEST(Faults, M08ReplaceOfUnattached) {
  Differs(&ModelFaults::m08ReplaceOfUnattached, EINVAL, [](const ModelFaults& faults) -> int {
    World world = TwoDevices();
    world.devices[1].group = world.devices[0].group;
    Plain p(faults, world);
    const uint32_t cdev = p.d.OpenDevice(1);
    const uint32_t dev = p.d.Bind(cdev, p.iommu).id;
    return p.d.Attach(cdev, p.d.Hwpt(p.iommu, dev, p.ioas, 0).id).err;
  });
}

// Only the top of the space is left free: nothing above 2 MiB alignment fits there.
TEST(Faults, M09AlignUpWraps) {
  Differs(&ModelFaults::m09AlignUpWraps, ENOSPC, [](const ModelFaults& faults) -> int {
    Driver d(TwoDevices(), faults);
    const uint32_t iommu = d.OpenIommu(), ioas = d.Ioas(iommu);
    const uint64_t top = ~uint64_t{0} - (2 << 20) + 1;  // start of the last 2 MiB
    EXPECT_EQ(d.Map(iommu, ioas, 0, top + 0x1000, 0).err, 0);
    return d.Map(iommu, ioas, 0x40000000, 2 << 20, 0, 6).err;
  });
}

TEST(Faults, M14FrameZeroIsUnmapped) {
  Differs(&ModelFaults::m14FrameZeroIsUnmapped, 0x10, [](const ModelFaults& faults) -> int {
    Driver d(TwoDevices(), faults);
    d.Mmap(Plain::kVa, 4096);
    d.Poke(Plain::kVa, "first");  // the first page touched gets frame 0
    const uint32_t iommu = d.OpenIommu(), cdev = d.OpenDevice(0);
    d.Bind(cdev, iommu);
    const uint32_t ioas = d.Ioas(iommu);
    d.Attach(cdev, ioas);
    d.Map(iommu, ioas, Plain::kVa, 4096, Plain::kIova);
    d.Unmap(iommu, ioas, Plain::kIova, 4096);
    return d.DmaRead(0, Plain::kIova, 1).pieces[0].fault;
  });
}

TEST(Faults, M18UnmapKeepsCombined) {
  Differs(&ModelFaults::m18UnmapKeepsCombined, 0x10, [](const ModelFaults& faults) -> int {
    Guest g(faults);
    g.d.Mmap(0x30000000, 4096);
    g.d.Map(g.iommu, g.ioas, 0x30000000, 4096, 0x50000);
    g.SetPage(2, 0x50);
    g.d.Attach(g.cdev, g.nested);
    g.d.DmaRead(0, 0x2000, 1);
    g.d.Unmap(g.iommu, g.ioas, 0x50000, 4096);
    return g.d.DmaRead(0, 0x2000, 1).pieces[0].fault;
  });
}

TEST(Faults, M20BypassDropsStage2) {
  Differs(&ModelFaults::m20BypassDropsStage2, 0x10, [](const ModelFaults& faults) -> int {
    Guest g(faults);
    g.d.Attach(g.cdev, g.d.Nested(g.iommu, g.dev, g.viommu, 4 << 1 | 1).id);
    return g.d.DmaRead(0, 0x90000, 1).pieces[0].fault;
  });
}

TEST(Faults, M21CdFetchedPhysically) {
  Differs(&ModelFaults::m21CdFetchedPhysically, 0, [](const ModelFaults& faults) -> int {
    Guest g(faults);
    g.d.Attach(g.cdev, g.nested);
    return g.d.DmaRead(0, 0x1000, 1).pieces[0].fault;
  });
}

TEST(Faults, M22GuestVmidForwarded) {
  Differs(&ModelFaults::m22GuestVmidForwarded, uint64_t{20 * 4096}, [](const ModelFaults& faults) {
    Guest g(faults);
    g.d.Attach(g.cdev, g.nested);
    g.d.DmaRead(0, 0x1000, 1);
    g.SetPage(1, 20);
    g.d.Invalidate(g.iommu, g.viommu, {{0x0011000500000012, 0x1000}});  // the guest's VMID 5
    return g.d.DmaRead(0, 0x1000, 1).pieces[0].offset;
  });
}

TEST(Faults, M23ReservedBitsPass) {
  Differs(&ModelFaults::m23ReservedBitsPass, EIO, [](const ModelFaults& faults) -> int {
    World world = TwoDevices();
    world.rules.reservedCommandBitsRefused = true;
    Guest g(faults, world);
    EXPECT_EQ(g.d.Invalidate(g.iommu, g.viommu, {{0x0011000000000012, 0x1000}}).err, 0);
    return g.d.Invalidate(g.iommu, g.viommu, {{0x0011000000003012, 0x1000}}).err;  // NUM, TG = 0
  });
}

TEST(Faults, M24VdeviceOutlivesDevice) {
  Differs(&ModelFaults::m24VdeviceOutlivesDevice, EIO, [](const ModelFaults& faults) -> int {
    Guest g(faults);
    g.d.Close(g.cdev);
    const uint32_t other = g.d.OpenIommu(), cdev = g.d.OpenDevice(0);
    EXPECT_EQ(g.d.Bind(cdev, other).err, 0);
    return g.d.Invalidate(g.iommu, g.viommu, {{uint64_t{Guest::kVsid} << 32 | 5, 1}}).err;
  });
}

// A 2 MiB leaf of the guest over 4 KiB pages whose memory is not in a row.
TEST(Faults, M31CombinedEntryTooLarge) {
  Differs(&ModelFaults::m31CombinedEntryTooLarge, uint64_t{2}, [](const ModelFaults& faults) {
    Guest g(faults);
    g.d.Mmap(0x30000000, 4096);
    g.d.Mmap(0x38000000, 4096);
    g.d.Map(g.iommu, g.ioas, 0x38000000, 4096, 0x200000);
    g.d.Map(g.iommu, g.ioas, 0x30000000, 4096, 0x201000);
    g.d.Poke64(Guest::kVa + 0x3008, 0x200000 | 0xc41);  // VA 0x200000: block
    g.d.Attach(g.cdev, g.nested);
    EXPECT_EQ(g.d.DmaRead(0, 0x200000, 1).pieces[0].backing, 3u);
    return g.d.DmaRead(0, 0x201000, 1).pieces[0].backing;
  });
}

TEST(Faults, M47AttachIgnoresMsiConflict) {
  Differs(&ModelFaults::m47AttachIgnoresMsiConflict, EADDRINUSE,
          [](const ModelFaults& faults) -> int {
            Plain p(faults);
            const uint32_t other = p.d.Ioas(p.iommu);
            p.d.Map(p.iommu, other, Plain::kVa, 4096, 0x08000000);
            return p.d.Attach(p.cdev, other).err;
          });
}

}  // namespace
}  // namespace twinwalk::model
