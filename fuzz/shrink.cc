#include "fuzz/shrink.h"

#include <algorithm>

#include "fuzz/edit.h"
#include "fuzz/guest.h"
#include "traces/check.h"

namespace twinwalk::fuzz {
namespace {

class Shrinker {
 public:
  Shrinker(const Trace& trace, const Judge& judge, size_t budget)
      : best_(trace), judge_(judge), budget_(budget) {
    best_.expect.clear(), best_.damages.clear();
    for (Op& op : best_.ops) op.recorded.reset();
    const auto finding = judge_(best_);
    ++runs_;
    CHECK(finding.has_value());
    key_ = FindingKey(best_, *finding);
    best_.ops.resize(std::min(best_.ops.size(), finding->ordinal + 1));
  }

  void Run() {
    for (bool smaller = true; smaller && runs_ < budget_;) {
      smaller = RemoveChunks();
      smaller |= SimplifyOps();
      smaller |= SimplifyWorld();
    }
  }
  Trace& best() { return best_; }
  size_t runs() const { return runs_; }

 private:
  bool Try(Trace candidate) {
    if (runs_ >= budget_ || SameTrace(candidate, best_)) return false;
    ++runs_;
    const auto finding = judge_(candidate);
    if (!finding || FindingKey(candidate, *finding) != key_) return false;
    candidate.ops.resize(std::min(candidate.ops.size(), finding->ordinal + 1));
    best_ = std::move(candidate);
    return true;
  }
  template <class F>
  bool TryOn(F&& change) {
    Trace candidate = best_;
    change(candidate);
    return Try(std::move(candidate));
  }

  bool RemoveChunks() {
    bool any = false;
    for (size_t count = std::max<size_t>(1, best_.ops.size() / 2); count > 0; count /= 2)
      for (size_t at = best_.ops.size(); at-- > 0;) {
        if (at + count > best_.ops.size()) continue;
        any |= TryOn([&](Trace& t) { RemoveOps(&t.ops, at, count); });
      }
    return any;
  }

  bool SimplifyOps() {
    bool any = false;
    for (size_t i = 0; i < best_.ops.size(); ++i) {
      any |= SimplifyHead(i);
      any |= SimplifyFields(i);
      any |= SimplifyBlob(i);
    }
    return any;
  }
  bool SimplifyHead(size_t i) {
    const uint32_t size = StructSize(best_.ops[i].kind);
    bool any = TryOn([&](Trace& t) { t.ops[i].process = 0; });
    if (size == 0) return any;
    any |= TryOn([&](Trace& t) { t.ops[i].size = size; });
    any |= TryOn([&](Trace& t) { t.ops[i].readable = 65535; });
    any |= TryOn([&](Trace& t) { t.ops[i].writable = 65535; });
    return any;
  }
  // Sets field n of Op i to f(value); the number of fields is counted on the way.
  template <class F>
  bool ChangeField(size_t i, size_t n, F&& f) {
    return TryOn([&](Trace& t) {
      size_t at = 0;
      VisitWith(
          t.ops[i],
          [&](const char*, auto& value) {
            if (at++ == n) value = static_cast<std::remove_reference_t<decltype(value)>>(f(value));
          },
          [](const char*, Handle&, HandleRole, int) {});
    });
  }
  bool SimplifyFields(size_t i) {
    size_t fields = 0;
    VisitWith(
        best_.ops[i], [&](const char*, auto&) { ++fields; },
        [](const char*, Handle&, HandleRole, int) {});
    bool any = false;
    for (size_t n = 0; n < fields; ++n) {
      if (ChangeField(i, n, [](uint64_t) { return uint64_t{0}; })) {
        any = true;
        continue;
      }
      any |= ChangeField(i, n, [](uint64_t v) { return v > 1 ? uint64_t{1} : v; });
      any |= ChangeField(i, n, [](uint64_t v) { return v > kPageBytes ? kPageBytes : v; });
      any |= ChangeField(i, n, [](uint64_t v) { return v & ~(kPageBytes - 1); });
    }
    return any;
  }
  bool SimplifyBlob(size_t i) {
    if (best_.ops[i].blob.empty()) return false;
    bool any = TryOn([&](Trace& t) { t.ops[i].blob.clear(); });
    if (any) return true;
    for (size_t drop = best_.ops[i].blob.size() / 2; drop > 0; drop /= 2)
      while (best_.ops[i].blob.size() >= drop &&
             TryOn([&](Trace& t) { t.ops[i].blob.resize(t.ops[i].blob.size() - drop); }))
        any = true;
    for (size_t at = 0; at + 8 <= best_.ops[i].blob.size(); at += 8) {
      const uint64_t word = WordAt(best_.ops[i].blob, at);
      if (word == 0) continue;
      if (TryOn([&](Trace& t) { SetWordAt(&t.ops[i].blob, at, 0); })) {
        any = true;
        continue;
      }
      for (int bit = 63; bit >= 0; --bit)
        if ((word >> bit & 1) != 0)
          any |= TryOn([&](Trace& t) {
            SetWordAt(&t.ops[i].blob, at, WordAt(t.ops[i].blob, at) & ~(uint64_t{1} << bit));
          });
    }
    return any;
  }

