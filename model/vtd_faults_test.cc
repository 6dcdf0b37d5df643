// The planted faults that VT-d units can show, each with a scenario that tells it.
#include <gtest/gtest.h>

#include <cerrno>

#include "model/vtd_driver.h"

namespace twinwalk::model {
namespace {

// Runs scenario(faults) without and with `fault`; without it must be `good`, with it something
// else.
template <class T, class F>
void Differs(bool ModelFaults::*fault, T good, F&& scenario) {
  EXPECT_EQ(scenario(ModelFaults{}), good);
  ModelFaults faults;
  faults.*fault = true;
  EXPECT_NE(scenario(faults), good);
}

// What the device meets at `page` after pages [first, first + n) were read and unmapped.
auto AfterUnmap(uint64_t first, uint64_t n, uint64_t page) {
  return [=](const ModelFaults& faults) -> int {
    VtdPlain p(faults);
    p.Map(first, n);
    for (uint64_t i = 0; i < n; ++i) p.Read(first + i);
    p.Unmap(first, n);
    return p.Read(page).fault;
  };
}

TEST(VtdFaults, InvalidateWrongDomain) {
  Differs(&ModelFaults::invalidateWrongVmid, 6, AfterUnmap(0, 1, 0));
}
TEST(VtdFaults, M28LastPageNotFlushed) {
  Differs(&ModelFaults::m28LastPageNotFlushed, 6, AfterUnmap(0, 2, 1));
}
// Two pages, the first odd: an aligned pair does not hold both.
TEST(VtdFaults, M32UnalignedFlushLeavesTail) {
  Differs(&ModelFaults::m32UnalignedFlushLeavesTail, 6, AfterUnmap(7, 2, 8));
}
TEST(VtdFaults, M36PagesFreedBeforeFlush) {
  Differs(&ModelFaults::m36PagesFreedBeforeFlush, 6, AfterUnmap(0, 1, 0));
}

// The freed table's frame becomes somebody's memory, who writes an entry of their own there.
TEST(VtdFaults, M29LeafOnlyFlushOfTable) {
  Differs(&ModelFaults::m29LeafOnlyFlushOfTable, 6, [](const ModelFaults& faults) -> int {
    VtdPlain p(faults);
    p.d.Mmap(0x30000000, 4096);
    p.d.Poke64(0x30000000, 0);  // other frames in use
    p.Map(0, 1);
    p.Read(0);
    p.Unmap(0, 1);  // frees the leaf table, then the one above: that one is given out first
    p.d.Mmap(0x38000000, 2 * 4096);
    p.d.Poke(0x38000000, std::string(4096, '\x03'));
    p.d.Poke(0x38001000, std::string(4096, '\x03'));
    return p.Read(0).fault;
  });
}

TEST(VtdFaults, ContextCacheSurvivesDetach) {
  for (bool scalable : {false, true})
    Differs(&ModelFaults::configCacheSurvivesDetach, scalable ? 0x41 : 0x02,
            [&](const ModelFaults& faults) -> int {
              VtdPlain p(faults, VtdWorld(scalable));
              p.Map(0, 1);
              p.Read(0);
              p.d.Detach(p.cdev);
              return p.Read(0).fault;
            });
}

// The next HWPT gets the freed domain id and must not meet its entries (M35).
TEST(VtdFaults, DomainIdReleasedEarly) {
  Differs(&ModelFaults::vmidReleasedEarly, uint64_t{0x1000}, [](const ModelFaults& faults) {
    VtdPlain p(faults);
    p.Map(0, 1);
    p.Read(0);
    p.d.Detach(p.cdev);
    EXPECT_EQ(p.d.Destroy(p.iommu, p.hwpt).err, 0);
    const uint32_t other = p.d.Ioas(p.iommu);
    p.d.Map(p.iommu, other, Plain::kVa + 0x1000, 4096, Plain::kIova);
    p.d.Attach(p.cdev, p.d.Hwpt(p.iommu, p.dev, other, 0).id);
    return p.Read(0).offset;
  });
}

TEST(VtdFaults, M03SameDomainIdTwice) {
  Differs(&ModelFaults::m03SameVmidTwice, size_t{2}, [](const ModelFaults& faults) {
    VtdPlain p(faults);
    p.d.Hwpt(p.iommu, p.dev, p.d.Ioas(p.iommu), 0);
    uint64_t vmids = 0;
    p.d.GetView().hwpts.EachIndex(
        [&](bool, const HwptRow<Concrete>& row) { vmids |= uint64_t{1} << row.vmid; });
    return static_cast<size_t>(__builtin_popcountll(vmids));
  });
}

TEST(VtdFaults, M14FrameZeroIsUnmapped) {
  Differs(&ModelFaults::m14FrameZeroIsUnmapped, 6, [](const ModelFaults& faults) -> int {
    Driver d(VtdWorld(), faults);
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

TEST(VtdFaults, M47AttachIgnoresMsiConflict) {
  Differs(&ModelFaults::m47AttachIgnoresMsiConflict, EADDRINUSE,
          [](const ModelFaults& faults) -> int {
            VtdPlain p(faults);
            const uint32_t other = p.d.Ioas(p.iommu);
            p.d.Map(p.iommu, other, Plain::kVa, 4096, 0xfee00000);
            return p.d.Attach(p.cdev, other).err;
          });
}

}  // namespace
}  // namespace twinwalk::model
