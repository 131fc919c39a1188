// What the codec costs per flow, with flows like those of a real pipeline: a security group rule, a route, a switched
// address, a commit.
#include "openflow/message.hpp"
#include "openflow/table.hpp"

#include <benchmark/benchmark.h>

namespace weft::openflow {
namespace {

Flow rule(std::uint32_t i) {
    Flow flow{.table = 12, .priority = 100, .cookie = 0x08000000'00000000U | i, .match = {}, .actions = {}};
    flow.match.ipv4().tcp().set(Field::ct_state, ct::kTrk | ct::kNew, ct::kTrk | ct::kNew | ct::kInv);
    flow.match.set(Field::reg7, i % 50).ip_src(Prefix{Ip::v4(0x0a00'0000 + (i << 8)), 24}).set(Field::tcp_dst, 443);
    flow.actions = {set_field(Field::reg0, 1), Resubmit{13}};
    return flow;
}
Flow route(std::uint32_t i) {
    Flow flow{.table = 8, .priority = 132, .cookie = 0x05000000'00000000U | i, .match = {}, .actions = {}};
    flow.match.set(Field::reg1, i % 16).ip_dst(Prefix{Ip::v4(0x0a00'0000 + i), 32});
    flow.actions = {set_field(Field::reg2, i), set_field(Field::eth_src, Mac::from_u64(0x0200'0000'0000 + i)), DecTtl{},
                    Resubmit{9}};
    return flow;
}
Flow switched(std::uint32_t i) {
    Flow flow{.table = 10, .priority = 50, .cookie = 0x04000000'00000000U | i, .match = {}, .actions = {}};
    flow.match.metadata(i % 20 + 1).eth_dst(Mac::from_u64(0x5254'0000'0000 + i));
    flow.actions = {set_field(Field::reg15, i % 100), GotoTable{11}};
    return flow;
}
Flow committed(std::uint32_t i) {
    Flow flow{.table = 13, .priority = 10, .cookie = 0x04000000'00000000U | i, .match = {}, .actions = {}};
    flow.match.ipv4().set(Field::reg3, i);
    flow.actions = {Ct{.commit = true, .zone = Field::reg6, .exec = {set_field(Field::ct_mark, i)}}, Resubmit{15}};
    return flow;
}

std::vector<Flow> pipeline(std::size_t count) {
    std::vector<Flow> flows;
    for (std::uint32_t i = 0; flows.size() < count; ++i) {
        for (auto* make : {rule, route, switched, committed})
            flows.push_back(make(i));
    }
    return flows;
}

constexpr std::size_t kFlows = 10'000;

void encode_flows(benchmark::State& state) {
    const auto flows = pipeline(kFlows);
    Bytes out;
    for (auto _ : state) {
        out.clear();
        std::uint32_t xid = 0;
        for (const Flow& flow : flows)
            encode_flow_mod(out, {.version = Version::v15, .xid = ++xid, .bundle = 1}, Command::add, flow);
        benchmark::DoNotOptimize(out.data());
    }
    state.SetItemsProcessed(state.iterations() * static_cast<long>(kFlows));
    state.counters["bytes/flow"] = static_cast<double>(out.size()) / kFlows;
}
BENCHMARK(encode_flows)->Unit(benchmark::kMillisecond);

void decode_flows(benchmark::State& state) {
    std::vector<Bytes> messages;
    for (const Flow& flow : pipeline(kFlows))
        messages.push_back(encode(flow));
    for (auto _ : state) {
        for (const Bytes& message : messages)
            benchmark::DoNotOptimize(decode_flow(message));
    }
    state.SetItemsProcessed(state.iterations() * static_cast<long>(kFlows));
}
BENCHMARK(decode_flows)->Unit(benchmark::kMillisecond);

void digest_flows(benchmark::State& state) {
    const auto flows = pipeline(kFlows);
    for (auto _ : state) {
        for (const Flow& flow : flows)
            benchmark::DoNotOptimize(digest(flow));
    }
    state.SetItemsProcessed(state.iterations() * static_cast<long>(kFlows));
}
BENCHMARK(digest_flows)->Unit(benchmark::kMillisecond);

void diff_flows(benchmark::State& state) {
    const auto before = pipeline(kFlows);
    auto after = before;
    for (std::size_t i = 0; i < after.size(); i += 100)
        after[i].cookie ^= 1;
    for (auto _ : state)
        benchmark::DoNotOptimize(diff(before, after));
    state.SetItemsProcessed(state.iterations() * static_cast<long>(kFlows));
}
BENCHMARK(diff_flows)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace weft::openflow

int main(int argc, char** argv) {
    weft::openflow::initialize_codec();
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
