// A real switch whose flows are weft's, installed by weft's session, and whose `ofproto/trace` is asked.
#pragma once
#include "openflow/session.hpp"
#include "tests/openflow/real_switch.hpp"
#include "tests/trace/trace.hpp"
#include "tests/trace/unixctl.hpp"

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace weft::openflow {

class TracedSwitch {
  public:
    static constexpr std::uint32_t kVxlan = 1; ///< the ofport of the tunnels: VXLAN with remote_ip=flow
    static constexpr std::uint32_t kLast = 60; ///< 2 to this: dummy ports

    TracedSwitch();
    ~TracedSwitch();

    struct State {
        std::vector<Flow> flows;
        std::vector<GroupEntry> groups;
        std::vector<MeterEntry> meters;
    };
    /// Instead of what was there.
    void install(State state);
    const State& state() const { return state_; }

    /// Which dummy ports have no link, from now on.
    void set_dead(const std::set<std::uint32_t>& ports);
    bool live(std::uint32_t port) const { return !dead_.contains(port); }

    /// `states`: what the tracker says, at one recirculation after the other; then "new|trk".
    Trace trace(const Packet& packet, std::span<const Bits> states, std::uint8_t table = 0);

  private:
    void add_ports();
    void read_datapath_ports();
    void await_liveness(std::uint32_t port, bool live);

    RealSwitch ovs_{"--enable-dummy"};
    asio::io_context io_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Session> session_;
    Unixctl unixctl_{ovs_.control_socket()};
    DatapathActions::Ports ports_;
    State state_;
    std::set<std::uint32_t> dead_;
};

} // namespace weft::openflow
