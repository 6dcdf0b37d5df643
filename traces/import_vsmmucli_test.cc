#include "traces/import_vsmmucli.h"

#include <gtest/gtest.h>

#include "traces/compare.h"

namespace twinwalk {
namespace {

// One mapping of guest memory at GPA 0x04000000, the read-only page at 0x06000000, one device.
class VsmmucliTest : public testing::Test {
 protected:
  VsmmucliTest() : builder_(&capture_, ReadLimits()) {
    builder_.facts().CdevIs("vfio0", "0000:00:10.0");
    builder_.facts().Cdev("vfio0");
  }
  // Lines are read twice, as the importer does it.
  std::string Play(const std::vector<std::string>& lines) {
    VsmmucliPages pages;
    for (const std::string& line : lines) pages.Line(line);
    VsmmucliText text(&builder_, pages.pages());
    MapPlace ram{7, 0x200000, 0x1200000 - 0x200000, 3, 0x200000};
    MapPlace rom{8, 0, 0x1000, 4, 0};
    text.Mapped(1, 0x04000000, 0x1000000, ram);
    text.Mapped(1, 0x06000000, 0x1000, rom);
    EXPECT_EQ(text.Line("  edu0 0000:00:10.0 devid 1"), "");
    for (const std::string& line : lines)
      if (const std::string wrong = text.Line(line); !wrong.empty()) return wrong;
    return "";
  }
  const std::vector<Op>& ops() const { return capture_.trace.ops; }

