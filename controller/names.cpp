#include "controller/names.hpp"

#include "fabric/registers.hpp"
#include "openflow/codec.hpp"
#include "pipeline/cookie.hpp"

#include <charconv>
#include <fmt/format.h>

namespace weft::controller {
namespace {

std::uint64_t key(Kind kind, ObjectId id) {
    return static_cast<std::uint64_t>(kind) << 56 | id.value;
}

std::string_view way(openflow::Field field, std::uint64_t value) {
    if (field == fabric::kWayIn) {
        constexpr std::array kWays{"none", "local", "uplink", "tunnel"};
        return value < kWays.size() ? kWays[value] : "?";
    }
    constexpr std::array kWays{"port", "uplink", "tunnel"};
    return value < kWays.size() ? kWays[value] : "?";
}

/// The word for a register in listings; empty for a field that has no meaning of weft's.
std::string_view word(openflow::Field field) {
    if (field == fabric::kNetwork) return "network";
    if (field == fabric::kSource) return "from";
    if (field == fabric::kDestination) return "to";
    if (field == fabric::kWayIn) return "way_in";
    if (field == fabric::kWayOut) return "way_out";
    return "";
}

} // namespace

Names::Names(const fabric::World& world) {
    objects_.emplace(key(Kind::fabric, {1}), "fabric/weft");
    for (const auto& [name, host] : world.hosts)
        objects_.emplace(key(Kind::host, host->id), "host/" + name);
    for (const auto& [name, port] : world.topology->ports)
        objects_.emplace(key(Kind::port, object_id(Kind::port, name)), "port/" + name);
    for (const auto& [name, network] : world.networks) {
        objects_.emplace(key(Kind::network, network->core.id), "network/" + name);
        registers_.emplace(network->core.id.value, name);
        for (const auto& [port, attachment] : network->bound) {
            const auto text = world.topology->ports.at(port).trunk.empty() ? port : fmt::format("{}@{}", port, name);
            registers_.emplace(attachment->id.value, text);
        }
    }
}

std::string Names::owner(std::uint64_t cookie) const {
    const auto owner = pipeline::owner_of(cookie);
    if (!owner) return "unknown";
    const auto found = objects_.find(key(owner->kind, owner->object));
    return found == objects_.end() ? fmt::format("{}/?", name_of(owner->kind)) : found->second;
}

std::string Names::register_text(openflow::Field field, std::uint64_t value) const {
    if (field == fabric::kWayIn || field == fabric::kWayOut) return std::string(way(field, value));
    const auto found = registers_.find(value);
    if (found != registers_.end()) return found->second;
    return value == 0 ? "none" : fmt::format("{:#x}", value);
}

namespace {
/// A switch reports a 64-bit register as its two halves.
openflow::Match with_whole_registers(const openflow::Match& match) {
    using openflow::Field;
    openflow::Match whole = match;
    constexpr std::array kHalves{std::tuple{Field::reg0, Field::reg1, Field::xreg0},
                                 std::tuple{Field::reg2, Field::reg3, Field::xreg1}};
    for (const auto& [high, low, both] : kHalves) {
        const auto* upper = match.find(high);
        const auto* lower = match.find(low);
        if (upper == nullptr || lower == nullptr) continue;
        whole.set(high, 0, 0).set(low, 0, 0).set(both, upper->value << 32 | lower->value);
    }
    return whole;
}
} // namespace

std::string Names::match(const openflow::Match& reported) const {
    const auto match = with_whole_registers(reported);
    openflow::Match plain;
    std::string named;
    for (const auto& field : match.fields()) {
        if (word(field.field).empty() || field.mask != openflow::full_mask(field.field)) {
            plain.set(field.field, field.value, field.mask);
            continue;
        }
        if (!named.empty()) named += ",";
        named += fmt::format("{}={}", word(field.field),
                             register_text(field.field, static_cast<std::uint64_t>(field.value)));
    }
    if (plain.fields().empty()) return named;
    return named.empty() ? openflow::to_string(plain) : named + "," + openflow::to_string(plain);
}

std::string Names::actions(const openflow::Actions& actions) const {
    std::string text;
    for (const auto& action : actions) {
        if (!text.empty()) text += ",";
        const auto* set = std::get_if<openflow::SetField>(&action.value);
        if (set != nullptr && !word(set->field).empty() && set->mask == openflow::full_mask(set->field))
            text += fmt::format("{}:={}", word(set->field),
                                register_text(set->field, static_cast<std::uint64_t>(set->value)));
        else
            text += openflow::to_string(openflow::Actions{action});
    }
    return text.empty() ? "drop" : text;
}

} // namespace weft::controller
