#include "controller/dns_forwarder.hpp"

#include "tests/controller/dns_messages.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace weft::controller {
namespace {

using namespace messages;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;
using Udp = asio::ip::udp;
using Messages = std::vector<DnsMessage>;

Ip loopback(int last) {
    return Ip::v4(0x7f000000U + static_cast<std::uint32_t>(last));
}

/// Nothing at all is known.
class Nobody final : public DnsNames {
    std::optional<Host> find(std::string_view) const override { return std::nullopt; }
    std::optional<std::string> name_of(const Ip&) const override { return std::nullopt; }
    std::string zone_of(std::string_view) const override { return {}; }
    bool is_private(std::string_view) const override { return false; }
};

DnsForward question(const std::string& name = "example.org") {
    return std::get<DnsForward>(answer_dns(DnsMessage(Query{name}), Nobody(), true, 1232).what);
}

/// The response to a query, with one address.
DnsMessage positive(DnsMessage query) {
    query[2] |= std::byte{0x80};
    query[3] |= std::byte{0x80};
    query[7] = std::byte{1};
    for (const unsigned word : {0xc00cU, 1U, 1U, 0U, 60U, 4U, 0xc000U, 0x0201U})
        put16(query, word);
    return query;
}

DnsMessage with_code(DnsMessage query, int code) {
    query[2] |= std::byte{0x80};
    query[3] = static_cast<std::byte>(code);
    return query;
}

/// A resolver on an address of 127/8: keeps what it is asked and says what it is told to.
class Resolver {
  public:
    using Say = std::function<Messages(const DnsMessage& query)>;

    Resolver(asio::io_context& io, const Ip& ip, std::uint16_t port)
        : socket_(io, Udp::endpoint(asio::ip::address_v4(ip.v4()), port)) {
        receive();
    }
    std::uint16_t port() const { return socket_.local_endpoint().port(); }

    Say say = [](const DnsMessage& query) { return Messages{positive(query)}; };
    Messages asked;
    std::vector<std::uint16_t> from;

    /// Questions of guests, that is but the forwarder's own.
    std::size_t guests_questions() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(asked, [](const auto& each) { return each[12] != std::byte{0}; }));
    }
    std::size_t probes() const { return asked.size() - guests_questions(); }

  private:
    void receive() {
        socket_.async_receive_from(asio::buffer(buffer_), peer_, [this](const error_code& ec, std::size_t size) {
            if (ec) return;
            asked.emplace_back(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
            from.push_back(peer_.port());
            for (const auto& message : say(asked.back()))
                socket_.send_to(asio::buffer(message), peer_);
            receive();
        });
    }

    Udp::socket socket_;
    Udp::endpoint peer_;
    std::array<std::byte, 4096> buffer_{};
};

Messages silent(const DnsMessage& /*query*/) {
    return {};
}

class DnsForwarding : public testing::Test {
  protected:
    asio::io_context io_;
    Resolver first_{io_, loopback(1), 0};
    Resolver second_{io_, loopback(2), first_.port()};
    DnsForwarder::Options options_{.port = first_.port(), .patience = 60ms, .last_resort = 60s, .probe_every = 200ms};
    std::unique_ptr<DnsForwarder> forwarder_ = std::make_unique<DnsForwarder>(io_, options_);
    Messages replies_;
    SteadyClock::time_point began_ = SteadyClock::now();

    void restart(const DnsForwarder::Options& options) {
        options_ = options;
        forwarder_ = std::make_unique<DnsForwarder>(io_, options_);
    }
    void ask(const std::vector<Ip>& resolvers, const DnsForward& query = question(), const std::string& asker = "vm1") {
        forwarder_->forward(asker, resolvers, query,
                            [this](DnsMessage reply) { replies_.push_back(std::move(reply)); });
    }
    /// Until so many replies are there.
    void wait(std::size_t replies) {
        const auto deadline = SteadyClock::now() + 10s;
        while (replies_.size() < replies && SteadyClock::now() < deadline)
            io_.run_one_for(100ms);
        ASSERT_EQ(replies_.size(), replies);
    }
    void run_for(Milliseconds duration) { io_.run_for(duration); }
    /// The reply to one question, read.
    std::string reply(const std::vector<Ip>& resolvers, const DnsForward& query = question()) {
        began_ = SteadyClock::now();
        const auto before = replies_.size();
        ask(resolvers, query);
        wait(before + 1);
        return replies_.size() > before ? text(replies_.back()) : "nothing";
    }
    Milliseconds took() const { return std::chrono::duration_cast<Milliseconds>(SteadyClock::now() - began_); }
    /// Until nobody expects the first resolver to answer any more.
    void silence_first() {
        first_.say = silent;
        EXPECT_THAT(reply({loopback(1)}), StartsWith("SERVFAIL"));
        run_for(options_.patience * 2); // the probe, too
        first_.asked.clear();
    }
};

