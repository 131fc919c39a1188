#include "controller/dns_forwarder.hpp"

#include "controller/ldns.hpp"
#include "controller/wire.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <map>
#include <set>
#include <sys/random.h>

namespace weft::controller {
namespace {

using Udp = asio::ip::udp;

constexpr int kSilences = 3;        ///< in a row, until a resolver is put last
constexpr int kPatiences = 3;       ///< for one question
constexpr std::size_t kMany = 1024; ///< resolvers that are remembered; beyond, all is forgotten
constexpr std::size_t kLargest = 65535;

/// From the kernel's generator, which is made for keys: an id that can be guessed is as good as none.
std::uint16_t random_id() {
    std::uint16_t id = 0;
    [[maybe_unused]] const auto got = getrandom(&id, sizeof id, 0);
    assert(got == sizeof id); // so few bytes are never cut short, once the system has booted
    return id;
}

asio::ip::address address_of(const Ip& ip) {
    if (ip.is_v4()) return asio::ip::address_v4(ip.v4());
    return asio::ip::address_v6(ip.bytes());
}

/// The name servers of the root. Nobody waits for the response.
DnsForward probe_query() {
    DnsForward probe;
    for (const int byte : {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, int{LDNS_RR_TYPE_NS}, 0, int{LDNS_RR_CLASS_IN}})
        probe.query.push_back(static_cast<std::byte>(byte));
    probe.limit = kLargest;
    return probe;
}

/// The resolver is alive but no help: another one may be. Some say that without repeating the question.
bool is_no_help(const DnsForward& asked, std::span<const std::byte> response) {
    constexpr std::size_t kHeader = 12;
    if (response.size() < kHeader || !LDNS_QR_WIRE(reinterpret_cast<const std::uint8_t*>(response.data())))
        return false;
    const auto code = wire::u8(response, 3) & 0xf;
    if (wire::u16(response, 4) == 0) return code != LDNS_RCODE_NOERROR;
    return (code == LDNS_RCODE_SERVFAIL || code == LDNS_RCODE_REFUSED) && is_response_to(asked, response);
}

enum class Word {
    silence, ///< nothing in time, or nobody is there
    absence, ///< ICMP says that nobody is there, or there is no way: no use in asking again soon
    no_help, ///< an error of its own
    answer,
    neither, ///< weft itself is out of sockets, or stopped: it says nothing of the resolver
};

struct Heard {
    Word word = Word::neither;
    DnsMessage reply; ///< of an answer
};

} // namespace

struct DnsForwarder::State {
    struct Health {
        int silences = 0; ///< in a row
        SteadyClock::time_point last_until{};
        SteadyClock::time_point probe_at{}; ///< not before
    };
    /// One question put to one resolver. The timer closes the socket.
    struct Attempt {
        Udp::socket socket;
        asio::steady_timer timer;
        explicit Attempt(asio::io_context& io) : socket(io), timer(io) {}
        void end() {
            error_code ignored;
            socket.close(ignored);
            timer.cancel();
        }
    };

    asio::io_context& io;
    Options options;
    std::map<Ip, Health> health{};
    std::map<std::string, std::size_t> of_asker{};
    std::size_t under_way = 0;
    std::set<std::shared_ptr<Attempt>> attempts{};
    std::array<std::byte, kLargest> buffer{}; ///< shared: nothing waits between reading it and using it
    bool stopped = false;

    bool is_last(const Ip& resolver, SteadyClock::time_point now) const {
        const auto found = health.find(resolver);
        return found != health.end() && now < found->second.last_until;
    }
    /// Whether to find out now if a silent resolver is back.
    bool may_probe(const Ip& resolver, SteadyClock::time_point now) {
        const auto found = health.find(resolver);
        if (found == health.end() || now < found->second.probe_at) return false;
        found->second.probe_at = now + options.probe_every;
        return true;
    }
    /// True: it was put last.
    bool note(const Ip& resolver, Word word, SteadyClock::time_point now) {
        if (word == Word::neither) return false;
        if (word == Word::answer || word == Word::no_help) {
            health.erase(resolver);
            return false;
        }
        if (!health.contains(resolver) && health.size() >= kMany) health.clear();
        auto& its = health[resolver];
        if (++its.silences < kSilences) return false;
        its.last_until = now + options.last_resort;
        return true;
    }

