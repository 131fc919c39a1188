// DnsForwarder: guests' questions for names that weft does not know, asked of resolvers over UDP (RFC 1035, 4.2.1). It
// waits, goes on to the next resolver and remembers which ones are silent; the messages are dns.hpp's. Fed by whoever
// takes guests' packets, feeds the resolvers' replies back to it. One thread: the io_context's.
#pragma once
#include "base/asio.hpp"
#include "controller/dns.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft::controller {

class DnsForwarder {
  public:
    struct Options {
        std::uint16_t port = 53;            ///< the resolvers'
        Milliseconds patience{1500};        ///< with one resolver, each time it is asked; three times that in all
        Milliseconds last_resort{30'000};   ///< how long a silent resolver is put last
        Milliseconds probe_every{1000};     ///< of a silent resolver, at most so often
        std::size_t most = 2048;            ///< questions under way; each has a socket
        std::size_t most_of_one_asker = 64; ///< of those
    };
    /// The reply to the client. Never called from within forward(), and not after stop().
    using Done = std::function<void(DnsMessage reply)>;

    explicit DnsForwarder(asio::io_context& io) : DnsForwarder(io, Options()) {}
    DnsForwarder(asio::io_context& io, const Options& options);
    ~DnsForwarder();
    DnsForwarder(const DnsForwarder&) = delete;
    DnsForwarder& operator=(const DnsForwarder&) = delete;

    /// Asks the resolvers, in this order, until one answers; each time from a socket of its own, so from a port that
    /// the kernel chooses, with an id nobody can guess (RFC 5452, 9), and only what the asked resolver says to the
    /// very question counts. One that is silent for so long, refuses the connection (ICMP) or says SERVFAIL or REFUSED
    /// is followed by the next; the silent ones are asked again while there is time.
    ///
    /// A resolver that was silent three times in a row, whoever asked, is put last for a while, or until it answers. If
    /// all are, the reply is an immediate SERVFAIL, so that guests go on to their next resolver without delay. Such a
    /// resolver is asked by weft itself for the root's name servers, which any that is alive answers at once: when it
    /// is put last, and then as long as guests ask. So one that merely takes long over names of one guest's choice is
    /// not held to be gone by all the others.
    ///
    /// SERVFAIL is also the reply if nobody answers, if there are no resolvers, and beyond the limits of Options.
    /// `asker`: who is counted; a port.
    void forward(std::string asker, std::vector<Ip> resolvers, DnsForward query, Done done);

    /// Questions under way.
    std::size_t under_way() const;

    /// Gives everything up. Idempotent; what is forwarded after it has no reply.
    void stop();

  private:
    struct State;
    std::shared_ptr<State> state_; ///< shared with the coroutines, which end a little after stop()
};

} // namespace weft::controller
