// The one include point of libopenvswitch's public headers (3.1.0), seen by codec*.cpp and nobody else, and what those
// files share. The library's types live in the global namespace: ::match, ::ofpbuf, ::ofpact.
#pragma once
#include "openflow/codec.hpp"
#include "openflow/message.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <endian.h>
#include <memory>
#include <netinet/in.h> // nsh.h needs ntohs

#include <openvswitch/types.h>

#include <openvswitch/ofp-errors.h> // first of the ofp headers: C++ has no forward declaration of `enum ofperr`

#include <openvswitch/dynamic-string.h>
#include <openvswitch/match.h>
#include <openvswitch/meta-flow.h>
#include <openvswitch/ofp-actions.h>
#include <openvswitch/ofp-bundle.h>
#include <openvswitch/ofp-connection.h>
#include <openvswitch/ofp-flow.h>
#include <openvswitch/ofp-group.h>
#include <openvswitch/ofp-match.h>
#include <openvswitch/ofp-meter.h>
#include <openvswitch/ofp-monitor.h>
#include <openvswitch/ofp-msgs.h>
#include <openvswitch/ofp-packet.h>
#include <openvswitch/ofp-port.h>
#include <openvswitch/ofp-print.h>
#include <openvswitch/ofp-switch.h>
#include <openvswitch/ofp-util.h>
#include <openvswitch/ofpbuf.h>
#include <openvswitch/util.h>
#include <openvswitch/vlog.h>

namespace weft::openflow::ovs {

/// An ofpbuf on the stack that spills to the heap. 8-aligned, as action lists must be.
class Buffer {
  public:
    Buffer() { ofpbuf_use_stub(&buffer_, stub_, sizeof stub_); }
    ~Buffer() { ofpbuf_uninit(&buffer_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    operator ofpbuf*() { return &buffer_; }
    ofpbuf* operator->() { return &buffer_; }
    ofpact* actions() const { return static_cast<ofpact*>(buffer_.data); }
    std::size_t size() const { return buffer_.size; }
    std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(buffer_.data), buffer_.size}; }

  private:
    ofpbuf buffer_;
    alignas(8) std::byte stub_[2048];
};

/// What must hold of what is sent in a release too: the library would encode something else, and the switch take it.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "weft: a broken invariant in what is sent to a switch: %s\n", what);
    std::abort();
}

struct DeleteBuffer {
    void operator()(ofpbuf* buffer) const noexcept { ofpbuf_delete(buffer); }
};
/// What ofputil_encode_*() returns.
using OwnedBuffer = std::unique_ptr<ofpbuf, DeleteBuffer>;

/// A string that the library allocated.
inline std::string take(char* text) {
    std::string taken = text ? text : "";
    std::free(text);
    return taken;
}

/// The library keeps in an enum whatever came from the wire; reading a value that C++ does not know there is undefined.
template <class Enum>
unsigned raw(const Enum& value) {
    unsigned number = 0;
    static_assert(sizeof value == sizeof number);
    std::memcpy(&number, &value, sizeof number);
    return number;
}

inline ofp_version wire(Version version) {
    return version == Version::v15 ? OFP15_VERSION : OFP14_VERSION;
}
inline ofputil_protocol protocol(Version version) {
    return version == Version::v15 ? OFPUTIL_P_OF15_OXM : OFPUTIL_P_OF14_OXM;
}

// --- codec.cpp: fields, matches, flows
const mf_field* field_of(Field field);
std::optional<Field> field_from(const mf_field* field);
void store(const mf_field* field, Bits value, mf_value* out);
/// Masks that are full at the field's width become all ones in its bytes: that is how the library says "exact".
void store_mask(Field field, const mf_field* mf, Bits mask, mf_value* out);
Bits load(const mf_field* field, const mf_value* value);

void put_match(const Match& match, ::match* out);
/// False when weft has no name for something in it; what it can say is there.
bool get_match(const ::match& match, Match* out);

/// A table entry as the library decodes it from a dump or a FLOW_MOD.
struct Entry {
    const ::match* match;
    const ofpact* actions;
    std::size_t actions_size;
    std::uint8_t table;
    std::uint16_t priority;
    std::uint64_t cookie;
    std::uint16_t idle_timeout, hard_timeout, importance;
    ofputil_flow_mod_flags flags;
};
Flow flow_from(const Entry& entry);

// --- codec_action.cpp: actions, groups, meters
void put_actions(const Actions& actions, ofpbuf* out);
bool get_actions(const ofpact* actions, std::size_t size, Actions* out);
std::string text_of(const ofpact* actions, std::size_t size);
ofp_port_t port_from(std::uint32_t port);
std::uint32_t port_to(ofp_port_t port);
GroupEntry group_from(const ofputil_group_desc& desc);
MeterEntry meter_from(const ofputil_meter_config& config);

/// Appends one message, with its length and xid put right (the library leaves the length stale), inside a bundle-add
/// message where `to` names a bundle.
void append(Bytes& out, const Envelope& to, ofpbuf* message);

} // namespace weft::openflow::ovs
