// The model's state as the View that invariants read.
#ifndef TWINWALK_MODEL_ROWS_H_
#define TWINWALK_MODEL_ROWS_H_

#include "model/stack.h"

namespace twinwalk::model {

void FillView(const Stack& stack, ViewScope scope, View<Concrete>* view);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_ROWS_H_
