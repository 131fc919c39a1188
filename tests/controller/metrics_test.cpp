#include "controller/metrics.hpp"

#include "controller/process_metrics.hpp"
#include "controller/rising.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(Rising, LeavesOutWhatWasCountedBeforeTheFirstLook) {
    Rising packets;
    packets.note(1000, 1);
    EXPECT_EQ(packets.total(), 0U);
    packets.note(1010, 1);
    EXPECT_EQ(packets.total(), 10U);
}

TEST(Rising, NeverFalls) {
    Rising packets;
    packets.note(0, 1);
    packets.note(100, 1);
    packets.note(40, 1); // flows went, with the 60 that they had counted
    EXPECT_EQ(packets.total(), 100U);
    packets.note(45, 1);
    EXPECT_EQ(packets.total(), 105U);
    packets.note(7, 2); // a switch that began anew
    EXPECT_EQ(packets.total(), 112U);
    packets.note(30, 3); // and again, and was ahead of what it had counted when somebody looked
    EXPECT_EQ(packets.total(), 142U);
}

std::string text_of(const Metrics& metrics) {
    return prometheus::TextSerializer().Serialize(metrics.collect());
}

TEST(Metrics, CountsPuntsByWhatTheyAsk) {
    Metrics metrics;
    EXPECT_THAT(text_of(metrics), HasSubstr("weft_punts_total{kind=\"arrived\"} 0\n"));
    metrics.punted(pipeline::Punt::snat_exhausted);
    metrics.punted(pipeline::Punt::snat_exhausted);
    metrics.punted(pipeline::Punt::service);
    metrics.punted(std::nullopt);
    for (const auto* line : {"weft_punts_total{kind=\"snat_exhausted\"} 2\n", "weft_punts_total{kind=\"service\"} 1\n",
                             "weft_punts_total{kind=\"unknown\"} 1\n", "weft_punts_total{kind=\"arrived\"} 0\n"})
        EXPECT_THAT(text_of(metrics), HasSubstr(line));
}

TEST(Metrics, SortsTimesIntoBuckets) {
    Metrics metrics;
    metrics.applied(20ms);
    metrics.converged(700ms);
    for (const auto* line :
         {"weft_apply_duration_seconds_bucket{le=\"0.01\"} 0\n", "weft_apply_duration_seconds_bucket{le=\"0.025\"} 1\n",
          "weft_apply_duration_seconds_count 1\n", "weft_convergence_duration_seconds_bucket{le=\"0.5\"} 0\n",
          "weft_convergence_duration_seconds_bucket{le=\"1\"} 1\n",
          "weft_convergence_duration_seconds_bucket{le=\"+Inf\"} 1\n"})
        EXPECT_THAT(text_of(metrics), HasSubstr(line));
}

TEST(Metrics, SeesThatTheLoopStoodStill) {
    Metrics metrics;
    asio::io_context io;
    asio::co_spawn(io, metrics.watch_loop(), asio::detached);
    asio::post(io, [] { std::this_thread::sleep_for(400ms); });
    io.run_for(600ms);
    metrics.stop();
    io.restart();
    io.run();
    double longest = 0;
    for (const auto& family : metrics.collect())
        if (family.name == "weft_event_loop_delay_seconds") longest = family.metric.at(0).histogram.sample_sum;
    EXPECT_GE(longest, 0.25);
}

TEST(ProcessMetrics, AreThoseOfThisProcess) {
    std::map<std::string, double> values;
    for (const auto& metric : measure_process())
        values[metric.name] = metric.value;
    EXPECT_GT(values.at("process_resident_memory_bytes"), 1e6);
    EXPECT_GT(values.at("process_open_fds"), 2);
    EXPECT_GT(values.at("process_start_time_seconds"), 1.6e9);
    EXPECT_GE(values.at("process_cpu_seconds_total"), 0);
}

} // namespace
} // namespace weft::controller
