// SwitchCounts: what only the switches know of what /metrics shows: drops by reason, translations, what meters dropped.
// Read from them when somebody asks and what is known is old; nobody asks, nothing is read.
//
// Drops are not read flow by flow. A flow's cookie says its reason (pipeline/cookie.hpp), so the switch is asked for
// one sum a reason: some twenty short messages there and back in one round trip, whatever the flows' number. The switch
// walks its flows once a reason; docs/operations.md says what that costs.
#pragma once
#include "controller/rising.hpp"
#include "controller/supervisor.hpp"
#include "controller/translation_counts.hpp"
#include "pipeline/cookie.hpp"

#include <map>
#include <memory>
#include <string>

namespace weft::controller {

class SwitchCounts {
  public:
    /// Of packets since the daemon looked first.
    struct Host {
        std::map<pipeline::Reason, Rising> drops;    ///< by flows, and by the meters of ports
        std::map<ObjectId, Rising> exhausted;        ///< of drops, snat_exhausted by gateway
        std::map<std::uint32_t, Rising> punt_meters; ///< what meters kept from the daemon, by meter
        std::map<TranslationCounts::key_type, std::pair<Rising, Rising>> translations; ///< packets, bytes
        std::optional<SteadyClock::time_point> read_at;                                ///< nothing: not yet
        SteadyClock::time_point next_read{};                                           ///< not before
        bool reading = false;
    };

    /// What is known is new for so long.
    static constexpr Milliseconds kFresh{5'000};
    /// A host is left alone for so many times as long as its last answer took: 5 % of its ovs-vswitchd at most.
    static constexpr int kRest = 20;
    static constexpr Milliseconds kLongestRest{60'000};
    /// A host that does not answer keeps nobody waiting for longer.
    static constexpr Milliseconds kPatience{1'000};

    /// Reads from every host that is connected, unless that was done within kFresh or costs it too much. Returns when
    /// all have answered, or after kPatience: what comes later is there for the next. Any number of callers at once.
    Task<void> refresh(const Supervisor& supervisor);

    /// By name, of hosts in the topology.
    const std::map<std::string, std::shared_ptr<const Host>>& hosts() const { return shown_; }

  private:
    /// One reading of all hosts.
    struct Round {
        SteadyClock::time_point began;
        std::size_t left = 0; ///< hosts that have not answered
    };
    struct Question;
    static Task<void> read(Question question, std::shared_ptr<Host> host, std::shared_ptr<Round> round);
    void begin(const Supervisor& supervisor, const asio::any_io_executor& executor);

    std::map<std::string, std::shared_ptr<Host>> hosts_;
    std::map<std::string, std::shared_ptr<const Host>> shown_;
    std::shared_ptr<Round> round_;
};

} // namespace weft::controller
