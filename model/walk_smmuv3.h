// The SMMUv3 walker: configuration (steps 1 to 8 of the sheet's order of checks), then the stages,
// then the answer or the event record. No cache inside; see stages_smmuv3.h for what an Env is.
#ifndef TWINWALK_MODEL_WALK_SMMUV3_H_
#define TWINWALK_MODEL_WALK_SMMUV3_H_

#include "model/stages_smmuv3.h"

namespace twinwalk::model {

inline std::array<uint64_t, 6> IdrWords(const SmmuRegs& regs) {
  std::array<uint64_t, 6> out{};
  for (int i = 0; i < 6; ++i) out[i] = regs.idr[i];
  return out;
}
inline void Stop(StreamConfig* config, const Stage& fault) {
  config->fault = fault;
  config->event = fault.event;
}

// Steps 2 and 3: the address of the STE, or an event.
template <class Env>
bool FindSte(Env& env, const SmmuRegs& regs, uint32_t sid, StreamConfig* config, uint64_t* where) {
  const uint32_t log2size = regs.strtabBaseCfg & 63;
  const uint32_t sidsize = regs.idr[1] & 63;
  const uint32_t bits = log2size < sidsize ? log2size : sidsize;
  const Stage invalid = Fault(kBadStreamId, kClassInput, false, 0);
  if (bits < 32 && sid >> bits != 0) return Stop(config, invalid), false;
  const uint64_t base = regs.strtabBase & 0x000fffffffffffc0;
  const bool two = (regs.strtabBaseCfg >> 16 & 3) == 1;
  if (!two) {
    const uint32_t align = log2size + 6;
    *where = (align < 52 ? base >> align << align : 0) + uint64_t{sid} * 64;
    return true;
  }
  uint32_t split = regs.strtabBaseCfg >> 6 & 31;
  if (split != 8 && split != 10) split = 6;
  const int low = static_cast<int>(log2size) - static_cast<int>(split) - 1 + 3;
  const int align = low > 5 ? low : 5;
  const uint64_t at = (base >> align << align) + uint64_t{sid >> split} * 8;
  uint64_t l1 = 0;
  if (!env.Read(at, &l1)) return Stop(config, Fault(kSteFetch, kClassInput, false, 0, at)), false;
  const uint32_t span = l1 & 31;
  const uint32_t index = sid & ((1u << split) - 1);
  if (span == 0 || span > 11 || index >= 1u << (span - 1)) return Stop(config, invalid), false;
  const uint32_t size = span - 1 + 6;
  *where = ((l1 & 0x000fffffffffffc0) >> size << size) + uint64_t{index} * 64;
  return true;
}

// Step 6: which context descriptor, if any. False: an event, or stage 1 is not used (no event).
inline bool ChooseCd(const WalkQuery& query, StreamConfig* config) {
  const StreamEntry<Concrete>& ste = config->ste;
  const auto fail = [&](Event e) {
    Stop(config, Fault(e, kClassInput, false, 0));
    return false;
  };
  if (ste.s1cdmax == 0) {
    if (query.hasSsid) return fail(kBadSubstream);
    return true;
  }
  if (!query.hasSsid) {
    if (ste.s1dss == 0) return fail(kStreamDisabled);
    if (ste.s1dss == 1) config->stage1 = false;
    return ste.s1dss != 1;
  }
  if (query.ssid == 0 && ste.s1dss == 2) return fail(kStreamDisabled);
  if (uint64_t{query.ssid} >> ste.s1cdmax != 0) return fail(kBadSubstream);
  config->ssid = query.ssid;
  return true;
}

// Steps 7 and 8. REQUIRES: ChooseCd said true.
template <class Env>
void LoadCd(Env& env, const SmmuRegs& regs, uint64_t s1stalld, StreamConfig* config) {
  Stage fault;
  uint64_t at = config->ste.contextPtr;
  if (config->ste.s1cdmax != 0 && config->ste.s1fmt != 0) {
    const int leaf = config->ste.s1fmt == 1 ? 6 : 10;
    uint64_t l1 = 0;
    const uint64_t where = at + uint64_t{config->ssid >> leaf} * 8;
    if (!FetchStage1(env, *config, where, FetchKind::kCd, &l1, &fault)) return Stop(config, fault);
    if ((l1 & 1) == 0) return Stop(config, Fault(kBadSubstream, kClassInput, false, 0));
    at = (l1 & 0x000ffffffffff000) + uint64_t{config->ssid & ((1u << leaf) - 1)} * 64;
  } else {
    at += uint64_t{config->ssid} * 64;
  }
  std::array<uint64_t, 8> words{};
  for (int i = 0; i < 3; ++i)  // words 3 to 7 are attributes that nothing here depends on
    if (!FetchStage1(env, *config, at + i * 8, FetchKind::kCd, &words[i], &fault))
      return Stop(config, fault);
  config->cdWords = {words[0], words[1], words[2]};
  config->cd = DecodeCd<Concrete>(words, IdrWords(regs), s1stalld);
  if (config->cd.legal == 0) Stop(config, Fault(kBadCd, kClassInput, false, 0));
}

// Steps 1 to 8.
template <class Env>
StreamConfig LoadConfig(Env& env, const SmmuRegs& regs, const WalkQuery& query) {
  StreamConfig config;
  if (!regs.enabled) {
    config.bypass = !regs.gbpaAbort;
    if (regs.gbpaAbort) Stop(&config, Fault(kAbortedSilently, kClassInput, false, 0));
    return config;
  }
  uint64_t at = 0;
  if (!FindSte(env, regs, query.sid, &config, &at)) return config;
  std::array<uint64_t, 4> words{};
  for (int i = 0; i < 4; ++i) {
    if (env.Read(at + i * 8, &words[i])) continue;
    Stop(&config, Fault(kSteFetch, kClassInput, false, 0, at + i * 8));
    return config;
  }
  config.ste = DecodeSte<Concrete>(words, IdrWords(regs));
  if (config.ste.verdict != 0) {
    const uint8_t event = config.ste.verdict == 2 ? kAbortedSilently : kBadSte;
    Stop(&config, Fault(event, kClassInput, false, 0));
    return config;
  }
  config.privCfg = words[1] >> 48 & 3, config.instCfg = words[1] >> 50 & 3;
  config.stage1 = config.ste.stage1 != 0, config.stage2 = config.ste.stage2 != 0;
  if (!config.stage1) {
    if (query.hasSsid) Stop(&config, Fault(kBadSubstream, kClassInput, false, 0));
    config.bypass = !config.stage2;
    return config;
  }
  if (ChooseCd(query, &config)) LoadCd(env, regs, words[1] >> 27 & 1, &config);
  config.bypass = config.event == 0 && !config.stage1 && !config.stage2;
  return config;
}

// Both stages, before any permission check.
struct Translated {
  Stage first;   // stage 1, or a stage-2 fault met on its way; identity when stage 1 is off
  Stage second;  // stage 2; identity when it is off
};
inline Stage Identity(uint64_t address) {
  Stage out;
  out.output = address;
  out.log2Size = 52;
  out.permissions = 0x3f;
  out.global = true;
  return out;
}

// Steps 9 to 11. Stage 1 is completed, permission check included, before stage 2 is asked.
template <class Env>
Stage WalkStages(Env& env, const SmmuRegs& regs, const StreamConfig& config, uint64_t va,
                 const Attributes& a, Translated* out) {
  out->first = Identity(va);
  out->second = Identity(va);
  if (config.stage1) {
    out->first = WalkStage1(env, config, va);
    if (out->first.event != 0) return out->first;
    if (!Stage1Allows(out->first.permissions, a)) return Fault(kPermission, kClassInput, false, 0);
  }
  const uint64_t ipa = out->first.output;
  out->second = Identity(ipa);
  if (config.stage2) {
    const uint64_t oas = SizeOfCode<Concrete>(regs.idr[5] & 7);
    if (!config.stage1 && ipa >> oas != 0) return Fault(kAddressSize, kClassInput, false, 0);
    out->second = env.Stage2(config.ste, ipa, FetchKind::kData);
    if (out->second.event != 0) return out->second;
    if (!Stage2Allows(out->second.permissions, a))
      return Fault(kPermission, kClassInput, true, ipa);
  }
  return Stage{};
}

// Reads physical memory and knows no shortcut.
struct PlainEnv {
  WalkMemory& memory;
  bool Read(uint64_t pa, uint64_t* value) { return memory.Read64(pa, value); }
  Stage Stage2(const StreamEntry<Concrete>& ste, uint64_t ipa, FetchKind) {
    return WalkStage2(*this, ste, ipa);
  }
  bool Stage1Start(uint64_t, int, int*, uint64_t*, uint64_t*) { return false; }
  bool Stage2Start(uint64_t, int, int*, uint64_t*, uint64_t*) { return false; }
  void Stage1Table(uint64_t, int, int, uint64_t, uint64_t) {}
  void Stage2Table(uint64_t, int, int, uint64_t, uint64_t) {}
};

// What present memory says.
inline WalkAnswer WalkSmmuv3(const SmmuRegs& regs, WalkMemory& memory, const WalkQuery& query) {
  PlainEnv env{memory};
  WalkAnswer answer;
  const StreamConfig config = LoadConfig(env, regs, query);
  const Attributes a = AttributesOf(config, query);
  Stage fault = config.fault;
  Translated walked;
  if (config.event == 0 && !config.bypass) {
    const uint64_t va = config.stage1 ? CanonicalVa(config.cd, query.address) : query.address;
    fault = WalkStages(env, regs, config, va, a, &walked);
  }
  if (fault.event != 0) {
    answer.event = Recorded(config, fault, regs) ? fault.event : kAbortedSilently;
    if (answer.event != kAbortedSilently) answer.record = MakeRecord(query, a, fault);
    return answer;
  }
  if (config.bypass) {
    answer.bypass = true;
    answer.pa = query.address;
    answer.rights = kRead | kWrite;
    return answer;
  }
  answer.pa = walked.second.output;
  answer.rights = RightsOf(walked.first.permissions, walked.second.permissions, a.privileged);
  const int log2 = walked.first.log2Size < walked.second.log2Size ? walked.first.log2Size
                                                                  : walked.second.log2Size;
  answer.size = uint64_t{1} << log2;
  answer.vmid = static_cast<uint16_t>(config.ste.vmid);
  answer.global = config.stage1 && walked.first.global;
  if (config.stage1 && !answer.global) answer.asid = static_cast<uint16_t>(config.cd.asid);
  return answer;
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_WALK_SMMUV3_H_
