// An iommufd as a VFIO container: the type1 commands on its file, and the groups and devices that
// are put into it (iommufd sheet 8). What a native container does has its own files.
#ifndef TWINWALK_MODEL_COMPAT_H_
#define TWINWALK_MODEL_COMPAT_H_

#include "model/front.h"

namespace twinwalk::model {

// kVfioGetApiVersion, kVfioCheckExtension, kVfioSetIommu, kVfioIommuGetInfo, kVfioIommuMapDma,
// kVfioIommuUnmapDma, kVfioIommuDirtyPages on the file of `context`. REQUIRES: op.kind is one.
Outcome CompatCommand(Stack* stack, Context* context, const Op& op);

// GROUP_SET_CONTAINER of a group to an iommufd, after the group's own checks: makes the compat IOAS
// when there is none. 0 or an errno. `noiommu`: the group has no IOMMU. The caller counts itself
// among context->holders while the group is in (GROUP_UNSET_CONTAINER may give that up at any time:
// open devices stay bound).
int JoinContext(Stack* stack, Context* context, bool noiommu);

// GROUP_GET_DEVICE_FD, first open of a device whose group is in `context`: binds it (a DEVICE
// object) and attaches it to the compat IOAS. 0 or an errno, and then nothing changed.
// CloseContextDevice at the last close of the device: detaches and unbinds it.
int OpenContextDevice(Stack* stack, Context* context, uint32_t device);
void CloseContextDevice(Stack* stack, uint32_t device);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_COMPAT_H_
