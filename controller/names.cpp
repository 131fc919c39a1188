#include "controller/names.hpp"

#include "openflow/codec.hpp"
#include "pipeline/cookie.hpp"
#include "pipeline/fields.hpp"
#include "pipeline/stages.hpp"
#include "topology/ids.hpp"
#include "topology/nearest.hpp"

#include <charconv>
#include <fmt/format.h>

namespace weft::controller {
namespace {

constexpr std::string_view kUnknown = "unknown"; ///< not weft's
constexpr std::string_view kGone = "/?";         ///< behind the kind of an object that is gone

std::uint64_t key(Kind kind, ObjectId id) {
    return static_cast<std::uint64_t>(kind) << 56 | id.value;
}

std::string_view way(openflow::Field field, std::uint64_t value) {
    if (field == pipeline::kNat) {
        constexpr std::array kSteps{"none", "active", "translating", "outside", "restoring"};
        return value < kSteps.size() ? kSteps[value] : "?";
    }
    if (field == pipeline::kWayIn) {
        constexpr std::array kWays{"none", "local", "uplink", "tunnel"};
        return value < kWays.size() ? kWays[value] : "?";
    }
    constexpr std::array kWays{"port", "uplink", "tunnel"};
    return value < kWays.size() ? kWays[value] : "?";
}

/// The word for a register in listings; empty for a field that has no meaning of weft's.
std::string_view word(openflow::Field field) {
    if (field == pipeline::kNetwork) return "network";
    if (field == pipeline::kSource) return "from";
    if (field == pipeline::kDestination) return "to";
    if (field == pipeline::kWayIn) return "way_in";
    if (field == pipeline::kWayOut) return "way_out";
    if (field == pipeline::kRouter) return "router";
    if (field == pipeline::kNat) return "nat";
    return "";
}

} // namespace

std::string_view stage_name(std::uint8_t table) {
    const auto* stage = pipeline::stage_of_table(table);
    return stage == nullptr ? "" : stage->name;
}

std::string line_of(const topology::Origin& origin) {
    return origin.line == 0 ? std::string() : fmt::format("{}:{}", origin.file, origin.line);
}

Names::Names(const fabric::World& world) {
    const auto put = [&](Kind kind, ObjectId id, std::string name, const topology::Origin& origin) {
        objects_.emplace(key(kind, id), Object{std::move(name), origin});
    };
    put(Kind::fabric, {1}, "fabric/weft", {});
    for (const auto& [name, host] : world.topology->hosts)
        put(Kind::host, object_id(Kind::host, name), "host/" + name, host.origin);
    for (const auto& [name, port] : world.topology->ports)
        put(Kind::port, object_id(Kind::port, name), "port/" + name, port.origin);
    const auto add = [&](Kind kind, const auto& objects) {
        for (const auto& [name, object] : objects) {
            const auto id = object_id(kind, name);
            put(kind, id, fmt::format("{}/{}", name_of(kind), name), object.origin);
            registers_.emplace(id.value, name);
        }
    };
    add(Kind::router, world.topology->routers);
    add(Kind::gateway, world.topology->gateways);
    add(Kind::port_forward, world.topology->port_forwards);
    for (const auto& [name, group] : world.groups) {
        const auto& written = world.topology->security_groups.at(name);
        put(Kind::security_group, group->id, "security_group/" + name, written.origin);
        groups_.emplace(group->number, name);
        // By its place in the file: "rule 2" is what the admin counts.
        for (std::size_t i = 0; i < written.rules.size(); ++i)
            put(Kind::security_rule, topology::rule_id(name, written.rules[i]),
                fmt::format("security_group/{} rule {}", name, i + 1), written.rules[i].origin);
    }
    for (const auto& [name, network] : world.topology->networks)
        for (std::size_t i = 0; i < network.acl.size(); ++i)
            put(Kind::acl_entry, topology::entry_id(name, network.acl[i]),
                fmt::format("network/{} acl {}", name, i + 1), network.acl[i].origin);
    for (const auto& [address, floating] : world.topology->floating_ips) {
        const auto id = object_id(Kind::floating_ip, address.to_string());
        put(Kind::floating_ip, id, "floating_ip/" + address.to_string(), floating.origin);
        registers_.emplace(id.value, address.to_string());
    }
    for (const auto& [name, network] : world.networks) {
        put(Kind::network, network->core.id, "network/" + name, world.topology->networks.at(name).origin);
        registers_.emplace(network->core.id.value, name);
        for (const auto& [port, attachment] : network->bound) {
            const auto text = world.topology->ports.at(port).trunk.empty() ? port : fmt::format("{}@{}", port, name);
            registers_.emplace(attachment->id.value, text);
        }
    }
}

std::string Names::owner(std::uint64_t cookie) const {
    const auto owner = pipeline::owner_of(cookie);
    if (!owner) return std::string(kUnknown);
    const auto found = objects_.find(key(owner->kind, owner->object));
    return found == objects_.end() ? fmt::format("{}{}", name_of(owner->kind), kGone) : found->second.name;
}

std::optional<std::string> Names::misnamed(std::string_view owner) const {
    if (owner == kUnknown || owner.ends_with(kGone)) return std::nullopt;
    topology::Nearest nearest(owner);
    for (const auto& [_, object] : objects_) {
        if (object.name == owner) return std::nullopt;
        nearest.offer(object.name);
    }
    const auto remedy = nearest.remedy();
    return remedy.empty() && !owner.contains('/') ? "write KIND/NAME, as in port/web1" : remedy;
}

std::string Names::source(std::uint64_t cookie) const {
    const auto owner = pipeline::owner_of(cookie);
    if (!owner) return {};
    const auto found = objects_.find(key(owner->kind, owner->object));
    return found == objects_.end() ? std::string() : line_of(found->second.origin);
}

std::string Names::value(openflow::Field field, openflow::Bits value) const {
    if (field == pipeline::kConnection)
        return connection_text(value, pipeline::kVerdictBits | (value >> 16 != 0 ? pipeline::kZoneBits : 0));
    return register_text(field, static_cast<std::uint64_t>(value));
}

std::string Names::register_text(openflow::Field field, std::uint64_t value) const {
    if (field == pipeline::kWayIn || field == pipeline::kWayOut || field == pipeline::kNat)
        return std::string(way(field, value));
    const auto found = registers_.find(value);
    if (found != registers_.end()) return found->second;
    return value == 0 ? "none" : fmt::format("{:#x}", value);
}

namespace {

/// A 64-bit register stands in a match as its two halves.
struct Halves {
    openflow::Field high, low, whole;
};
constexpr std::array kHalves{Halves{openflow::Field::reg0, openflow::Field::reg1, pipeline::kSource},
                             Halves{openflow::Field::reg2, openflow::Field::reg3, pipeline::kDestination},
                             Halves{openflow::Field::reg8, openflow::Field::reg9, pipeline::kRouter}};

/// Not respond's use of the register.
bool is_of_connection(openflow::Bits mask) {
    return (mask & ~(pipeline::kVerdictBits | pipeline::kZoneBits)) == 0;
}

bool is_whole(const openflow::FieldMatch* field) {
    return field != nullptr && field->mask == openflow::full_mask(field->field);
}

/// Takes the fields out of `match` that have a name of weft's.
std::vector<std::pair<openflow::Field, std::uint64_t>> take_named(openflow::Match& match) {
    std::vector<std::pair<openflow::Field, std::uint64_t>> named;
    for (const auto field : {pipeline::kNetwork, pipeline::kWayIn, pipeline::kWayOut, pipeline::kNat}) {
        const auto* found = match.find(field);
        if (!is_whole(found)) continue;
        named.emplace_back(field, static_cast<std::uint64_t>(found->value));
        match.set(field, 0, 0);
    }
    for (const auto& [high, low, whole] : kHalves) {
        const auto* upper = match.find(high);
        const auto* lower = match.find(low);
        if (!is_whole(upper) || !is_whole(lower)) continue;
        named.emplace_back(whole, static_cast<std::uint64_t>(upper->value << 32 | lower->value));
        match.set(high, 0, 0).set(low, 0, 0);
    }
    return named;
}

} // namespace

const std::string* Names::find_group(std::uint32_t number) const {
    const auto found = groups_.find(number);
    return found == groups_.end() ? nullptr : &found->second;
}

std::string Names::connection_text(openflow::Bits value, openflow::Bits mask) const {
    std::string text;
    if (mask & pipeline::kVerdictBits) {
        constexpr std::array kVerdicts{"untracked", "established", "pending", "asked", "allowed", "judged"};
        const auto verdict = static_cast<std::size_t>(value & pipeline::kVerdictBits);
        text = verdict < kVerdicts.size() ? kVerdicts[verdict] : "?";
    }
    if (mask & pipeline::kZoneBits) text += fmt::format("@{}", static_cast<std::uint32_t>(value) >> 16);
    return text;
}

std::string Names::match(const openflow::Match& reported) const {
    auto plain = reported;
    std::string text;
    const auto say = [&](std::string_view what, const std::string& value) {
        text += fmt::format("{}{}={}", text.empty() ? "" : ",", what, value);
    };
    for (const auto& [field, value] : take_named(plain))
        say(word(field), register_text(field, value));
    if (const auto* connection = plain.find(pipeline::kConnection);
        connection != nullptr && is_of_connection(connection->mask)) {
        say("connection", connection_text(connection->value, connection->mask));
        plain.set(pipeline::kConnection, 0, 0);
    }
    if (const auto* group = plain.find(pipeline::kGroup); group != nullptr) {
        if (const auto* name = find_group(static_cast<std::uint32_t>(group->value))) {
            say("group", *name);
            plain.set(pipeline::kGroup, 0, 0);
        }
    }
    if (plain.fields().empty()) return text;
    return text.empty() ? openflow::to_string(plain) : text + "," + openflow::to_string(plain);
}

std::string Names::actions(const openflow::Actions& actions) const {
    std::string text;
    for (const auto& action : actions) {
        if (!text.empty()) text += ",";
        const auto* set = std::get_if<openflow::SetField>(&action.value);
        if (set != nullptr && !word(set->field).empty() && set->mask == openflow::full_mask(set->field))
            text += fmt::format("{}:={}", word(set->field),
                                register_text(set->field, static_cast<std::uint64_t>(set->value)));
        else if (set != nullptr && set->field == pipeline::kConnection && is_of_connection(set->mask))
            text += fmt::format("connection:={}", connection_text(set->value, set->mask));
        else if (const auto* group = set != nullptr && set->field == pipeline::kGroup
                                         ? find_group(static_cast<std::uint32_t>(set->value))
                                         : nullptr)
            text += fmt::format("group:={}", *group);
        else
            text += openflow::to_string(openflow::Actions{action});
    }
    return text.empty() ? "drop" : text;
}

} // namespace weft::controller
