#!/usr/bin/env bash
# How often a file that a commit changed is among the first ten of the map of the folder before it, with the commit's message
# as the task: [COMMITS=50] [ONLY=even|odd] tests/outline_recall.sh CLONE...
#
# Of each clone it takes COMMITS commits, spread over its history, that are no merges and changed 1 to 15 files which were there
# before. ONLY takes every second of them: what is tuned on one half can be judged on the other. It prints a line for each
# commit, one for each clone, and the sum. The clones are left as they are: files are looked at in a worktree of their own.
set -euo pipefail

(($# > 0)) || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
wanted=${COMMITS:-50}
root=$(cd "$(dirname "$0")/.." && pwd)
cargo build --quiet --release --manifest-path "$root/Cargo.toml" --example outline_map
map=$root/target/release/examples/outline_map

tree=$(mktemp -d)
clone=
leave() {
    if [ -n "$clone" ]; then git -C "$clone" worktree remove --force "$tree/at"; fi
    clone=
}
trap 'leave; rm -rf "$tree"' EXIT

# The message of a commit without its trailers, who signed or reviewed it: a task has none.
task() {
    git -C "$clone" log -1 --format=%B "$1" | sed -E '/^([A-Za-z-]+-by|Cc|Change-Id): |^\(cherry picked/d'
}

# Whether one of the files that a commit changed is among the first ten. A file's line begins with its path; definitions are
# indented.
is_found() {
    local first
    git -C "$tree/at" checkout --quiet --detach "$1^"
    first=$(task "$1" | "$map" "$tree/at" | sed -n 's/^\([^ ].*\) ([0-9]* lines\{0,1\})$/\1/p' | sed -n 1,10p)
    git -C "$clone" diff-tree -r --no-commit-id --name-only --diff-filter=M "$1" | grep -Fx -f <(printf '%s\n' "$first") > /dev/null
}

asked_in_all=0 found_in_all=0 sums=
for one in "$@"; do
    clone=$(cd "$one" && pwd)
    git -C "$clone" worktree add --quiet --detach "$tree/at" HEAD
    export XDG_CACHE_HOME=$tree/cache/${clone##*/}
    mapfile -t commits < <(git -C "$clone" log --no-merges --min-parents=1 --diff-filter=M --format=%H)
    step=$((${#commits[@]} / (wanted * 2)))
    asked=0 found=0 taken=0
    for ((i = 0; i < ${#commits[@]} && taken < wanted; i += step > 0 ? step : 1)); do
        commit=${commits[i]}
        changed=$(git -C "$clone" diff-tree -r --no-commit-id --name-only --diff-filter=M "$commit" | wc -l)
        ((changed >= 1 && changed <= 15)) || continue
        taken=$((taken + 1))
        case ${ONLY:-all} in even) ((taken % 2 == 0)) || continue ;; odd) ((taken % 2 == 1)) || continue ;; esac
        asked=$((asked + 1))
        hit=missed
        if is_found "$commit"; then hit=found found=$((found + 1)); fi
        printf '%s %s %s\n' "${commit:0:10}" "$hit" "$(git -C "$clone" log -1 --format=%s "$commit")"
    done
    ((asked > 0)) || { echo "$one: no such commits" >&2; exit 1; }
    sums+=$(printf '%s: %d of %d: %d %%' "${clone##*/}" "$found" "$asked" $((found * 100 / asked)))$'\n'
    asked_in_all=$((asked_in_all + asked)) found_in_all=$((found_in_all + found))
    leave
done
printf '%sin all: %d of %d: %d %%\n' "$sums" "$found_in_all" "$asked_in_all" $((found_in_all * 100 / asked_in_all))
