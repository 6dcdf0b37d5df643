#include "fuzz/edit.h"

#include <gtest/gtest.h>

namespace twinwalk::fuzz {
namespace {

// 0 open, 1 ioas_alloc(0), 2 ioas_alloc(0), 3 destroy(0, id 1), 4 destroy(0, id 2)
std::vector<Op> Five() {
  std::vector<Op> ops(5);
  ops[0].kind = OpKind::kOpen;
  for (int i = 1; i < 5; ++i) {
    ops[i].kind = i < 3 ? OpKind::kIoasAlloc : OpKind::kDestroy;
    ops[i].fd = 0;
    ops[i].results = i < 3 ? 1 : 3;
    if (i >= 3) ops[i].destroy.id = static_cast<Handle>(i - 2);
  }
  return ops;
}

TEST(Edit, RemoveRenumbersAndDangles) {
  std::vector<Op> ops = Five();
  RemoveOps(&ops, 1, 1);
  ASSERT_EQ(ops.size(), 4u);
  EXPECT_EQ(ops[1].fd, 0u);
  EXPECT_EQ(ops[2].destroy.id, kDanglingHandle);  // named the Op that is gone
  EXPECT_EQ(ops[2].results, 1);
  EXPECT_EQ(ops[3].destroy.id, 1u);  // named Op 2, which is 1 now
  EXPECT_EQ(ops[3].results, 3);
}

TEST(Edit, RemoveOfSeveral) {
  std::vector<Op> ops = Five();
  RemoveOps(&ops, 0, 2);
  ASSERT_EQ(ops.size(), 3u);
  EXPECT_EQ(ops[0].fd, kDanglingHandle);
  EXPECT_EQ(ops[0].results, 0);
  EXPECT_EQ(ops[2].destroy.id, 0u);
  EXPECT_EQ(ops[2].results, 2);
}

TEST(Edit, InsertRenumbersBehindOnly) {
  std::vector<Op> ops = Five();
  Op op;
  op.kind = OpKind::kDup;
  op.fd = 0, op.results = 1;
  InsertOp(&ops, 2, op);
  ASSERT_EQ(ops.size(), 6u);
  EXPECT_EQ(ops[2].kind, OpKind::kDup);
  EXPECT_EQ(ops[4].destroy.id, 1u);
  EXPECT_EQ(ops[5].destroy.id, 3u);
}

TEST(Edit, SwapFollowsBothAndDanglesWhatIsNowLater) {
  std::vector<Op> ops = Five();
  SwapOps(&ops, 1, 4);
  EXPECT_EQ(ops[1].kind, OpKind::kDestroy);
  EXPECT_EQ(ops[1].destroy.id, kDanglingHandle);  // Op 2 is later now
  EXPECT_EQ(ops[3].destroy.id, kDanglingHandle);  // Op 1 went to 4
  EXPECT_EQ(ops[4].kind, OpKind::kIoasAlloc);
  EXPECT_EQ(ops[4].results, 1);
}

TEST(Edit, AppendShifts) {
  std::vector<Op> ops = Five();
  AppendOps(&ops, Five());
  ASSERT_EQ(ops.size(), 10u);
  EXPECT_EQ(ops[9].fd, 5u);
  EXPECT_EQ(ops[9].destroy.id, 7u);
}

TEST(Edit, CheckFindsForwardHandlesAndStrayBits) {
  std::vector<Op> ops = Five();
  EXPECT_EQ(CheckOp(ops[4], 4), "");
  EXPECT_NE(CheckOp(ops[4], 2), "");
  ops[4].words[9] = 1;
  EXPECT_NE(CheckOp(ops[4], 4), "");
  ops = Five();
  ops[0].results = 1;  // open has no handle
  EXPECT_NE(CheckOp(ops[0], 0), "");
  OpData fixed = Canonical(ops[0]);
  EXPECT_EQ(CheckOp(fixed, 0), "");
}

}  // namespace
}  // namespace twinwalk::fuzz
