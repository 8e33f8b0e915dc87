#!/usr/bin/env bash
# What the tests need beyond Rust, a C compiler and git. Says what it installs, and installs nothing else.
#
# `cargo test` needs none of it. The editor tests will: they come with the editor clients.
set -euo pipefail

need() { # command, Debian package
    if command -v "$1" >/dev/null; then return; fi
    echo "setup: installing $2 (Debian), for $1"
    [ "${apt_updated:-}" ] || { apt-get update -qq; apt_updated=1; }
    apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}

need cc gcc
need git git