TEST_F(DnsForwarding, hands_back_what_the_resolver_says) {
    EXPECT_EQ(reply({loopback(1), loopback(2)}),
              "NOERROR qr rd ra | example.org. IN A | example.org. 60 IN A 192.0.2.1 | |");
    EXPECT_EQ(id_of(replies_[0]), 0xabcdU);
    ASSERT_EQ(first_.asked.size(), 1U);
    EXPECT_EQ(text(first_.asked[0]), "NOERROR rd | example.org. IN A | | |");
    EXPECT_TRUE(second_.asked.empty());
    EXPECT_EQ(forwarder_->under_way(), 0U);
}

TEST_F(DnsForwarding, hands_back_that_there_is_no_such_name) {
    first_.say = [](const DnsMessage& query) { return Messages{with_code(query, LDNS_RCODE_NXDOMAIN)}; };
    EXPECT_THAT(reply({loopback(1), loopback(2)}), StartsWith("NXDOMAIN"));
    EXPECT_TRUE(second_.asked.empty());
}

TEST_F(DnsForwarding, never_replies_from_within_forward) {
    forwarder_->forward("vm1", {}, question(), [this](DnsMessage reply) { replies_.push_back(std::move(reply)); });
    EXPECT_TRUE(replies_.empty());
    wait(1);
    EXPECT_THAT(text(replies_[0]), StartsWith("SERVFAIL qr rd ra | example.org. IN A"));
    bool within = false;
    asio::post(io_, [&] { // co_spawn starts things at once when it is called from within the context
        within = true;
        forwarder_->forward("vm1", {}, question(), [&](DnsMessage reply) {
            EXPECT_FALSE(within);
            replies_.push_back(std::move(reply));
        });
        within = false;
    });
    wait(2);
}

TEST_F(DnsForwarding, takes_another_port_and_id_for_each_question) {
    for (int i = 0; i < 8; ++i)
        reply({loopback(1)});
    std::set<unsigned> ids;
    for (const auto& each : first_.asked)
        ids.insert(id_of(each));
    EXPECT_GE(ids.size(), 6U);
    EXPECT_GE(std::set(first_.from.begin(), first_.from.end()).size(), 6U);
}

TEST_F(DnsForwarding, ignores_what_does_not_answer_the_question) {
    first_.say = [](const DnsMessage& query) {
        auto other_id = positive(query), other_name = positive(query), no_response = positive(query);
        other_id[1] ^= std::byte{1};
        other_name[13] = std::byte{'x'};
        no_response[2] &= std::byte{0x7f};
        auto refused_by_another = with_code(query, LDNS_RCODE_REFUSED);
        refused_by_another[0] ^= std::byte{1};
        auto good = positive(query);
        good.back() = std::byte{99};
        return Messages{other_id, other_name, no_response, refused_by_another, DnsMessage(1), DnsMessage(), good};
    };
    EXPECT_THAT(reply({loopback(1), loopback(2)}), HasSubstr("192.0.2.99"));
    EXPECT_TRUE(second_.asked.empty());
}

TEST_F(DnsForwarding, goes_on_to_the_next_when_one_is_silent) {
    first_.say = silent;
    EXPECT_THAT(reply({loopback(1), loopback(2)}), StartsWith("NOERROR"));
    EXPECT_GE(took(), options_.patience);
    EXPECT_LT(took(), options_.patience * 3);
    EXPECT_EQ(first_.asked.size(), 1U);
    EXPECT_NE(id_of(first_.asked[0]), id_of(second_.asked[0]));
}

TEST_F(DnsForwarding, goes_on_at_once_when_one_refuses) {
    auto options = options_;
    options.patience = 5s;
    restart(options);
    for (const int code : {LDNS_RCODE_SERVFAIL, LDNS_RCODE_REFUSED}) {
        first_.say = [&](const DnsMessage& query) { return Messages{with_code(query, code)}; };
        EXPECT_THAT(reply({loopback(1), loopback(2)}), StartsWith("NOERROR"));
        EXPECT_LT(took(), 3s);
    }
    first_.say = [](const DnsMessage& query) { // as servers do that cannot read it
        auto bare = with_code(query, LDNS_RCODE_FORMERR);
        bare.resize(12);
        bare[5] = std::byte{0};
        return Messages{bare};
    };
    EXPECT_THAT(reply({loopback(1), loopback(2)}), StartsWith("NOERROR"));
    EXPECT_THAT(reply({loopback(3), loopback(2)}), StartsWith("NOERROR")); // ICMP: nobody is there
    EXPECT_LT(took(), 3s);
}

