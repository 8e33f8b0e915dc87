#!/usr/bin/env bash
# A thousand faults of workers, coordinators, links and brokers, with a table of what they led to:
# [BATON_CHAOS_FAULTS=1000] [BATON_SEED=N] tests/chaos.sh [cargo's options, such as --release]
#
# The seed of a run that broke a rule is printed with what was broken: BATON_SEED=N BATON_CHAOS_SEEDS=1 tests/chaos.sh
set -euo pipefail
cd "$(dirname "$0")/.."

tests/setup.sh base broker
[ "${BATON_CHAOS_SEEDS:-}" ] || export BATON_CHAOS_FAULTS=${BATON_CHAOS_FAULTS:-1000}
exec cargo test --package baton-ls --features nats --test e2e "$@" -- \
    --include-ignored --nocapture workers_chaos::disturbed_in_whatever_way
