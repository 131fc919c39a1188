#include "openflow/connection.hpp"
#include "openflow/script.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace weft::openflow {

namespace {

constexpr std::size_t kChunk = 64 * 1024; // encoded at a stretch before others may run: under a millisecond

constexpr std::size_t kMetersAtOnce = 500;

constexpr std::size_t kLargestPacket = 60'000; // leaves room for its actions in a message of 64 KiB

/// All parts of a multipart reply.
template <class Entry>
Task<Result<std::vector<Entry>>> collect(Exchange& exchange) {
    std::vector<Entry> all;
    for (bool more = true; more;) {
        auto message = co_await exchange.answer();
        if (!message) co_return std::unexpected(message.error());
        auto* part = std::get_if<std::vector<Entry>>(&message->body);
        if (!part) co_return exchange.breach("the switch answered a request with something else");
        std::ranges::move(*part, std::back_inserter(all));
        more = message->more;
    }
    co_return all;
}

template <class Entry>
Task<Result<std::vector<Entry>>> ask(std::shared_ptr<Connection> connection, Table table) {
    Exchange exchange(*connection);
    encode_request(connection->out(), connection->version, exchange.xid(), table);
    co_return co_await collect<Entry>(exchange);
}

/// What a switch said against the messages of one exchange.
struct Refusal {
    std::optional<std::uint32_t> xid; ///< the first one refused
    std::string reason;
    std::size_t count = 0;

    void note(std::uint32_t refused, const SwitchError& error) {
        if (count++ > 0) return;
        xid = refused;
        reason = error.reason;
    }
    Error error(const std::string& what) const {
        const std::string others = count > 1 ? fmt::format(" (and {} more)", count - 1) : "";
        return {ErrorKind::refused, fmt::format("the switch refused {}: {}{}", what, reason, others)};
    }
};

/// Waits for the barrier reply under `barrier` and notes the errors before it.
Task<Result<Refusal>> await_barrier(Exchange& exchange, std::uint32_t barrier) {
    Refusal refusal;
    for (;;) {
        auto message = co_await exchange.next();
        if (!message) co_return std::unexpected(message.error());
        if (const auto* error = std::get_if<SwitchError>(&message->body)) refusal.note(message->xid, *error);
        if (message->xid == barrier) co_return refusal;
    }
}

struct MeterStep {
    Command command;
    MeterEntry meter;
};

/// Meters go outside of bundles (METER_MOD is not bundlable), each batch behind a barrier.
Task<Result<void>> send_meters(std::shared_ptr<Connection> connection, std::vector<MeterStep> steps) {
    if (steps.empty()) co_return Result<void>{};
    Exchange exchange(*connection, steps.size() + 1);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        encode_meter_mod(connection->out(), connection->version, exchange.xid(i), steps[i].command, steps[i].meter);
        ++connection->counters.meter_mods;
        if (i % kMetersAtOnce == 0 && !co_await connection->room()) break;
    }
    const std::uint32_t barrier = exchange.xid(steps.size());
    encode_barrier_request(connection->out(), connection->version, barrier);
    const auto refusal = co_await await_barrier(exchange, barrier);
    if (!refusal) co_return std::unexpected(refusal.error());
    if (refusal->xid) {
        const std::uint32_t index = *refusal->xid - exchange.xid();
        co_return std::unexpected(refusal->error(index < steps.size() ? to_string(steps[index].meter) : "a barrier"));
    }
    co_return Result<void>{};
}

/// OPEN, the steps from `begin` to `end`, BARRIER; then COMMIT if nothing was refused, else DISCARD. A refused message
/// does not spoil its bundle by itself: a COMMIT sent too early would commit the rest.
Task<Result<void>> send_bundle(std::shared_ptr<Connection> connection, const Script& script, std::size_t begin,
                               std::size_t end) {
    const std::size_t steps = end - begin;
    const std::uint32_t bundle = connection->take_bundle();
    Exchange exchange(*connection, steps + 3); // OPEN, the steps, BARRIER, COMMIT or DISCARD
    const std::uint32_t open = exchange.xid(), barrier = exchange.xid(steps + 1), last = exchange.xid(steps + 2);
    Bytes& out = connection->out();
    const auto describe = [&](std::uint32_t xid) -> std::string {
        const std::uint32_t index = xid - open;
        return index >= 1 && index <= steps ? script.describe(begin + index - 1) : "the bundle";
    };

    encode_bundle_control(out, connection->version, open, bundle, BundleStep::open);
    std::size_t chunk = 0;
    for (std::size_t i = 0; i < steps; ++i) {
        const Envelope to{.version = connection->version, .xid = exchange.xid(i + 1), .bundle = bundle};
        const std::size_t before = out.size();
        script.encode(begin + i, to, out);
        ++(script.is_flow(begin + i) ? connection->counters.flow_mods : connection->counters.group_mods);
        chunk += out.size() - before;
        if (chunk < kChunk) continue;
        chunk = 0;
        if (!co_await connection->room()) break;
    }
    encode_barrier_request(out, connection->version, barrier);
    auto refusal = co_await await_barrier(exchange, barrier);
    if (!refusal) co_return std::unexpected(refusal.error());

    const BundleStep verdict = refusal->xid ? BundleStep::discard : BundleStep::commit;
    encode_bundle_control(out, connection->version, last, bundle, verdict);
    for (;;) {
        const auto message = co_await exchange.next();
        if (!message) co_return std::unexpected(message.error());
        if (const auto* error = std::get_if<SwitchError>(&message->body)) {
            if (verdict == BundleStep::commit && !(message->xid == last && refusal->xid))
                refusal->note(message->xid, *error);
        }
        if (message->xid == last) break;
    }
    if (refusal->xid) co_return std::unexpected(refusal->error(describe(*refusal->xid)));
    co_return Result<void>{};
}

