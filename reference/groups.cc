#include "reference/groups.h"

#include <algorithm>
#include <optional>

namespace twinwalk::reference {
namespace {

bool IsBridge(const PciFunction& f) {
  return f.kind == PciFunction::kPcieToPci || f.kind == PciFunction::kPciBridge;
}
bool IsPort(const PciFunction& f) {
  return f.kind == PciFunction::kRootPort || f.kind == PciFunction::kUpstreamPort ||
         f.kind == PciFunction::kDownstreamPort;
}
// Functions of one device have the same bus and device number.
bool SameDevice(const PciFunction& a, const PciFunction& b) {
  return a.rid >> 3 == b.rid >> 3;
}

// The functions of f's device, when those are several and one of them does not isolate.
bool Leaks(const std::vector<PciFunction>& functions, const PciFunction& f) {
  bool multifunction = false, open = false;
  for (const PciFunction& o : functions) {
    if (!SameDevice(f, o)) continue;
    multifunction = multifunction || o.multifunction;
    open = open || !o.acs;
  }
  return multifunction && open;
}

}  // namespace

Groups::Groups(const World& world) {
  const std::vector<PciFunction>& functions = world.functions;
  for (size_t i = 0; i < functions.size(); ++i) parent_.push_back(i);
  for (size_t i = 0; i < functions.size(); ++i) {
    const PciFunction& f = functions[i];
    // With the topmost bridge at or above it, and with every port above it that does not isolate.
    std::optional<size_t> top;
    if (IsBridge(f)) top = i;
    for (size_t up = f.parent; up != 0; up = functions[up - 1].parent) {
      const PciFunction& above = functions[up - 1];
      if (IsBridge(above)) top = up - 1;
      if (IsPort(above) && !above.acs) Join(i, up - 1);
    }
    if (top.has_value()) Join(i, *top);
    for (size_t j = 0; j < functions.size(); ++j) {
      const PciFunction& o = functions[j];
      if (SameDevice(f, o) && Leaks(functions, f)) Join(i, j);
      if (f.aliasDevfn != 0 && o.rid == ((f.rid & ~0xffu) | (f.aliasDevfn - 1))) Join(i, j);
    }
  }

  // A class is named by its first device.
  driven_.assign(world.devices.size(), true);
  for (size_t device = 0; device < world.devices.size(); ++device) {
    of_device_.push_back(world.devices[device].group);
    for (size_t i = 0; i < functions.size(); ++i)
      if (functions[i].device == device + 1)
        driven_[device] = functions[i].driver == PciFunction::kVfio;
  }
  of_function_.assign(functions.size(), 0);
  for (size_t i = 0; i < functions.size(); ++i) {
    uint32_t first = 0;  // plus 1
    for (size_t j = 0; j < functions.size(); ++j) {
      const uint32_t device = functions[j].device;
      if (device != 0 && ClassOf(i) == ClassOf(j) && (first == 0 || device < first)) first = device;
    }
    if (first == 0) continue;
    of_function_[i] = world.devices[first - 1].group;
    if (functions[i].device != 0) of_device_[functions[i].device - 1] = of_function_[i];
    if (functions[i].driver == PciFunction::kHost) unviable_.push_back(of_function_[i]);
  }
}

bool Groups::Viable(uint32_t group) const {
  return std::find(unviable_.begin(), unviable_.end(), group) == unviable_.end();
}

size_t Groups::ClassOf(size_t function) const {
  while (parent_[function] != function) function = parent_[function];
  return function;
}

void Groups::Join(size_t a, size_t b) {
  a = ClassOf(a), b = ClassOf(b);
  parent_[std::max(a, b)] = std::min(a, b);
}

}  // namespace twinwalk::reference
