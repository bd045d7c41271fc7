// The completion scripts. Each asks `millrace complete -- WORDS...` for what may stand at the last word, so that the
// shells know nothing of the commands, and a newer command needs no newer script.

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

const bash = `# Completion of millrace for bash. Load it with: source <(millrace completion bash)
_millrace() {
  local IFS=$'\\n' line words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  while read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(millrace complete -- "\${words[@]}" 2>/dev/null)
  if [ "\${#COMPREPLY[@]}" -eq 0 ]; then
    compopt -o default 2>/dev/null
  fi
}
complete -F _millrace millrace
`;

const zsh = `#compdef millrace
# Completion of millrace for zsh. Load it with: source <(millrace completion zsh)
_millrace() {
  local -a lines described
  local line
  lines=("\${(@f)$(millrace complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in $lines; do
    described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#described} )); then
    _describe millrace described
  else
    _files
  fi
}
compdef _millrace millrace
`;

const fish = `# Completion of millrace for fish. Load it with: millrace completion fish | source
function __millrace_complete
  set -l words (commandline -opc) (commandline -ct)
  millrace complete -- $words[2..-1] 2>/dev/null
end
complete -c millrace -f -a '(__millrace_complete)'
`;

export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
