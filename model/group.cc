#include "model/group.h"

#include <map>
#include <numeric>

namespace twinwalk::model {
namespace {

// Which functions cannot be told apart, as sets that only grow together.
class Classes {
 public:
  explicit Classes(size_t n) : above_(n) { std::iota(above_.begin(), above_.end(), 0u); }
  uint32_t Of(uint32_t i) const {
    while (above_[i] != i) i = above_[i];
    return i;
  }
  void Join(uint32_t a, uint32_t b) {
    a = Of(a), b = Of(b);
    above_[a > b ? a : b] = a > b ? b : a;
  }

 private:
  std::vector<uint32_t> above_;
};

bool IsPort(const PciFunction& f) {
  return f.kind == PciFunction::kRootPort || f.kind == PciFunction::kUpstreamPort ||
         f.kind == PciFunction::kDownstreamPort;
}
bool IsConventionalBridge(const PciFunction& f) {
  return f.kind == PciFunction::kPcieToPci || f.kind == PciFunction::kPciBridge;
}

Classes ClassesOf(const std::vector<PciFunction>& functions, const ModelFaults& faults) {
  const uint32_t count = static_cast<uint32_t>(functions.size());
  Classes classes(count);
  const auto isolates = [&](const PciFunction& f) { return f.acs || faults.m04MissingAcsIgnored; };
  for (uint32_t i = 0; i < count; ++i) {
    // Behind a bridge that uses one requester id for all, or beneath a port that turns requests
    // round: together with it.
    for (uint32_t up = functions[i].parent; up != 0; up = functions[up - 1].parent) {
      const PciFunction& above = functions[up - 1];
      if (IsConventionalBridge(above) || (IsPort(above) && !isolates(above)))
        classes.Join(i, up - 1);
    }
    for (uint32_t j = 0; j < count; ++j) {
      const PciFunction& a = functions[i];
      const PciFunction& b = functions[j];
      if (a.aliasDevfn != 0 && b.rid == ((a.rid & ~0xffu) | (a.aliasDevfn - 1))) classes.Join(i, j);
      // One slot: functions that are not isolated from each other, one of them suffices.
      if (i == j || a.rid >> 3 != b.rid >> 3 || isolates(a)) continue;
      bool multifunction = false;
      for (const PciFunction& f : functions)
        multifunction |= f.rid >> 3 == a.rid >> 3 && f.multifunction;
      if (multifunction) classes.Join(i, j);
    }
  }
  return classes;
}

bool DoesHostDma(const PciFunction& f) {
  return f.driver == PciFunction::kHost;
}

}  // namespace

Group* Groups::Find(uint32_t number) {
  for (Group& group : all)
    if (!group.devices.empty() && group.number == number) return &group;
  return nullptr;
}

Groups DeriveGroups(const World& world, const ModelFaults& faults) {
  Groups groups;
  groups.ofDevice.resize(world.devices.size());
  groups.ofFunction.resize(world.functions.size());
  const Classes classes = ClassesOf(world.functions, faults);
  std::vector<uint32_t> function_of(world.devices.size());  // plus 1
  for (uint32_t f = 0; f < world.functions.size(); ++f)
    if (world.functions[f].device != 0) function_of[world.functions[f].device - 1] = f + 1;

  std::map<uint32_t, uint32_t> of_class, of_number;  // to indices of groups
  const auto group_of = [&](std::map<uint32_t, uint32_t>* known, uint32_t key, uint32_t number) {
    const auto [it, fresh] = known->emplace(key, static_cast<uint32_t>(groups.all.size()));
    if (fresh) groups.all.emplace_back().number = number;
    return it->second;
  };
  for (uint32_t d = 0; d < world.devices.size(); ++d) {
    const uint32_t number = world.devices[d].group;
    const uint32_t group = function_of[d] != 0
                               ? group_of(&of_class, classes.Of(function_of[d] - 1), number)
                               : group_of(&of_number, number, number);
    groups.ofDevice[d] = group;
    groups.all[group].devices.push_back(d);
  }
  for (uint32_t f = 0; f < world.functions.size(); ++f) {
    const uint32_t group = group_of(&of_class, classes.Of(f), 0);
    groups.ofFunction[f] = group;
    if (DoesHostDma(world.functions[f])) groups.all[group].viable = false;
  }
  return groups;
}

bool HasIommu(const World& world, uint32_t device) {
  return world.devices[device].smmu != kNoIommu;
}

bool IsolatesMsi(const World& world, uint32_t device) {
  const uint32_t iommu = world.devices[device].smmu;
  if (iommu < world.smmus.size()) return true;  // its interrupt controller tells devices apart
  if (iommu == kNoIommu) return false;
  return world.vtds[iommu - world.smmus.size()].interruptRemapping;
}

}  // namespace twinwalk::model
