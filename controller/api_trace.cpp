// The way of a packet through the flows that the hosts hold now, in the keys of docs/api.md.
#include "controller/api.hpp"
#include "controller/installed.hpp"
#include "controller/names.hpp"
#include "controller/trace_words.hpp"
#include "openflow/frame.hpp"
#include "pipeline/stages.hpp"

#include <boost/json.hpp>
#include <charconv>
#include <fmt/format.h>

namespace weft::controller::view {
namespace json = boost::json;
namespace {

using fabric::Outcome;

/// A probe's walk over what is installed; hosts are read as the packet comes to them.
struct Traced {
    fabric::Walk walk;
    fabric::Connections connections;
};

Task<Result<Traced>> trace_probe(const fabric::World& world, Installed& installed, const fabric::Probe& probe,
                                 const fabric::Connections& before) {
    while (true) {
        Traced traced{{}, before};
        traced.walk = fabric::walk(world, installed, traced.connections, probe.entrance, probe.packet);
        if (traced.walk.missing.empty()) co_return traced;
        for (const auto& host : traced.walk.missing)
            if (auto read = co_await installed.read(host); !read) co_return std::unexpected(read.error());
    }
}

json::object object_of(const TraceWords& words, const Outcome& outcome) {
    const auto verdict = words.verdict(outcome);
    json::array path;
    for (const auto& step : words.path(*outcome.end))
        path.push_back({{"host", step.host},
                        {"stage", stage_name(step.table)},
                        {"table", step.table},
                        {"object", step.object},
                        {"source", step.source},
                        {"action", step.action},
                        {"match", step.match},
                        {"flow_actions", step.flow_actions}});
    return {{"verdict", verdict.verdict}, {"reason", verdict.reason}, {"by", verdict.by},       {"at", verdict.at},
            {"source", verdict.source},   {"text", verdict.text},     {"path", std::move(path)}};
}

json::array texts(const std::vector<std::string>& one, const std::vector<std::string>& other) {
    json::array result;
    for (const auto* list : {&one, &other})
        for (const auto& text : *list)
            if (std::ranges::find(result, json::value(text)) == result.end()) result.emplace_back(text);
    return result;
}

/// Where no switch was come to: nothing was asked for that can go anywhere.
json::object nowhere(const fabric::Probe& probe) {
    return {{"verdict", "dropped"},
            {"reason", "unknown_destination"},
            {"by", ""},
            {"at", ""},
            {"source", ""},
            {"text", fmt::format("dropped: no host answers on {} to {}", probe.entrance.physnet,
                                 TraceWords::packet(probe.packet))},
            {"path", json::array{}}};
}

Result<std::vector<std::byte>> bytes_of(std::string_view hex) {
    std::vector<std::byte> bytes;
    int digits = 0;
    unsigned value = 0;
    for (const char c : hex) {
        if (c == ' ' || c == ':') continue;
        unsigned digit = 0;
        if (std::from_chars(&c, &c + 1, digit, 16).ec != std::errc{})
            return fail(ErrorKind::invalid, "a frame is written as hexadecimal digits: 0242ac110002...");
        value = value << 4 | digit;
        if (++digits % 2 == 0) bytes.push_back(static_cast<std::byte>(value & 0xff));
    }
    return bytes;
}

/// "192.0.2.11/4096": the VTEP that a frame in VXLAN comes from, and its VNI.
Result<> put_tunnel(const std::string& text, openflow::Packet& packet) {
    using openflow::Field;
    const auto slash = text.find('/');
    const auto sender = Ip::parse(text.substr(0, slash));
    const auto digits = slash == std::string::npos ? std::string() : text.substr(slash + 1);
    std::uint32_t vni = 0;
    if (!sender || std::from_chars(digits.data(), digits.data() + digits.size(), vni).ec != std::errc{})
        return fail(ErrorKind::invalid, fmt::format("'{}' is no tunnel: write VTEP/VNI, as 192.0.2.11/4096", text));
    packet.set(sender->is_v6() ? Field::tun_ipv6_src : Field::tun_src, openflow::bits(*sender));
    packet.set(Field::tun_id, vni);
    return {};
}

/// A frame as it stands, at a port or at an interface of a host's bridge ("kvm1/vnet3").
Result<fabric::Probe> frame_probe(const Supervisor& supervisor, const fabric::World& world, const TraceQuery& query) {
    const auto bytes = bytes_of(query.frame);
    if (!bytes) return std::unexpected(bytes.error());
    auto packet = openflow::packet_of(*bytes);
    if (!packet) return std::unexpected(packet.error());
    fabric::Probe probe{.from = {}, .to = {}, .entrance = {}, .packet = std::move(*packet), .assumed = {}};
    if (!query.tunnel.empty())
        if (const auto put = put_tunnel(query.tunnel, probe.packet); !put) return std::unexpected(put.error());
    const auto& from = query.question.from;
    if (const auto binding = supervisor.intent().bindings().find(from);
        binding != supervisor.intent().bindings().end()) {
        probe.from.port = from;
        probe.entrance = {binding->second.host, binding->second.ofport, {}};
        return probe;
    }
    const auto slash = from.find('/');
    const auto host = from.substr(0, slash);
    const auto agent = supervisor.hosts().find(host);
    const auto session = agent == supervisor.hosts().end() ? nullptr : agent->second.flows->session();
    if (session && slash != std::string::npos && world.hosts.contains(host))
        for (const auto& [number, port] : session->ports())
            if (port.name == from.substr(slash + 1)) {
                probe.entrance = {host, number, {}};
                return probe;
            }
    return fail(
        ErrorKind::invalid,
        fmt::format("'{}' is no port that is plugged in, nor HOST/INTERFACE of a bridge that is connected", from));
}

} // namespace

Task<Result<json::value>> trace(const Supervisor& supervisor, TraceQuery query) {
    // One world for all of it, also while the hosts are read.
    const auto world = supervisor.intent().published().world;
    auto probe = query.frame.empty() ? fabric::probe(*world, query.question) : frame_probe(supervisor, *world, query);
    if (!probe) co_return std::unexpected(probe.error());
    Installed installed(supervisor);
    auto traced = co_await trace_probe(*world, installed, *probe, {});
    if (!traced) co_return std::unexpected(traced.error());
    auto outcome = fabric::outcome(traced->walk, *probe);
    auto assumed = probe->assumed;
    json::object result;
    if (query.reply && outcome.verdict == Outcome::Verdict::delivered && !outcome.answered && outcome.end != nullptr) {
        const auto arrived = traced->walk.step({outcome.end->passage, outcome.end->step}).packet;
        const auto answer = fabric::answer_probe(*world, *probe, *outcome.end, arrived);
        auto back = co_await trace_probe(*world, installed, answer, traced->connections);
        if (!back) co_return std::unexpected(back.error());
        const auto end = fabric::outcome(back->walk, answer);
        result = end.end == nullptr ? nowhere(answer) : object_of(TraceWords(*world, answer, back->walk), end);
        result["packet"] = TraceWords::packet(answer.packet);
        result["connection"] = "a reply";
        result["assumed"] = texts(assumed, back->connections.assumed);
        co_return json::value(std::move(result));
    }
    result = outcome.end == nullptr ? nowhere(*probe) : object_of(TraceWords(*world, *probe, traced->walk), outcome);
    result["packet"] = TraceWords::packet(probe->packet);
    result["connection"] = "new";
    if (query.reply && outcome.answered)
        assumed.emplace_back("the switch makes the answer itself: there is no other");
    else if (query.reply)
        assumed.emplace_back("there is no answer to trace: this is the way of the request");
    result["assumed"] = texts(assumed, traced->connections.assumed);
    co_return json::value(std::move(result));
}

} // namespace weft::controller::view
