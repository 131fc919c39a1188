#include "ovsdb/session.hpp"

#include "ovsdb/json_rpc.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <list>

namespace weft::ovsdb {
namespace {

namespace json = boost::json;

constexpr std::string_view kMonitorId = "weft";
constexpr std::string_view kEchoId = "echo";
constexpr std::size_t kReadBuffer = std::size_t{32} << 10;
constexpr std::size_t kMaxOutbox = std::size_t{64} << 20; ///< unsent bytes of a peer that does not read

bool is_text(const json::value& value, std::string_view text) {
    const auto* string = value.if_string();
    return string && std::string_view(string->data(), string->size()) == text;
}

json::value schema_params() {
    json::array params;
    params.emplace_back(kDatabase);
    return params;
}

json::value monitor_params() {
    json::array params;
    params.emplace_back(kDatabase);
    params.emplace_back(kMonitorId);
    params.emplace_back(monitor_requests());
    return params;
}

std::string transact_params(const std::vector<std::string>& operations) {
    std::string params = fmt::format(R"(["{}")", kDatabase);
    for (const auto& operation : operations)
        (params += ',') += operation;
    return params += ']';
}

std::string statistics_operation() {
    return R"({"op":"select","table":"Interface","where":[],"columns":["name","statistics"]})";
}

/// "constraint violation: Transaction causes …", of an operation's or a request's error.
std::string describe(const json::value& error) {
    const auto* object = error.if_object();
    if (!object) return json::serialize(error);
    const auto text = [object](std::string_view name) {
        const auto* member = object->if_contains(name);
        return member && member->is_string() ? std::string(member->as_string()) : std::string();
    };
    const std::string what = text("error");
    const std::string details = text("details");
    return details.empty() ? what : what + ": " + details;
}

/// RFC 7047, 4.1.3: a result per operation, null for those not reached, and one more when the commit failed.
Result<json::array> check_results(const json::value& result, std::size_t operations) {
    const auto* results = result.if_array();
    if (!results) return fail(ErrorKind::protocol, "the result of a transaction is not an array");
    for (std::size_t i = 0; i < results->size(); ++i) {
        const auto* object = (*results)[i].if_object();
        if (!object || !object->contains("error")) continue;
        const std::string which = i < operations ? fmt::format("operation {}", i + 1) : "commit";
        return fail(ErrorKind::refused, fmt::format("{}: {}", which, describe((*results)[i])));
    }
    const bool complete = results->size() == operations &&
                          std::ranges::all_of(*results, [](const json::value& one) { return one.is_object(); });
    if (!complete) return fail(ErrorKind::protocol, "the results of a transaction are not one per operation");
    return *results;
}

const json::array* selected_rows(const json::value& result) {
    const auto* object = result.if_object();
    const auto* rows = object ? object->if_contains("rows") : nullptr;
    return rows ? rows->if_array() : nullptr;
}

Result<std::int64_t> read_next_cfg(const json::value& result) {
    const auto* rows = selected_rows(result);
    const auto* row = rows && rows->size() == 1 ? (*rows)[0].if_object() : nullptr;
    const auto* next_cfg = row ? row->if_contains("next_cfg") : nullptr;
    if (!next_cfg || !next_cfg->is_int64()) return fail(ErrorKind::protocol, "no next_cfg in the answer");
    return next_cfg->get_int64();
}

using Statistics = std::map<std::string, std::map<std::string, std::int64_t>>;

bool read_statistics(const json::object& row, Statistics& statistics) {
    const auto* name = row.if_contains("name");
    const auto* column = row.if_contains("statistics");
    if (!name || !name->is_string() || !column || !column->is_array()) return false;
    const auto& tagged = column->get_array();
    if (tagged.size() != 2 || !tagged[1].is_array()) return false;
    auto& counters = statistics[std::string(name->get_string())];
    for (const auto& element : tagged[1].get_array()) {
        const auto* pair = element.if_array();
        if (!pair || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_int64()) return false;
        counters[std::string((*pair)[0].get_string())] = (*pair)[1].get_int64();
    }
    return true;
}

} // namespace

/// Shared by the Session and its coroutines; the last of them frees it.
struct Session::State {
    /// One that waits, in the frame of its coroutine; the timer is its deadline and, cancelled, its wake-up.
    struct Waiter {
        Waiter(State& owner, SteadyClock::time_point deadline) : state(owner), timer(owner.executor, deadline) {
            state.waiters.push_back(this);
        }
        ~Waiter() { state.waiters.remove(this); }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;

