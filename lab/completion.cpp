#include "lab/completion.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <string_view>

namespace weft::lab {
namespace {

/// {0} the commands, {1} options before a command, {2} a case for each command. Names are asked of the lab that the
/// words so far mean, at each completion.
constexpr std::string_view kScript = R"bash(# bash completion of weft-lab: source <(weft-lab completion bash)
_weft_lab() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local command="" words="" i
    local -a given=() lab=()
    _weft_lab_names() {{ weft-lab status "${{lab[@]}}" 2>/dev/null | awk -v kinds="$1" 'NR > 1 && $2 ~ kinds {{ print $1 }}'; }}
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${{COMP_WORDS[i]}}" in
            --) [[ "$previous" == "--" ]] && COMPREPLY=($(compgen -c -- "$current")) || COMPREPLY=($(compgen -f -- "$current"))
                return ;;
            --name) lab=(--name "${{COMP_WORDS[++i]}}") ;;
            -*) ;;
            *) if [[ -z "$command" ]]; then command="${{COMP_WORDS[i]}}"; else given+=("${{COMP_WORDS[i]}}"); fi ;;
        esac
    done
    case "$command" in
        "") words="{0} {1}" ;;
{2}    esac
    case "$command/$previous" in
        */--name) words="$(cd /run/weft-lab 2>/dev/null && printf '%s\n' */lab.json | sed -n 's,/lab.json$,,p')" ;;
        */-o|*/--output) words="table json" ;;
        */--proto) words="icmp tcp udp" ;;
        up/*|*/--expect) COMPREPLY=($(compgen -f -- "$current")) ;;
        completion/completion) words="bash" ;;
        exec/exec) words+=" $(_weft_lab_names .) control underlay switch" ;;
        move/move) words+=" $(_weft_lab_names '^(port|vm)$')" ;;
        move/"${{given[0]}}") words+=" $(_weft_lab_names '^host$')" ;;
        fault/fault) words+=" $(_weft_lab_names '^host$') weftd" ;;
        fault/weftd) words="kill start" ;;
        fault/cut-link) words="underlay uplink control" ;;
        fault/"${{given[0]}}") words="kill-vswitchd kill-ovsdb kill-libvirtd cut-link heal" ;;
    esac
    COMPREPLY+=($(compgen -W "$words" -- "$current"))
}}
complete -o filenames -F _weft_lab weft-lab
)bash";

std::string options_of(const CLI::App& app) {
    std::string words;
    for (const auto* option : app.get_options())
        for (const auto& name : option->get_lnames())
            words += (words.empty() ? "--" : " --") + name;
    return words;
}

} // namespace

std::string bash_completion(const CLI::App& app) {
    std::string commands, cases;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        commands += (commands.empty() ? "" : " ") + command->get_name();
        cases += fmt::format("        {}) words=\"{}\" ;;\n", command->get_name(), options_of(*command));
    }
    return fmt::format(kScript, commands, options_of(app), cases);
}

} // namespace weft::lab
