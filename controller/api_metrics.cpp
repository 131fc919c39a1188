// /metrics: what is, and what was counted, as Prometheus reads it (docs/operations.md has the table).
#include "base/version.hpp"
#include "controller/api.hpp"
#include "controller/process_metrics.hpp"
#include "pipeline/punt.hpp"

#include <array>
#include <prometheus/text_serializer.h>

namespace weft::controller::view {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

/// One metric with all its labels' values.
class Family {
  public:
    using Labels = std::vector<prometheus::ClientMetric::Label>;

    Family(MetricType type, std::string name, std::string help) : family_{std::move(name), std::move(help), type, {}} {}

    void add(double value, Labels labels = {}) {
        prometheus::ClientMetric metric;
        metric.label = std::move(labels);
        metric.counter.value = metric.gauge.value = value;
        family_.metric.push_back(std::move(metric));
    }
    MetricFamily take() { return std::move(family_); }

  private:
    MetricFamily family_;
};

Family gauge(std::string name, std::string help) {
    return {MetricType::Gauge, std::move(name), std::move(help)};
}
Family counter(std::string name, std::string help) {
    return {MetricType::Counter, std::move(name), std::move(help)};
}

/// The value of T in a family for each host.
template <class Value>
MetricFamily by_host(Family family, const Supervisor& supervisor, Value value) {
    for (const auto& [name, agent] : supervisor.hosts())
        family.add(static_cast<double>(value(agent)), {{"host", name}});
    return family.take();
}

using Families = std::vector<MetricFamily>;

void add_topology(Families& all, const Supervisor& supervisor) {
    const auto& state = supervisor.intent().state();
    auto build = gauge("weft_build_info", "The version of weftd, as a label.");
    build.add(1, {{"version", std::string(version())}});
    all.push_back(build.take());
    const auto single = [&all](const char* name, const char* help, double value) {
        auto family = gauge(name, help);
        family.add(value);
        all.push_back(family.take());
    };
    single("weft_revision", "Revision of the topology in force.", static_cast<double>(state.current));
    single("weft_converged", "1 when every host is synced at the revision in force.", supervisor.converged() ? 1 : 0);
    single("weft_revisions_awaiting_confirm", "1 while the revision in force is on trial.", state.awaiting ? 1 : 0);
    if (state.awaiting)
        single("weft_confirm_deadline_timestamp_seconds", "When the revision on trial is taken back.",
               std::chrono::duration<double>(state.awaiting->until.time_since_epoch()).count());
}

void add_hosts(Families& all, const Supervisor& supervisor) {
    auto states = gauge("weft_host_state", "1 for the state that the host is in, 0 for the others.");
    for (const auto& [name, agent] : supervisor.hosts())
        for (const auto state : {HostState::synced, HostState::syncing, HostState::down, HostState::degraded})
            states.add(agent.status().state == state ? 1 : 0,
                       {{"host", name}, {"state", std::string(controller::name_of(state))}});
    all.push_back(states.take());
    auto libvirt = gauge("weft_host_libvirt_state", "1 for the state that the host's libvirt is in, 0 for the others.");
    for (const auto& [name, agent] : supervisor.hosts()) {
        using Phase = LibvirtAgent::Phase;
        if (!agent.libvirt) continue;
        for (const auto phase : {Phase::connecting, Phase::down, Phase::offering, Phase::following, Phase::refused})
            libvirt.add(agent.libvirt->phase() == phase ? 1 : 0,
                        {{"host", name}, {"state", std::string(controller::name_of(phase))}});
    }
    all.push_back(libvirt.take());
    auto ports = gauge("weft_ports", "Ports in each state (as weftctl ports).");
    for (const auto& [state, count] : view::port_states(supervisor))
        ports.add(static_cast<double>(count), {{"state", state}});
    all.push_back(ports.take());
    all.push_back(by_host(gauge("weft_host_flows", "Flows that the host should hold."), supervisor,
                          [](const HostAgent& agent) { return agent.flows->flows(); }));
    all.push_back(by_host(gauge("weft_host_groups", "OpenFlow groups that the host should hold."), supervisor,
                          [](const HostAgent& agent) { return agent.flows->groups(); }));
    all.push_back(
        by_host(gauge("weft_host_lag_seconds", "For how long the host's switch has been behind what it should hold."),
                supervisor, [](const HostAgent& agent) { return static_cast<double>(agent.flows->lag_ms()) / 1000; }));
}

/// What was said to hosts and heard of them, in all their sessions.
void add_sessions(Families& all, const Supervisor& supervisor) {
    auto connections = counter("weft_host_connections_total", "Sessions begun with the host, by protocol.");
    auto sent = counter("weft_host_messages_sent_total", "What was sent to the host, by kind.");
    auto bytes = counter("weft_host_openflow_bytes_total", "Bytes of OpenFlow, by direction.");
    for (const auto& [name, agent] : supervisor.hosts()) {
        const auto total = agent.flows->total();
        const auto add = [&name](Family& family, std::uint64_t value, const char* label, const char* what) {
            family.add(static_cast<double>(value), {{"host", name}, {label, what}});
        };
        add(connections, agent.flows->sessions(), "protocol", "openflow");
        add(connections, agent.rows->sessions(), "protocol", "ovsdb");
        add(sent, total.flow_mods, "kind", "flow_mod");
        add(sent, total.group_mods, "kind", "group_mod");
        add(sent, total.meter_mods, "kind", "meter_mod");
        add(sent, total.packet_outs, "kind", "packet_out");
        add(sent, agent.rows->all_operations(), "kind", "ovsdb_operation");
        add(bytes, total.bytes_sent, "direction", "sent");
        add(bytes, total.bytes_received, "direction", "received");
    }
    all.push_back(connections.take());
    all.push_back(sent.take());
    all.push_back(bytes.take());
    all.push_back(by_host(counter("weft_packet_ins_total", "Packets that the host's switch sent to weftd."), supervisor,
                          [](const HostAgent& agent) { return agent.flows->total().packet_ins; }));
    all.push_back(by_host(counter("weft_packet_ins_dropped_total", "Of these, those that weftd was too busy for."),
                          supervisor, [](const HostAgent& agent) { return agent.flows->total().packet_ins_dropped; }));
    all.push_back(by_host(counter("weft_packet_outs_refused_total", "Packets of weftd's that the switch refused."),
                          supervisor, [](const HostAgent& agent) { return agent.flows->total().refused; }));
}

void add_counts(Families& all, const SwitchCounts& counts) {
    constexpr std::array<std::pair<std::uint32_t, const char*>, 3> kMeters{
        {{pipeline::kPuntMeter, "punt"}, {pipeline::kSampleMeter, "sample"}, {pipeline::kServiceMeter, "service"}}};
    auto drops = counter("weft_dropped_packets_total", "Packets that the host dropped, by reason.");
    auto meters =
        counter("weft_punts_dropped_total", "Packets for weftd that a meter of the host's kept back, by meter.");
    auto age = gauge("weft_switch_counters_age_seconds", "How old what was read from the host's switch is.");
    for (const auto& [name, host] : counts.hosts()) {
        for (const auto& [reason, packets] : host->drops)
            drops.add(static_cast<double>(packets.total()),
                      {{"host", name}, {"reason", std::string(pipeline::name_of(reason))}});
        for (const auto& [id, meter] : kMeters)
            if (const auto found = host->punt_meters.find(id); found != host->punt_meters.end())
                meters.add(static_cast<double>(found->second.total()), {{"host", name}, {"meter", meter}});
        if (host->read_at)
            age.add(std::chrono::duration<double>(SteadyClock::now() - *host->read_at).count(), {{"host", name}});
    }
    all.push_back(drops.take());
    all.push_back(meters.take());
    all.push_back(age.take());
}

void add_gateways(Families& all, const Supervisor& supervisor, const SwitchCounts& counts) {
    auto active = gauge("weft_gateway_active", "1 for the candidate that translates, 0 for the others.");
    auto next_hops =
        gauge("weft_gateway_next_hop_state", "1 for the state that the gateway's next hop is in, 0 for the others.");
    auto exhausted = counter("weft_snat_exhausted_packets_total",
                             "Packets that the host dropped for want of a free port of the SNAT addresses.");
    for (const auto& [name, gateway] : supervisor.intent().published().world->gateways) {
        const auto at = supervisor.intent().active().find(name);
        for (const auto& candidate : gateway->candidates)
            active.add(at != supervisor.intent().active().end() && at->second == candidate.host ? 1 : 0,
                       {{"gateway", name}, {"host", candidate.host}});
        for (const auto& [ip, mac] :
             {std::pair(gateway->nexthop, gateway->nexthop_mac), std::pair(gateway->nexthop6, gateway->nexthop6_mac)}) {
            if (!ip) continue;
            const auto is = view::next_hop(supervisor, *gateway, *ip, mac);
            for (const auto state : {Resolution::resolving, Resolution::resolved, Resolution::failed})
                next_hops.add(
                    is == state ? 1 : 0,
                    {{"gateway", name}, {"address", ip->to_string()}, {"state", std::string(name_of(state))}});
        }
        if (gateway->snat.empty()) continue;
        for (const auto& [host, counted] : counts.hosts())
            if (const auto found = counted->exhausted.find(gateway->id); found != counted->exhausted.end())
                exhausted.add(static_cast<double>(found->second.total()),
                              {{"gateway", name}, {"host", host}, {"public", view::addresses_of_snat(*gateway)}});
    }
    all.push_back(active.take());
    all.push_back(next_hops.take());
    all.push_back(exhausted.take());
}

void add_translations(Families& all, const Supervisor& supervisor, const SwitchCounts& counts) {
    auto packets = counter("weft_translated_packets_total", "Packets that the host translated, by translation.");
    auto bytes = counter("weft_translated_bytes_total", "Bytes of these.");
    std::map<std::pair<std::string, std::string>, int> kinds;
    for (const auto& translation : view::all_translations(supervisor)) {
        ++kinds[{translation.gateway, translation.kind}];
        for (const auto& [host, counted] : counts.hosts()) {
            const auto found = counted->translations.find(translation.key);
            if (found == counted->translations.end()) continue;
            const Family::Labels labels{{"gateway", translation.gateway},
                                        {"host", host},
                                        {"kind", translation.kind},
                                        {"public", translation.outside},
                                        {"router", translation.router}};
            packets.add(static_cast<double>(found->second.first.total()), labels);
            bytes.add(static_cast<double>(found->second.second.total()), labels);
        }
    }
    auto count = gauge("weft_translations", "Translations of the gateway, by kind.");
    for (const auto& [key, number] : kinds)
        count.add(number, {{"gateway", key.first}, {"kind", key.second}});
    all.push_back(count.take());
    all.push_back(packets.take());
    all.push_back(bytes.take());
}

void add_guests(Families& all, const Supervisor& supervisor) {
    const auto now = controller::now();
    std::array<int, 2> leased{};
    for (const auto& [_, leases] : supervisor.intent().state().leases) {
        leased[0] += leases.ip && leases.ip->until >= now;
        leased[1] += leases.ip6 && leases.ip6->until >= now;
    }
    auto leases = gauge("weft_leases", "Leases that have not run out, by protocol.");
    leases.add(leased[0], {{"protocol", "dhcp"}});
    leases.add(leased[1], {{"protocol", "dhcpv6"}});
    all.push_back(leases.take());
    auto messages = counter("weft_service_messages_total",
                            "What guests asked about addresses and names, and what they were answered.");
    for (const auto& [key, count] : supervisor.services().counters())
        messages.add(static_cast<double>(count), {{"network", std::get<0>(key)},
                                                  {"protocol", std::string(std::get<1>(key))},
                                                  {"message", std::string(std::get<2>(key))}});
    all.push_back(messages.take());
}

void add_events(Families& all, const Supervisor& supervisor) {
    const auto& counts = supervisor.events().counts();
    std::map<std::string, std::uint64_t> by_kind;
    for (const auto kind : kEventKinds)
        by_kind.emplace(kind, 0);
    for (const auto& [key, count] : counts)
        by_kind[key.first] += count;
    auto events = counter("weft_events_total", "Events, by kind (as weftctl events).");
    for (const auto& [kind, count] : by_kind)
        events.add(static_cast<double>(count), {{"kind", kind}});
    all.push_back(events.take());
    auto repairs = counter("weft_drift_repairs_total", "Times that flows or rows changed by others were put back.");
    for (const auto& [name, _] : supervisor.hosts()) {
        const auto found = counts.find({"drift_repaired", name});
        repairs.add(found == counts.end() ? 0 : static_cast<double>(found->second), {{"host", name}});
    }
    all.push_back(repairs.take());
}

} // namespace

Task<std::string> metrics(const Supervisor& supervisor, SwitchCounts& counts) {
    co_await counts.refresh(supervisor);
    auto all = supervisor.metrics().collect();
    add_topology(all, supervisor);
    add_hosts(all, supervisor);
    add_sessions(all, supervisor);
    add_counts(all, counts);
    add_gateways(all, supervisor, counts);
    add_translations(all, supervisor, counts);
    add_guests(all, supervisor);
    add_events(all, supervisor);
    for (const auto& measured : measure_process()) {
        auto family = measured.counts ? counter(measured.name, measured.help) : gauge(measured.name, measured.help);
        family.add(measured.value);
        all.push_back(family.take());
    }
    std::erase_if(all, [](const MetricFamily& family) { return family.metric.empty(); });
    std::ranges::sort(all, {}, &MetricFamily::name);
    co_return prometheus::TextSerializer().Serialize(all);
}

} // namespace weft::controller::view
