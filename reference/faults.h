// Faults that can be planted in the reference: each a one-line deviation inside its templates, so
// that a proof must refute an invariant. For tests only; all off in every other use.
#ifndef TWINWALK_REFERENCE_FAULTS_H_
#define TWINWALK_REFERENCE_FAULTS_H_

namespace twinwalk {

struct ReferenceFaults {
  bool skipInvalidation = false;    // a stage-2 unmap omits TLBI_NH_ALL; on VT-d its IOTLB flush
  bool wrongRightsAnd = false;      // nested rights are those of stage 1 alone
  bool uncountedReference = false;  // an attach does not count its reference on the HWPT
  bool unmapForgetsSpace = false;   // an unmap invalidates for the first HWPT of the IOAS only
};

}  // namespace twinwalk

#endif  // TWINWALK_REFERENCE_FAULTS_H_
