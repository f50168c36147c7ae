#!/usr/bin/env bash
# Only crates/whisper may link the speech engine: fails if CTranslate2 (the crate ct2rs) is a dependency of the API, or of
# the workers without their feature `transcribe`.
set -euo pipefail
cd "$(dirname "$0")/.."

# Prints how the package depends on ct2rs; nothing if it does not.
dependents() {
    local tree
    if ! tree=$(cargo tree --locked --prefix none --edges normal,build --package "$@"); then
        echo "engine: cargo tree --package $* failed" >&2
        exit 2
    fi
    grep '^ct2rs ' <<<"$tree" || true
}

# Without this, a renamed engine would make the checks below pass for ever.
[ -n "$(dependents ytcaption-whisper --features ruy)" ] || {
    echo "engine: ytcaption-whisper does not depend on ct2rs: adapt scripts/engine.sh to the engine it has now" >&2
    exit 1
}
for package in "ytcaption-api" "ytcaption-models" "ytcaption-media" "ytcaption-workers --no-default-features"; do
    # shellcheck disable=SC2086 # The options of a package are separate words.
    if [ -n "$(dependents $package)" ]; then
        echo "engine: $package depends on CTranslate2; see it with: cargo tree --package $package --invert ct2rs" >&2
        exit 1
    fi
done
# What the download, relay and notification workers are built from when no speech engine is wanted.
cargo check --quiet --locked --package ytcaption-workers --no-default-features
