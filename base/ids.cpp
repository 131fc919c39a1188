#include "base/ids.hpp"

#include <cassert>
#include <xxhash.h>

namespace weft {

std::string_view name_of(Kind kind) {
    switch (kind) {
    case Kind::fabric:
        return "fabric";
    case Kind::host:
        return "host";
    case Kind::network:
        return "network";
    case Kind::port:
        return "port";
    case Kind::router:
        return "router";
    case Kind::gateway:
        return "gateway";
    case Kind::floating_ip:
        return "floating_ip";
    case Kind::port_forward:
        return "port_forward";
    case Kind::security_group:
        return "security_group";
    case Kind::qos:
        return "qos";
    case Kind::security_rule:
        return "security_rule";
    case Kind::acl_entry:
        return "acl_entry";
    }
    return "unknown";
}

std::uint64_t content_hash(std::string_view bytes, std::uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

ObjectId object_id(Kind kind, std::string_view name) {
    const std::uint64_t id = content_hash(name, static_cast<std::uint64_t>(kind)) & 0xffff'ffff'ffff;
    return {id == 0 ? 1 : id};
}

} // namespace weft
