// The command trace: the verdict in a sentence, then the way of the packet, a line for each flow that it met.
#include "cli/commands.hpp"
#include "cli/http_client.hpp"
#include "cli/json_text.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {

std::string target_of(const Trace& trace) {
    auto target = fmt::format("/v1/trace?from={}&to={}", url_encoded(trace.from), url_encoded(trace.to));
    if (!trace.protocol.empty()) target += "&proto=" + url_encoded(trace.protocol);
    if (trace.target_port != 0) target += fmt::format("&dport={}", trace.target_port);
    if (trace.source_port != 0) target += fmt::format("&sport={}", trace.source_port);
    if (!trace.frame.empty()) target += "&frame=" + url_encoded(trace.frame);
    if (!trace.tunnel.empty()) target += "&tunnel=" + url_encoded(trace.tunnel);
    if (trace.reply) target += "&reply=1";
    return target;
}

Colour colour_of(std::string_view verdict) {
    if (verdict == "delivered") return Colour::green;
    return verdict == "dropped" ? Colour::red : Colour::yellow;
}

/// Of the stages that only pass the packet on a person wants to know on `--full` alone.
bool tells(const json::value& step) {
    return words_at(step, "action") != "passes";
}

void print(std::ostream& out, const json::value& traced, bool full, bool colours) {
    out << coloured(printable(words_at(traced, "text")), colour_of(words_at(traced, "verdict")), colours) << "\n\n";
    out << printable(words_at(traced, "packet")) << "; the connection is taken for "
        << printable(words_at(traced, "connection")) << '\n';
    for (const auto& text : items(at(traced, "assumed")))
        out << "assumed: " << printable(words(text)) << '\n';
    if (items(at(traced, "path")).empty()) return;
    out << '\n';
    // A host is named where the packet comes to it.
    Table table({{"HOST"}, {"STAGE"}, {"OBJECT"}, {"WHAT HAPPENS"}, {"DECLARED"}});
    std::string before;
    for (const auto& step : items(at(traced, "path"))) {
        if (!full && !tells(step)) continue;
        auto host = words_at(step, "host");
        auto shown = host == before ? std::string(" ") : host;
        before = std::move(host);
        table.add({{printable(shown)},
                   {printable(words_at(step, "stage"))},
                   {printable(words_at(step, "object"))},
                   {printable(words_at(step, "action"))},
                   {printable(words_at(step, "source"))}});
    }
    table.print(out, colours);
}

} // namespace

int trace(Context& context, const Trace& trace) {
    const auto traced = context.daemon.get(target_of(trace));
    if (!traced) return complain(context, traced.error());
    if (context.json)
        context.environment.out << pretty(*traced);
    else
        print(context.environment.out, *traced, trace.full, context.colours);
    return words_at(*traced, "verdict") == "dropped" ? kNo : kDone;
}

} // namespace weft::cli
