// Sends a matrix's probes: real packets between real namespaces. One thread and one poll loop; a socket belongs to the
// namespace in which it was opened, so every endpoint's end of every probe is held here.
#pragma once
#include "lab/matrix.hpp"

#include <chrono>
#include <vector>

namespace weft::lab {

struct ProbeOptions {
    ProbeProtocol protocol = ProbeProtocol::icmp;
    std::uint16_t port = 8000;               ///< tcp, udp
    std::chrono::milliseconds timeout{1000}; ///< of one attempt; what fails is tried once more
    std::size_t at_once = 32;
};

/// In the order of `probes`. Listeners stand on every address while it runs; where a program of the endpoint's own has
/// the port, it answers tcp, and who it saw stays unknown.
Result<std::vector<Answer>> send_probes(const LabPlan& plan, const std::vector<Probe>& probes,
                                        const ProbeOptions& options);

} // namespace weft::lab
