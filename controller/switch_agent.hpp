// SwitchAgent: makes one host's switch equal to the published world, and keeps it so. Start, restart, reconnect, drift
// and a refused change are one path: read back what the switch holds, diff, send the difference. A change to a switch
// known to be synced is the difference of two worlds, without a read-back. With nothing changed nothing is sent.
//
// Rules of life: one thread; kept in a shared_ptr, which its coroutine shares while a session lasts. stop() ends it.
#pragma once
#include "base/mailbox.hpp"
#include "controller/published.hpp"
#include "controller/stale_cache.hpp"
#include "fabric/compile.hpp"
#include "openflow/session.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace weft::controller {

class SwitchAgent : public std::enable_shared_from_this<SwitchAgent> {
  public:
    enum class Phase {
        absent,  ///< the bridge is not connected
        waiting, ///< connected; the host's OVSDB has not been read, so its port numbers are not known
        syncing, ///< reading back, or sending
        synced,  ///< the switch acknowledged the published world
        refused, ///< the switch refused a flow; waits for another world
    };

    /// `changed` is called when the phase or the reason changed, and when the switch has acknowledged another world
    /// that is of this host's concern.
    SwitchAgent(asio::io_context& io, std::string host, Voice voice, std::function<void()> changed);

    /// One sentence a phase; empty for synced.
    static std::string_view sentence(Phase phase);

    /// The world to reach. Cheap when nothing about this host changed.
    void publish(const Published& target);
    /// True once the published world holds what this host's OVSDB says.
    void set_ready(bool ready);
    /// Something that no flow says has changed what packets should do: a gateway's active host. Where the datapath may
    /// be left with what it cached before (StaleCache), it is made to forget that.
    void forget_cached();
    /// The bridge dialed in. A session still standing is closed: the bridge has only one.
    void adopt(std::shared_ptr<openflow::Session> session);
    void stop();

    Phase phase() const { return phase_; }
    const std::string& reason() const { return reason_; }
    RevisionNumber revision() const { return revision_; } ///< acknowledged
    std::size_t flows() const { return flows_; }
    std::size_t groups() const { return groups_; }
    /// How many messages following a world takes.
    struct ToSend {
        struct Counts {
            std::size_t add = 0, change = 0, remove = 0;
            bool operator==(const Counts&) const = default;
        };
        Counts flows, groups, meters;
        std::size_t forgetting = 0; ///< flow-mods beside these: StaleCache's
        bool operator==(const ToSend&) const = default;
    };
    /// What following `next` would take; `forgets`: as if forget_cached() were called. Nothing while it is not known
    /// what the switch holds: then it is read back first.
    std::optional<ToSend> to_send(const fabric::WorldPtr& next, bool forgets) const;
    /// What the switch acknowledged; without a world: that is not known now.
    Published acknowledged() const { return {have_, revision_, number_, {}}; }
    /// Milliseconds that the switch has been behind the published world; 0 when it is not.
    std::int64_t lag_ms() const;
    openflow::SessionCounters counters() const;
    /// The same of all sessions with this bridge, and how many began.
    openflow::SessionCounters total() const;
    std::uint64_t sessions() const { return sessions_; }
    /// How often the switch was found with nothing of weft's: then all that it counts began anew at 0.
    std::uint64_t lives() const { return lives_; }
    /// Null while no session stands. Hold it across waits.
    std::shared_ptr<openflow::Session> session() const { return session_; }

  private:
    Task<void> serve(std::shared_ptr<openflow::Session> session);
    Task<void> listen_for_drift(std::shared_ptr<openflow::Session> session);
    /// Errors (io, timeout, protocol) mean that the session is over; refused that the switch said no.
    Task<Result<>> read_back_and_sync(openflow::Session& session);
    Task<Result<>> follow(openflow::Session& session);
    /// The host's datapath is one that StaleCache is for.
    bool keeps_stale(const fabric::WorldPtr& world) const;
    /// Sends a change for `world`.
    Task<Result<>> send(openflow::Session& session, openflow::Change change, const fabric::WorldPtr& world);
    void acknowledge(const Published& reached);
    void enter(Phase phase, std::string reason = {});
    bool behind() const;

    asio::io_context& io_;
    std::string host_;
    Voice voice_;
    std::function<void()> changed_;
    Signal wake_;
    Published target_;
    bool ready_ = false;
    bool stopped_ = false;
    std::shared_ptr<openflow::Session> session_;
    std::uint64_t sessions_ = 0;
    std::uint64_t lives_ = 0;
    openflow::SessionCounters past_; ///< of sessions that ended

    Phase phase_ = Phase::absent;
    std::string reason_{sentence(Phase::absent)};
    fabric::WorldPtr have_;    ///< what the switch acknowledged in this session; null: unknown, read back
    fabric::WorldPtr tried_;   ///< the world that was sent last, or was to be
    fabric::WorldPtr refused_; ///< the world that the switch refused: not tried twice
    bool drifted_ = false;     ///< somebody else changed something
    StaleCache cache_;
    bool forgets_ = false; ///< forget_cached() was called
    RevisionNumber revision_ = 0;
    std::uint64_t number_ = 0; ///< have_'s
    SteadyClock::time_point behind_since_ = SteadyClock::now();
    std::size_t flows_ = 0;
    std::size_t groups_ = 0;
};

} // namespace weft::controller
