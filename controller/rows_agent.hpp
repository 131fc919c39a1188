// RowsAgent: keeps one host's OVSDB equal to the rows weft wants there, and reports what it says. One loop: connect,
// plan, transact, observe, wait for a change of either side. A row changed by hand is a change like any other.
//
// Rules of life: one thread; kept in a shared_ptr, which its coroutine shares. start() once, stop() ends it.
#pragma once
#include "base/backoff.hpp"
#include "base/mailbox.hpp"
#include "controller/published.hpp"
#include "fabric/host_rows.hpp"
#include "ovsdb/plan_shapers.hpp"
#include "ovsdb/session.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace weft::controller {

class RowsAgent : public std::enable_shared_from_this<RowsAgent> {
  public:
    enum class Phase {
        down,        ///< not connected
        configuring, ///< connected; rows are being brought up to date
        configured,  ///< the rows are as wanted
        refused,     ///< something in the way that weft must not touch
    };

    struct Wanted {
        Endpoint endpoint;
        std::shared_ptr<asio::ssl::context> tls;
        topology::Host host;
        /// Controller targets; "{local}" in one stands for this end's address of the OVSDB connection.
        std::vector<std::string> controllers;
        std::set<Ip> watched;   ///< fabric::RowsContext
        bool withdrawn = false; ///< fabric::RowsContext
        fabric::RowsQos qos;    ///< fabric::RowsContext
        fabric::HostPtr view;   ///< whose VXLAN nobody else is to take; decides no row
        bool leaving = false;   ///< the host left the topology: take everything of weft's off it, then done()
        bool same_as(const Wanted& other) const;
        /// Both at one place: the session can go on.
        bool reached_as(const Wanted& other) const { return endpoint == other.endpoint && tls == other.tls; }
    };

    /// Called with every new observation, after the rows are as wanted (or cannot be).
    using Observer = std::function<void(const fabric::Observation&)>;
    /// Called when the phase changed.
    using Changed = std::function<void()>;

    RowsAgent(asio::io_context& io, std::string host, Voice voice, Observer observer, Changed changed);

    void start(Wanted wanted);
    void want(Wanted wanted);
    /// The host left the topology: takes everything of weft's off it, calls nobody any more, and calls `cleaned` at the
    /// end.
    void leave(std::function<void()> cleaned);
    void stop();

    Phase phase() const { return phase_; }
    const std::string& reason() const { return reason_; }
    /// Why the host's bridge cannot dial in; empty where OVSDB shows nothing that stops it.
    std::string unmade() const { return observed_ ? observed_->unmade : ""; }
    std::uint64_t operations() const { return session_ ? session_->counters().operations : 0; }
    /// The same of all sessions with this host's OVSDB, and how many began.
    std::uint64_t all_operations() const { return past_operations_ + operations(); }
    std::uint64_t sessions() const { return sessions_; }
    /// What the host's OVSDB holds, as far as weft looks. Null while it is down.
    const ovsdb::Replica* replica() const { return session_ && !session_->ended() ? &session_->replica() : nullptr; }
    /// Counters of the host's interfaces by name (ovs-vswitchd.conf.db(5), Interface.statistics); empty while it is
    /// down.
    using Statistics = std::map<std::string, std::map<std::string, std::int64_t>>;
    Task<Statistics> statistics();
    /// By interface, of those that should be shaped: what shapes it now. Empty while it is down.
    std::map<std::string, ovsdb::Shaper> shapers() const;
    /// What a change to `wanted` would send. Nothing where that is not known: the host is down, is not yet what it
    /// should be now, or would be another database.
    std::optional<ovsdb::RowCounts> to_send(const Wanted& wanted) const;

  private:
    Task<void> run();
    Task<Error> serve(std::unique_ptr<Stream> stream);
    Task<Result<>> bring_up_to_date();
    ovsdb::DesiredRows rows(const Wanted& wanted) const;
    /// Waits for a change of either side; meanwhile ovs-vswitchd is made to try again what it could not do. Errors (io,
    /// timeout, protocol) mean that the session is over.
    Task<Result<>> wait_for_change(Backoff& again);
    /// Reports what the rows say, after an attempt to bring them up to date.
    void observe(const Result<>& updated);
    /// What is in the way, as OVSDB shows it: one sentence each.
    std::vector<std::string> in_the_way() const;
    /// Tells of ports whose QoS is somebody else's, where there should be weft's.
    void tell_of_foreign_shapers();
    /// Tells of uplinks whose device carries nothing, and when it does again.
    void tell_of_uplinks();
    /// Controllers of another weftd's are about to be taken off. True when they come back again and again: that is
    /// told.
    bool note_rival(const std::set<std::string>& controllers);
    void enter(Phase phase, std::string reason);

    asio::io_context& io_;
    std::string host_;
    Voice voice_;
    Observer observer_;
    Changed changed_;
    std::function<void()> cleaned_;
    std::shared_ptr<Signal> wake_; ///< the session's changes and the supervisor's
    Wanted wanted_;
    bool rewanted_ = false; ///< wanted_ changed since the rows were last as wanted
    bool stopped_ = false;
    bool done_ = false;
    std::string local_address_;
    std::optional<ovsdb::Session> session_;
    std::uint64_t sessions_ = 0;
    std::uint64_t past_operations_ = 0;                  ///< of sessions that ended
    std::optional<fabric::Observation> observed_;        ///< last reported in this session
    std::set<std::string> foreign_shapers_;              ///< interfaces that were told of
    std::map<std::string, fabric::Uplink> idle_uplinks_; ///< by physical network: that were told of
    std::deque<SteadyClock::time_point> rivalry_;        ///< when controllers of another weftd's were taken off, lately
    std::string rival_;                                  ///< the sentence about it, while it goes on
    Phase phase_ = Phase::down;
    std::string reason_ = "not connected yet";
};

} // namespace weft::controller
