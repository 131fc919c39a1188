// What the pure step costs: World, compile, delta, diff.
#include "bench/big_fabric.hpp"
#include "openflow/codec.hpp"
#include "pipeline/stages.hpp"

#include <algorithm>
#include <benchmark/benchmark.h>

namespace weft::bench {
namespace {

constexpr Size kFabric{.hosts = 20, .ports_per_host = 50, .networks = 20};

const BigFabric& thousand_ports() {
    static const BigFabric fabric(kFabric);
    return fabric;
}

/// One host whose plan has about `flows` flows.
std::vector<openflow::Flow> flows_of_about(std::size_t flows) {
    static constexpr std::size_t kPerPort = 38;
    const BigFabric fabric({.hosts = 1, .ports_per_host = flows / kPerPort, .networks = 20});
    return fabric::compile(*fabric.world(), host_name(0)).flows;
}

void count(benchmark::State& state, std::size_t flows) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(flows));
    state.counters["flows"] = static_cast<double>(flows);
}

void compile_one_host(benchmark::State& state) {
    const auto world = thousand_ports().world();
    std::size_t flows = 0;
    for (auto _ : state) {
        const auto compiled = fabric::compile(*world, host_name(0));
        flows = compiled.flows.size();
        benchmark::DoNotOptimize(compiled.flows.data());
    }
    count(state, flows);
}
BENCHMARK(compile_one_host)->Unit(benchmark::kMillisecond);

void compile_all_hosts(benchmark::State& state) {
    const auto world = thousand_ports().world();
    std::size_t flows = 0;
    for (auto _ : state) {
        flows = 0;
        for (const auto& [name, _host] : world->hosts)
            flows += fabric::compile(*world, name).flows.size();
    }
    count(state, flows);
}
BENCHMARK(compile_all_hosts)->Unit(benchmark::kMillisecond);

void world_in_full(benchmark::State& state) {
    for (auto _ : state)
        benchmark::DoNotOptimize(thousand_ports().world());
}
BENCHMARK(world_in_full)->Unit(benchmark::kMicrosecond);

void world_after_one_port_moved(benchmark::State& state) {
    BigFabric fabric = thousand_ports();
    auto world = fabric.world();
    std::size_t host = 0;
    for (auto _ : state) {
        fabric.move(0, ++host % kFabric.hosts);
        world = fabric.world_after(world, 0);
    }
}
BENCHMARK(world_after_one_port_moved)->Unit(benchmark::kMicrosecond);

/// From host 0 to host 1, the deltas of all hosts together.
void deltas_after_one_port_moved(benchmark::State& state) {
    BigFabric fabric = thousand_ports();
    const auto before = fabric.world();
    fabric.move(0, 1);
    const auto after = fabric.world_after(before, 0);
    std::size_t flows = 0, hosts = 0;
    for (auto _ : state) {
        flows = hosts = 0;
        for (const auto& [name, _host] : after->hosts) {
            const auto delta = fabric::delta(*before, *after, name);
            flows += delta.flows.size();
            hosts += delta.empty() ? 0U : 1U;
        }
    }
    state.counters["flow_mods"] = static_cast<double>(flows);
    state.counters["hosts"] = static_cast<double>(hosts);
}
BENCHMARK(deltas_after_one_port_moved)->Unit(benchmark::kMicrosecond);

/// The same fabric with a router, and a gateway with 200 floating IPs.
const BigFabric& routed() {
    static const BigFabric fabric({.hosts = 20, .ports_per_host = 50, .networks = 20, .floating_ips = 200});
    return fabric;
}

void compile_the_gateways_host(benchmark::State& state) {
    const auto world = routed().world();
    std::size_t flows = 0;
    for (auto _ : state) {
        const auto compiled = fabric::compile(*world, host_name(0));
        flows = compiled.flows.size();
        benchmark::DoNotOptimize(compiled.flows.data());
    }
    count(state, flows);
}
BENCHMARK(compile_the_gateways_host)->Unit(benchmark::kMillisecond);

/// World and the deltas of all hosts: the first candidate goes out of service, or comes back.
void failover(benchmark::State& state) {
    BigFabric fabric = routed();
    auto world = fabric.world();
    std::size_t flows = 0, groups = 0;
    for (auto _ : state) {
        if (fabric.learnt.out_of_service.erase(host_name(0)) == 0) fabric.learnt.out_of_service.insert(host_name(0));
        const auto after = fabric::build(fabric.inputs(), world, {});
        flows = groups = 0;
        for (const auto& [name, _host] : after->hosts) {
            const auto delta = fabric::delta(*world, *after, name);
            flows += delta.flows.size();
            groups += delta.groups.add.size() + delta.groups.change.size() + delta.groups.remove.size();
        }
        world = after;
    }
    state.counters["flow_mods"] = static_cast<double>(flows);
    state.counters["group_mods"] = static_cast<double>(groups);
}
BENCHMARK(failover)->Unit(benchmark::kMicrosecond);

/// `ports` ports of one network and one group that admits itself on ten ranges of ports, on 20 hosts.
BigFabric group_of(std::size_t ports) {
    return BigFabric({.hosts = 20, .ports_per_host = ports / 20, .networks = 1, .grouped = true});
}

void compile_a_host_of_one_group(benchmark::State& state) {
    const auto world = group_of(static_cast<std::size_t>(state.range(0))).world();
    std::size_t flows = 0, rules = 0;
    for (auto _ : state) {
        const auto compiled = fabric::compile(*world, host_name(0));
        flows = compiled.flows.size();
        rules = static_cast<std::size_t>(std::ranges::count(
            compiled.flows, pipeline::table_of(pipeline::Stage::ingress_rules), &openflow::Flow::table));
        benchmark::DoNotOptimize(compiled.flows.data());
    }
    count(state, flows);
    state.counters["rules"] = static_cast<double>(rules);
}
BENCHMARK(compile_a_host_of_one_group)->Arg(200)->Arg(1'000)->Arg(4'000)->Unit(benchmark::kMillisecond);

/// World and the deltas of all hosts: a member comes.
void one_more_member(benchmark::State& state) {
    BigFabric fabric = group_of(1'000);
    const auto with = fabric.world();
    fabric.bindings.erase(port_name(500));
    const auto before = fabric.world_after(with, 500);
    fabric.bind(500, 0, 502);
    std::size_t flows = 0, elsewhere = 0;
    for (auto _ : state) {
        const auto after = fabric.world_after(before, 500);
        flows = 0;
        for (const auto& [name, _host] : after->hosts) {
            const auto delta = fabric::delta(*before, *after, name);
            flows += delta.flows.size();
            if (name == host_name(1)) elsewhere = delta.flows.size();
        }
    }
    state.counters["flow_mods"] = static_cast<double>(flows);
    state.counters["on_another_host"] = static_cast<double>(elsewhere);
}
BENCHMARK(one_more_member)->Unit(benchmark::kMicrosecond);

/// Two lists that differ in one flow of a hundred.
void diff_lists(benchmark::State& state) {
    const auto before = flows_of_about(static_cast<std::size_t>(state.range(0)));
    auto after = before;
    for (std::size_t i = 0; i < after.size(); i += 100)
        after[i].cookie ^= 1;
    for (auto _ : state)
        benchmark::DoNotOptimize(openflow::diff(before, after));
    count(state, before.size());
}
BENCHMARK(diff_lists)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace weft::bench

int main(int argc, char** argv) {
    weft::openflow::initialize_codec();
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
