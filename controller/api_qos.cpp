// QoS classes: their ports, and of each port what enforces which part of its class, where, or why nothing does; in the
// keys of docs/api.md.
#include "controller/api.hpp"
#include "fabric/special.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::controller::view {
namespace json = boost::json;
namespace {

/// What a host counted, and what shapes its interfaces now.
struct Seen {
    std::map<std::uint32_t, openflow::MeterStats> meters;
    RowsAgent::Statistics interfaces;
    std::map<std::string, ovsdb::Shaper> shapers;
};
using SeenByHost = std::map<std::string, Seen>;

Task<SeenByHost> look(const Supervisor& supervisor) {
    struct Agents {
        std::shared_ptr<openflow::Session> session;
        std::shared_ptr<RowsAgent> rows;
    };
    std::map<std::string, Agents> agents; // hosts may come and go while we wait
    for (const auto& [name, host] : supervisor.hosts())
        agents.emplace(name, Agents{host.flows->session(), host.rows});
    SeenByHost seen;
    for (const auto& [name, agent] : agents) {
        auto& here = seen[name];
        if (agent.session)
            if (const auto stats = co_await agent.session->meter_stats())
                for (const auto& meter : *stats)
                    here.meters.emplace(meter.id, meter);
        here.interfaces = co_await agent.rows->statistics();
        here.shapers = agent.rows->shapers();
    }
    co_return seen;
}

/// One part of a class at one port.
struct Part {
    std::string_view what;
    bool acts = false;
    std::string how; ///< the mechanism, or why there is none
    json::value packets = nullptr, bytes = nullptr, dropped = nullptr;
};

class PortParts {
  public:
    PortParts(const Supervisor& supervisor, const fabric::PortQos& qos, const fabric::Binding* binding,
              const SeenByHost& seen)
        : supervisor_(supervisor), qos_(qos), binding_(binding) {
        static const Seen kNothing;
        const auto found = binding == nullptr ? seen.end() : seen.find(binding->host);
        seen_ = found == seen.end() ? &kNothing : &found->second;
    }

    std::vector<Part> all() {
        std::vector<Part> parts;
        const auto add = [&](std::string_view what, auto fill) {
            Part part{.what = what};
            if (binding_ == nullptr)
                part.how = "the port is not plugged in";
            else if (binding_->ofport == 0)
                part.how = fmt::format("{} is not in the datapath of {}", binding_->interface, binding_->host);
            else
                fill(part);
            parts.push_back(std::move(part));
        };
        if (qos_.egress) add("egress", [this](Part& part) { egress(part); });
        if (qos_.ingress) add("ingress", [this](Part& part) { ingress(part); });
        if (qos_.dscp) add("dscp", [this](Part& part) { dscp(part); });
        if (qos_.guarantee) add("guarantee", [this](Part& part) { guarantee(part); });
        return parts;
    }

  private:
    void egress(Part& part) const {
        const auto id = fabric::egress_meter(binding_->ofport);
        const auto meter = seen_->meters.find(id);
        part.acts = meter != seen_->meters.end();
        part.how = part.acts ? fmt::format("meter {:#x} in guard", id)
                             : fmt::format("{} does not hold meter {:#x}: weftctl status", binding_->host, id);
        if (!part.acts) return;
        part.packets = meter->second.packets;
        part.bytes = meter->second.bytes;
        part.dropped = meter->second.dropped_packets;
    }

    void ingress(Part& part) const {
        const auto& interface = binding_->interface;
        const auto shaper = seen_->shapers.find(interface);
        const auto now = shaper == seen_->shapers.end() ? ovsdb::Shaper::none : shaper->second;
        part.acts = now == ovsdb::Shaper::weft;
        const auto id = fabric::ingress_meter(binding_->ofport);
        const auto meter = seen_->meters.find(id);
        if (part.acts)
            part.how =
                fmt::format("HTB on {} (QoS row, queue 0){}", interface,
                            meter == seen_->meters.end() ? "" : fmt::format(", behind meter {:#x} in output", id));
        else if (now == ovsdb::Shaper::foreign)
            part.how =
                fmt::format("the port of {0} has a QoS that is not weft's: ovs-vsctl clear port {0} qos", interface);
        else
            part.how = fmt::format("the port of {} has no QoS row yet: weftctl status", interface);
        const auto counters = seen_->interfaces.find(interface);
        if (counters == seen_->interfaces.end()) return;
        const auto counter = [&](const char* key) -> json::value {
            const auto found = counters->second.find(key);
            return found == counters->second.end() ? json::value(nullptr) : json::value(found->second);
        };
        part.packets = counter("tx_packets");
        part.bytes = counter("tx_bytes");
        part.dropped = counter("tx_dropped");
        if (meter != seen_->meters.end()) part.dropped = meter->second.dropped_packets;
    }

