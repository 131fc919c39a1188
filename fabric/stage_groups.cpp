// egress_groups and ingress_groups: may the sender's groups, may the receiver's? Asked for packets of connections that
// are new, or that an earlier policy allowed. Rules are about the packet that began the connection. So for a reply it
// is the sender's ingress rules that are asked, and the receiver's egress rules.
#include "fabric/special.hpp"
#include "fabric/stages.hpp"

#include <algorithm>
#include <utility>

namespace weft::fabric {
namespace {

enum Priority : std::uint16_t {
    kMiss = 0,
    kUntracked = 50, // what rules cannot speak of
    kDenied = 100,
    kAsk = 200,
    kNeverCut = 230,
    kLaterFragment = 240,
    kLost = 245, // pending, and the connection tracker does not know it any more
    kAllowed = 250,
    kEstablished = 300,
};

/// One end of a connection's packet: its sender at egress_groups, its receiver at ingress_groups.
struct End {
    Stage stage;
    Stage next;
    of::Field port;
    Stage forward, reply; ///< the rules that are asked for a packet of the connection's own direction, and for a reply
    Reason forward_reason, reply_reason;
};
constexpr End kSender{Stage::egress_groups, Stage::route,         kSource, Stage::egress_rules, Stage::ingress_rules,
                      Reason::group_egress, Reason::group_ingress};
constexpr End kReceiver{Stage::ingress_groups, Stage::commit,         kDestination,        Stage::ingress_rules,
                        Stage::egress_rules,   Reason::group_ingress, Reason::group_egress};

of::Match in_direction(of::Match match, bool reply) {
    return std::move(
        match.set(of::Field::ct_state, of::ct::kTrk | (reply ? of::ct::kRpl : 0), of::ct::kTrk | of::ct::kRpl));
}

void ask(Emit& emit, const End& end, const Attachment& attachment, bool restricts_egress) {
    const auto owner = owner_of(attachment);
    const auto of_port = [&] { return of::Match().set(end.port, attachment.id.value); };
    for (const bool reply : {false, true}) {
        const auto rules = reply ? end.reply : end.forward;
        if (rules == Stage::egress_rules && !restricts_egress) continue;
        of::Actions actions{load(Verdict::asked)};
        for (const auto& group : attachment.groups) {
            actions.emplace_back(load(kGroup, group->number));
            actions.emplace_back(again_to(rules));
        }
        actions.emplace_back(again_to(end.stage));
        emit.flow(end.stage, kAsk, owner, in_direction(with(of_port(), Verdict::pending), reply), std::move(actions));
        emit.drop(end.stage, kDenied, owner, reply ? end.reply_reason : end.forward_reason,
                  in_direction(with(of_port(), Verdict::asked), reply));
    }
}

} // namespace

void groups_host(Emit& emit) {
    const auto owner = owner_of(emit.host);
    for (const auto& end : {kSender, kReceiver}) {
        for (const auto family : {of::eth_type::kIpv4, of::eth_type::kIpv6})
            emit.flow(end.stage, kLaterFragment, owner,
                      with(of::Match().eth_type(family), Verdict::pending)
                          .set(of::Field::ip_frag, kLaterFragments, kLaterFragments),
                      {go_to(end.next)});
        emit.flow(end.stage, kMiss, owner, {}, {go_to(end.next)});
    }
    // The receiver's groups are asked too. What these allowed, commit must know.
    emit.flow(Stage::egress_groups, kAllowed, owner, with({}, Verdict::allowed),
              {load(Verdict::pending), go_to(Stage::route)});
    emit.flow(Stage::ingress_groups, kAllowed, owner, with({}, Verdict::allowed), {go_to(Stage::commit)});
    emit.flow(Stage::ingress_groups, kEstablished, owner, with({}, Verdict::established), {go_to(Stage::commit)});
    // What is not tracked reaches a port with groups only if no group may cut it off.
    auto passes = discovery();
    for (auto& match : dhcp_answers())
        passes.push_back(std::move(match));
    passes.push_back(of::Match().arp());
    for (auto& match : passes)
        emit.flow(Stage::ingress_groups, kNeverCut, owner, with(std::move(match), Verdict::untracked),
                  {go_to(Stage::commit)});
    emit.flow(Stage::egress_groups, kNeverCut, owner, with(of::Match().arp(), Verdict::untracked),
              {go_to(Stage::route)});
}

void groups_attachment(Emit& emit, const Attachment& attachment) {
    if (!is_local(emit, attachment)) return;
    const auto owner = owner_of(attachment);
    if (is_plugged(emit, attachment) && attachment.leads)
        emit.meter({.id = new_connections_meter(attachment.binding.ofport),
                    .packets = true,
                    .rate = kNewConnections,
                    .burst = 2 * kNewConnections});
    if (attachment.groups.empty()) return;
    const bool restricts_egress =
        std::ranges::any_of(attachment.groups, [](const auto& group) { return group->restricts_egress; });
    for (const auto& end : {kSender, kReceiver}) {
        ask(emit, end, attachment, restricts_egress);
        emit.drop(end.stage, kLost, owner, end.forward_reason,
                  with(of::Match().set(end.port, attachment.id.value), Verdict::pending)
                      .set(of::Field::ct_state, 0, of::ct::kTrk));
    }
    emit.drop(Stage::ingress_groups, kUntracked, owner, Reason::group_ingress,
              with(of::Match().set(kDestination, attachment.id.value), Verdict::untracked));
    if (restricts_egress)
        emit.drop(Stage::egress_groups, kUntracked, owner, Reason::group_egress,
                  with(of::Match().set(kSource, attachment.id.value), Verdict::untracked));
}

} // namespace weft::fabric
