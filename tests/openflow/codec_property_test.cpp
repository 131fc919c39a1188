#include "openflow/message.hpp"
#include "tests/openflow/generate.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weft::openflow {
namespace {

RC_GTEST_PROP(Codec, DecodingWhatWasEncodedGivesTheFlow, ()) {
    const Flow flow = generate::flow();
    const auto fine = check(flow);
    if (!fine) RC_FAIL(fine.error().text + " in " + to_string(flow));
    const auto back = decode_flow(encode(flow));
    if (!back) RC_FAIL(back.error().text);
    if (*back != flow) RC_FAIL(to_string(flow) + "\n came back as " + to_string(*back));
}

RC_GTEST_PROP(Codec, TextIsAnotherFormOfTheSameFlow, ()) {
    const Flow flow = generate::flow();
    const std::string text = to_string(flow);
    const auto back = parse_flow(text);
    if (!back) RC_FAIL(back.error().text + ": " + text);
    if (*back != flow) RC_FAIL(text + "\n came back as " + to_string(*back));
}

RC_GTEST_PROP(Codec, ADigestDependsOnTheValueAlone, ()) {
    const Flow flow = generate::flow();
    const FlowDigest before = digest(flow);
    const FlowDigest after = digest(decode_flow(encode(flow)).value());
    RC_ASSERT(before.key == after.key);
    RC_ASSERT(before.body == after.body);

    Flow other = flow;
    other.cookie ^= 2;
    RC_ASSERT(digest(other).key == before.key);
    RC_ASSERT(digest(other).body != before.body);
    other = flow;
    other.priority ^= 1;
    RC_ASSERT(!(digest(other).key == before.key));
    RC_ASSERT(digest(other).body == before.body);
}

RC_GTEST_PROP(Codec, AFieldWithoutItsPrerequisitesIsCaught, ()) {
    Flow flow = generate::flow();
    RC_PRE(static_cast<bool>(flow.match.find(Field::eth_type)));
    flow.match.set(Field::eth_type, 0, 0);
    flow.actions.clear();
    if (flow.match.find(Field::ct_nw_src) || flow.match.find(Field::ct_ipv6_src))
        return; // ct_state alone is enough for those
    for (const FieldMatch& f : flow.match.fields()) {
        if (f.field > Field::vlan_pcp) {
            const auto verdict = check(flow);
            RC_ASSERT(!verdict.has_value());
            RC_ASSERT(verdict.error().kind == ErrorKind::invalid);
            return;
        }
    }
}

RC_GTEST_PROP(Codec, BundledAndBareMessagesAreTheSameBytes, ()) {
    const Flow flow = generate::flow();
    for (Version version : {Version::v14, Version::v15}) {
        Bytes bare, bundled;
        encode_flow_mod(bare, {.version = version, .xid = 7, .bundle = {}}, Command::add, flow);
        encode_flow_mod(bundled, {.version = version, .xid = 7, .bundle = 3}, Command::add, flow);
        RC_ASSERT(bundled.size() == bare.size() + 16);
        RC_ASSERT(std::equal(bare.begin(), bare.end(), bundled.begin() + 16));
        RC_ASSERT(decode_flow(bare).has_value());
        RC_ASSERT(*decode_flow(bare) == flow);
    }
}

} // namespace
} // namespace weft::openflow
