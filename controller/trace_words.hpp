// Trace in words: what a walk through the fabric comes to, as one sentence, and what each flow on the way did to the
// packet. Pure.
#pragma once
#include "controller/names.hpp"
#include "fabric/outcome.hpp"

#include <string>
#include <vector>

namespace weft::controller {

/// One flow that the packet met.
struct TraceStep {
    std::string host;
    std::uint8_t table = 0;
    std::string object;              ///< whose flow it is: "port/web1"; empty: no flow matched
    std::string source;              ///< where that is written: "demo.toml:41"; empty: in no file
    std::string action;              ///< what it came to: "to := web2, tunnel to kvm2 (VNI 4096)"
    std::string match, flow_actions; ///< the flow itself, named
};

/// What decided.
struct TraceVerdict {
    std::string verdict; ///< delivered, dropped, punted
    std::string reason;  ///< of a drop: docs/troubleshooting.md
    std::string by;      ///< the object that decided: "security_group/web"
    std::string at;      ///< the host
    std::string source;  ///< where that object is written
    std::string text;    ///< the sentence
};

class TraceWords {
  public:
    TraceWords(const fabric::World& world, const fabric::Probe& probe, const fabric::Walk& walk)
        : world_(world), names_(world), probe_(probe), walk_(walk) {}

    std::vector<TraceStep> path(const fabric::End& end) const;
    /// `outcome` is of the walk, and has an end that is known.
    TraceVerdict verdict(const fabric::Outcome& outcome) const;
    /// "icmp from 10.0.1.11 to 10.0.1.12", "tcp/81 from …".
    static std::string packet(const openflow::Packet& packet);

  private:
    using Place = std::pair<std::size_t, std::size_t>;

    const openflow::Flow* decider(const fabric::End& end) const;
    std::string happened(const fabric::End& end, const std::vector<Place>& way, std::size_t at) const;
    std::string changes(const openflow::Packet& before, const openflow::Packet& after) const;
    std::string sent(const std::string& host, const openflow::Sent& sent, const openflow::Packet& packet) const;
    void blame_answerer(const fabric::End& end, TraceVerdict& verdict) const;
    std::string why(const fabric::End& end, const openflow::Packet& packet, TraceVerdict& verdict) const;
    std::string who_lacks(const fabric::End& end, const std::string& target, const std::string& by) const;
    void blame_groups(bool ingress, const openflow::Packet& packet, TraceVerdict& verdict) const;

    const fabric::World& world_;
    Names names_;
    const fabric::Probe& probe_;
    const fabric::Walk& walk_;
};

} // namespace weft::controller
