# The build and run environment, in one place. Sourced, not run: `. scripts/env.sh`.
# Every variable can be set by the caller; what stands here are the defaults.

# Everything fetched or compiled lives here, outside the clone, so a second clone builds in seconds.
if [ -z "${YTCAPTION_CACHE:-}" ]; then
    if [ "$(id -u)" = 0 ]; then
        YTCAPTION_CACHE=/var/cache/ytcaption
    else
        YTCAPTION_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/ytcaption"
    fi
fi
export YTCAPTION_CACHE
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$YTCAPTION_CACHE/target}"

# The transcription backend is chosen at build time (docs/operations.md): CTranslate2's own library (`shared`), which takes
# what suits the processor; static Intel MKL (`mkl`, x86-64 only); or the portable `ruy`.
if [ -z "${YTCAPTION_BACKEND:-}" ]; then
    case "$(uname -sm)" in
        "Linux x86_64" | "Linux aarch64") YTCAPTION_BACKEND=shared ;;
        *) YTCAPTION_BACKEND=ruy ;;
    esac
fi
export YTCAPTION_BACKEND
YTCAPTION_FEATURES="--no-default-features --features ytcaption-cli/$YTCAPTION_BACKEND"
# The library that `make setup` unpacks: crates/cli/build.rs tells the program where it lies.
export CTRANSLATE2_LIB="$YTCAPTION_CACHE/ctranslate2"
case "$YTCAPTION_BACKEND" in
    shared)
        YTCAPTION_FEATURES=
        case ":${LIBRARY_PATH:-}:" in
            *":$CTRANSLATE2_LIB:"*) ;;
            *) export LIBRARY_PATH="$CTRANSLATE2_LIB${LIBRARY_PATH:+:$LIBRARY_PATH}" ;;
        esac
        # For the crates' unit tests, which have no such build script.
        case ":${LD_LIBRARY_PATH:-}:" in
            *":$CTRANSLATE2_LIB:"*) ;;
            *) export LD_LIBRARY_PATH="$CTRANSLATE2_LIB${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" ;;
        esac
        ;;
    *)
        # What a shell may have kept from `shared`: the empty archives there would hide those that are compiled.
        LIBRARY_PATH="${LIBRARY_PATH:-}"
        LIBRARY_PATH="${LIBRARY_PATH#"$CTRANSLATE2_LIB"}"
        LIBRARY_PATH="${LIBRARY_PATH#:}"
        [ -n "$LIBRARY_PATH" ] || unset LIBRARY_PATH
        [ "$YTCAPTION_BACKEND" != mkl ] || export MKLROOT="${MKLROOT:-$YTCAPTION_CACHE/mkl}"
        ;;
esac
export YTCAPTION_FEATURES

# How many compilers cmake may start for CTranslate2 (cargo itself already uses every core).
export CMAKE_PARALLEL="${CMAKE_PARALLEL:-$(nproc)}"

# Debian keeps initdb and postgres off the PATH; the newest installed version wins.
for ytcaption_pg in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V); do
    PATH="$ytcaption_pg:$PATH"
done
unset ytcaption_pg
export PATH="$YTCAPTION_CACHE/tools/bin:$PATH"
