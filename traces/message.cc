#include "traces/message.h"

namespace twinwalk {
namespace {

capnp::Data::Reader AsData(const std::string& bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

}  // namespace

bool ReadBytes(capnp::Data::Reader from, std::string* to) {
  if (from.size() > kMaxBlobBytes) return false;
  to->assign(reinterpret_cast<const char*>(from.begin()), from.size());
  return true;
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