void add_steps(std::vector<MeterStep>& steps, Command command, const std::vector<MeterEntry>& meters) {
    std::ranges::transform(meters, std::back_inserter(steps),
                           [command](const MeterEntry& meter) { return MeterStep{command, meter}; });
}

std::vector<MeterStep> meters_first(const MeterDelta& delta) {
    std::vector<MeterStep> steps;
    add_steps(steps, Command::add, delta.add);
    add_steps(steps, Command::modify, delta.change);
    return steps;
}

std::vector<MeterStep> undo(const MeterDelta& delta) {
    std::vector<MeterStep> steps;
    add_steps(steps, Command::remove, delta.add);
    return steps;
}

std::vector<MeterStep> meters_last(const MeterDelta& delta) {
    std::vector<MeterStep> steps;
    std::ranges::transform(delta.remove, std::back_inserter(steps),
                           [](std::uint32_t id) { return MeterStep{Command::remove, {.id = id}}; });
    return steps;
}

Task<Result<Applied>> apply_to(std::shared_ptr<Connection> connection, const Change& change) {
    Applied applied;
    if (auto sent = co_await send_meters(connection, meters_first(change.meters)); !sent) {
        co_return std::unexpected(sent.error());
    }
    const Script script(change);
    for (std::size_t begin = 0; begin < script.size();) {
        const std::size_t end = std::min(begin + connection->options().portion, script.size());
        if (auto sent = co_await send_bundle(connection, script, begin, end); !sent) {
            if (applied.bundles == 0 && sent.error().kind == ErrorKind::refused) {
                co_await send_meters(connection, undo(change.meters)); // nothing uses them
            }
            co_return std::unexpected(sent.error());
        }
        for (; begin < end; ++begin)
            ++(script.is_flow(begin) ? applied.flow_mods : applied.group_mods);
        ++applied.bundles;
    }
    if (auto sent = co_await send_meters(connection, meters_last(change.meters)); !sent) {
        co_return std::unexpected(sent.error());
    }
    applied.meter_mods = change.meters.add.size() + change.meters.change.size() + change.meters.remove.size();
    co_return applied;
}

Result<Version> common_version(const Hello& hello) {
    for (Version version : {Version::v15, Version::v14}) {
        if (hello.versions & 1U << static_cast<unsigned>(version)) return version;
    }
    return fail(ErrorKind::protocol,
                "the switch speaks neither OpenFlow 1.5 nor 1.4 (see protocols in its Bridge row)");
}