        State& state;
        asio::steady_timer timer;
        std::optional<std::uint64_t> request; ///< waits for this reply
        std::optional<std::int64_t> next_cfg; ///< waits for this configuration
        std::optional<Reply> reply;
    };

    State(asio::any_io_executor on, std::unique_ptr<Stream> connected, SessionOptions given)
        : executor(std::move(on)), stream(std::move(connected)), options(std::move(given)), to_write(executor),
          watch_timer(executor), last_heard(SteadyClock::now()) {
        if (!options.changed) options.changed = std::make_shared<Signal>(executor);
    }

    asio::any_io_executor executor;
    std::unique_ptr<Stream> stream;
    SessionOptions options;
    Replica replica;
    SessionCounters counters;
    std::optional<Error> ended;
    std::list<Waiter*> waiters;
    std::string outbox;
    Signal to_write;
    asio::steady_timer watch_timer;
    SteadyClock::time_point last_heard;
    bool probing = false;
    std::uint64_t last_id = 0;
    std::optional<std::uint64_t> monitor_request; ///< its reply is the snapshot
    Framer framer;
    std::array<std::byte, kReadBuffer> buffer{};

    void end(Error error) {
        if (ended) return;
        ended = std::move(error);
        stream->close();
        for (Waiter* waiter : waiters)
            waiter->timer.cancel();
        to_write.raise();
        watch_timer.cancel();
        options.changed->raise();
    }

    void send(std::string_view message) {
        if (ended) return;
        outbox += message;
        if (outbox.size() > kMaxOutbox) return end({ErrorKind::protocol, "the peer does not read what it is sent"});
        to_write.raise();
    }

    std::uint64_t request(std::string_view method, std::string_view params) {
        const std::uint64_t id = ++last_id;
        send(encode_request(id, method, params));
        return id;
    }

    std::int64_t cur_cfg() const {
        const auto* root = replica.open_vswitch();
        return root ? root->cur_cfg : 0;
    }

    void replica_changed() {
        const std::int64_t configured = cur_cfg();
        for (Waiter* waiter : waiters) {
            if (waiter->next_cfg && *waiter->next_cfg <= configured) waiter->timer.cancel();
        }
        options.changed->raise();
    }

    Result<void> receive(Message message) {
        if (auto* reply = std::get_if<Reply>(&message)) return receive_reply(std::move(*reply));
        if (auto* request = std::get_if<Request>(&message)) {
            if (request->method != "echo") return fail(ErrorKind::protocol, "unknown request " + request->method);
            send(encode_reply(request->id, request->params));
            return {};
        }
        const auto& notification = std::get<Notification>(message);
        const auto& params = notification.params.get_array();
        if (notification.method != "update2" || params.size() != 2 || !is_text(params[0], kMonitorId)) {
            return fail(ErrorKind::protocol, "unexpected notification " + notification.method);
        }
        if (auto applied = replica.apply(params[1]); !applied) return applied;
        ++counters.updates;
        replica_changed();
        return {};
    }

    Result<void> receive_reply(Reply reply) {
        if (is_text(reply.id, kEchoId)) return {};
        const auto* number = reply.id.if_int64();
        if (!number) return fail(ErrorKind::protocol, "a reply to no request");
        const auto id = static_cast<std::uint64_t>(*number);
        // Here and not where it is awaited: the updates that follow must find the snapshot in place.
        if (id == monitor_request && reply.error.is_null()) {
            if (auto snapshot = replica.reset(reply.result); !snapshot) return snapshot;
            replica_changed();
        }
        const auto waiter = std::ranges::find_if(waiters, [id](const Waiter* one) { return one->request == id; });
        if (waiter == waiters.end() || (*waiter)->reply) return fail(ErrorKind::protocol, "a reply to no request");
        (*waiter)->reply.emplace(std::move(reply));
        (*waiter)->timer.cancel();
        return {};
    }

