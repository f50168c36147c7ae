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

# The transcription backend is chosen at build time: `mkl` (x86-64 only) or the portable `ruy`.
if [ -z "${YTCAPTION_BACKEND:-}" ]; then
    case "$(uname -m)" in
        x86_64) YTCAPTION_BACKEND=mkl ;;
        *) YTCAPTION_BACKEND=ruy ;;
    esac
fi
export YTCAPTION_BACKEND
if [ "$YTCAPTION_BACKEND" = mkl ]; then
    export MKLROOT="${MKLROOT:-$YTCAPTION_CACHE/mkl}"
    YTCAPTION_FEATURES=
else
    YTCAPTION_FEATURES="--no-default-features --features ytcaption-cli/$YTCAPTION_BACKEND"
fi
export YTCAPTION_FEATURES

# How many compilers cmake may start for CTranslate2 (cargo itself already uses every core).
export CMAKE_PARALLEL="${CMAKE_PARALLEL:-$(nproc)}"

# Debian keeps initdb and postgres off the PATH; the newest installed version wins.
for ytcaption_pg in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V); do
    PATH="$ytcaption_pg:$PATH"
done
unset ytcaption_pg
export PATH="$YTCAPTION_CACHE/tools/bin:$PATH"
