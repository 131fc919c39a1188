// What the fabric did and when: a bounded ring of events with sequence numbers, kept on disk so that a restart forgets
// nothing. Fed by the supervisor and the host agents; feeds `weftctl events` (GET /v1/events, a long poll).
//
// On disk: one JSON object a line in DIRECTORY/events.jsonl, renamed to events.1.jsonl at `rotate_bytes`. Events are
// a convenience, not state: they are written without fsync, and a disk that refuses them costs one warning.
#pragma once
#include "base/asio.hpp"
#include "controller/log.hpp"
#include "controller/timestamp.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::controller {

/// What an event's kind may be. docs/operations.md says of each when.
inline constexpr auto kEventKinds = std::to_array<std::string_view>({"allocation",
                                                                     "drift_repaired",
                                                                     "flows_refused",
                                                                     "foreign_qos",
                                                                     "gateway_active",
                                                                     "gateway_down",
                                                                     "host_cleaned",
                                                                     "host_degraded",
                                                                     "host_down",
                                                                     "host_left",
                                                                     "host_synced",
                                                                     "lease",
                                                                     "lease_declined",
                                                                     "lease_refused",
                                                                     "lease_released",
                                                                     "libvirt_down",
                                                                     "libvirt_following",
                                                                     "libvirt_refused",
                                                                     "new_connection_rate",
                                                                     "nexthop_failed",
                                                                     "nexthop_resolved",
                                                                     "port_moved",
                                                                     "port_plugged",
                                                                     "port_unplugged",
                                                                     "punt_limit",
                                                                     "refused_connection",
                                                                     "rows_refused",
                                                                     "snat_exhausted",
                                                                     "state",
                                                                     "topology_applied",
                                                                     "topology_confirmed",
                                                                     "topology_refused",
                                                                     "topology_rolled_back",
                                                                     "uplink_down",
                                                                     "uplink_up",
                                                                     "vm"});

struct Event {
    std::uint64_t seq = 0; ///< from 1, rising, across restarts
    Timestamp time;
    std::string kind;   ///< one of kEventKinds
    std::string host;   ///< may be empty
    std::string object; ///< "port web1"; may be empty
    std::string text;   ///< one sentence
    bool operator==(const Event&) const = default;
};

/// One object, keys in the order of docs/api.md, no newline.
std::string to_json(const Event& event);

class EventLog {
  public:
    struct Options {
        std::filesystem::path directory; ///< empty: in memory only
        std::size_t capacity = 10'000;
        std::uintmax_t rotate_bytes = 8 * 1024 * 1024;
    };

    /// Reads back what is on disk; lines that are not events are passed over.
    EventLog(asio::any_io_executor executor, Options options, Log& log);
    ~EventLog();
    EventLog(const EventLog&) = delete;
    EventLog& operator=(const EventLog&) = delete;

    /// Stamps, numbers, keeps, writes, wakes every waiter. Bytes that are not UTF-8 become '?'.
    void add(std::string kind, std::string host, std::string object, std::string text);

    /// Events with seq >= `since` still in the ring, oldest first. A number beyond next() comes from a client that saw
    /// a state since lost: it gets everything.
    std::vector<Event> since(std::uint64_t since) const;
    /// (kind, host) → how many since the daemon's start.
    using Counts = std::map<std::pair<std::string, std::string>, std::uint64_t>;
    const Counts& counts() const { return counts_; }
    /// The seq of the event to come: what the client asks for next.
    std::uint64_t next() const { return next_; }

    /// Returns when an event with seq >= `since` exists (true) or after `timeout` (false). Any number of waiters.
    Task<bool> wait(std::uint64_t since, SteadyClock::duration timeout);

  private:
    void read_back();
    void keep(Event event);
    void write(const std::string& line);
    void rotate();
    void refused(const std::string& what);

    asio::any_io_executor executor_;
    Options options_;
    Log& log_;
    std::deque<Event> ring_;
    Counts counts_;
    std::uint64_t next_ = 1;
    int file_ = -1;
    std::uintmax_t file_bytes_ = 0;
    bool torn_ = false;   ///< the file's last line has no newline
    bool warned_ = false; ///< the disk's refusal was told; reset by the first write that works
    /// Shared with the waiters, so that neither side's end leaves the other a dangling pointer.
    std::shared_ptr<std::set<asio::steady_timer*>> waiters_;
};

} // namespace weft::controller