  bool SimplifyWorld() {
    bool any = TryOn([](Trace& t) { t.world.processes.assign(1, ProcessConfig{}); });
    any |= TryOn([](Trace& t) {
      for (SmmuConfig& smmu : t.world.smmus) smmu = SmmuConfig{};
    });
    any |= TryOn([](Trace& t) { t.world.rules = PresetRules(Preset::kLinux72); });
    any |= TryOn([](Trace& t) {
      for (DeviceConfig& device : t.world.devices) device.transactionBytes = 0;
    });
    while (best_.world.devices.size() > 1 && TryOn([](Trace& t) { t.world.devices.pop_back(); }))
      any = true;
    any |= TryOn([](Trace& t) {
      for (VtdConfig& vtd : t.world.vtds) vtd = VtdConfig{};
    });
    any |= TryOn([](Trace& t) { t.world.functions.clear(); });
    any |= TryOn([](Trace& t) {
      for (DeviceConfig& device : t.world.devices) device.vfio = VfioConfig{};
    });
    const auto clamp = [](Trace& t) {
      const size_t iommus = t.world.smmus.size() + t.world.vtds.size();
      for (DeviceConfig& device : t.world.devices)
        device.smmu = std::min<uint32_t>(device.smmu, static_cast<uint32_t>(iommus - 1));
    };
    any |= TryOn([&](Trace& t) {
      if (t.world.smmus.size() > 1) t.world.smmus.pop_back();
      clamp(t);
    });
    any |= TryOn([&](Trace& t) {
      if (t.world.smmus.empty()) return;
      t.world.vtds.clear();
      clamp(t);
    });
    return any;
  }

  Trace best_;
  const Judge& judge_;
  size_t budget_;
  size_t runs_ = 0;
  std::string key_;
};

}  // namespace

std::string FindingKey(const Trace& trace, const Finding& finding) {
  std::string key =
      std::string(FindingKindName(finding.kind)) + "|" + finding.invariant + "|" + finding.clause;
  if (finding.kind == Finding::Kind::kDivergence && finding.ordinal < trace.ops.size()) {
    key += std::string("|") + OpName(trace.ops[finding.ordinal].kind);
    if (!finding.differences.empty()) {
      const Difference& first = finding.differences[0];
      bool list = false;
      key += "|";
      for (char c : first.field) {
        if (c == '[') list = true;
        if (!list) key += c;
        if (c == ']') list = false;
      }
      if (first.field == "err") key += " " + first.should_be + " " + first.is;
    }
  }
  if (finding.kind == Finding::Kind::kViewDiffers)
    for (const std::string& row : finding.rows) {
      key += "|" + row.substr(0, row.find(' ', 2));
      break;
    }
  return key;
}

Shrunk Shrink(const Trace& trace, const Judge& judge, size_t budget) {
  Shrinker shrinker(trace, judge, budget);
  shrinker.Run();
  return {std::move(shrinker.best()), shrinker.runs()};
}

}  // namespace twinwalk::fuzz
