// Session: the life of one switch's OpenFlow connection. Fed with an accepted Stream; feeds the host agent with what
// the switch holds (dump), changes it (apply), and tells when somebody else did (foreign_change).
//
// Rules of life. Everything runs on one thread, the io_context's.
//  - open() does the handshake; from then on two coroutines of the session's own read and write, and a third probes.
//  - A Session may be destroyed at any moment, also with operations under way: destroying it closes the connection, and
//    the operations return Error (io). What must outlive a running apply() is its Change.
//  - Whoever waits on one of its Signals must hold the Session: keep it in a shared_ptr if its owner may drop it. At
//  the
//    session's end every Signal is raised once more, so look at ended() after each wait.
//  - One apply() at a time; dump(), statistics and packet_out() may run beside it and beside each other.
//  - A session that ended stays ended. closed() says why: io (closed by the peer), timeout (no answer to an echo or a
//    request, or it does not read), protocol (malformed bytes, an answer to no such request, no common version).
#pragma once
#include "base/mailbox.hpp"
#include "base/stream.hpp"
#include "openflow/message.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace weft::openflow {

struct SessionOptions {
    Milliseconds handshake{5'000};    ///< for open()
    Milliseconds idle{5'000};         ///< nothing received for so long: echo request
    Milliseconds dead{10'000};        ///< nothing received for so long after that: the session ends
    Milliseconds reply{60'000};       ///< longest wait for an answer, or for the peer to read; ends the session
    std::size_t portion = 50'000;     ///< messages in one bundle at most
    std::size_t high_water = 1 << 20; ///< bytes waiting to be sent above which apply() pauses
    std::size_t packet_ins = 1'000;   ///< queued packet-ins; older ones are dropped
};

struct Dump {
    std::vector<FlowStats> flows; ///< in no order; groups and meters by id
    std::vector<GroupEntry> groups;
    std::vector<MeterEntry> meters;
};

/// What to change. Groups before their users and meters before everything is the session's business, not the caller's.
struct Change {
    FlowDelta flows;
    GroupDelta groups;
    MeterDelta meters;
    bool empty() const { return flows.empty() && groups.empty() && meters.empty(); }
    bool operator==(const Change&) const = default;
};

/// What was sent and acknowledged by one apply().
struct Applied {
    std::size_t flow_mods = 0, group_mods = 0, meter_mods = 0;
    std::size_t bundles = 0;
    bool operator==(const Applied&) const = default;
};

/// Since the session's start.
struct SessionCounters {
    std::uint64_t flow_mods = 0, group_mods = 0, meter_mods = 0; ///< sent
    std::uint64_t packet_ins = 0, packet_ins_dropped = 0, packet_outs = 0;
    std::uint64_t refused = 0; ///< errors that belong to no request under way: packet-outs
    std::uint64_t bytes_sent = 0, bytes_received = 0;
};

class Connection;

class Session {
  public:
    /// HELLO (1.5, or 1.4), features, configuration, ports. Error protocol when the peer speaks neither version.
    static Task<Result<std::unique_ptr<Session>>> open(std::unique_ptr<Stream> stream, SessionOptions options = {});
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    const Features& features() const;
    Version version() const;
    std::string peer_address() const;
    std::string peer_common_name() const;

    /// Flows with counters, groups, meters. With a filter: the flows it names, and no groups or meters.
    Task<Result<Dump>> dump(std::optional<FlowFilter> filter = {});
    /// For each filter the sums over the flows it names, in one round trip. The switch walks its flows once a filter,
    /// but for a filter by a whole cookie.
    Task<Result<std::vector<AggregateStats>>> aggregate(std::vector<FlowFilter> filters);
    Task<Result<std::vector<GroupStats>>> group_stats();
    Task<Result<std::vector<MeterStats>>> meter_stats();

    /// Sends and awaits the switch's word. Meters are added and changed first; then one bundle, atomic and ordered:
    /// groups, flows, strict deletes, deletes of groups; COMMIT only when nothing in it was refused; then meters are
    /// deleted. Error refused: nothing but meters has changed, and the text names the flow and the switch's reason.
    /// Above options.portion messages it goes in several bundles, what adds first: then an error leaves the earlier
    /// portions in place, and a dump tells what is there.
    Task<Result<Applied>> apply(const Change& change);

    /// From now on any change of flows, groups or meters that is not this session's raises foreign_change(). After
    /// back-pressure by the switch it may be raised without one. Groups and meters changed through ovs-ofctl on this
    /// version of Open vSwitch are seen by REQUESTFORWARD.
    /// Idempotent.
    Task<Result<void>> watch();
    Signal& foreign_change();

    /// Next packet sent to the controller; empty at the session's end. One waiter.
    Task<std::optional<PacketIn>> packet_in();
    /// Sends without awaiting a word: an error counts in counters().refused. False when the session ended, too much
    /// waits to be sent, or no message can hold the packet.
    bool packet_out(const PacketOut& packet);

    /// As of the last PORT_STATUS.
    const std::map<std::uint32_t, Port>& ports() const;
    Signal& ports_changed();

    const SessionCounters& counters() const;

    bool ended() const;
    /// Why it ended.
    Task<Error> closed();
    /// Ends it; idempotent.
    void close();

  private:
    explicit Session(std::shared_ptr<Connection> connection);
    std::shared_ptr<Connection> connection_;
};

} // namespace weft::openflow
