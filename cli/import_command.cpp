// weftctl import: the topology on stdout, what does not carry over on stderr.
#include "cli/commands.hpp"
#include "cli/import_convert.hpp"
#include "cli/import_libvirt.hpp"
#include "cli/import_toml.hpp"

#include <ostream>

namespace weft::cli {

int import_libvirt(Context& context, const std::string& uri) {
    const auto& variables = context.environment.variables;
    // virsh's variable, and its default for root.
    const auto variable = variables.find("LIBVIRT_DEFAULT_URI");
    const auto of_environment =
        variable == variables.end() || variable->second.empty() ? "qemu:///system" : variable->second;
    const auto texts = read_libvirt_host(uri.empty() ? of_environment : uri);
    if (!texts) return complain(context, texts.error());
    const auto draft = import_host(*texts);
    context.environment.out << to_toml(draft);
    if (!draft.lost.empty()) context.environment.err << "What does not carry over as it was, or has to be completed:\n";
    for (const auto& line : draft.lost)
        context.environment.err << "  " << line << '\n';
    return kDone;
}

} // namespace weft::cli