    static Task<Heard> ask(std::shared_ptr<State> state, Ip resolver, const DnsForward& query, Milliseconds patience);
    static Task<Heard> ask_on(State& state, Attempt& attempt, Udp::endpoint resolver, const DnsForward& query);
    static Task<> probe(std::shared_ptr<State> state, Ip resolver);
    static void probe_when_due(const std::shared_ptr<State>& state, const Ip& resolver);
    static Task<DnsMessage> reply(std::shared_ptr<State> state, std::vector<Ip> resolvers, const DnsForward& query);
    static Task<> serve(std::shared_ptr<State> state, std::string asker, std::vector<Ip> resolvers, DnsForward query,
                        Done done);
};

/// One question to one resolver, within `patience`.
Task<Heard> DnsForwarder::State::ask(std::shared_ptr<State> state, Ip resolver, const DnsForward& query,
                                     Milliseconds patience) {
    const auto attempt = std::make_shared<Attempt>(state->io);
    state->attempts.insert(attempt);
    attempt->timer.expires_after(patience);
    attempt->timer.async_wait([attempt](const error_code& ec) {
        if (!ec) attempt->end();
    });
    auto heard = co_await ask_on(*state, *attempt, {address_of(resolver), state->options.port}, query);
    attempt->end();
    state->attempts.erase(attempt);
    co_return heard;
}

Task<Heard> DnsForwarder::State::ask_on(State& state, Attempt& attempt, Udp::endpoint resolver,
                                        const DnsForward& query) {
    auto& socket = attempt.socket;
    error_code ec;
    socket.open(resolver.protocol(), ec);
    if (ec == asio::error::address_family_not_supported) co_return Heard{Word::absence, {}};
    if (!ec) socket.non_blocking(true, ec);
    if (ec) co_return Heard{Word::neither, {}};
    // Connected: the kernel chooses the port and lets in nothing but the resolver's words, ICMP's about it included.
    socket.connect(resolver, ec);
    auto message = query.query;
    const auto id = random_id();
    wire::put_u16(message, 0, id);
    if (!ec) socket.send(asio::buffer(message), 0, ec);
    if (ec == asio::error::try_again || ec == asio::error::no_buffer_space) co_return Heard{Word::neither, {}};
    if (ec) co_return Heard{Word::absence, {}};
    while (true) {
        const auto [wait_ec] = co_await socket.async_wait(Udp::socket::wait_read, kResult);
        if (wait_ec) co_return Heard{state.stopped ? Word::neither : Word::silence, {}};
        const auto size = socket.receive(asio::buffer(state.buffer), 0, ec);
        if (ec == asio::error::would_block) continue; // a checksum was wrong
        if (ec == asio::error::bad_descriptor) co_return Heard{state.stopped ? Word::neither : Word::silence, {}};
        if (ec) co_return Heard{Word::absence, {}};
        const auto response = std::span(state.buffer).first(size);
        if (size < sizeof id || wire::u16(response, 0) != id) continue;
        if (is_no_help(query, response)) co_return Heard{Word::no_help, {}};
        if (auto relay = relayed(query, response)) co_return Heard{Word::answer, std::move(*relay)};
    }
}

Task<> DnsForwarder::State::probe(std::shared_ptr<State> state, Ip resolver) {
    const auto query = probe_query();
    const auto heard = co_await ask(state, resolver, query, state->options.patience);
    if (heard.word == Word::answer || heard.word == Word::no_help) state->health.erase(resolver);
}

void DnsForwarder::State::probe_when_due(const std::shared_ptr<State>& state, const Ip& resolver) {
    if (!state->stopped && state->may_probe(resolver, SteadyClock::now()))
        asio::co_spawn(state->io, probe(state, resolver), asio::detached);
}

Task<DnsMessage> DnsForwarder::State::reply(std::shared_ptr<State> state, std::vector<Ip> resolvers,
                                            const DnsForward& query) {
    const auto began = SteadyClock::now();
    const auto deadline = began + kPatiences * state->options.patience;
    std::deque<Ip> ahead, last;
    for (const auto& ip : resolvers)
        (state->is_last(ip, began) ? last : ahead).push_back(ip);
    // Also if there are others, which answer: nobody else would find out that it is back.
    for (const auto& ip : last)
        probe_when_due(state, ip);
    if (ahead.empty()) co_return failed(query);

    ahead.insert(ahead.end(), last.begin(), last.end());
    while (!ahead.empty() && !state->stopped) {
        const auto resolver = ahead.front();
        ahead.pop_front();
        const auto left = std::chrono::ceil<Milliseconds>(deadline - SteadyClock::now());
        if (left <= Milliseconds(0)) break;
        const auto patience = std::min(left, state->options.patience);
        auto heard = co_await ask(state, resolver, query, patience);
        if (heard.word == Word::answer) {
            state->note(resolver, heard.word, SteadyClock::now());
            co_return std::move(heard.reply);
        }
        if (state->note(resolver, heard.word, SteadyClock::now()))
            probe_when_due(state, resolver);
        else if (heard.word == Word::silence)
            ahead.push_back(resolver); // the question, or its answer, may just have been lost
    }
    co_return failed(query);
}

Task<> DnsForwarder::State::serve(std::shared_ptr<State> state, std::string asker, std::vector<Ip> resolvers,
                                  DnsForward query, Done done) {
    co_await asio::post(state->io, asio::use_awaitable); // co_spawn may start it within forward()
    auto message = co_await reply(state, std::move(resolvers), query);
    --state->under_way;
    if (const auto its = state->of_asker.find(asker); --its->second == 0) state->of_asker.erase(its);
    if (!state->stopped) done(std::move(message));
}

DnsForwarder::DnsForwarder(asio::io_context& io, const Options& options)
    : state_(std::make_shared<State>(io, options)) {}

DnsForwarder::~DnsForwarder() {
    stop();
}

void DnsForwarder::forward(std::string asker, std::vector<Ip> resolvers, DnsForward query, Done done) {
    if (state_->stopped) return;
    const auto its = state_->of_asker.find(asker);
    const auto of_asker = its == state_->of_asker.end() ? 0 : its->second;
    if (state_->under_way >= state_->options.most || of_asker >= state_->options.most_of_one_asker) {
        asio::post(state_->io, [state = state_, query = std::move(query), done = std::move(done)] {
            if (!state->stopped) done(failed(query));
        });
        return;
    }
    ++state_->under_way;
    ++state_->of_asker[asker];
    asio::co_spawn(state_->io,
                   State::serve(state_, std::move(asker), std::move(resolvers), std::move(query), std::move(done)),
                   asio::detached);
}

std::size_t DnsForwarder::under_way() const {
    return state_->under_way;
}

void DnsForwarder::stop() {
    state_->stopped = true;
    for (const auto& attempt : state_->attempts)
        attempt->end();
}

} // namespace weft::controller
