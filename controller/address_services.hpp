// AddressServices: what guests ask weft for: addresses by DHCP, DHCPv6 and router advertisements, names by DNS. Punted
// to the daemon by respond (pipeline::Punt::service), answered out of the port that asked, and out of no other.
//
// Who has which address is the world's; nothing here hands any out. So an answer needs no memory, a restart changes
// none, and what is kept of a lease is for people to see.
#pragma once
#include "controller/guest_config.hpp"
#include "controller/name_service.hpp"
#include "controller/onto_wire.hpp"
#include "controller/published.hpp"
#include "controller/seldom.hpp"
#include "fabric/world.hpp"
#include "openflow/message.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::controller {

/// What became of a guest's address.
struct LeaseNews {
    std::string host;
    GuestConfig guest;
    Exchange exchange; ///< with `lease` other than none, and `address`
    bool v6 = false;
};

class AddressServices {
  public:
    using Note = std::function<void(const LeaseNews&)>;

    /// `addresses` and `resolvers`: see NameService.
    AddressServices(asio::io_context& io, Voice voice, SendFrom send, Note note, NameService::Addresses addresses,
                    NameService::Version version, std::vector<Ip> resolvers)
        : voice_(voice), note_(std::move(note)),
          names_(io, std::move(send), std::move(addresses), std::move(version), std::move(resolvers)) {}

    /// The world that questions are answered from.
    void publish(const fabric::WorldPtr& world) {
        if (!world_ || world_->topology != world->topology) {
            members_.clear();
            std::erase_if(counters_, [&](const auto& counter) { // of networks that are gone
                return !world->topology->networks.contains(std::get<0>(counter.first));
            });
        }
        world_ = world;
        names_.publish(world);
    }

    /// What the switch of `host` shall send because of a packet that a guest asks with. Never fails: what is malformed,
    /// or no question to weft, is passed over. An answer that another resolver has to give comes later, by `send`.
    std::vector<openflow::PacketOut> answer(const openflow::PacketIn& packet, const fabric::HostView& host);

    void stop() { names_.stop(); }

    /// (network, protocol, message) → how many since the daemon's start, of networks of the topology. Protocols: dhcp,
    /// dhcpv6, ra, dns. Messages: what was asked and what was answered, as the RFCs name them, in lower case:
    /// "discover", "offer"; "ignored".
    using Counters = std::map<std::tuple<std::string, std::string_view, std::string_view>, std::uint64_t>;
    const Counters& counters() const { return counters_; }
    /// An answer that was sent unasked. Farewells of networks that are gone are not counted.
    void count(const std::string& network, std::string_view protocol, std::string_view message) {
        if (world_ && world_->topology->networks.contains(network)) ++counters_[{network, protocol, message}];
    }

  private:
    /// The members of one network by their id in a register: a question must not cost a walk over them.
    struct Members {
        fabric::NetworkPtr of;
        std::unordered_map<std::uint64_t, fabric::AttachmentPtr> by_id;
    };
    const Members* members_of(std::uint64_t network, const fabric::HostView& host);

    void tell(const Exchange& exchange, const GuestConfig& guest, const std::string& host, bool v6);

    Voice voice_;
    Note note_;
    NameService names_;
    fabric::WorldPtr world_;
    Counters counters_;
    std::unordered_map<std::uint64_t, Members> members_; ///< by network
    Seldom<std::string> refusals_{1};                    ///< by port
};

} // namespace weft::controller
