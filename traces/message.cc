#include "traces/message.h"

namespace twinwalk {
namespace {

capnp::Data::Reader AsData(const std::string& bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

void BuildRules(const Rules& rules, schema::World::Builder to) {
  const Preset preset = NearestPreset(rules);
  const Rules of_preset = PresetRules(preset);
  std::vector<uint16_t> exceptions;
  for (uint16_t i = 0; i < AllRules().size(); ++i)
    if (rules.*AllRules()[i].value != of_preset.*AllRules()[i].value) exceptions.push_back(i);
  to.setPreset(static_cast<schema::Preset>(preset));
  auto list = to.initExceptions(static_cast<uint32_t>(exceptions.size()));
  for (uint32_t i = 0; i < exceptions.size(); ++i) {
    list[i].setRule(static_cast<schema::Rule>(exceptions[i]));
    list[i].setValue(rules.*AllRules()[exceptions[i]].value);
  }
}

std::string ReadRules(schema::World::Reader from, Rules* rules) {
  const auto preset = static_cast<Preset>(from.getPreset());
  if (preset != Preset::kLinux72 && preset != Preset::kRepaired) return "unknown preset";
  *rules = PresetRules(preset);
  if (from.getExceptions().size() > AllRules().size()) return "too many rules";
  for (auto setting : from.getExceptions()) {
    const auto i = static_cast<size_t>(setting.getRule());
    if (i >= AllRules().size()) return "unknown rule " + std::to_string(i);
    rules->*AllRules()[i].value = setting.getValue();
  }
  return "";
}

std::string ReadSmmu(schema::World::Smmu::Reader from, SmmuConfig* smmu) {
  if (from.getIdr().size() != smmu->idr.size()) return "an smmu needs 6 IDR words";
  for (uint32_t i = 0; i < smmu->idr.size(); ++i) smmu->idr[i] = from.getIdr()[i];
  smmu->iidr = from.getIidr();
  smmu->aidr = from.getAidr();
  smmu->vmidLimit = from.getVmidLimit();
  smmu->asidLimit = from.getAsidLimit();
  smmu->tlbEntries = from.getTlbEntries();
  smmu->walkCacheEntries = from.getWalkCacheEntries();
  smmu->configCacheEntries = from.getConfigCacheEntries();
  smmu->eventQueueEntries = from.getEventQueueEntries();
  smmu->canNest = from.getCanNest();
  return "";
}

void BuildSmmu(const SmmuConfig& smmu, schema::World::Smmu::Builder to) {
  auto idr = to.initIdr(static_cast<uint32_t>(smmu.idr.size()));
  for (uint32_t i = 0; i < smmu.idr.size(); ++i) idr.set(i, smmu.idr[i]);
  to.setIidr(smmu.iidr);
  to.setAidr(smmu.aidr);
  to.setVmidLimit(smmu.vmidLimit);
  to.setAsidLimit(smmu.asidLimit);
  to.setTlbEntries(smmu.tlbEntries);
  to.setWalkCacheEntries(smmu.walkCacheEntries);
  to.setConfigCacheEntries(smmu.configCacheEntries);
  to.setEventQueueEntries(smmu.eventQueueEntries);
  to.setCanNest(smmu.canNest);
}

}  // namespace

bool ReadBytes(capnp::Data::Reader from, std::string* to) {
  if (from.size() > kMaxBlobBytes) return false;
  to->assign(reinterpret_cast<const char*>(from.begin()), from.size());
  return true;
}

void BuildWorld(const World& world, schema::World::Builder to) {
  to.setName(capnp::Text::Reader(world.name.c_str(), world.name.size()));
  auto smmus = to.initSmmus(static_cast<uint32_t>(world.smmus.size()));
  for (uint32_t i = 0; i < world.smmus.size(); ++i) BuildSmmu(world.smmus[i], smmus[i]);
  auto devices = to.initDevices(static_cast<uint32_t>(world.devices.size()));
  for (uint32_t i = 0; i < world.devices.size(); ++i) {
    devices[i].setSmmu(world.devices[i].smmu);
    devices[i].setStreamId(world.devices[i].streamId);
    devices[i].setGroup(world.devices[i].group);
    devices[i].setTransactionBytes(world.devices[i].transactionBytes);
  }
  auto processes = to.initProcesses(static_cast<uint32_t>(world.processes.size()));
  for (uint32_t i = 0; i < world.processes.size(); ++i) {
    processes[i].setUid(world.processes[i].uid);
    processes[i].setIpcLock(world.processes[i].ipcLock);
    processes[i].setMemlockPages(world.processes[i].memlockPages);
  }
  to.setFrames(world.frames);
  to.setSwMsiFirst(world.swMsiFirst);
  to.setSwMsiLast(world.swMsiLast);
  BuildRules(world.rules, to);
}

std::string ReadWorld(schema::World::Reader from, World* world) {
  if (from.getName().size() > kMaxNameBytes) return "the name is too long";
  world->name.assign(from.getName().begin(), from.getName().size());
  const auto smmus = from.getSmmus();
  const auto devices = from.getDevices();
  const auto processes = from.getProcesses();
  if (smmus.size() > kMaxSmmus || devices.size() > kMaxDevices || processes.size() > kMaxProcesses)
    return "too many smmus, devices or processes";
  world->smmus.assign(smmus.size(), {});
  for (uint32_t i = 0; i < smmus.size(); ++i)
    if (auto bad = ReadSmmu(smmus[i], &world->smmus[i]); !bad.empty()) return bad;
  world->devices.clear();
  for (auto d : devices)
    world->devices.push_back({d.getSmmu(), d.getStreamId(), d.getGroup(), d.getTransactionBytes()});
  world->processes.clear();
  for (auto p : processes)
    world->processes.push_back({p.getUid(), p.getIpcLock(), p.getMemlockPages()});
  world->frames = from.getFrames();
  world->swMsiFirst = from.getSwMsiFirst();
  world->swMsiLast = from.getSwMsiLast();
  if (auto bad = ReadRules(from, &world->rules); !bad.empty()) return bad;
  return ValidateWorld(*world);
}

void BuildOutcome(const Outcome& o, schema::Outcome::Builder to) {
  to.setKnown(o.known);
  to.setErr(o.err);
  to.setId(o.id);
  to.setFd(o.fd);
  to.setRet(o.ret);
  to.setValue0(o.values[0]);
  to.setValue1(o.values[1]);
  to.setValue2(o.values[2]);
  if (!o.out.empty()) to.setOut(AsData(o.out));
  if (!o.data.empty()) to.setData(AsData(o.data));
  if (!o.pieces.empty()) {
    auto pieces = to.initPieces(static_cast<uint32_t>(o.pieces.size()));
    for (uint32_t i = 0; i < o.pieces.size(); ++i) {
      const Piece& piece = o.pieces[i];
      pieces[i].setIova(piece.iova);
      pieces[i].setLength(piece.length);
      pieces[i].setFault(piece.fault);
      pieces[i].setRights(piece.rights);
      pieces[i].setBacking(piece.backing);
      pieces[i].setOffset(piece.offset);
    }
  }
  if (!o.events.empty()) {
    auto events = to.initEvents(static_cast<uint32_t>(o.events.size()));
    for (uint32_t i = 0; i < o.events.size(); ++i) {
      const FaultRecord& event = o.events[i];
      events[i].setQueue(event.queue);
      events[i].setPosition(event.position);
      events[i].setWord0(event.words[0]);
      events[i].setWord1(event.words[1]);
      events[i].setWord2(event.words[2]);
      events[i].setWord3(event.words[3]);
    }
  }
}

std::string ReadOutcome(schema::Outcome::Reader from, Outcome* o) {
  o->known = from.getKnown();
  o->err = from.getErr();
  o->id = from.getId();
  o->fd = from.getFd();
  o->ret = from.getRet();
  o->values = {from.getValue0(), from.getValue1(), from.getValue2()};
  if (!ReadBytes(from.getOut(), &o->out)) return "a recorded `out` is too long";
  if (!ReadBytes(from.getData(), &o->data)) return "a recorded `data` is too long";
  const auto pieces = from.getPieces();
  if (pieces.size() > kMaxPieces) return "too many recorded pieces";
  o->pieces.clear();
  for (auto p : pieces)
    o->pieces.push_back(
        {p.getIova(), p.getLength(), p.getFault(), p.getRights(), p.getBacking(), p.getOffset()});
  const auto events = from.getEvents();
  if (events.size() > kMaxEvents) return "too many recorded events";
  o->events.clear();
  for (auto e : events)
    o->events.push_back(
        {e.getQueue(), e.getPosition(), {e.getWord0(), e.getWord1(), e.getWord2(), e.getWord3()}});
  return "";
}

}  // namespace twinwalk