    void receive_bytes(std::span<const std::byte> bytes) {
        last_heard = SteadyClock::now();
        counters.bytes_in += bytes.size();
        if (probing) {
            probing = false;
            watch_timer.cancel();
        }
        auto values = framer.feed(bytes);
        if (!values) return end(values.error());
        for (auto& value : *values) {
            auto message = decode_message(std::move(value));
            if (!message) return end(message.error());
            if (auto received = receive(std::move(*message)); !received) return end(received.error());
            if (ended) return;
        }
    }

    static Task<void> read(std::shared_ptr<State> state) {
        while (!state->ended) {
            const auto count = co_await state->stream->read_some(state->buffer);
            if (!count)
                state->end(count.error());
            else
                state->receive_bytes(std::span(state->buffer).first(*count));
        }
    }

    static Task<void> write(std::shared_ptr<State> state) {
        std::string writing;
        while (!state->ended) {
            if (state->outbox.empty()) {
                co_await state->to_write.wait();
                continue;
            }
            writing.clear();
            writing.swap(state->outbox);
            state->counters.bytes_out += writing.size();
            const auto written = co_await state->stream->write(std::as_bytes(std::span(writing)));
            if (!written) state->end(written.error());
        }
    }

    /// Anything heard counts as life. Apart from the writer, because a peer that does not read must end as well.
    static Task<void> watch(std::shared_ptr<State> state) {
        while (!state->ended) {
            const auto limit =
                state->probing ? state->options.probe_after + state->options.probe_timeout : state->options.probe_after;
            const auto due = state->last_heard + limit;
            if (SteadyClock::now() < due) {
                state->watch_timer.expires_at(due);
                co_await state->watch_timer.async_wait(kResult);
            } else if (state->probing) {
                state->end({ErrorKind::timeout, "ovsdb-server does not answer"});
            } else {
                state->probing = true;
                state->send(R"({"id":"echo","method":"echo","params":[]})");
            }
        }
    }

    /// The result of one request. An answer that does not come ends the session.
    static Task<Result<Reply>> ask(std::shared_ptr<State> state, std::string method, std::string params,
                                   Milliseconds timeout) {
        if (state->ended) co_return std::unexpected(*state->ended);
        Waiter waiter(*state, SteadyClock::now() + timeout);
        waiter.request = state->request(method, params);
        if (method == "monitor_cond") state->monitor_request = waiter.request;
        if (!state->ended) co_await waiter.timer.async_wait(kResult);
        if (waiter.reply) co_return std::move(*waiter.reply);
        if (!state->ended) state->end({ErrorKind::timeout, "no answer to " + method});
        co_return std::unexpected(*state->ended);
    }

    /// Every request but a transaction's: an error in its answer is final.
    static Task<Result<json::value>> must(std::shared_ptr<State> state, std::string method, std::string params,
                                          Milliseconds timeout) {
        auto reply = co_await ask(state, method, std::move(params), timeout);
        if (!reply) co_return std::unexpected(reply.error());
        if (!reply->error.is_null()) co_return fail(ErrorKind::refused, method + ": " + describe(reply->error));
        co_return std::move(reply->result);
    }

    static Task<Result<void>> prepare(std::shared_ptr<State> state) {
        const auto deadline = SteadyClock::now() + state->options.open_timeout;
        const auto schema =
            co_await must(state, "get_schema", json::serialize(schema_params()), state->options.open_timeout);
        if (!schema) co_return std::unexpected(schema.error());
        if (auto known = check_schema(*schema); !known) co_return known;
        const auto left = std::chrono::duration_cast<Milliseconds>(deadline - SteadyClock::now());
        const auto snapshot = co_await must(state, "monitor_cond", json::serialize(monitor_params()), left);
        if (!snapshot) co_return std::unexpected(snapshot.error());
        co_return Result<void>();
    }