    void dscp(Part& part) const {
        part.acts = true;
        part.how = "set in guard on IP packets, copied to the outer header by weft-vxlan";
    }

    void guarantee(Part& part) const {
        const auto& world = *supervisor_.intent().published().world;
        const auto& host = binding_->host;
        const auto view = world.hosts.find(host);
        if (view == world.hosts.end()) return;
        if (view->second->facts.userspace) {
            part.how = fmt::format("datapath \"netdev\" of {} puts no packet in a queue", host);
            return;
        }
        if (!view->second->qos.guaranteed.contains(binding_->ofport)) {
            part.how = fmt::format("{} has no uplink that is a NIC of weft's bridge", host);
            return;
        }
        std::vector<std::string> uplinks;
        for (const auto& [_, target] : world.topology->hosts.at(host).uplinks)
            uplinks.push_back(target);
        part.acts = true;
        part.how = fmt::format("queue {} of HTB on {}", binding_->ofport, fmt::join(uplinks, ", "));
    }

    const Supervisor& supervisor_;
    const fabric::PortQos& qos_;
    const fabric::Binding* binding_;
    const Seen* seen_;
};

json::value rate_object(const std::optional<topology::Rate>& rate) {
    if (!rate) return nullptr;
    return {{"rate", rate->bits_per_second}, {"burst", rate->burst_bits}};
}

json::object qos_object(const Supervisor& supervisor, const topology::Qos& qos, const SeenByHost& seen) {
    const auto& intent = supervisor.intent();
    const fabric::PortQos rates{qos.name, qos.egress, qos.ingress, qos.dscp, qos.guarantee_bits_per_second};
    json::array ports;
    for (const auto& [name, port] : intent.topology().ports) {
        if (port.qos != qos.name) continue;
        const auto bound = intent.bindings().find(name);
        const auto* binding = bound == intent.bindings().end() ? nullptr : &bound->second;
        for (const auto& part : PortParts(supervisor, rates, binding, seen).all())
            ports.push_back({{"port", name},
                             {"host", binding != nullptr ? json::value(binding->host) : json::value(nullptr)},
                             {"what", part.what},
                             {"acts", part.acts},
                             {"how", part.how},
                             {"packets", part.packets},
                             {"bytes", part.bytes},
                             {"dropped", part.dropped}});
    }
    return {{"name", qos.name},
            {"egress", rate_object(qos.egress)},
            {"ingress", rate_object(qos.ingress)},
            {"dscp", qos.dscp ? json::value(*qos.dscp) : json::value(nullptr)},
            {"guarantee",
             qos.guarantee_bits_per_second ? json::value(*qos.guarantee_bits_per_second) : json::value(nullptr)},
            {"ports", std::move(ports)}};
}

} // namespace

Task<json::value> qos(const Supervisor& supervisor) {
    const auto seen = co_await look(supervisor);
    json::array result;
    for (const auto& [_, qos] : supervisor.intent().topology().qos)
        result.push_back(qos_object(supervisor, qos, seen));
    co_return json::value(std::move(result));
}

Task<json::value> show_qos(const Supervisor& supervisor, std::string name) {
    const auto seen = co_await look(supervisor);
    const auto& classes = supervisor.intent().topology().qos;
    const auto found = classes.find(name);
    if (found == classes.end()) co_return nullptr;
    auto object = qos_object(supervisor, found->second, seen);
    object["declared"] = found->second.origin.to_string();
    co_return json::value(std::move(object));
}

} // namespace weft::controller::view
