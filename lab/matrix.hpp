// Who reaches whom: one probe from every endpoint to every address of every other. Pure here: what to probe, how
// answers compare with what was expected, how they are shown. lab/probe sends the packets.
#pragma once
#include "base/result.hpp"
#include "lab/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weft::lab {

enum class ProbeProtocol { icmp, tcp, udp };

struct Probe {
    std::string from; ///< endpoints' names
    std::string to;
    Ip address; ///< of `to`
    bool operator==(const Probe&) const = default;
};

struct Answer {
    Probe probe;
    bool reachable = false;
    std::optional<Ip> source_seen; ///< the sender as the receiver saw it; none: nothing arrived
    bool operator==(const Answer&) const = default;
};

std::vector<Probe> probes_of(const LabPlan& plan);

/// [{from, to, address, reachable, source_seen}], docs/cli.md.
std::string to_json(const std::vector<Answer>& answers);
/// Rows are senders, columns receivers: "yes", "no", or "n/m" of its addresses; below, who was seen as somebody else.
std::string to_table(const LabPlan& plan, const std::vector<Answer>& answers);

/// One line of an expectation. Empty: anything. The last one that fits a probe decides.
struct Expectation {
    std::string from;
    std::string to; ///< a name or an address
    std::optional<Ip> address;
    bool reachable = false;
    std::optional<Ip> source_seen;
    bool operator==(const Expectation&) const = default;
};

/// The JSON of to_json(), or lines "FROM TO yes|no [SOURCE]" (lab/README.md).
Result<std::vector<Expectation>> parse_expectations(const std::string& text);

/// One sentence for each answer that is not as expected, and for each expectation that fits no probe.
std::vector<std::string> differences(const std::vector<Expectation>& expected, const std::vector<Answer>& answers);

} // namespace weft::lab
