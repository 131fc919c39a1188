// Announcer: says on the wire which host answers for an address of weft's (a gateway's, a floating IP, a router's on a
// vlan or flat network) when that changed, so that the physical network learns where its MAC is.
#pragma once
#include "base/asio.hpp"
#include "controller/onto_wire.hpp"
#include "fabric/world.hpp"

#include <map>
#include <string>

namespace weft::controller {

class Announcer {
  public:
    explicit Announcer(SendFrom send) : send_(std::move(send)) {}

    /// The world, and the active host of each gateway (empty: none).
    void publish(const fabric::World& world, const std::map<std::string, std::string>& active);

    /// Announces what is due until stop().
    Task<void> run();
    void stop() { stopped_ = true; }

  private:
    using Address = std::pair<std::string, Ip>; ///< network, address
    struct Answering {
        std::string host;
        Mac mac;
        bool operator==(const Answering&) const = default;
    };
    struct Due {
        Answering by;
        int times = 0;
    };
    static std::map<Address, Answering> answering(const fabric::World& world,
                                                  const std::map<std::string, std::string>& active);

    SendFrom send_;
    std::map<Address, Answering> answering_;
    std::map<Address, Due> due_;
    bool stopped_ = false;
};

} // namespace weft::controller