    static Task<Result<json::array>> execute(std::shared_ptr<State> state, std::vector<std::string> operations) {
        auto result = co_await must(state, "transact", transact_params(operations), state->options.request_timeout);
        if (!result) co_return std::unexpected(result.error());
        auto results = check_results(*result, operations.size());
        if (!results && results.error().kind == ErrorKind::protocol) state->end(results.error());
        co_return results;
    }
};

Session::Session(std::shared_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&& other) noexcept {
    if (state_ && state_ != other.state_) close();
    state_ = std::move(other.state_);
    return *this;
}
Session::~Session() {
    if (state_) close();
}

Task<Result<Session>> Session::open(std::unique_ptr<Stream> stream, SessionOptions options) {
    const auto executor = co_await asio::this_coro::executor;
    const auto state = std::make_shared<State>(executor, std::move(stream), std::move(options));
    Session session(state);
    asio::co_spawn(executor, State::read(state), asio::detached);
    asio::co_spawn(executor, State::write(state), asio::detached);
    asio::co_spawn(executor, State::watch(state), asio::detached);
    auto prepared = co_await State::prepare(state);
    if (prepared && state->ended) prepared = std::unexpected(*state->ended);
    if (!prepared) co_return std::unexpected(prepared.error());
    co_return session;
}

const Replica& Session::replica() const {
    return state_->replica;
}
Signal& Session::changed() {
    return *state_->options.changed;
}
const std::optional<Error>& Session::ended() const {
    return state_->ended;
}
const SessionCounters& Session::counters() const {
    return state_->counters;
}
void Session::close() {
    state_->end({ErrorKind::io, "the session was closed"});
}

Task<Result<Applied>> Session::transact(Transaction transaction) {
    const auto state = state_;
    if (transaction.empty()) co_return Applied{};
    ++state->counters.transactions;
    state->counters.operations += transaction.rows.total();
    const auto results = co_await State::execute(state, std::move(transaction.operations));
    if (!results) co_return std::unexpected(results.error());
    if (!transaction.reconfigures) co_return Applied{};
    const auto next_cfg = read_next_cfg(results->back());
    if (!next_cfg) {
        state->end(next_cfg.error());
        co_return std::unexpected(next_cfg.error());
    }
    co_return Applied{*next_cfg};
}

Task<Result<void>> Session::wait_configured(std::int64_t next_cfg, Milliseconds timeout) {
    const auto state = state_;
    if (!state->ended && state->cur_cfg() < next_cfg) {
        State::Waiter waiter(*state, SteadyClock::now() + timeout);
        waiter.next_cfg = next_cfg;
        co_await waiter.timer.async_wait(kResult);
    }
    if (state->cur_cfg() >= next_cfg && !state->ended) co_return Result<void>();
    if (state->ended) co_return std::unexpected(*state->ended);
    co_return fail(ErrorKind::timeout,
                   fmt::format("ovs-vswitchd did not apply configuration {} within {} ms", next_cfg, timeout.count()));
}

Task<Result<Statistics>> Session::interface_statistics() {
    const auto state = state_;
    std::vector<std::string> operations;
    operations.push_back(statistics_operation());
    const auto results = co_await State::execute(state, std::move(operations));
    if (!results) co_return std::unexpected(results.error());
    const auto* rows = selected_rows(results->front());
    Statistics statistics;
    const bool read = rows && std::ranges::all_of(*rows, [&](const json::value& row) {
                          return row.is_object() && read_statistics(row.get_object(), statistics);
                      });
    if (!read) co_return fail(ErrorKind::protocol, "interface statistics are not as in the schema");
    co_return statistics;
}

Task<Error> Session::closed() {
    const auto state = state_;
    if (!state->ended) {
        State::Waiter waiter(*state, SteadyClock::time_point::max());
        co_await waiter.timer.async_wait(kResult);
    }
    // Also woken when the coroutine that waits is cancelled: then it is the session that the waiter gave up on.
    co_return state->ended.value_or(Error{ErrorKind::io, "no longer waiting"});
}

} // namespace weft::ovsdb
