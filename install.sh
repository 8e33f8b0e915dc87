#!/bin/sh
# Installs Baton: downloads the archive for this machine from a release, compares it with the SHA-256 that the release
# gives, and puts one file, `baton`, into a folder of yours. It asks for no password and changes nothing else.
#
#   sh install.sh [--to DIR] [--version VERSION]
#
#   --to DIR            where `baton` goes; by default ~/.local/bin
#   --version VERSION   that version, as 0.1.0; by default the latest
#
# BATON_RELEASES in the environment names another place to download from: it has latest/download/FILE and
# download/vVERSION/FILE.

# The release workflow puts its own address here.
RELEASES=""

# All of it is one function, called by the last line: of a script that arrives cut short, nothing runs.
main() {
    set -eu
    releases=${BATON_RELEASES:-$RELEASES}
    releases=${releases%/}
    to=${HOME:-}/.local/bin
    version=
    while [ $# -gt 0 ]; do
        case $1 in
            --to) [ $# -ge 2 ] || usage "--to takes a folder" && to=$2 && shift 2 ;;
            --to=*) to=${1#--to=} && shift ;;
            --version) [ $# -ge 2 ] || usage "--version takes a version, as 0.1.0" && version=$2 && shift 2 ;;
            --version=*) version=${1#--version=} && shift ;;
            -h | --help) help && exit 0 ;;
            *) usage "there is no option $1" ;;
        esac
    done
    [ -n "$to" ] || usage "--to takes a folder"
    case $to in /*) ;; *) to=$(pwd)/$to ;; esac
    [ -n "$releases" ] || fail "this copy of the script does not know where the releases are; name the place in BATON_RELEASES, or take install.sh from a release"
    only_safe "$releases"

    target=$(target)
    archive=baton-$target.tar.gz
    case $version in
        "") from=$releases/latest/download ;;
        *) from=$releases/download/v${version#v} ;;
    esac

    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    say "downloading $from/$archive"
    download "$from/$archive" "$work/$archive"
    download "$from/SHA256SUMS" "$work/SHA256SUMS"
    verify "$work" "$archive"

    tar -xzf "$work/$archive" -C "$work" "baton-$target/baton" || fail "the archive holds no program; nothing was installed"
    said=$("$work/baton-$target/baton" --version) || fail "the program does not run on this machine; nothing was installed"

    mkdir -p "$to" || fail "$to cannot be made; name another folder by --to"
    # Beside its place first, so that what was there is replaced at once or not at all.
    { cp "$work/baton-$target/baton" "$to/.baton.$$" && chmod 755 "$to/.baton.$$" && mv -f "$to/.baton.$$" "$to/baton"; } || {
        rm -f "$to/.baton.$$"
        fail "$to cannot be written to; name another folder by --to"
    }
    say "installed $said as $to/baton"
    found=$(command -v baton || true)
    case $found in
        "$to/baton") ;;
        "") say "$to is not in your PATH; add it to run: baton" ;;
        *) say "your PATH finds another one first: $found" ;;
    esac
    say "see it at work, without a key: $to/baton demo"
}

say() { echo "install: $*"; }

fail() {
    echo "install: $*" >&2
    exit 1
}

usage() {
    echo "install: $*; see --help" >&2
    exit 2
}

help() {
    cat <<'END'
Installs Baton: one file, `baton`, compared with the SHA-256 that its release gives.

  sh install.sh [--to DIR] [--version VERSION]

  --to DIR            where `baton` goes; by default ~/.local/bin
  --version VERSION   that version, as 0.1.0; by default the latest

BATON_RELEASES in the environment names another place to download from: it has latest/download/FILE and
download/vVERSION/FILE.
END
}

# A checksum that comes the same way as the file proves nothing where others can write to that way.
only_safe() {
    case $1 in
        https://*) ;;
        http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]*) ;;
        *) fail "$1 is no https address; nothing is downloaded without encryption" ;;
    esac
}

# The build for this machine, by the name of its target.
target() {
    system=$(uname -s)
    machine=$(uname -m)
    if [ "$system" = Darwin ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || true)" = 1 ]; then
        # A shell that is translated says the wrong name of its machine.
        machine=arm64
    fi
    case $machine in
        x86_64 | amd64) machine=x86_64 ;;
        aarch64 | arm64) machine=aarch64 ;;
        *) unsupported ;;
    esac
    case $system in
        Linux) echo "$machine-unknown-linux-musl" ;;
        Darwin) echo "$machine-apple-darwin" ;;
        MINGW* | MSYS* | CYGWIN*)
            fail "on Windows, download baton-x86_64-pc-windows-msvc.zip from $releases, unzip it and put its folder into your PATH"
            ;;
        *) unsupported ;;
    esac
}

unsupported() {
    fail "there is no build for $(uname -s) on $(uname -m); build it with Rust and a C compiler: cargo install --locked baton-ls"
}

download() { # address, file
    if command -v curl >/dev/null 2>&1; then
        curl --fail --silent --show-error --location --proto-redir =https --retry 2 --output "$2" "$1"
    elif command -v wget >/dev/null 2>&1; then
        wget -q -O "$2" "$1"
    else
        fail "curl or wget is needed"
    fi || fail "$1 cannot be downloaded; nothing was installed"
}

verify() { # folder, file
    expected=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$2\$/\1/p" "$1/SHA256SUMS")
    case $expected in
        ????????????????????????????????????????????????????????????????) ;;
        *) fail "SHA256SUMS of the release does not name $2 once; nothing was installed" ;;
    esac
    if command -v sha256sum >/dev/null 2>&1; then
        actual=$(sha256sum "$1/$2")
    elif command -v shasum >/dev/null 2>&1; then
        actual=$(shasum -a 256 "$1/$2")
    else
        fail "sha256sum or shasum is needed, to see that the download is whole; nothing was installed"
    fi
    if [ "${actual%% *}" != "$expected" ]; then
        fail "$2 is not what the release holds: SHA-256 ${actual%% *}, not $expected; nothing was installed"
    fi
    say "SHA-256 is as the release says: $expected"
}

main "$@"
