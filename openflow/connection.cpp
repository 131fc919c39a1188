#include "openflow/connection.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <limits>

namespace weft::openflow {

Connection::Connection(const asio::any_io_executor& executor, std::unique_ptr<Stream> stream,
                       const SessionOptions& options)
    : packet_arrived(executor), ports_changed(executor), foreign_change(executor), options_(options),
      stream_(std::move(stream)), out_ready_(executor), sent_(executor), hello_arrived_(executor),
      probe_timer_(executor), ended_(executor, SteadyClock::time_point::max()) {}

void Connection::start() {
    const auto self = shared_from_this();
    const auto executor = ended_.get_executor();
    for (auto life : {&Connection::read, &Connection::write, &Connection::probe}) {
        asio::co_spawn(executor, (this->*life)(self), asio::detached);
    }
}

void Connection::finish(Error reason) {
    if (end_) return;
    end_ = std::move(reason);
    stream_->close();
    probe_timer_.cancel();
    ended_.cancel();
    for (Signal* signal : {&out_ready_, &sent_, &hello_arrived_, &packet_arrived, &ports_changed, &foreign_change}) {
        signal->raise();
    }
    for (auto& [xid, exchange] : exchanges_)
        exchange->signal_.raise();
}

Task<Error> Connection::closed() {
    while (!end_)
        co_await ended_.async_wait(kResult);
    co_return *end_;
}

Task<Result<Hello>> Connection::hello() {
    while (!hello_ && !end_)
        co_await hello_arrived_.wait();
    if (!hello_) co_return std::unexpected(*end_);
    co_return *hello_;
}

Task<void> Connection::read(std::shared_ptr<Connection> self) {
    while (!end_) {
        const auto count = co_await stream_->read_some(framer_.space());
        if (!count) {
            finish(count.error());
            break;
        }
        last_heard_ = SteadyClock::now();
        counters.bytes_received += *count;
        framer_.filled(*count);
        while (!end_) {
            const auto frame = framer_.next();
            if (!frame) finish(frame.error());
            if (!frame || !*frame) break;
            auto message = decode(**frame);
            if (message)
                dispatch(std::move(*message));
            else
                finish(message.error());
        }
    }
}

Task<void> Connection::write(std::shared_ptr<Connection> self) {
    constexpr std::size_t kKeep = 64 * 1024; // of buffer, by an idle session
    while (!end_) {
        if (out_.empty()) {
            co_await out_ready_.wait();
            continue;
        }
        std::swap(out_, in_flight_);
        writing_since_ = SteadyClock::now();
        const auto written = co_await stream_->write(in_flight_);
        if (!written) finish(written.error());
        counters.bytes_sent += in_flight_.size();
        in_flight_.clear();
        if (in_flight_.capacity() > kKeep && out_.empty()) Bytes().swap(in_flight_);
        sent_.raise();
    }
}

Task<void> Connection::probe(std::shared_ptr<Connection> self) {
    auto probed = SteadyClock::time_point::min(); // the silence that was already asked about
    while (!end_) {
        const auto heard = last_heard_;
        const auto now = SteadyClock::now();
        if (now >= heard + options_.idle + options_.dead) {
            finish({ErrorKind::timeout, fmt::format("no answer to an echo request for {} ms", options_.dead.count())});
            break;
        }
        if (!in_flight_.empty() && now >= writing_since_ + options_.reply) {
            finish({ErrorKind::timeout, fmt::format("has not read what was sent {} ms ago", options_.reply.count())});
            break;
        }
        if (now >= heard + options_.idle && probed != heard) {
            encode_echo_request(out_, version, take_xids());
            flush();
            probed = heard;
        }
        // Whatever is heard meanwhile, what is sent meanwhile has a deadline of its own.
        const auto unread = (in_flight_.empty() ? now : writing_since_) + options_.reply;
        probe_timer_.expires_at(
            std::min(unread, heard + options_.idle + (probed == heard ? options_.dead : Milliseconds{0})));
        co_await probe_timer_.async_wait(kResult);
    }
}

Task<bool> Connection::room() {
    flush();
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    while (!end_ && backlog() >= options_.high_water)
        co_await sent_.wait();
    co_return !end_;
}

Task<void> Connection::drained(Milliseconds timeout) {
    flush();
    const auto deadline = SteadyClock::now() + timeout;
    while (!end_ && backlog() > 0 && SteadyClock::now() < deadline)
        co_await sent_.wait(deadline - SteadyClock::now());
}

std::uint32_t Connection::take_xids(std::size_t count) {
    if (count > std::numeric_limits<std::uint32_t>::max() - next_xid_)
        next_xid_ = 1; // 0 is what the switch sends unasked
    const std::uint32_t first = next_xid_;
    next_xid_ += static_cast<std::uint32_t>(count);
    return first;
}

void Connection::queue(PacketIn packet) {
    ++counters.packet_ins;
    if (packet_ins.size() >= options_.packet_ins) {
        packet_ins.pop_front();
        ++counters.packet_ins_dropped;
    }
    packet_ins.push_back(std::move(packet));
    packet_arrived.raise();
}

/// The only output that the peer makes itself: a peer that asks and does not read must not fill the memory. All else
/// stops at twice the high-water mark.
void Connection::answer_echo(std::uint32_t xid, const EchoRequest& echo) {
    if (backlog() >= 4 * options_.high_water)
        return finish({ErrorKind::protocol, "asks for echoes and does not read the replies"});
    encode_echo_reply(out_, version, xid, echo.data);
    flush();
}

void Connection::dispatch(Message message) {
    const auto owner = exchanges_.upper_bound(message.xid);
    Exchange* exchange = owner == exchanges_.begin() ? nullptr : std::prev(owner)->second;
    if (exchange && message.xid - exchange->first_ >= exchange->count_) exchange = nullptr;

    if (const auto* echo = std::get_if<EchoRequest>(&message.body)) return answer_echo(message.xid, *echo);
    if (const auto* hello = std::get_if<Hello>(&message.body)) {
        hello_ = *hello;
        return hello_arrived_.raise();
    }
    if (auto* packet = std::get_if<PacketIn>(&message.body)) return queue(std::move(*packet));
    if (auto* status = std::get_if<PortStatus>(&message.body)) {
        if (status->reason == PortStatus::Reason::removed)
            ports.erase(status->port.number);
        else
            ports.insert_or_assign(status->port.number, status->port);
        return ports_changed.raise();
    }
    if (std::holds_alternative<ForeignRequest>(message.body)) return foreign_change.raise();
    if (const auto* updates = std::get_if<std::vector<FlowUpdate>>(&message.body)) {
        using enum FlowUpdate::Event;
        for (const FlowUpdate& update : *updates) {
            if (update.event == added || update.event == removed || update.event == modified) foreign_change.raise();
        }
    }
    if (exchange) {
        exchange->arrived_.push_back(std::move(message));
        exchange->signal_.raise();
    } else if (std::holds_alternative<SwitchError>(message.body)) {
        ++counters.refused;
    }
}

Exchange::Exchange(Connection& connection, std::size_t xids)
    : connection_(connection), first_(connection.take_xids(xids)), count_(xids),
      signal_(connection.ended_.get_executor()) {
    connection_.exchanges_.emplace(first_, this);
}

Exchange::~Exchange() {
    connection_.exchanges_.erase(first_);
}

Task<Result<Message>> Exchange::next() {
    while (arrived_.empty() && !connection_.end_) {
        connection_.flush();
        if (!co_await signal_.wait(connection_.options_.reply)) {
            connection_.finish({ErrorKind::timeout, "no answer from the switch to a request"});
        }
    }
    if (arrived_.empty()) co_return std::unexpected(*connection_.end_);
    Message message = std::move(arrived_.front());
    arrived_.pop_front();
    co_return message;
}

Task<Result<Message>> Exchange::answer() {
    auto message = co_await next();
    if (message) {
        if (const auto* error = std::get_if<SwitchError>(&message->body)) {
            co_return fail(ErrorKind::refused, "the switch refused a request: " + error->reason);
        }
    }
    co_return message;
}

std::unexpected<Error> Exchange::breach(std::string text) {
    Error error{ErrorKind::protocol, std::move(text)};
    connection_.finish(error);
    return std::unexpected(std::move(error));
}

} // namespace weft::openflow