TEST_F(DnsForwarding, says_servfail_when_none_is_of_help) {
    first_.say = second_.say = [](const DnsMessage& query) { return Messages{with_code(query, LDNS_RCODE_REFUSED)}; };
    EXPECT_EQ(reply({loopback(1), loopback(2)}), "SERVFAIL qr rd ra | example.org. IN A | | |");
    EXPECT_EQ(id_of(replies_[0]), 0xabcdU);
    EXPECT_EQ(first_.asked.size(), 1U);
    EXPECT_EQ(second_.asked.size(), 1U);
    EXPECT_LT(took(), 5s);
}

TEST_F(DnsForwarding, asks_again_when_a_packet_was_lost) {
    first_.say = [this](const DnsMessage& query) {
        return first_.asked.size() == 1 ? Messages() : Messages{positive(query)};
    };
    EXPECT_THAT(reply({loopback(1)}), StartsWith("NOERROR"));
    EXPECT_EQ(first_.asked.size(), 2U);
}

TEST_F(DnsForwarding, gives_up_after_three_patiences) {
    std::vector<std::unique_ptr<Resolver>> more;
    std::vector<Ip> resolvers{loopback(1), loopback(2)};
    for (int last = 11; last < 15; ++last) {
        more.push_back(std::make_unique<Resolver>(io_, loopback(last), options_.port));
        more.back()->say = silent;
        resolvers.push_back(loopback(last));
    }
    first_.say = second_.say = silent;
    EXPECT_THAT(reply(resolvers), StartsWith("SERVFAIL"));
    EXPECT_GE(took(), options_.patience * 3 - 10ms);
    EXPECT_LT(took(), options_.patience * 6);
    EXPECT_EQ(more[0]->asked.size(), 1U);
    EXPECT_TRUE(more[3]->asked.empty());
}

TEST_F(DnsForwarding, puts_a_silent_resolver_last) {
    silence_first();
    EXPECT_THAT(reply({loopback(1), loopback(2)}), StartsWith("NOERROR"));
    EXPECT_EQ(first_.guests_questions(), 0U);
    second_.say = [](const DnsMessage& query) { return Messages{with_code(query, LDNS_RCODE_REFUSED)}; };
    EXPECT_THAT(reply({loopback(1), loopback(2)}), StartsWith("SERVFAIL"));
    EXPECT_EQ(first_.guests_questions(), 1U); // the last resort
}

TEST_F(DnsForwarding, asks_a_silent_resolver_as_before_when_the_time_is_over) {
    auto options = options_;
    options.last_resort = 300ms;
    restart(options);
    silence_first();
    run_for(300ms);
    EXPECT_THAT(reply({loopback(1), loopback(2)}), StartsWith("NOERROR"));
    EXPECT_EQ(first_.guests_questions(), 1U);
    EXPECT_THAT(reply({loopback(1), loopback(2)}), StartsWith("NOERROR")); // once was enough now
    EXPECT_EQ(first_.guests_questions(), 1U);
}

TEST_F(DnsForwarding, says_servfail_at_once_while_all_are_silent_and_probes) {
    silence_first();
    run_for(options_.probe_every);
    for (int i = 0; i < 20; ++i) {
        EXPECT_THAT(reply({loopback(1)}), StartsWith("SERVFAIL"));
        EXPECT_LT(took(), options_.patience);
    }
    run_for(10ms);
    EXPECT_EQ(first_.guests_questions(), 0U);
    EXPECT_EQ(first_.probes(), 1U);
    EXPECT_EQ(text(first_.asked[0]), "NOERROR rd | . IN NS | | |");
    run_for(options_.probe_every);
    reply({loopback(1)});
    run_for(10ms);
    EXPECT_EQ(first_.probes(), 2U);
}

TEST_F(DnsForwarding, comes_back_to_a_resolver_that_answers_a_probe) {
    silence_first();
    for (const int code : {LDNS_RCODE_NOERROR, LDNS_RCODE_REFUSED}) { // that is a sign of life as well
        silence_first();
        first_.say = [&](const DnsMessage& query) { return Messages{with_code(query, code)}; };
        run_for(options_.probe_every);
        EXPECT_THAT(reply({loopback(1)}), StartsWith("SERVFAIL"));
        run_for(20ms);
        first_.say = [](const DnsMessage& query) { return Messages{positive(query)}; };
        EXPECT_THAT(reply({loopback(1)}), StartsWith("NOERROR"));
    }
}

