// How long a switch takes to hold what weft compiled: through a session of weft's, and with ovs-ofctl's bundle of the
// same flows, in turn, against one ovs-vswitchd on the dummy datapath. Then what reading it back and comparing costs.
//
//   install_bench [ROUNDS] [FLOWS...]      default: 7 rounds of 10000 and of 100000
#include "bench/big_fabric.hpp"
#include "openflow/codec.hpp"
#include "openflow/session.hpp"
#include "tests/openflow/real_switch.hpp"
#include "tests/openflow/run.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ranges>

namespace weft::bench {
namespace {

using openflow::RealSwitch;
using openflow::run;
using Seconds = std::chrono::duration<double>;

template <class Work>
double seconds_of(Work work) {
    const auto start = SteadyClock::now();
    work();
    return Seconds(SteadyClock::now() - start).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text);
    return std::move(*result);
}

/// Exactly `flows` flows of one host of a fabric of two: half of the ports are plugged in there. All of its groups.
fabric::SwitchState plan_of(std::size_t flows) {
    static constexpr std::size_t kPerPort = 38; // of both hosts' ports: fewer than there are
    const BigFabric fabric({.hosts = 2, .ports_per_host = flows / kPerPort, .networks = 20});
    auto plan = fabric::compile(*fabric.world(), host_name(0));
    if (plan.flows.size() < flows) throw std::runtime_error("the fabric is too small for so many flows");
    plan.flows.resize(flows);
    return plan;
}

class Bench {
  public:
    Bench() {
        listener_ = must(listen(io_, *Endpoint::parse("tcp:127.0.0.1:0"), nullptr));
        ovs_.add_bridge("br0", listener_->endpoint().port);
        session_ = must(run(io_, open()));
        file_ = "/tmp/weft-install-bench-" + std::to_string(getpid());
    }
    ~Bench() { std::filesystem::remove(file_); }

    void measure(std::size_t flows, int rounds) {
        const auto plan = plan_of(flows);
        write_text(plan.flows);
        apply({.flows = {}, .groups = openflow::diff({}, plan.groups), .meters = openflow::diff({}, plan.meters)});
        std::vector<double> ours, theirs, dumping, comparing;
        for (int i = 0; i < rounds; ++i) {
            clear();
            const openflow::Change change{.flows = openflow::diff({}, plan.flows), .groups = {}, .meters = {}};
            ours.push_back(seconds_of([&] { apply(change); }));
            std::vector<openflow::Flow> held;
            dumping.push_back(seconds_of([&] { held = read_back(); }));
            comparing.push_back(seconds_of([&] { expect_none(openflow::diff(held, plan.flows)); }));
            clear();
            theirs.push_back(seconds_of([&] { ovs_.ofctl("--bundle add-flows", "br0", file_); }));
            expect_none(openflow::diff(read_back(), plan.flows)); // both did the same
        }
        fmt::print("{} flows, {} groups, medians of {}: session {:.0f} ms, ovs-ofctl {:.0f} ms, ratio {:.2f}; "
                   "dump {:.0f} ms, diff {:.0f} ms\n",
                   plan.flows.size(), plan.groups.size(), rounds, median(ours) * 1e3, median(theirs) * 1e3,
                   median(ours) / median(theirs), median(dumping) * 1e3, median(comparing) * 1e3);
        clear();
        openflow::Change rest;
        rest.groups = openflow::diff(plan.groups, {});
        rest.meters = openflow::diff(plan.meters, {});
        apply(rest);
    }

  private:
    Task<Result<std::unique_ptr<openflow::Session>>> open() {
        auto stream = co_await listener_->accept();
        if (!stream) co_return std::unexpected(stream.error());
        co_return co_await openflow::Session::open(std::move(*stream));
    }
    void apply(const openflow::Change& change) { must(run(io_, session_->apply(change))); }
    std::vector<openflow::Flow> read_back() {
        auto dump = must(run(io_, session_->dump()));
        std::vector<openflow::Flow> flows;
        flows.reserve(dump.flows.size());
        for (auto& stats : dump.flows)
            flows.push_back(std::move(stats.flow));
        return flows;
    }
    void clear() {
        ovs_.ofctl("del-flows", "br0");
        // Until the switch's classifier has freed the old rules the next round would pay for them.
        openflow::run_for(io_, Milliseconds(500));
    }
    void write_text(const std::vector<openflow::Flow>& flows) const {
        std::ofstream out(file_);
        for (const auto& flow : flows)
            out << openflow::to_string(flow) << '\n';
    }
    static void expect_none(const openflow::FlowDelta& delta) {
        if (!delta.empty()) throw std::runtime_error(fmt::format("{} flows are not as they should be", delta.size()));
    }

    RealSwitch ovs_;
    asio::io_context io_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<openflow::Session> session_;
    std::string file_;
};

} // namespace
} // namespace weft::bench

int main(int argc, char** argv) {
    weft::openflow::initialize_codec();
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
    std::vector<std::size_t> sizes;
    for (int i = 2; i < argc; ++i)
        sizes.push_back(std::strtoul(argv[i], nullptr, 10));
    if (sizes.empty()) sizes = {10'000, 100'000};
    weft::bench::Bench bench;
    for (const auto size : sizes)
        bench.measure(size, rounds);
}
