#include "traces/import_educli.h"

#include <gtest/gtest.h>

#include "traces/compare.h"
#include "traces/import.h"

namespace twinwalk {
namespace {

CaptureRecord Header() {
  CaptureRecord header;
  EXPECT_EQ(header.Parse(R"({"sys":"header","argv":["educli","type1v2","0000:00:10.0"]})"), "");
  return header;
}

// One mapping of 16 pages at iova 0x1000000: the second memory of the trace, from its start.
class EducliTest : public testing::Test {
 protected:
  EducliTest() : builder_(&capture_, ImportOptions().limits), text_(&builder_, Header()) {
    builder_.facts().Device("0000:00:10.0");
    text_.Mapped(9, 0x1000000, 0x10000, MapPlace{0, 0, 0x40000, 2, 0});
  }
  std::vector<Op> Dmas() const {
    std::vector<Op> dmas;
    for (const Op& op : capture_.trace.ops)
      if (op.kind == OpKind::kDma) dmas.push_back(op);
    return dmas;
  }
  ImportedCapture capture_;
  ImportBuilder builder_;
  EducliText text_;
};

TEST(Educli, IsKnownByItsName) {
  EXPECT_TRUE(EducliText::IsClient(Header()));
  CaptureRecord other;
  ASSERT_EQ(other.Parse(R"({"sys":"header","argv":["aw-educli","x"]})"), "");
  EXPECT_FALSE(EducliText::IsClient(other));
}

TEST_F(EducliTest, EqualDataTellsWhereBothEnded) {
  EXPECT_EQ(text_.Line("edu in bounds: dma iova 0x1000000 len 4095 dir 0 done after 5 polls"), "");
  EXPECT_EQ(text_.Line("edu in bounds: dma iova 0x1001000 len 4095 dir 1 done after 5 polls"), "");
  ASSERT_EQ(Dmas().size(), 2u);
  EXPECT_EQ(Dmas()[0].recorded->known, Outcome::kErr);  // nothing told yet
  EXPECT_EQ(text_.Line("edu in bounds: data equal"), "");
  const Op read = Dmas()[0], write = Dmas()[1];
  EXPECT_EQ(read.recorded->pieces, (std::vector<Piece>{{0x1000000, 4095, 0, 0, 2, 0}}));
  EXPECT_EQ(write.recorded->pieces, (std::vector<Piece>{{0x1001000, 4095, 0, 0, 2, 0x1000}}));
  // What was read is what the trace had put there, and is what was written.
  const Op& fill = capture_.trace.ops[0];
  EXPECT_EQ(fill.kind, OpKind::kMemWrite);
  EXPECT_EQ(fill.memWrite.address, 0u);
  EXPECT_EQ(fill.blob, read.recorded->data);
  EXPECT_EQ(write.blob, read.recorded->data);
  EXPECT_EQ(fill.blob.size(), 4095u);
  EXPECT_EQ(fill.blob.find('\0'), std::string::npos);
  EXPECT_EQ(capture_.trace.world.devices[0].transactionBytes, 4u);
}

TEST_F(EducliTest, FaultLinesSayWhichPieceAndWhy) {
  EXPECT_EQ(text_.Line("edu straddling end of map: dma iova 0x100ff80 len 256 dir 1 done"), "");
  text_.KernelLog("DMAR: DRHD: handling fault status reg 2");
  EXPECT_EQ(Dmas()[0].recorded->known, Outcome::kErr);
  // Of another direction, of another page: not this DMA's.
  text_.KernelLog(
      "DMAR: [DMA Read NO_PASID] Request device [0000:00:10.0] fault addr 0x1010000 "
      "[fault reason 0x06] PTE Read access is not set");
  text_.KernelLog(
      "DMAR: [DMA Write NO_PASID] Request device [0000:00:10.0] fault addr 0x1011000 "
      "[fault reason 0x05] PTE Write access is not set");
  EXPECT_EQ(Dmas()[0].recorded->known, Outcome::kErr);
  text_.KernelLog(
      "DMAR: [DMA Write NO_PASID] Request device [0000:00:10.0] fault addr 0x1010000 "
      "[fault reason 0x05] PTE Write access is not set");
  EXPECT_EQ(Dmas()[0].recorded->known, Outcome::kErr | Outcome::kPieces);
  const std::vector<Piece> told = {{0x100ff80, 0x80, kPieceUnknown, 0, 0, 0},
                                   {0x1010000, 0x80, 5, 0, 0, 0}};
  EXPECT_EQ(Dmas()[0].recorded->pieces, told);
  // A piece that nobody told of agrees with anything, the other only with its reason.
  Piece landed{0x100ff80, 0x80, 0, 3, 7, 0}, faulted{0x1010000, 0x80, 6, 0, 0, 0};
  EXPECT_TRUE(PieceAgrees(landed, told[0]));
  EXPECT_FALSE(PieceAgrees(faulted, told[1]));
}

TEST_F(EducliTest, TheFirstByteTellsThatNothingLanded) {
  EXPECT_EQ(text_.Line("edu write to r-only map: dma iova 0x1000000 len 256 dir 1 done"), "");
  EXPECT_EQ(text_.Line("  first byte 0xaa"), "");
  EXPECT_EQ(Dmas()[0].recorded->pieces,
            (std::vector<Piece>{{0x1000000, 256, kFaultUnknown, 0, 0, 0}}));
  text_.KernelLog(
      "DMAR: [DMA Write NO_PASID] Request device [0000:00:10.0] fault addr 0x1000000 "
      "[fault reason 0x05] PTE Write access is not set");
  EXPECT_EQ(text_.Line("  first byte 0xaa"), "");
  EXPECT_EQ(Dmas()[0].recorded->pieces[0].fault, 5);  // the kernel knew more
}

TEST_F(EducliTest, WhatItDoesNotUnderstandIsAnError) {
  EXPECT_NE(text_.Line("edu x: data equal"), "");
  EXPECT_NE(text_.Line("edu x: dma iova 0x1000000 len 0 dir 0"), "");
  EXPECT_NE(text_.Line("edu x: dma iova 0x1000000 len 4 dir 2"), "");
  EXPECT_NE(text_.Line("edu x: dma iova 0x1000000 len 5000 dir 1"), "");
  EXPECT_NE(text_.Line("  first byte 0xaa"), "");
  EXPECT_EQ(text_.Line("edu x: dma iova 0x9000000 len 16 dir 0 done"), "");
  EXPECT_EQ(text_.Line("edu x: dma iova 0x1000000 len 16 dir 1 done"), "");
  EXPECT_NE(text_.Line("edu x: data equal"), "");  // where nothing was ever mapped
}

// Whole recordings: what is known of how many DMAs.
TEST(Educli, DmasOfTheRecordings) {
  struct Expected {
    const char* name;
    size_t dmas, reached, faults;  // pieces that reached memory; that faulted for a known reason
  };
  for (const Expected& e : {Expected{"vtd-edu-type1v2", 12, 4, 3},
                            {"vtd-edu-type1v2-faults", 12, 4, 6},
                            {"vtd-edu-iommufd-faults", 17, 8, 8},
                            {"amd-iommu-edu-iommufd", 17, 8, 0},
                            {"vtd-scalable-fsts-edu-type1v2", 12, 4, 3}}) {
    SCOPED_TRACE(e.name);
    const ImportedCapture c =
        ImportCapture("traces/testdata/recordings/" + std::string(e.name) + ".jsonl.gz");
    EXPECT_EQ(c.errors, std::vector<std::string>{});
    EXPECT_EQ(c.stats.dmas, e.dmas);
    size_t reached = 0, faults = 0;
    for (const Op& op : c.trace.ops) {
      if (op.kind != OpKind::kDma) continue;
      for (const Piece& piece : op.recorded->pieces) {
        reached += piece.fault == 0;
        faults += piece.fault != 0 && piece.fault < kPieceUnknown;
      }
    }
    EXPECT_EQ(reached, e.reached);
    EXPECT_EQ(faults, e.faults);
  }
}

}  // namespace
}  // namespace twinwalk
