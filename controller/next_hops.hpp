// NextHops: whether the next hops of gateways answer, by ARP and ND. The active host asks as the gateway, again and
// again; so the physical switch always knows where the gateway's MAC is, whatever it saw while hosts failed over. While
// there is no answer, the gateway's other candidates probe, each with a MAC of its own and claiming no address. Who is
// not answered where another is, is told: a gateway moves only to a host that is answered, and a next hop that is
// silent to all moves nothing.
#pragma once
#include "base/asio.hpp"
#include "controller/onto_wire.hpp"
#include "controller/published.hpp"
#include "controller/resolution.hpp"

#include <functional>
#include <map>
#include <string>

namespace weft::controller {

class NextHops {
  public:
    /// Hosts that are not answered where another is, when that changed.
    using Tell = std::function<void(const fabric::Unanswered& unanswered)>;

    NextHops(Voice voice, SendFrom send, Tell tell) : voice_(voice), send_(std::move(send)), tell_(std::move(tell)) {}

    /// The world, the active host of each gateway (empty: none), and what was told last, or before a restart.
    void publish(const fabric::WorldPtr& world, const std::map<std::string, std::string>& active,
                 const fabric::Unanswered& unanswered);
    /// On `host` came word from the network that somebody has `ip`.
    void heard(const std::string& host, const std::string& network, const Ip& ip);

    /// Asks until stop().
    Task<void> run();
    void stop() { stopped_ = true; }

    /// As the gateway sees it from `host`; resolving also if it does not ask there.
    Resolution state(const nat::Gateway& gateway, const std::string& host, const Ip& ip) const;

  private:
    struct Question {
        fabric::NextHopAt at;
        std::string gateway; ///< that asks; empty: a probe
        auto operator<=>(const Question&) const = default;
    };
    struct Asker {
        Mac mac;
        Ip ip;
    };
    struct Asked {
        Resolution state = Resolution::resolving;
        int unanswered = 0;
        SteadyClock::time_point ask_at{};
        SteadyClock::time_point answered{}; ///< last
        SteadyClock::time_point doubted{};  ///< since when, if it is not answered
    };

    std::map<Question, Asker> questions() const;
    void ask(const Question& question, const Asker& asker, SteadyClock::time_point now);
    void judge();

    Voice voice_;
    SendFrom send_;
    Tell tell_;
    fabric::WorldPtr world_;
    std::map<std::string, std::string> active_;
    fabric::Unanswered unanswered_;
    std::map<Question, Asked> asked_;
    bool stopped_ = false;
};

} // namespace weft::controller
