# The environment of builds and runs. Source it, do not run it: `. scripts/env.sh`.
# The caller may set every variable; this file has the defaults.

# All downloaded and compiled files are stored here, outside of the clone, so that a second clone builds in seconds.
if [ -z "${YTCAPTION_CACHE:-}" ]; then
    if [ "$(id -u)" = 0 ]; then
        YTCAPTION_CACHE=/var/cache/ytcaption
    else
        YTCAPTION_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/ytcaption"
    fi
fi
export YTCAPTION_CACHE
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$YTCAPTION_CACHE/target}"

# The transcription backend is selected at build time (docs/operations.md): CTranslate2's own library (`shared`), which
# selects the fastest kernels for the processor; static Intel MKL (`mkl`, x86-64 only); or the portable `ruy`.
if [ -z "${YTCAPTION_BACKEND:-}" ]; then
    case "$(uname -sm)" in
        "Linux x86_64" | "Linux aarch64") YTCAPTION_BACKEND=shared ;;
        *) YTCAPTION_BACKEND=ruy ;;
    esac
fi
export YTCAPTION_BACKEND
YTCAPTION_FEATURES="--no-default-features --features ytcaption-cli/$YTCAPTION_BACKEND"
# The directory of the library that `make setup` unpacks; crates/cli/build.rs records it in the program.
export CTRANSLATE2_LIB="$YTCAPTION_CACHE/ctranslate2"
case "$YTCAPTION_BACKEND" in
    shared)
        YTCAPTION_FEATURES=
        case ":${LIBRARY_PATH:-}:" in
            *":$CTRANSLATE2_LIB:"*) ;;
            *) export LIBRARY_PATH="$CTRANSLATE2_LIB${LIBRARY_PATH:+:$LIBRARY_PATH}" ;;
        esac
        # The unit tests of the crates have no such build script.
        case ":${LD_LIBRARY_PATH:-}:" in
            *":$CTRANSLATE2_LIB:"*) ;;
            *) export LD_LIBRARY_PATH="$CTRANSLATE2_LIB${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" ;;
        esac
        ;;
    *)
        # The shell may still have the path of `shared`, whose empty archives would hide the compiled ones.
        LIBRARY_PATH="${LIBRARY_PATH:-}"
        LIBRARY_PATH="${LIBRARY_PATH#"$CTRANSLATE2_LIB"}"
        LIBRARY_PATH="${LIBRARY_PATH#:}"
        [ -n "$LIBRARY_PATH" ] || unset LIBRARY_PATH
        [ "$YTCAPTION_BACKEND" != mkl ] || export MKLROOT="${MKLROOT:-$YTCAPTION_CACHE/mkl}"
        ;;
esac
export YTCAPTION_FEATURES

# The number of compilers that cmake starts for CTranslate2.
export CMAKE_PARALLEL="${CMAKE_PARALLEL:-$(nproc)}"

# Debian does not have initdb and postgres on the PATH; the newest installed version is used.
for ytcaption_pg in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V); do
    PATH="$ytcaption_pg:$PATH"
done
unset ytcaption_pg
export PATH="$YTCAPTION_CACHE/tools/bin:$PATH"
