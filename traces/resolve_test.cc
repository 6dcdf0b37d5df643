#include "traces/resolve.h"

#include <gtest/gtest.h>

namespace twinwalk {
namespace {

Outcome Made(uint32_t id, uint32_t fd, int64_t ret = 0) {
  Outcome o;
  o.id = id, o.fd = fd, o.ret = ret;
  return o;
}

Op MapOp() {
  Op op;
  op.kind = OpKind::kIoasMap;
  op.fd = 0, op.ioasMap.ioasId = 1, op.ioasMap.userMap = 2, op.ioasMap.userVa = 0x1000;
  op.results = 0b111;
  op.blob = "tail";
  return op;
}

TEST(Resolver, TakesEachRoleFromItsOp) {
  Resolver r;
  Op any;
  any.kind = OpKind::kOpen;
  r.Record(any, Made(0, 7));
  any.kind = OpKind::kIoasAlloc;
  r.Record(any, Made(42, 0));
  any.kind = OpKind::kMmap;
  r.Record(any, Made(0, 0, 0x7f0000));
  const Op& op = r.Resolve(MapOp());
  EXPECT_EQ(op.fd, 7u);
  EXPECT_EQ(op.ioasMap.ioasId, 42u);
  EXPECT_EQ(op.ioasMap.userVa, 0x7f1000u);
  EXPECT_EQ(op.results, 0);
  EXPECT_EQ(op.blob, "tail");
}

TEST(Resolver, WhatFailedOrIsNotThereDangles) {
  Resolver r;
  Op any;
  Outcome failed = Made(5, 6);
  failed.err = 12;
  any.kind = OpKind::kOpen;
  r.Record(any, failed);
  const Op& op = r.Resolve(MapOp());  // Ops 1 and 2 do not exist
  EXPECT_EQ(op.fd, kDanglingHandle);
  EXPECT_EQ(op.ioasMap.ioasId, kDanglingHandle);
  EXPECT_EQ(op.ioasMap.userVa, 0xfffu);  // all ones plus 0x1000
}

TEST(Resolver, LiteralsStay) {
  Resolver r;
  Op op = MapOp();
  op.results = 0;
  EXPECT_EQ(r.Resolve(op).ioasMap.ioasId, 1u);
  EXPECT_EQ(r.Resolve(op).ioasMap.userVa, 0x1000u);
}

}  // namespace
}  // namespace twinwalk
