#!/usr/bin/env bash
# Installs Baton from its package, as `cargo install baton-ls` would, and plays the demo with what was installed.
# The package is built with the crates that the tests have built already; nothing is uploaded.
#
#   tests/package.sh
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo package --quiet --locked --allow-dirty --no-verify -p baton-ls --target-dir "$work/target"
crate=$(echo "$work"/target/package/baton-ls-*.crate)
echo "package: $(basename "$crate"), $(($(wc -c <"$crate") / 1024)) KiB"
# Outside of the repository, for there cargo would take it for a part of the workspace.
tar -xzf "$crate" -C "$work"

# Profiles are the workspace's and in no package; without them every crate would be built anew.
cargo install --quiet --locked --debug --no-track --path "$work/$(basename "$crate" .crate)" --root "$work/installed" \
    --target-dir target --config 'profile.dev.debug="line-tables-only"' \
    --config 'profile.dev.package.tree-sitter.opt-level=2'

"$work/installed/bin/baton" demo >/dev/null
echo "package: installed $("$work/installed/bin/baton" --version), and it plays the demo"
