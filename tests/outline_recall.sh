#!/usr/bin/env bash
# How often a file that a commit changed is among the first ten of the map of the folder before it, with the commit's message
# as the task: tests/outline_recall.sh CLONE [COMMITS]
#
# Takes COMMITS (50) commits of a clone, spread over its history, that are no merges and changed 1 to 15 files which were there
# before. The clone is left as it is: files are looked at in a worktree of their own.
set -euo pipefail

clone=$(cd "${1:?name a clone}" && pwd)
wanted=${2:-50}
root=$(cd "$(dirname "$0")/.." && pwd)
cargo build --quiet --release --manifest-path "$root/Cargo.toml" --example outline_map
map=$root/target/release/examples/outline_map

tree=$(mktemp -d)
trap 'git -C "$clone" worktree remove --force "$tree/at"; rm -rf "$tree"' EXIT
git -C "$clone" worktree add --quiet --detach "$tree/at" HEAD
export XDG_CACHE_HOME=$tree/cache

mapfile -t commits < <(git -C "$clone" log --no-merges --min-parents=1 --diff-filter=M --format=%H)
step=$((${#commits[@]} / (wanted * 2) + 1))
asked=0 found=0
for ((i = 0; i < ${#commits[@]} && asked < wanted; i += step)); do
    commit=${commits[i]}
    mapfile -t changed < <(git -C "$clone" diff-tree -r --no-commit-id --name-only --diff-filter=M "$commit")
    ((${#changed[@]} >= 1 && ${#changed[@]} <= 15)) || continue
    git -C "$tree/at" checkout --quiet --detach "$commit^"
    message=$(git -C "$clone" log -1 --format=%B "$commit")
    # A file's line begins with its path; definitions are indented.
    first=$("$map" "$tree/at" <<<"$message" | sed -n 's/^\([^ ].*\) ([0-9]* lines\{0,1\})$/\1/p' | sed -n 1,10p)
    asked=$((asked + 1))
    hit=missed
    for file in "${changed[@]}"; do
        if grep -Fxq -- "$file" <<<"$first"; then hit=found; fi
    done
    if [ $hit = found ]; then found=$((found + 1)); fi
    printf '%s %s %s\n' "${commit:0:10}" "$hit" "${message%%$'\n'*}"
done
((asked > 0)) || { echo "no such commits" >&2; exit 1; }
printf '%d of %d: %d %%\n' "$found" "$asked" $((found * 100 / asked))
