// Metrics: what happens in the daemon and is gone when it has happened: counted and timed where it does, for /metrics.
// What can be looked up when somebody asks is looked up then (controller/api_metrics.cpp). Names and units follow
// https://prometheus.io/docs/practices/naming/.
#pragma once
#include "base/asio.hpp"
#include "pipeline/punt.hpp"

#include <memory>
#include <optional>
#include <prometheus/metric_family.h>
#include <vector>

namespace weft::controller {

class Metrics {
  public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// A switch sent a packet; nothing: with userdata that no weft writes.
    void punted(std::optional<pipeline::Punt> what);
    /// A revision, parsed and checked before, came into force in the daemon, which did nothing else meanwhile.
    void applied(SteadyClock::duration took);
    /// Every host that is neither down nor degraded has acknowledged it. `took`: from when it began to be stored.
    void converged(SteadyClock::duration took);
    /// What waited for the event loop waited for so long.
    void delayed(SteadyClock::duration late);

    /// Measures how late the event loop is with a timer, ten times a second, until stop().
    Task<void> watch_loop();
    void stop() { stopped_ = true; }

    std::vector<prometheus::MetricFamily> collect() const;

  private:
    struct Instruments;
    std::unique_ptr<Instruments> instruments_;
    bool stopped_ = false;
};

} // namespace weft::controller