  ImportedCapture capture_;
  ImportBuilder builder_;
};

const char kMarker[] =
    "load the marker (bytes 0xe5): edu0 dma iova 0x413c000 len 4088 dir 0 (device)";

TEST(VsmmucliFill, WordsAsTheClientPrintedThem) {
  // From the captures: "D0 ... last 0xd0000000000001fe", "D102", "first 0xd000002de5e5e5e5", ...
  EXPECT_EQ(VsmmucliText::FillWord(0x04100000 + 4080), 0xd0000000000001feu);
  EXPECT_EQ(VsmmucliText::FillWord(0x04101120), 0xd000000100000024u);
  EXPECT_EQ(VsmmucliText::FillWord(0x0412d000) >> 32, 0xd000002du);
  EXPECT_EQ(VsmmucliText::FillWord(0x06000000 + 4080), 0xd0000066000001feu);
  EXPECT_EQ(VsmmucliText::FillWord(0x0413c008), 0xe5e5e5e5e5e5e5e5u);
  EXPECT_EQ(VsmmucliText::FillWord(0x04205000) >> 32, 0xb0000000u);
  EXPECT_EQ(VsmmucliText::FillWord(0x04323000), 0xb000000000123000u);
  EXPECT_EQ(VsmmucliText::FillWord(0x04010000), 0u);  // tables begin as zeroes
}

TEST_F(VsmmucliTest, PokesAreWritesOfTheGuest) {
  EXPECT_EQ(Play({"poke gpa 0x4012008 = 0x0000000004101743  A page 1 -> D1 rw"}), "");
  ASSERT_EQ(ops().size(), 1u);
  EXPECT_EQ(ops()[0].kind, OpKind::kMemWrite);
  EXPECT_EQ(ops()[0].memWrite.map, 7u);
  EXPECT_EQ(ops()[0].results, 2u);
  EXPECT_EQ(ops()[0].memWrite.address, 0x212008u);
  EXPECT_EQ(ops()[0].blob, std::string("\x43\x17\x10\x04\0\0\0\0", 8));
  EXPECT_EQ(capture_.stats.guest_writes, 1u);
  EXPECT_EQ(Play({"poke gpa 0x5000000 = 0x1"}), "poke outside of the guest's memory");
  EXPECT_EQ(Play({"poke gpa 0x4000004 = 0x1"}), "poke of an address that is not a multiple of 8");
}

TEST_F(VsmmucliTest, OnlyTouchedPagesAreFilled) {
  EXPECT_EQ(Play({kMarker, "write: edu0 dma iova 0x400ffc len 8 dir 1 (device writes memory)",
                  "  landed: gpa 0x4102ffc..0x4102fff D2+0xffc first 0xe5e5e5e5000001ff"}),
            "");
  ASSERT_EQ(ops().size(), 5u);  // D2, D60, two DMAs, put back
  EXPECT_EQ(ops()[0].memWrite.address, 0x302000u);
  EXPECT_EQ(ops()[0].blob.size(), 4096u);
  EXPECT_EQ(ops()[1].blob, std::string(4096, '\xe5'));
  EXPECT_EQ(ops()[3].blob, std::string(8, '\xe5'));
  EXPECT_EQ(ops()[3].recorded->pieces, (std::vector<Piece>{{0x400ffc, 4, 0, 0, 3, 0x302ffc},
                                                           {0x401000, 4, kFaultUnknown, 0, 0, 0}}));
  EXPECT_EQ(ops()[4].blob, std::string("\x02\0\0\xd0", 4));
  EXPECT_EQ(capture_.stats.memory_writes, 3u);
}

TEST_F(VsmmucliTest, AFaultingReadLeavesZeroesInTheDevice) {
  EXPECT_EQ(
      Play({kMarker, "read: edu0 dma iova 0x403000 len 8 dir 0 (device reads memory)",
            "  (store what it read): edu0 dma iova 0x40b000 len 8 dir 1 (device writes memory)",
            "  read: 0x0000000000000000 .. 0x0000000000000000 (seen in gpa 0x410b000)",
            "write: edu0 dma iova 0x400000 len 12 dir 1 (device writes memory)",
            "  landed: nowhere (no guest byte changed)"}),
      "");
  const Op& read = ops()[3];
  EXPECT_EQ(read.recorded->data, std::string(8, 0));
  EXPECT_EQ(read.recorded->known, Outcome::kErr | Outcome::kData);
  EXPECT_EQ(ops()[4].blob, std::string(8, 0));
  EXPECT_EQ(ops()[4].recorded->pieces[0], (Piece{0x40b000, 8, 0, 0, 3, 0x30b000}));
  EXPECT_EQ(ops()[6].blob, std::string(8, 0) + std::string(4, '\xe5'));
}

TEST_F(VsmmucliTest, ContentsOfABlockAreAssumedSoOnlyThePlaceIsKnown) {
  EXPECT_EQ(
      Play({"read: edu0 dma iova 0x1123000 len 16 dir 0 (device reads memory)",
            "  (store what it read): edu0 dma iova 0x40b000 len 16 dir 1 (device writes memory)",
            "  read: BLK+0x123000 (seen in gpa 0x410b000)"}),
      "");
  EXPECT_EQ(ops()[2].recorded->known, Outcome::kErr | Outcome::kPieces);
  EXPECT_EQ(ops()[2].recorded->pieces[0], (Piece{0x1123000, 16, 0, 0, 3, 0x200000 + 0x323000}));
}

TEST_F(VsmmucliTest, LinesThatContradictWhatTheClientDoesAreErrors) {
  const std::string write = "write: edu0 dma iova 0x400000 len 4 dir 1 (device writes memory)";
  const std::string read = "read: edu0 dma iova 0x400000 len 16 dir 0 (device reads memory)";
  const std::string store =
      "  (store what it read): edu0 dma iova 0x40b000 len 16 dir 1 (device writes memory)";
  EXPECT_EQ(
      Play({kMarker, write, "  landed: gpa 0x4100000..0x4100003 D0+0x0 first 0xd0000000e5e5e5e6"}),
      "landed bytes are not those of the device's buffer");
  EXPECT_EQ(
      Play({kMarker, write, "  landed: gpa 0x4100004..0x4100007 D0+0x0 first 0xd0000000e5e5e5e5"}),
      "landed bytes that are no part of the DMA");
  EXPECT_EQ(
      Play({kMarker, write, "  landed: gpa 0x5100000..0x5100003 D0+0x0 first 0xd0000000e5e5e5e5"}),
      "landed outside of guest memory");
  EXPECT_EQ(Play({kMarker, write, "  landed: somewhere"}), "unknown form of where a DMA landed");
  EXPECT_EQ(Play({"  landed: nowhere (no guest byte changed)"}), "landed, but nothing was written");
  EXPECT_EQ(Play({read, "  landed: nowhere (no guest byte changed)"}),
            "landed, but nothing was written");
  EXPECT_EQ(
      Play({read, store, "  read: D0+0x0 .. last 0xd000000000000002 (seen in gpa 0x410b000)"}),
      "what was read is not what the client fills in");
  EXPECT_EQ(Play({read, "  read: D0+0x0 .. last 0xd000000000000001 (seen in gpa 0x410b000)"}),
            "a device read's result without the device read");
  EXPECT_EQ(Play({read, store, "  read: nonsense"}), "unknown form of a device read");
  EXPECT_EQ(Play({"write: edu1 dma iova 0x400000 len 4 dir 1 (device writes memory)"}),
            "DMA of edu1, which was never introduced");
  EXPECT_EQ(Play({"write: edu0 dma iova 0x400000 len 4097 dir 1 (device writes memory)"}),
            "DMA of more than the device's buffer");
  EXPECT_EQ(Play({"  edu1 0000:00:11.0 devid 2"}), "device 0000:00:11.0 was never opened");
}

}  // namespace
}  // namespace twinwalk
