// Api: what each path of the HTTP interface means (docs/api.md). Reads the supervisor, never writes a flow; the one
// verbs that change anything are POST on /v1/apply, confirm, rollback, attach, detach and migrate.
#pragma once
#include "controller/foresight.hpp"
#include "controller/http_server.hpp"
#include "controller/installed.hpp"
#include "controller/plugging.hpp"
#include "controller/supervisor.hpp"
#include "controller/switch_counts.hpp"
#include "fabric/probe.hpp"

#include <boost/json/value.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weft::controller {

class Api {
  public:
    explicit Api(Supervisor& supervisor) : supervisor_(supervisor), plugging_(supervisor) {}
    Task<HttpResponse> handle(HttpRequest request);

  private:
    Task<HttpResponse> plug(std::string verb, std::string body);

    Supervisor& supervisor_;
    Plugging plugging_;
    SwitchCounts counts_; ///< for /metrics
};

/// A JSON answer.
HttpResponse ok(const boost::json::value& value, unsigned status = 200);

namespace topologies {
/// Of /v1/plan, apply, confirm and rollback.
bool takes(std::string_view path);
/// POST on one of them.
Task<HttpResponse> post(Supervisor& supervisor, std::string path, std::string body);
} // namespace topologies

// The views, by file. Each gives the JSON of docs/api.md.
namespace view {
template <class T>
boost::json::value text_or_null(const std::optional<T>& value) {
    return value ? boost::json::value(value->to_string()) : boost::json::value(nullptr);
}

boost::json::value status(const Supervisor& supervisor);
boost::json::value hosts(const Supervisor& supervisor);
boost::json::value networks(const Supervisor& supervisor);
/// Of every network that serves its guests: where it is asked, and what was asked and answered.
boost::json::value services(const Supervisor& supervisor);
Task<boost::json::value> ports(const Supervisor& supervisor);
/// How many ports are in each state; one that is claimed more than once is in several.
std::map<std::string, std::size_t> port_states(const Supervisor& supervisor);
boost::json::value routers(const Supervisor& supervisor);
boost::json::value gateways(const Supervisor& supervisor);
Task<boost::json::value> translations(const Supervisor& supervisor);
/// One of these, and what its counts are found by.
struct Translation {
    TranslationCounts::key_type key;
    std::string gateway, kind, outside, inside, router, host; ///< router, host: may be empty
};
std::vector<Translation> all_translations(const Supervisor& supervisor);
/// "203.0.113.2,203.0.113.8-203.0.113.9"
std::string addresses_of_snat(const nat::Gateway& gateway);
/// Of a next hop `ip` whose MAC may be known.
Resolution next_hop(const Supervisor& supervisor, const nat::Gateway& gateway, const Ip& ip,
                    const std::optional<Mac>& mac);
Task<boost::json::value> groups(const Supervisor& supervisor);
/// For show(): null when there is none of that name.
Task<boost::json::value> show_group(const Supervisor& supervisor, std::string name);
/// The QoS classes; of each port of theirs what enforces them, where, or why nothing does, with counters.
Task<boost::json::value> qos(const Supervisor& supervisor);
/// For show(): null when there is none of that name.
Task<boost::json::value> show_qos(const Supervisor& supervisor, std::string name);
/// The entries of a network's ACL, counted.
Task<boost::json::array> acl(const Supervisor& supervisor, std::string network);
/// The text of the topology in force.
boost::json::value topology(const Supervisor& supervisor);
/// What a host's OVSDB holds, as far as weft looks. Errors: invalid, no such host; io, it is down.
Result<boost::json::value> rows(const Supervisor& supervisor, const std::string& host);
/// The revisions that are kept, oldest first.
boost::json::value history(const Supervisor& supervisor);
boost::json::value events(const EventLog& events, std::uint64_t since);
Task<Result<boost::json::value>> show(const Supervisor& supervisor, std::string kind, std::string name);
/// For show(): a router, gateway, floating_ip or port_forward. Null when there is none of that kind and name.
Task<boost::json::value> show_routed(const Supervisor& supervisor, std::string kind, std::string name);

struct FlowQuery {
    std::string host, owner, stage; ///< empty: all
    bool drops = false;
    bool hits = false; ///< only what has met packets
    bool raw = false;  ///< match and actions as ovs-ofctl writes them, ids unnamed
};
struct Flows {
    boost::json::array flows;
    std::vector<std::string> missing; ///< hosts that did not answer
};
/// Errors: invalid, the query names what is not there; io, the one host that is asked does not answer.
Task<Result<Flows>> flows(const Supervisor& supervisor, FlowQuery query);

struct TraceQuery {
    fabric::Question question;
    std::string frame;  ///< hexadecimal: this very Ethernet frame, from question.from; empty: what the question asks
    std::string tunnel; ///< of a frame that comes in by VXLAN: "VTEP/VNI"
    bool reply = false; ///< the answer's way
};
/// The way that a packet takes through what the hosts hold now. Errors: invalid, as fabric::probe; io, a host on the
/// way cannot be read.
Task<Result<boost::json::value>> trace(const Supervisor& supervisor, TraceQuery query);

/// Objects, and per host flows, groups, meters and rows, that a candidate changes; nobody's reachability yet.
boost::json::value plan(const Foresight& foresight);
/// Fills in "reachability": between ports, lost and gained. The walks are done on a thread of their own.
Task<void> add_reachability(boost::json::value& plan, Liveness live, Foresight foresight);
boost::json::value problems(const std::vector<topology::Problem>& problems,
                            const std::vector<topology::Source>& sources);

/// Prometheus' text format. Reads `counts` anew where they are old.
Task<std::string> metrics(const Supervisor& supervisor, SwitchCounts& counts);
} // namespace view

} // namespace weft::controller
