// Names become 48-bit ids by hash of kind and name: nothing to store, the same on every host and after every
// restart. Two objects of a topology with the same id are a validation error (topology/validate).
#pragma once
#include <compare>
#include <cstdint>
#include <string_view>

namespace weft {

/// What an id or a cookie can name. The values go into cookies on switches: never renumber, only append.
enum class Kind : std::uint8_t {
    fabric = 1, ///< weft itself: what belongs to no object of the topology
    host = 2,
    network = 3,
    port = 4,
    router = 5,
    gateway = 6,
    floating_ip = 7,
    port_forward = 8,
    security_group = 9,
    qos = 10,
    security_rule = 11, ///< of a security group; its name is the group's and what it says
    acl_entry = 12,     ///< of a network's ACL, likewise
};

/// The word for a kind in the topology, the CLI and log lines ("security_group").
std::string_view name_of(Kind kind);

/// 48 bits that stand for (kind, name). Never 0.
struct ObjectId {
    std::uint64_t value = 0;
    auto operator<=>(const ObjectId&) const = default;
};

/// The id of an object by its name. Pure and stable for ever: it is in the cookies of installed flows.
ObjectId object_id(Kind kind, std::string_view name);

/// 64-bit content hash (XXH3), for change detection; not for adversarial input.
std::uint64_t content_hash(std::string_view bytes, std::uint64_t seed = 0);

} // namespace weft
