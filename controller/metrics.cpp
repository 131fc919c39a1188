#include "controller/metrics.hpp"

#include <algorithm>
#include <array>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;
using pipeline::Punt;

constexpr Milliseconds kTick = 100ms;

/// By their numbers; of 0, which is none, what nobody understands.
constexpr std::array<const char*, 11> kPunts{"unknown",        "ttl_expired",      "no_route",  "no_neighbour",
                                             "too_big",        "port_unreachable", "neighbour", "solicitation",
                                             "snat_exhausted", "service",          "arrived"};
static_assert(static_cast<std::size_t>(Punt::arrived) + 1 == kPunts.size());

double seconds(SteadyClock::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

} // namespace

struct Metrics::Instruments {
    prometheus::Registry registry;
    std::array<prometheus::Counter*, kPunts.size()> punts{};
    prometheus::Histogram& apply =
        histogram("weft_apply_duration_seconds",
                  "Time in which weftd stored a revision and brought it into force in itself, once it was checked.",
                  {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30});
    prometheus::Histogram& convergence =
        histogram("weft_convergence_duration_seconds",
                  "Time from an apply until every host that is neither down nor degraded had acknowledged it.",
                  {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300});
    prometheus::Histogram& loop =
        histogram("weft_event_loop_delay_seconds", "How late weftd's event loop was with a timer of every 100 ms.",
                  {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10});

    Instruments() {
        auto& family = prometheus::BuildCounter()
                           .Name("weft_punts_total")
                           .Help("Packets that switches asked weftd about, by what was asked.")
                           .Register(registry);
        for (std::size_t what = 0; what < kPunts.size(); ++what)
            punts[what] = &family.Add({{"kind", kPunts[what]}});
    }

    prometheus::Histogram& histogram(const char* name, const char* help,
                                     const prometheus::Histogram::BucketBoundaries& buckets) {
        return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
    }
};

Metrics::Metrics() : instruments_(std::make_unique<Instruments>()) {}
Metrics::~Metrics() = default;

void Metrics::punted(std::optional<Punt> what) {
    instruments_->punts.at(what ? static_cast<std::size_t>(*what) : 0)->Increment();
}

void Metrics::applied(SteadyClock::duration took) {
    instruments_->apply.Observe(seconds(took));
}

void Metrics::converged(SteadyClock::duration took) {
    instruments_->convergence.Observe(seconds(took));
}

void Metrics::delayed(SteadyClock::duration late) {
    instruments_->loop.Observe(seconds(late));
}

Task<void> Metrics::watch_loop() {
    while (!stopped_) {
        const auto due = SteadyClock::now() + kTick;
        co_await sleep_for(kTick);
        delayed(std::max(SteadyClock::now() - due, SteadyClock::duration::zero()));
    }
}

std::vector<prometheus::MetricFamily> Metrics::collect() const {
    return instruments_->registry.Collect();
}

} // namespace weft::controller
