#include "cli/completion.hpp"

#include "base/ids.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <string_view>

namespace weft::cli {

namespace {

/// {0} the commands, {1} options before a command, {2} a case for each command, {3} the kinds of `show`, {4} those
/// with a slash, {5} the stages. The names of objects are asked of the daemon that the words so far mean, at each
/// completion.
constexpr std::string_view kScript = R"bash(# bash completion of weftctl: source <(weftctl completion bash)
_weftctl() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local command="" words="" files="" i
    local -a daemon=()
    _weftctl_names() {{ weftctl "${{daemon[@]}}" names "$1" 2>/dev/null; }}
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${{COMP_WORDS[i]}}" in
            --api) daemon=(--api "${{COMP_WORDS[++i]}}") ;;
            --lab)
                # Readline takes "--lab=NAME" for three words.
                if [[ "${{COMP_WORDS[i+1]}}" == "=" ]]; then
                    daemon=("--lab=${{COMP_WORDS[i+2]}}")
                    ((i += 2))
                else
                    daemon=(--lab)
                fi ;;
            *) [[ -z "$command" && " {0} " == *" ${{COMP_WORDS[i]}} "* ]] && command="${{COMP_WORDS[i]}}" ;;
        esac
    done
    case "$command" in
        "") words="{0} {1}" ;;
{2}    esac
    case "$command/$previous" in
        */-o|*/--output) words="table json" ;;
        completion/completion) words="bash" ;;
        import/import) words="libvirt" ;;
        show/show) words="{3}" ;;
        flows/--host) words="$(_weftctl_names host)" ;;
        flows/--owner)
            if [[ "$current" == */* ]]; then
                words="$(_weftctl_names "${{current%%/*}}" | sed "s,^,${{current%%/*}}/,")"
            else
                words="{4}"
                compopt -o nospace 2>/dev/null # the name is still to come
            fi ;;
        flows/--stage) words="{5}" ;;
        trace/--from|trace/--to) words="$(_weftctl_names port)" ;;
        rollback/rollback) words+=" $(_weftctl_names revision)" ;;
        attach/--port|detach/--port|migrate/--port) words="$(_weftctl_names port)" ;;
        attach/--group|migrate/--group) words="$(_weftctl_names security_group)" ;;
        attach/--qos|migrate/--qos) words="$(_weftctl_names qos)" ;;
        attach/attach|detach/detach|migrate/migrate) ;; # weftd has no list of VMs
        attach/*|detach/*|migrate/*) words+=" $(_weftctl_names network)" ;;
        show/*) [[ " {3} " == *" $previous "* ]] && words="$(_weftctl_names "$previous")" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ -n "$files" && "$current" != -* ]]; then
        COMPREPLY+=($(compgen -f -X '!*.toml' -- "$current") $(compgen -d -- "$current"))
    fi
}}
complete -o filenames -F _weftctl weftctl
)bash";

/// Those of weft's pipeline (docs/pipeline.md); its tables are not this program's to know.
constexpr std::string_view kStages =
    "classify guard respond filter_out nat_in track state egress_groups route nexthop switch filter_in ingress_groups "
    "commit nat_out output egress_rules ingress_rules";

std::string options_of(const CLI::App& app) {
    std::string words;
    for (const auto* option : app.get_options()) {
        for (const auto& name : option->get_lnames())
            words += (words.empty() ? "--" : " --") + name;
    }
    return words;
}

bool takes_path(const CLI::App& app) {
    return app.get_option_no_throw("PATH") != nullptr;
}

} // namespace

std::string bash_completion(const CLI::App& app) {
    std::string commands;
    std::string cases;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_group().empty()) continue; // hidden
        commands += (commands.empty() ? "" : " ") + command->get_name();
        cases += fmt::format("        {}) words=\"{}\"{} ;;\n", command->get_name(), options_of(*command),
                             takes_path(*command) ? "; files=1" : "");
    }
    std::string kinds, owners;
    for (auto value = static_cast<int>(Kind::host); value <= static_cast<int>(Kind::qos); ++value) {
        const auto kind = name_of(static_cast<Kind>(value));
        kinds += fmt::format("{}{}", kinds.empty() ? "" : " ", kind);
        owners += fmt::format("{}{}/", owners.empty() ? "" : " ", kind);
    }
    return fmt::format(kScript, commands, options_of(app), cases, kinds, owners, kStages);
}

} // namespace weft::cli
