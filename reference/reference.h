// The reference: a Machine that is slow, and that is good. It has no cache, no table bits of the
// host, no clever structure: tables of rows that are searched from one end to the other, one
// function per ioctl in the order of the sheet's checks, one walk in the manual's numbered steps.
// What it does can be read beside the sheets, and the same functions, run over symbolic words, are
// what `prove` proves. It says what is permitted; the model must stay inside.
#ifndef TWINWALK_REFERENCE_REFERENCE_H_
#define TWINWALK_REFERENCE_REFERENCE_H_

#include <memory>

#include "reference/faults.h"
#include "traces/machine.h"

namespace twinwalk {

std::unique_ptr<PermittingMachine> MakeReference(const ReferenceFaults& faults = {});

}  // namespace twinwalk

#endif  // TWINWALK_REFERENCE_REFERENCE_H_
