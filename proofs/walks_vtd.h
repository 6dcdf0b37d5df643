// The rows of VT-d's pure functions, as walks.h has them of SMMUv3.
#ifndef TWINWALK_PROOFS_WALKS_VTD_H_
#define TWINWALK_PROOFS_WALKS_VTD_H_

#include <functional>
#include <string>
#include <vector>

#include "model/tables_vtd.h"
#include "proofs/sym.h"
#include "proofs/theorem.h"
#include "proofs/walk_rows.h"
#include "traces/view.h"
#include "traces/walk_vtd.h"

namespace twinwalk::proofs {

// The units that rows are about: that of a default World, others with what it lacks.
struct VtdUnit {
  std::string name;
  VtdRegs regs;
};
std::vector<VtdUnit> VtdUnits();

// A row for each field of a second-stage entry. What is not present or reserved leads nowhere: its
// other fields need not agree.
void CompareVtdEntries(Explorer* e, const VtdEntry<Sym>& ours, const VtdEntry<Sym>& theirs);

// What the reference says must go, goes by `covers` (which may drop more). `wide`: of the queue.
using VtdCovers = std::function<B(const VtdInvalidation<Sym>&, const RetainedRow<Sym>&)>;
void CompareVtdCovers(Explorer* e, bool wide, const VtdRegs& unit, const VtdCovers& covers);

// One level, one page, read by the reference: after the step the entry says what was to be mapped,
// a link leads to the fresh table, nothing that was in use is touched, and one word at most is
// written. An area without rights leaves an entry that is not present.
using VtdWriter = std::function<model::VtdWriteResult<Sym>(
    OneTable& memory, const W& table, int level, int leaf_level, const W& input, const W& leaf)>;
void RefineVtdWriter(Explorer* e, int level, int leaf_level, const VtdRegs& unit,
                     const VtdWriter& writer);

void AddVtdWalks(std::vector<TheoremRow>* rows);

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_WALKS_VTD_H_
