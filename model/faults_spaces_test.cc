// The planted faults of address spaces: each changes what can be observed, in the shortest way.
#include <gtest/gtest.h>

#include <cerrno>

#include "model/test_calls.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kVa = Plain::kVa, kPage = 4096;

// Runs scenario(faults) without and with `fault`; without it must give `good`, with it not.
template <class T, class F>
void Differs(bool ModelFaults::*fault, T good, F&& scenario) {
  ModelFaults faults;
  EXPECT_EQ(scenario(faults), good);
  faults.*fault = true;
  EXPECT_NE(scenario(faults), good);
}

// An area and its copy; the area is cut and its first page goes. The second one's frame is still
// the first map's, whatever its process has there now.
TEST(Faults, M10SplitKeepsOldShare) {
  Differs(&ModelFaults::m10SplitKeepsOldShare, uint64_t{1}, [](const ModelFaults& faults) {
    Plain p(faults);
    Calls c{p.d, p.iommu};
    c.VfioIoas(1, p.ioas);
    EXPECT_EQ(c.SetIommu(1).err, 0);
    EXPECT_EQ(c.MapDma(kVa, 0x1000000, 2 * kPage).err, 0);
    EXPECT_EQ(c.Copy(p.d.Ioas(p.iommu), 0, p.ioas, 0x1000000, 2 * kPage).err, 0);
    EXPECT_EQ(c.UnmapDma(0x1000000, kPage).values[0], kPage);
    p.d.Munmap(kVa, 16 * kPage);
    p.d.Mmap(kVa, 16 * kPage);
    EXPECT_EQ(c.Copy(p.ioas, 0x2000000, p.ioas, 0x1001000, kPage).err, 0);
    return p.d.DmaRead(0, 0x2000000, 1).pieces[0].backing;
  });
}

TEST(Faults, M11CopyUpgrades) {
  Differs(&ModelFaults::m11CopyUpgrades, EPERM, [](const ModelFaults& faults) -> int {
    Plain p(faults);
    Calls c{p.d, p.iommu};
    EXPECT_EQ(p.d.Map(p.iommu, p.ioas, kVa, kPage, 0x1000000, 1 | 4).err, 0);
    return c.Copy(p.d.Ioas(p.iommu), 0, p.ioas, 0x1000000, kPage).err;
  });
}

// Frames are given out last in, first out: memory that was freed once comes back one frame a row,
// more rows than one batch holds.
TEST(Faults, M12CarryCounts) {
  Differs(&ModelFaults::m12CarryCounts, std::vector<uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
          [](const ModelFaults& faults) {
            Plain p(faults);
            p.d.Map(p.iommu, p.ioas, kVa, 12 * kPage, Plain::kIova);
            p.d.Unmap(p.iommu, p.ioas, Plain::kIova, 12 * kPage);
            p.d.Munmap(kVa, 16 * kPage);
            p.d.Mmap(kVa, 16 * kPage);
            EXPECT_EQ(p.d.Map(p.iommu, p.ioas, kVa, 12 * kPage, Plain::kIova).err, 0);
            std::vector<uint64_t> pages;
            for (uint64_t i = 0; i < 12; ++i) {
              const Piece piece = p.d.DmaRead(0, Plain::kIova + i * kPage, 1).pieces[0];
              pages.push_back(piece.fault == 0 ? piece.offset / kPage : 99);
            }
            return pages;
          });
}

// As the list of mutants has it: only a short range below 2^64 is allowed.
TEST(Faults, M09AlignUpWrapsInAnAllowedRange) {
  Differs(&ModelFaults::m09AlignUpWraps, ENOSPC, [](const ModelFaults& faults) -> int {
    Driver d(TwoDevices(), faults);
    const uint32_t iommu = d.OpenIommu(), ioas = d.Ioas(iommu);
    Calls c{d, iommu};
    EXPECT_EQ(c.Allow(ioas, {{~uint64_t{0} - 0x2fff, ~uint64_t{0} - 1}}).err, 0);
    return d.Map(iommu, ioas, 0x40000000, 2 << 20, 0, 6).err;
  });
}

TEST(Faults, M07UserRangeWrapsAsContainer) {
  Differs(&ModelFaults::m07UserRangeWraps, EOVERFLOW, [](const ModelFaults& faults) -> int {
    Plain p(faults);
    Calls c{p.d, p.iommu};
    c.VfioIoas(1, p.ioas);
    return c.MapDma(~uint64_t{0xfff}, 0, 2 * kPage).err;
  });
}

}  // namespace
}  // namespace twinwalk::model
