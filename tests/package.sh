#!/usr/bin/env bash
# Installs Baton from its package, as `cargo install baton-ls` would, plays the demo with what was installed, and looks at what it says
# of what it was built without. Crates that are built already, as `cargo test` leaves them, are not built again; nothing is uploaded.
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

# Its own home and settings, so that nobody else's are read.
mkdir "$work/workspace" "$work/home"
refused=$(cd "$work/workspace" && env -i HOME="$work/home" PATH="$PATH" BATON_SINKS=nats://127.0.0.1 \
    "$work/installed/bin/baton" run --task x 2>&1) && exit 1
grep -q "was built without NATS" <<<"$refused" || { echo "package: $refused"; exit 1; }
echo "package: installed $("$work/installed/bin/baton" --version), and it plays the demo"
