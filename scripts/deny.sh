#!/usr/bin/env bash
# Checks the dependencies against deny.toml with a pinned cargo-deny, installed on first use.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

CARGO_DENY=0.20.2
TOOLS="$YTCAPTION_CACHE/tools"

fail() { printf 'deny: %s\n' "$*" >&2; exit 1; }

if [ "$(cargo-deny --version 2>/dev/null)" != "cargo-deny $CARGO_DENY" ]; then
    echo "deny: building cargo-deny $CARGO_DENY (once)"
    # A target directory of its own, so that no artifacts of the project are replaced. Hardly optimized, because it runs
    # for a second and a full optimization takes many minutes.
    CARGO_TARGET_DIR="$TOOLS/cargo-deny-build" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install --quiet --locked --root "$TOOLS" --version "$CARGO_DENY" cargo-deny >"$TOOLS/cargo-deny.log" 2>&1 ||
        fail "could not build cargo-deny (see $TOOLS/cargo-deny.log): check the network, then run make again."
    rm -rf "$TOOLS/cargo-deny-build"
fi

cargo deny --log-level error check --hide-inclusion-graph bans licenses sources

# ring is in the lock file because of optional features of rustls; our program must not link it.
if cargo tree --locked --edges normal,no-proc-macro --invert ring 2>/dev/null | grep -q '^ring'; then
    fail "ring is linked into the program; use the aws-lc-rs feature of the crate that depends on it ('cargo tree -e normal,no-proc-macro -i ring' shows which)."
fi

# The advisory database is a git repository, which cannot be fetched without network access.
fetch_log="$TOOLS/advisories.log"
if timeout 60 cargo deny --log-level error fetch db >"$fetch_log" 2>&1; then
    cargo deny --log-level error check --hide-inclusion-graph --disable-fetch advisories
else
    echo "deny: the advisory database cannot be fetched, so known vulnerabilities were NOT checked."
fi
