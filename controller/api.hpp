// Api: what each path of the HTTP interface means (docs/api.md). Reads the supervisor, never writes a flow; the one
// verbs that change anything are POST on /v1/apply, confirm, rollback, attach, detach and migrate.
#pragma once
#include "controller/http_server.hpp"
#include "controller/plugging.hpp"
#include "controller/supervisor.hpp"

#include <boost/json/value.hpp>
#include <optional>
#include <string>

namespace weft::controller {

class Api {
  public:
    explicit Api(Supervisor& supervisor) : supervisor_(supervisor), plugging_(supervisor) {}
    Task<HttpResponse> handle(HttpRequest request);

  private:
    Task<HttpResponse> plug(std::string verb, std::string body);

    Supervisor& supervisor_;
    Plugging plugging_;
};

/// A JSON answer.
HttpResponse ok(const boost::json::value& value, unsigned status = 200);

namespace topologies {
/// POST on /v1/plan, apply, confirm or rollback; nothing for another path.
std::optional<HttpResponse> post(Supervisor& supervisor, const std::string& path, const std::string& body);
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
boost::json::value routers(const Supervisor& supervisor);
boost::json::value gateways(const Supervisor& supervisor);
Task<boost::json::value> translations(const Supervisor& supervisor);
Task<boost::json::value> groups(const Supervisor& supervisor);
/// For show(): null when there is none of that name.
Task<boost::json::value> show_group(const Supervisor& supervisor, std::string name);
/// The QoS classes; of each port of theirs what enforces them, where, or why nothing does, with counters.
Task<boost::json::value> qos(const Supervisor& supervisor);
/// For show(): null when there is none of that name.
Task<boost::json::value> show_qos(const Supervisor& supervisor, std::string name);
/// The entries of a network's ACL, counted.
Task<boost::json::array> acl(const Supervisor& supervisor, std::string network);
/// The revisions that are kept, oldest first.
boost::json::value history(const Supervisor& supervisor);
boost::json::value events(const EventLog& events, std::uint64_t since);
Task<Result<boost::json::value>> show(const Supervisor& supervisor, std::string kind, std::string name);
/// For show(): a router, gateway, floating_ip or port_forward. Null when there is none of that kind and name.
Task<boost::json::value> show_routed(const Supervisor& supervisor, std::string kind, std::string name);

struct FlowQuery {
    std::string host, owner, stage; ///< empty: all
    bool drops = false;
    bool raw = false; ///< match and actions as ovs-ofctl writes them, ids unnamed
};
Task<boost::json::value> flows(const Supervisor& supervisor, FlowQuery query);

/// Objects, and per host flows, groups and rows, that `candidate` would change.
boost::json::value plan(const Supervisor& supervisor, const Candidate& candidate);
boost::json::value problems(const std::vector<topology::Problem>& problems,
                            const std::vector<topology::Source>& sources);

/// Prometheus text format.
std::string metrics(const Supervisor& supervisor);
} // namespace view

} // namespace weft::controller
