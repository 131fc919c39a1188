// Connection: what a Session is made of. It turns a Stream into messages and back: transaction ids, a reader, a writer
// with one output buffer, a prober, and the exchanges that wait for answers. It knows nothing of flows.
//
// The three coroutines hold the Connection by shared_ptr and end soon after finish(); so does every operation of
// Session.
#pragma once
#include "openflow/framer.hpp"
#include "openflow/session.hpp"

#include <deque>
#include <map>

namespace weft::openflow {

class Exchange;

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(const asio::any_io_executor& executor, std::unique_ptr<Stream> stream, const SessionOptions& options);

    /// Starts the reader, the writer and the prober.
    void start();
    /// Ends everything; the first reason stays.
    void finish(Error reason);
    const std::optional<Error>& end() const { return end_; }
    Task<Error> closed();

    /// The peer's HELLO, or the end.
    Task<Result<Hello>> hello();

    /// The output: append messages, then flush().
    Bytes& out() { return out_; }
    void flush() { out_ready_.raise(); }
    std::size_t backlog() const { return out_.size() + in_flight_.size(); }
    /// Flushes, lets others run, and returns when less than the high-water mark waits to be sent. False: it ended.
    Task<bool> room();
    /// Returns when all is sent, or after `timeout`.
    Task<void> drained(Milliseconds timeout);

    /// The first of `count` consecutive transaction ids.
    std::uint32_t take_xids(std::size_t count = 1);
    std::uint32_t take_bundle() { return next_bundle_++; }

    const SessionOptions& options() const { return options_; }
    const Stream& stream() const { return *stream_; }

    Version version = Version::v15;
    Features features;
    SessionCounters counters;
    std::map<std::uint32_t, Port> ports;
    std::deque<PacketIn> packet_ins;
    Signal packet_arrived, ports_changed, foreign_change;
    bool watching = false; ///< the flow monitor stands

  private:
    friend class Exchange;
    Task<void> read(std::shared_ptr<Connection> self);
    Task<void> write(std::shared_ptr<Connection> self);
    Task<void> probe(std::shared_ptr<Connection> self);
    void dispatch(Message message);
    void answer_echo(std::uint32_t xid, const EchoRequest& echo);
    void queue(PacketIn packet);

    SessionOptions options_;
    std::unique_ptr<Stream> stream_;
    Framer framer_;
    Bytes out_, in_flight_;
    SteadyClock::time_point writing_since_; ///< while something is in flight
    Signal out_ready_, sent_, hello_arrived_;
    std::optional<Hello> hello_;
    asio::steady_timer probe_timer_, ended_;
    SteadyClock::time_point last_heard_ = SteadyClock::now();
    std::optional<Error> end_;
    std::map<std::uint32_t, Exchange*> exchanges_; ///< by first transaction id
    std::uint32_t next_xid_ = 1;
    std::uint32_t next_bundle_ = 1;
};

/// A request, or a run of them, under way: collects what comes back under its transaction ids.
class Exchange {
  public:
    explicit Exchange(Connection& connection, std::size_t xids = 1);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    std::uint32_t xid(std::size_t index = 0) const { return first_ + static_cast<std::uint32_t>(index); }
    /// The next message that came back. When nothing comes for options.reply the connection ends (timeout).
    Task<Result<Message>> next();
    /// next(), and a SwitchError becomes Error refused.
    Task<Result<Message>> answer();
    /// What came back answers no such request: ends the connection, which nobody could trust any more.
    std::unexpected<Error> breach(std::string text);

  private:
    friend class Connection;
    Connection& connection_;
    std::uint32_t first_;
    std::size_t count_;
    std::deque<Message> arrived_;
    Signal signal_;
};

} // namespace weft::openflow
