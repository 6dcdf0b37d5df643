// Which VFIO ioctl goes where: dispatch is on the kind of file, since numbers are reused between
// them (type1 2; TRACE 8).
#include "reference/shell.h"

namespace twinwalk::reference {
namespace {

enum class Family { kContainer, kGroup, kDevice };

// REQUIRES: an ioctl of VFIO's other than BIND, ATTACH, DETACH.
Family FamilyOf(OpKind kind) {
  if (kind <= OpKind::kVfioIommuDirtyPages) return Family::kContainer;
  return kind <= OpKind::kVfioGroupGetDeviceFd ? Family::kGroup : Family::kDevice;
}

Outcome Error(int err) {
  Outcome out;
  out.err = static_cast<uint16_t>(err);
  return out;
}

}  // namespace

Outcome Shell::DoVfio(const Op& op) {
  const File file = *processes_.Find(op.process, op.fd);
  const bool device = file.kind == FileKind::kDevice || file.kind == FileKind::kCdev;
  if (file.kind == FileKind::kCdev && file.context == 0) return Error(EINVAL);
  switch (FamilyOf(op.kind)) {
    case Family::kContainer:
      if (file.kind == FileKind::kIommu) return DoCompat(op, file.context);
      return file.kind == FileKind::kContainer ? DoContainer(op, file.context) : Error(ENOTTY);
    case Family::kGroup:
      return file.kind == FileKind::kGroup ? DoGroup(op, FindGroup(file.group, file.noiommu))
                                           : Error(ENOTTY);
    case Family::kDevice:
      return device ? DoDevice(op, file) : Error(ENOTTY);
  }
  return Error(ENOTTY);
}

}  // namespace twinwalk::reference
