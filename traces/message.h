// Worlds and Outcomes to and from their Cap'n Proto structs. Readers check every count against the
// limits of trace.h and world.h; they may throw kj::Exception on malformed pointers, so callers
// wrap them (reader.cc).
#ifndef TWINWALK_TRACES_MESSAGE_H_
#define TWINWALK_TRACES_MESSAGE_H_

#include <string>

#include "traces/trace.capnp.h"
#include "traces/trace.h"

namespace twinwalk {

void BuildWorld(const World& world, schema::World::Builder to);
void BuildOutcome(const Outcome& outcome, schema::Outcome::Builder to);

// "" or what is wrong.
std::string ReadWorld(schema::World::Reader from, World* world);
std::string ReadOutcome(schema::Outcome::Reader from, Outcome* outcome);
// Assigns, reusing memory; false when longer than kMaxBlobBytes.
bool ReadBytes(capnp::Data::Reader from, std::string* to);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_MESSAGE_H_
