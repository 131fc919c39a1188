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

/// A 64-bit register stands in a match as its two halves.
struct Halves {
    openflow::Field high, low, whole;
};
constexpr std::array kHalves{Halves{openflow::Field::reg0, openflow::Field::reg1, fabric::kSource},
                             Halves{openflow::Field::reg2, openflow::Field::reg3, fabric::kDestination}};

bool is_whole(const openflow::FieldMatch* field) {
    return field != nullptr && field->mask == openflow::full_mask(field->field);
}

/// Takes the fields out of `match` that have a name of weft's.
std::vector<std::pair<openflow::Field, std::uint64_t>> take_named(openflow::Match& match) {
    std::vector<std::pair<openflow::Field, std::uint64_t>> named;
    for (const auto field : {fabric::kNetwork, fabric::kWayIn, fabric::kWayOut}) {
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

std::string Names::match(const openflow::Match& reported) const {
    auto plain = reported;
    std::string text;
    for (const auto& [field, value] : take_named(plain))
        text += fmt::format("{}{}={}", text.empty() ? "" : ",", word(field), register_text(field, value));
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
        else
            text += openflow::to_string(openflow::Actions{action});
    }
    return text.empty() ? "drop" : text;
}

} // namespace weft::controller
