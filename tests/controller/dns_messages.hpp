// DNS messages for tests, written byte by byte apart from the code under test, and read by ldns.
#pragma once
#include "controller/dns.hpp"
#include "controller/ldns.hpp"

#include <cctype>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>

namespace weft::controller::messages {

inline void put16(DnsMessage& to, unsigned value) {
    to.push_back(static_cast<std::byte>(value >> 8));
    to.push_back(static_cast<std::byte>(value));
}

inline void put_name(DnsMessage& to, std::string_view name) {
    while (!name.empty()) {
        const auto label = name.substr(0, name.find('.'));
        to.push_back(static_cast<std::byte>(label.size()));
        for (const char each : label)
            to.push_back(static_cast<std::byte>(each));
        name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    to.push_back(std::byte{0});
}

struct Opt {
    unsigned payload = 1232, version = 0;
    bool dnssec_ok = false;
    unsigned options = 0; ///< bytes, of one option of an unknown code; 0: none
};

struct Query {
    std::string name;
    unsigned type = LDNS_RR_TYPE_A;
    std::optional<Opt> opt;
    unsigned klass = LDNS_RR_CLASS_IN, id = 0xabcd;
    unsigned flags = 0x0100; ///< RD

    operator DnsMessage() const {
        DnsMessage message;
        for (const unsigned word : {id, flags, 1U, 0U, 0U, opt ? 1U : 0U})
            put16(message, word);
        put_name(message, name);
        put16(message, type);
        put16(message, klass);
        if (opt) put_opt(message, *opt);
        return message;
    }

    static void put_opt(DnsMessage& message, const Opt& opt) {
        message.push_back(std::byte{0});
        put16(message, LDNS_RR_TYPE_OPT);
        put16(message, opt.payload);
        put16(message, opt.version);
        put16(message, opt.dnssec_ok ? 0x8000 : 0);
        put16(message, opt.options);
        if (opt.options == 0) return;
        put16(message, 65001);
        put16(message, opt.options - 4);
        message.resize(message.size() + opt.options - 4);
    }
};

/// What ldns reads: "NOERROR qr aa rd ra | vm. IN A | vm. 30 IN A 10.0.0.1 | authority | additional | edns 1232 do".
/// The extended code is in front of the code's name if it is not 0. "?": ldns cannot read it.
inline std::string text(const DnsMessage& message) {
    ldns_pkt* read = nullptr;
    if (ldns_wire2pkt(&read, reinterpret_cast<const std::uint8_t*>(message.data()), message.size()) != LDNS_STATUS_OK)
        return "?";
    const std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)> packet(read, &ldns_pkt_free);
    const auto owned = [](char* c_string) {
        const std::unique_ptr<char, decltype(&std::free)> owner(c_string, &std::free);
        return std::string(c_string);
    };
    std::string result;
    if (ldns_pkt_edns_extended_rcode(read) != 0) result = fmt::format("{}+", ldns_pkt_edns_extended_rcode(read));
    result += owned(ldns_pkt_rcode2str(ldns_pkt_get_rcode(read)));
    const auto flag = [&](bool set, const char* name) { result += set ? std::string(" ") + name : ""; };
    flag(ldns_pkt_qr(read), "qr");
    flag(ldns_pkt_aa(read), "aa");
    flag(ldns_pkt_tc(read), "tc");
    flag(ldns_pkt_rd(read), "rd");
    flag(ldns_pkt_ra(read), "ra");
    flag(ldns_pkt_ad(read), "ad");
    flag(ldns_pkt_cd(read), "cd");
    for (const auto* section :
         {ldns_pkt_question(read), ldns_pkt_answer(read), ldns_pkt_authority(read), ldns_pkt_additional(read)}) {
        result += " |";
        for (std::size_t i = 0; i < ldns_rr_list_rr_count(section); ++i) {
            auto line = owned(ldns_rr2str(ldns_rr_list_rr(section, i)));
            while (!line.empty() && std::isspace(line.back()) != 0)
                line.pop_back();
            for (auto& each : line)
                if (each == '\t') each = ' ';
            result += " " + line;
        }
    }
    if (ldns_pkt_edns(read)) {
        result += fmt::format(" | edns {}", ldns_pkt_edns_udp_size(read));
        flag(ldns_pkt_edns_version(read) != 0, "version");
        flag(ldns_pkt_edns_do(read), "do");
    }
    return result;
}

inline unsigned id_of(const DnsMessage& message) {
    return std::to_integer<unsigned>(message.at(0)) << 8 | std::to_integer<unsigned>(message.at(1));
}

} // namespace weft::controller::messages
