// Every freedom that comparison grants: one line, its reason. Reports count how often each was
// used.
#ifndef TWINWALK_TRACES_FREEDOMS_H_
#define TWINWALK_TRACES_FREEDOMS_H_

namespace twinwalk {

struct Freedom {
  const char* name;
  const char* reason;
};

inline constexpr Freedom kFreedoms[] = {
    {"stale-translation",
     "an access may use any retained entry until a covering invalidation "
     "completed (hw-smmuv3 sheet, What may be stale)"},
    {"fd-number", "a recorded process had other files open; its descriptors are not compared"},
    {"object-renaming", "object ids of a recording equal ours up to one consistent renaming"},
    {"silent-log",
     "a recorded kernel's missing log line is unknown; stage-2 faults are not compared "
     "with a recording"},
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_FREEDOMS_H_
