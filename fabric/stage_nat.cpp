// nat_in and nat_out, what is not a gateway's own (nat/): the ends of the two stages, and ports on a public network,
// which have public addresses without translation.
#include "fabric/stages.hpp"

namespace weft::fabric {
namespace {
enum Priority : std::uint16_t { kMiss = 0, kPort = 380 };
}

void nat_in_host(Emit& emit) {
    emit.flow(Stage::nat_in, kMiss, owner_of(emit.host), {}, {go_on_after(Stage::nat_in)});
}

void nat_out_host(Emit& emit) {
    emit.drop(Stage::nat_out, kMiss, owner_of(emit.host), Reason::unknown_destination, {});
}

void nat_out_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    if (!network.has_gateways) return;
    for (const auto& ip : attachment.ips)
        emit.flow(Stage::nat_out, kPort, owner_of(attachment),
                  of::Match().metadata(network.id.value).set(kNat, static_cast<std::uint64_t>(Nat::outside)).ip_dst(ip),
                  {of::set_field(of::Field::eth_dst, attachment.mac), load(Nat::none), load(kRouter, 0),
                   again_to(is_local(emit, attachment) ? Stage::track : Stage::switching)});
}

} // namespace weft::fabric
