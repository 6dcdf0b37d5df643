#include "traces/compare.h"

#include <gtest/gtest.h>

namespace twinwalk {
namespace {

Piece At(uint64_t iova, uint32_t length, uint8_t fault, uint64_t backing, uint64_t offset,
         uint8_t rights) {
  Piece p;
  p.iova = iova, p.length = length, p.fault = fault, p.backing = backing, p.offset = offset;
  p.rights = rights;
  return p;
}

TEST(PieceAgrees, RecordingsKnowOnlyPart) {
  const Piece is = At(0x1000, 8, 0, 2, 0x40, kRead);
  EXPECT_TRUE(PieceAgrees(is, At(0x1000, 8, 0, 2, 0x40, 0)));
  EXPECT_TRUE(PieceAgrees(is, At(0x1000, 8, 0, 2, 0x40, kRead)));
  EXPECT_FALSE(PieceAgrees(is, At(0x1000, 8, 0, 2, 0x40, kWrite)));
  EXPECT_FALSE(PieceAgrees(is, At(0x1000, 8, 0, 2, 0x48, 0)));
  EXPECT_FALSE(PieceAgrees(is, At(0x1000, 8, 0, 3, 0x40, 0)));
  EXPECT_FALSE(PieceAgrees(is, At(0x1000, 4, 0, 2, 0x40, 0)));
  EXPECT_FALSE(PieceAgrees(is, At(0x1000, 8, kFaultUnknown, 0, 0, 0)));
  const Piece fault = At(0x1000, 8, 0x10, 0, 0, 0);
  EXPECT_TRUE(PieceAgrees(fault, At(0x1000, 8, kFaultUnknown, 0, 0, 0)));
  EXPECT_FALSE(PieceAgrees(fault, At(0x1000, 8, 0x13, 0, 0, 0)));
  EXPECT_FALSE(PieceAgrees(fault, At(0x1000, 8, 0, 2, 0x40, 0)));
}

TEST(CompareExact, NamesTheFieldAndBothSides) {
  Outcome a, b;
  EXPECT_TRUE(CompareExact(a, b).empty());
  b.err = 22;
  b.pieces.push_back(At(0x1000, 8, 0x10, 0, 0, 0));
  const auto found = CompareExact(a, b);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].field, "err");
  EXPECT_EQ(found[0].should_be, "0x0");
  EXPECT_EQ(found[0].is, "0x16");
  EXPECT_EQ(found[1].field, "pieces[0]");
  EXPECT_EQ(found[1].should_be, "none");
  EXPECT_EQ(found[1].is, "iova 0x1000 length 8 event 0x10");
}

TEST(CompareExact, EveryFieldCounts) {
  const auto differs = [](auto&& change) {
    Outcome a, b;
    change(b);
    return CompareExact(a, b).size() == 1;
  };
  EXPECT_TRUE(differs([](Outcome& o) { o.ret = 1; }));
  EXPECT_TRUE(differs([](Outcome& o) { o.id = 1; }));
  EXPECT_TRUE(differs([](Outcome& o) { o.fd = 1; }));
  EXPECT_TRUE(differs([](Outcome& o) { o.values[2] = 1; }));
  EXPECT_TRUE(differs([](Outcome& o) { o.out = "x"; }));
  EXPECT_TRUE(differs([](Outcome& o) { o.data = "x"; }));
  EXPECT_TRUE(differs([](Outcome& o) { o.events.push_back({}); }));
}

TEST(Renaming, IsOneToOne) {
  Renaming r;
  EXPECT_TRUE(r.Agree(5, 4, true));
  EXPECT_TRUE(r.Agree(5, 4, false));
  EXPECT_FALSE(r.Agree(5, 6, false));
  EXPECT_FALSE(r.Agree(7, 4, false));
  EXPECT_TRUE(r.Agree(5, 6, true));  // 5 was freed and made anew
  EXPECT_TRUE(r.Agree(7, 4, true));
}

TEST(CompareRecorded, UnknownFieldsAreNotCompared) {
  Op op;
  op.kind = OpKind::kIoasAlloc;
  Outcome recorded, is;
  recorded.known = Outcome::kErr;
  is.id = 9, is.fd = 4, is.values[0] = 7;
  Renaming renaming;
  EXPECT_TRUE(CompareRecorded(op, recorded, is, 1, &renaming).empty());
  recorded.known = Outcome::kErr | Outcome::kValues;
  EXPECT_EQ(CompareRecorded(op, recorded, is, 1, &renaming).size(), 1u);
}

TEST(CompareRecorded, SequenceNumbersAloneAreNamedSo) {
  Op op;
  op.kind = OpKind::kRead;
  Outcome recorded, is;
  recorded.known = Outcome::kErr | Outcome::kOut;
  recorded.out = std::string(4, '\0') + std::string("\x05\0\0\0", 4) + std::string(32, 'e');
  is.out = recorded.out;
  is.out[4] = 4;
  Renaming renaming;
  auto found = CompareRecorded(op, recorded, is, 1, &renaming);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].field, "out.sequence");
  is.out[20] = 'x';
  found = CompareRecorded(op, recorded, is, 1, &renaming);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].field, "out");
}

TEST(CompareViews, PrintsBothSides) {
  View<Concrete> a, b;
  a.ioases.Insert({5, 1});
  b.ioases.Insert({5, 2});
  EXPECT_EQ(CompareViews(a, b),
            (std::vector<std::string>{"- ioas key=0x5 users=0x1", "+ ioas key=0x5 users=0x2"}));
  EXPECT_TRUE(CompareViews(a, a).empty());
}

}  // namespace
}  // namespace twinwalk