Task<Result<void>> shake_hands(std::shared_ptr<Connection> connection) {
    Bytes& out = connection->out();
    encode_hello(out, connection->take_xids());
    connection->flush();
    const auto hello = co_await connection->hello();
    if (!hello) co_return std::unexpected(hello.error());
    const auto version = common_version(*hello);
    if (!version) {
        encode_hello_failed(out, connection->version, connection->take_xids(), version.error().text);
        co_await connection->drained(Milliseconds{1'000});
        co_return std::unexpected(version.error());
    }
    connection->version = *version;

    Exchange exchange(*connection);
    encode_features_request(out, *version, exchange.xid());
    const auto features = co_await exchange.answer();
    if (!features) co_return std::unexpected(features.error());
    const auto* known = std::get_if<Features>(&features->body);
    if (!known) co_return exchange.breach("the switch answered FEATURES_REQUEST with something else");
    connection->features = *known;

    Exchange configuration(*connection, 3);
    encode_set_config(out, *version, configuration.xid(0));
    encode_packet_in_format(out, *version, configuration.xid(1));
    encode_barrier_request(out, *version, configuration.xid(2));
    const auto refusal = co_await await_barrier(configuration, configuration.xid(2));
    if (!refusal) co_return std::unexpected(refusal.error());
    if (refusal->xid) co_return std::unexpected(refusal->error("its configuration"));

    const auto ports = co_await ask<Port>(connection, Table::ports);
    if (!ports) co_return std::unexpected(ports.error());
    for (const Port& port : *ports)
        connection->ports.insert_or_assign(port.number, port);
    co_return Result<void>{};
}

Task<void> end_after(std::shared_ptr<Connection> connection, std::shared_ptr<asio::steady_timer> deadline) {
    const auto [ec] = co_await deadline->async_wait(kResult);
    if (!ec) connection->finish({ErrorKind::timeout, "the OpenFlow handshake took too long"});
}

} // namespace

Session::Session(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

Session::~Session() {
    close();
}

Task<Result<std::unique_ptr<Session>>> Session::open(std::unique_ptr<Stream> stream, SessionOptions options) {
    const auto executor = co_await asio::this_coro::executor;
    const auto connection = std::make_shared<Connection>(executor, std::move(stream), options);
    std::unique_ptr<Session> session(new Session(connection)); // closes it should anything fail
    connection->start();
    const auto deadline = std::make_shared<asio::steady_timer>(executor, options.handshake);
    asio::co_spawn(executor, end_after(connection, deadline), asio::detached);
    const auto shaken = co_await shake_hands(connection);
    deadline->cancel();
    if (!shaken) co_return std::unexpected(shaken.error());
    co_return session;
}

const Features& Session::features() const {
    return connection_->features;
}
Version Session::version() const {
    return connection_->version;
}
std::string Session::peer_address() const {
    return connection_->stream().peer_address();
}
std::string Session::peer_common_name() const {
    return connection_->stream().peer_common_name();
}

Task<Result<Dump>> Session::dump(std::optional<FlowFilter> filter) {
    const auto connection = connection_;
    Dump dump;
    Exchange exchange(*connection);
    encode_flow_stats_request(connection->out(), connection->version, exchange.xid(), filter.value_or(FlowFilter{}));
    auto flows = co_await collect<FlowStats>(exchange);
    if (!flows) co_return std::unexpected(flows.error());
    dump.flows = std::move(*flows);
    if (filter) co_return dump;
    auto groups = co_await ask<GroupEntry>(connection, Table::group_desc);
    if (!groups) co_return std::unexpected(groups.error());
    dump.groups = std::move(*groups);
    std::ranges::sort(dump.groups, {}, &GroupEntry::id);
    auto meters = co_await ask<MeterEntry>(connection, Table::meter_config);
    if (!meters) co_return std::unexpected(meters.error());
    dump.meters = std::move(*meters);
    std::ranges::sort(dump.meters, {}, &MeterEntry::id);
    co_return dump;
}

Task<Result<std::vector<AggregateStats>>> Session::aggregate(std::vector<FlowFilter> filters) {
    const auto connection = connection_;
    std::vector<AggregateStats> all(filters.size());
    if (filters.empty()) co_return all;
    Exchange exchange(*connection, filters.size());
    for (std::size_t i = 0; i < filters.size(); ++i)
        encode_aggregate_request(connection->out(), connection->version, exchange.xid(i), filters[i]);
    for (std::size_t i = 0; i < filters.size(); ++i) {
        auto message = co_await exchange.answer();
        if (!message) co_return std::unexpected(message.error());
        const auto* sums = std::get_if<AggregateStats>(&message->body);
        if (!sums) co_return exchange.breach("the switch answered a request with something else");
        all.at(message->xid - exchange.xid()) = *sums;
    }
    co_return all;
}

Task<Result<std::vector<GroupStats>>> Session::group_stats() {
    return ask<GroupStats>(connection_, Table::group_stats);
}

Task<Result<std::vector<MeterStats>>> Session::meter_stats() {
    return ask<MeterStats>(connection_, Table::meter_stats);
}

Task<Result<Applied>> Session::apply(const Change& change) {
    return apply_to(connection_, change);
}

Task<Result<void>> Session::watch() {
    const auto connection = connection_;
    if (connection->watching) co_return Result<void>{};
    Exchange exchange(*connection, 2);
    encode_set_async(connection->out(), connection->version, exchange.xid());
    encode_flow_monitor_request(connection->out(), connection->version, exchange.xid(1), 1);
    const auto started = co_await exchange.answer();
    if (!started) co_return std::unexpected(started.error());
    connection->watching = true;
    co_return Result<void>{};
}

Signal& Session::foreign_change() {
    return connection_->foreign_change;
}

Task<std::optional<PacketIn>> Session::packet_in() {
    const auto connection = connection_;
    while (connection->packet_ins.empty()) {
        if (connection->end()) co_return std::nullopt;
        co_await connection->packet_arrived.wait();
    }
    PacketIn packet = std::move(connection->packet_ins.front());
    connection->packet_ins.pop_front();
    co_return packet;
}

bool Session::packet_out(const PacketOut& packet) {
    if (connection_->end() || connection_->backlog() >= 2 * connection_->options().high_water) return false;
    if (packet.packet.size() > kLargestPacket) return false;
    encode_packet_out(connection_->out(), connection_->version, connection_->take_xids(), packet);
    ++connection_->counters.packet_outs;
    connection_->flush();
    return true;
}

const std::map<std::uint32_t, Port>& Session::ports() const {
    return connection_->ports;
}
Signal& Session::ports_changed() {
    return connection_->ports_changed;
}
const SessionCounters& Session::counters() const {
    return connection_->counters;
}
bool Session::ended() const {
    return connection_->end().has_value();
}

Task<Error> Session::closed() {
    const auto connection = connection_;
    co_return co_await connection->closed();
}

void Session::close() {
    connection_->finish({ErrorKind::io, "closed"});
}

} // namespace weft::openflow
