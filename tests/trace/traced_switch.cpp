#include "tests/trace/traced_switch.hpp"

#include "tests/openflow/run.hpp"
#include "tests/trace/packet_text.hpp"

#include <fmt/format.h>
#include <regex>
#include <stdexcept>
#include <thread>

namespace weft::openflow {
namespace {

constexpr const char* kBridge = "br0";
constexpr const char* kUnderlay = "br-phy";
/// Groups that tell whether a port is live, above what weft numbers.
constexpr std::uint32_t kProbe = 0xffff'0000;

Task<Result<std::unique_ptr<Session>>> open(Listener& listener) {
    auto stream = co_await listener.accept();
    if (!stream) co_return std::unexpected(stream.error());
    co_return co_await Session::open(std::move(*stream), {});
}

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text);
    return std::move(*result);
}

} // namespace

TracedSwitch::TracedSwitch() {
    listener_ = must(listen(io_, *Endpoint::parse("tcp:127.0.0.1:0"), nullptr));
    add_ports();
    read_datapath_ports();
    session_ = must(run(io_, open(*listener_)));
    for (std::uint32_t port = 2; port <= kLast; ++port) {
        Change change;
        change.groups.add.push_back({.id = kProbe + port,
                                     .type = GroupType::fast_failover,
                                     .buckets = {{.actions = {Output{port}}, .watch_port = port}}});
        must(run(io_, session_->apply(change)));
    }
}

TracedSwitch::~TracedSwitch() {
    session_.reset();
    run_for(io_, Milliseconds(20));
}

void TracedSwitch::add_ports() {
    std::string text = fmt::format(
        "add-br {0} -- set Bridge {0} datapath_type=dummy fail_mode=secure protocols=OpenFlow15 -- set-controller {0} "
        "tcp:127.0.0.1:{1} -- set Controller {0} connection_mode=out-of-band max_backoff=1000 inactivity_probe=0 "
        "-- add-port {0} vx -- set Interface vx type=vxlan options:remote_ip=flow options:key=flow ofport_request={2}",
        kBridge, listener_->endpoint().port, kVxlan);
    for (std::uint32_t port = 2; port <= kLast; ++port)
        text += fmt::format(" -- add-port {0} d{1} -- set Interface d{1} type=dummy ofport_request={1}", kBridge, port);
    // What a tunnel sends goes on by the bridge with the way to its other end, and is seen only if somebody hears it.
    text += fmt::format(" -- add-br {0} -- set Bridge {0} datapath_type=dummy -- add-port {0} wire -- set Interface "
                        "wire type=dummy",
                        kUnderlay);
    ovs_.vsctl(text);
    ovs_.ofctl("add-flow", kUnderlay, "actions=output:1");
    unixctl_.call("netdev-dummy/ip4addr", {kUnderlay, "192.0.2.1/24"});
    unixctl_.call("ovs/route/add", {"192.0.2.0/24", kUnderlay});
    for (int host = 2; host < 32; ++host)
        unixctl_.call("tnl/arp/set",
                      {kUnderlay, fmt::format("192.0.2.{}", host), fmt::format("02:00:00:00:00:{:02x}", host)});
}

void TracedSwitch::read_datapath_ports() {
    const auto text = unixctl_.call("dpif/show", {});
    const std::regex port(R"((\S+) (\d+)/(\d+): \()");
    for (std::sregex_iterator at(text.begin(), text.end(), port), end; at != end; ++at)
        if ((*at)[1] != kUnderlay && (*at)[1] != "wire")
            ports_[static_cast<std::uint32_t>(std::stoul((*at)[3]))] = static_cast<std::uint32_t>(std::stoul((*at)[2]));
}

void TracedSwitch::install(State state) {
    const Change change{.flows = diff(state_.flows, state.flows),
                        .groups = diff(state_.groups, state.groups),
                        .meters = diff(state_.meters, state.meters)};
    must(run(io_, session_->apply(change)));
    state_ = std::move(state);
}

void TracedSwitch::set_dead(const std::set<std::uint32_t>& ports) {
    for (std::uint32_t port = 2; port <= kLast; ++port) {
        if (ports.contains(port) == dead_.contains(port)) continue;
        unixctl_.call("netdev-dummy/set-admin-state", {fmt::format("d{}", port), ports.contains(port) ? "down" : "up"});
        await_liveness(port, !ports.contains(port));
    }
    dead_ = ports;
}

void TracedSwitch::await_liveness(std::uint32_t port, bool live) {
    for (int i = 0; i < 1000; ++i) {
        const auto text =
            unixctl_.call("ofproto/trace-packet-out", {kBridge, "in_port=1", fmt::format("group:{}", kProbe + port)});
        if ((text.find("using bucket") != std::string::npos) == live) return;
        std::this_thread::sleep_for(Milliseconds(1));
    }
    throw std::runtime_error(fmt::format("port {} does not become {}", port, live ? "live" : "dead"));
}

Trace TracedSwitch::trace(const Packet& packet, std::span<const Bits> states, std::uint8_t table) {
    // With a hash of the datapath's a select group needs no recirculation, which a trace does not follow. It is of the
    // packet, so that a repeated one has the same.
    const auto text = trace_text(packet);
    const auto hash = std::hash<std::string>{}(text) % 0xffff + 1;
    std::vector<std::string> parameters{kBridge, fmt::format("{},dp_hash=0x{:x}", text, hash)};
    for (const auto state : states) {
        parameters.emplace_back("--ct-next");
        auto words = ct_state_text(state);
        std::ranges::replace(words, '|', ',');
        parameters.push_back(std::move(words));
    }
    if (table != 0) parameters.push_back(fmt::format("resubmit(,{})", table));
    io_.poll(); // the session answers what the switch asks meanwhile
    return parse_trace(unixctl_.call(table == 0 ? "ofproto/trace" : "ofproto/trace-packet-out", parameters), packet,
                       ports_);
}

} // namespace weft::openflow
