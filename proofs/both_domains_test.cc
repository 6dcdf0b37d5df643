// The rule that every function of the reference on the state compiles in both domains
// (docs/PROOFS.md, Rules): those that no row runs yet are instantiated here, so that they stay
// provable.
#include <gtest/gtest.h>

#include <set>

#include "proofs/sym.h"
#include "reference/access_vtd.h"
#include "reference/compat.h"
#include "reference/container.h"
#include "reference/dirty.h"
#include "reference/fault_queue.h"
#include "reference/ioas_copy.h"
#include "reference/ioas_file.h"
#include "reference/options.h"
#include "reference/type1.h"

namespace twinwalk::proofs {
namespace {

template <class... F>
std::set<const void*> Addresses(F*... functions) {
  return {reinterpret_cast<const void*>(functions)...};
}

TEST(BothDomains, WhatNoRowRunsYetIsThereOverTerms) {
  namespace r = reference;
  const auto there = Addresses(
      &r::SetIommu<Sym>, &r::SetContainer<Sym>, &r::LeaveContainer<Sym>,              // container.h
      &r::MapDma<Sym>, &r::RenewVaddr<Sym>, &r::UnmapDma<Sym>, &r::ForgetVaddr<Sym>,  // type1.h
      &r::TrackDirty<Sym>,                                                            //
      &r::CompatSetContainer<Sym>, &r::CompatOpenDevice<Sym>, &r::CompatCheckExtension<Sym>,
      &r::CompatSetIommu<Sym>, &r::CompatMapDma<Sym>, &r::CompatUnmapDma<Sym>,  // compat.h
      &r::IoasCopy<Sym>, &r::IoasMapFile<Sym>, &r::IoasChangeProcess<Sym>, &r::AllowIovas<Sym>,
      &r::Option<Sym>, &r::VfioIoas<Sym>,                  // options.h
      &r::FaultQueueAlloc<Sym>, &r::CloseFaultQueue<Sym>,  // fault_queue.h
      &r::HwptSetDirty<Sym>, &r::HwptGetDirty<Sym>,        // dirty.h
      &r::AccessVtd<Sym>);
  EXPECT_EQ(there.size(), 25u);  // no two are one
}

}  // namespace
}  // namespace twinwalk::proofs
