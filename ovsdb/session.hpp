// One connection to a host's ovsdb-server, from the handshake to the end: RFC 7047 over a Stream. Feeds the replica,
// sends transactions. The host agent owns it, reconnects and decides.
//
// Life: open() returns when the replica is complete. From then on a reading, a writing and a watching coroutine run
// until the first error, which ends everything: the stream is closed, what waits gets that error, changed() is raised.
// They hold what they use, so a Session may be destroyed at any time, also while its members are awaited; that closes
// the connection. Everything runs on the one thread of the io_context that open() was awaited on.
#pragma once
#include "base/mailbox.hpp"
#include "base/stream.hpp"
#include "ovsdb/replica.hpp"
#include "ovsdb/transaction.hpp"

#include <map>
#include <memory>
#include <optional>

namespace weft::ovsdb {

struct SessionOptions {
    Milliseconds open_timeout{30000};    ///< for schema and snapshot together
    Milliseconds request_timeout{30000}; ///< for any one answer; its lack ends the session
    Milliseconds probe_after{5000};      ///< an echo request goes out when the peer was silent that long
    Milliseconds probe_timeout{10000};   ///< and this much more silence is the end (error kind timeout)
    /// Raised at every update and at the end; made when null. Sharing one lets an agent wait for many things at once.
    std::shared_ptr<Signal> changed;
};

struct SessionCounters {
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t updates = 0;      ///< update notifications applied
    std::uint64_t transactions = 0; ///< sent by transact()
    std::uint64_t operations = 0;   ///< on rows, in those transactions: Transaction::rows
    bool operator==(const SessionCounters&) const = default;
};

/// What a transaction left behind. The replica shows its changes already when transact() returns.
struct Applied {
    std::int64_t next_cfg = 0; ///< for wait_configured; 0 when the transaction did not reconfigure
    bool operator==(const Applied&) const = default;
};

class Session {
  public:
    /// Checks the schema, monitors, takes the snapshot. Errors: refused when the peer serves no Open_vSwitch database
    /// or one with another schema; io, timeout, protocol.
    static Task<Result<Session>> open(std::unique_ptr<Stream> stream, SessionOptions options = {});

    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();

    const Replica& replica() const;
    Signal& changed();

    /// Sends and waits for the result of every operation. Errors: refused when the database said no (all or nothing
    /// was applied: nothing); any other kind means that the session is over and that only a new snapshot tells whether
    /// the transaction was applied. An empty transaction is applied without being sent.
    Task<Result<Applied>> transact(Transaction transaction);

    /// Waits until ovs-vswitchd has applied configuration `next_cfg`. Error kind timeout when it has not by then: the
    /// session lives on, ovs-vswitchd may be down.
    Task<Result<void>> wait_configured(std::int64_t next_cfg, Milliseconds timeout);

    /// The counters of every interface by name, as the database holds them now (ovs-vswitchd writes them every 5 s).
    Task<Result<std::map<std::string, std::map<std::string, std::int64_t>>>> interface_statistics();

    /// Returns the reason when the session has ended.
    Task<Error> closed();
    /// The reason; nothing while the session lives.
    const std::optional<Error>& ended() const;
    void close();

    const SessionCounters& counters() const;

  private:
    struct State;
    explicit Session(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace weft::ovsdb
