// Areas come and go: put into an IOAS, cut in two, dropped (iommufd sheet 5, 8.2).
#include <cerrno>

#include "model/sharing.h"
#include "model/stack.h"

namespace twinwalk::model {

int Stack::EnterArea(Ioas* ioas, Area area, Ioas* from, uint64_t source) {
  Space::Areas& areas = ioas->space.areas();
  const auto at = areas.emplace(area.first, std::move(area)).first;
  if (at->second.file != nullptr) ++at->second.file->refs;
  if (from != nullptr) {
    const auto shown = from->space.areas().find(source);
    ShareArea(&from->space, &shown->second, &ioas->space, &at->second);
  }
  const int error = ioas->hwpts.empty() ? 0 : PinToMap(&at->second);
  if (error != 0) ForgetArea(ioas, at);
  return error;
}

int Stack::PinToMap(Area* area) {
  const uint64_t low = kPageSize - 1;
  if (((area->first | (area->last + 1) | area->va) & low) != 0) return EINVAL;
  const int error = Pin(area);
  if (error != 0 || area->rights != 0) return error;
  Unpin(area);  // no table has an entry that allows nothing
  return EINVAL;
}

void Stack::DropArea(Ioas* ioas, Space::Areas::iterator at) {
  Unpin(&at->second);
  ForgetArea(ioas, at);
}

void Stack::ForgetArea(Ioas* ioas, Space::Areas::iterator at) {
  OpenFile* file = at->second.file;
  UnshareArea(&at->second);
  ioas->space.areas().erase(at);
  if (file != nullptr) CloseFile(file);
}

void Stack::CutArea(Ioas* ioas, Space::Areas::iterator area, uint64_t at) {
  if (observer_ != nullptr) {
    for (const Run& run : area->second.runs) {
      if (at <= run.first || run.last < at) continue;
      for (const Hwpt* hwpt : ioas->hwpts) {
        MicroStep<uint64_t> step;
        step.kind = MicroStepKind::kMapSplit;
        step.tag = TagOf(hwpt);
        step.first = run.first;
        step.last = run.last;
        step.backing = run.backing->ordinal();
        step.offset = run.offset;
        step.length = at - run.first;
        Announce(step);
      }
    }
  }
  SplitArea(&ioas->space, area, at, faults_.m10SplitKeepsOldShare);
}

}  // namespace twinwalk::model