TEST_F(DnsForwarding, does_not_give_up_a_resolver_that_is_slow_over_one_name) {
    first_.say = [](const DnsMessage& query) {
        return text(query).find("slow") != std::string::npos ? Messages() : Messages{positive(query)};
    };
    EXPECT_THAT(reply({loopback(1)}, question("slow.example.org")), StartsWith("SERVFAIL"));
    EXPECT_EQ(first_.guests_questions(), 3U);
    run_for(20ms);
    EXPECT_EQ(first_.probes(), 1U);
    EXPECT_THAT(reply({loopback(1)}), StartsWith("NOERROR"));
}

TEST_F(DnsForwarding, takes_so_many_questions_of_one_asker_and_no_more) {
    first_.say = silent;
    for (int i = 0; i < 65; ++i)
        ask({loopback(1)});
    EXPECT_EQ(forwarder_->under_way(), 64U);
    wait(1);
    EXPECT_LT(SteadyClock::now() - began_, options_.patience);
    EXPECT_THAT(text(replies_[0]), StartsWith("SERVFAIL"));
    ask({loopback(2)}, question(), "vm2");
    wait(2);
    EXPECT_THAT(text(replies_[1]), StartsWith("NOERROR"));
    wait(66);
    EXPECT_EQ(forwarder_->under_way(), 0U);
    EXPECT_THAT(reply({loopback(2)}), StartsWith("NOERROR"));
}

TEST_F(DnsForwarding, takes_so_many_questions_in_all_and_no_more) {
    auto options = options_;
    options.most = 10;
    restart(options);
    first_.say = silent;
    for (int i = 0; i < 11; ++i)
        ask({loopback(1)}, question(), "vm" + std::to_string(i));
    EXPECT_EQ(forwarder_->under_way(), 10U);
    wait(1);
    EXPECT_LT(SteadyClock::now() - began_, options_.patience);
    wait(11);
    EXPECT_EQ(forwarder_->under_way(), 0U);
}

TEST_F(DnsForwarding, replies_to_nobody_once_it_is_stopped) {
    first_.say = silent;
    ask({loopback(1)});
    ask({});
    run_for(10ms);
    EXPECT_EQ(replies_.size(), 1U);
    ask({});
    for (int i = 0; i < 70; ++i)
        ask({loopback(1)});
    forwarder_->stop();
    forwarder_->stop();
    ask({loopback(1)});
    forwarder_.reset();
    run_for(options_.patience * 4);
    EXPECT_EQ(replies_.size(), 1U);
    EXPECT_EQ(first_.asked.size(), 1U);
}

TEST_F(DnsForwarding, may_be_stopped_by_a_reply) {
    ask({loopback(1)});
    forwarder_->forward("vm1", {loopback(1)}, question(), [this](DnsMessage reply) {
        replies_.push_back(std::move(reply));
        forwarder_.reset();
    });
    run_for(50ms);
    EXPECT_GE(replies_.size(), 1U);
    EXPECT_FALSE(forwarder_);
}

TEST(DnsForwarder, leaves_nothing_waiting_once_it_is_stopped) {
    asio::io_context io;
    auto resolver = std::make_unique<Resolver>(io, loopback(1), 0);
    resolver->say = silent;
    DnsForwarder forwarder(io, {.port = resolver->port(), .patience = 10s});
    forwarder.forward("vm1", {loopback(1)}, question(), [](const DnsMessage&) { FAIL(); });
    io.run_for(20ms);
    resolver.reset();
    forwarder.stop();
    const auto began = SteadyClock::now();
    io.run_for(5s);
    EXPECT_LT(SteadyClock::now() - began, 4s); // there was nothing left to do
    EXPECT_EQ(forwarder.under_way(), 0U);
}

TEST(DnsForwarder, may_go_with_its_io_context_while_questions_are_under_way) {
    asio::io_context io;
    Resolver resolver(io, loopback(1), 0);
    resolver.say = silent;
    DnsForwarder forwarder(io, {.port = resolver.port()});
    for (int i = 0; i < 3; ++i)
        forwarder.forward("vm1", {loopback(1)}, question(), [](const DnsMessage&) { FAIL(); });
    io.run_for(20ms);
    EXPECT_EQ(resolver.asked.size(), 3U);
}

} // namespace
} // namespace weft::controller
