// What the translations of gateways have counted, read from the switches.
#pragma once
#include "fabric/world.hpp"
#include "openflow/session.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace weft::controller {

struct Count {
    std::uint64_t packets = 0, bytes = 0;
    Count& operator+=(const Count& other) {
        packets += other.packets;
        bytes += other.bytes;
        return *this;
    }
};

/// By what is translated for: a router (SNAT), a floating IP or a port forward.
using TranslationCounts = std::map<std::pair<Kind, ObjectId>, Count>;

/// Those where anything is translated, or may be.
std::set<std::string> translating_hosts(const fabric::World& world);

/// Of one host, from the flows of the two stages that translate. Errors as of Session::dump.
Task<Result<TranslationCounts>> read_translations(std::shared_ptr<openflow::Session> session);

} // namespace weft::controller
