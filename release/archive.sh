#!/usr/bin/env bash
# Makes the archive of a release for one platform: the program with its licence and README, and its completions and manual
# pages where it can make them.
#
#   release/archive.sh TARGET PROGRAM FOLDER     baton-TARGET.tar.gz (.zip for Windows) in FOLDER
#
# The names are those that install.sh asks for.
set -euo pipefail

if [ $# != 3 ]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
target=$1 program=$2 folder=$3
repository=$(cd "$(dirname "$0")/.." && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=baton-$target
mkdir -p "$work/$name" "$folder"
folder=$(cd "$folder" && pwd)
install -m 755 "$program" "$work/$name/$(basename "$program")"
install -m 644 "$repository/LICENSE" "$repository/README.md" "$work/$name"

# shell, and the file as this shell looks for it
complete() {
    local file=$work/$name/completions/$2
    mkdir -p "$work/$name/completions"
    "$program" completions "$1" >"$file" 2>/dev/null || rm "$file"
}
complete bash baton.bash
complete zsh _baton
complete fish baton.fish
complete powershell _baton.ps1
rmdir "$work/$name/completions" 2>/dev/null && echo "archive: $program prints no completions; left out"
"$program" man --dir "$work/$name/man" >/dev/null 2>&1 || {
    rm -rf "$work/$name/man"
    echo "archive: $program writes no manual pages; left out"
}

case $target in
    *windows*)
        rm -f "$folder/$name.zip"
        (cd "$work" && 7z a -bso0 "$folder/$name.zip" "$name")
        archive=$name.zip
        ;;
    *)
        tar -czf "$folder/$name.tar.gz" -C "$work" "$name"
        archive=$name.tar.gz
        ;;
esac
echo "archive: $archive, $(($(wc -c <"$folder/$archive") / 1024)) KiB"
