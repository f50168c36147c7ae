#!/usr/bin/env bash
# Keeps `.sqlx`: what Postgres says about each statement in `sqlx::query!`, `query_as!` and `query_scalar!`. An ordinary
# build reads it instead of a database (SQLX_OFFLINE in .cargo/config.toml).
#
#   scripts/sqlx.sh prepare   after a statement or a migration was changed; commit what it writes
#   scripts/sqlx.sh check     fails if the committed directory differs; `make lint` runs it
#
# Both start a private Postgres, apply migrations/ to it, and let the compiler ask it about every statement.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

DIRECTORY=.sqlx
OWNER=ytcaption
# A line that begins a checked statement.
MACRO='\bquery(_as|_scalar)?!\s*\('

fail() { printf 'sqlx: %s\n' "$*" >&2; exit 1; }

case "${1:-}" in
    prepare | check) mode=$1 ;;
    *) fail "usage: scripts/sqlx.sh prepare|check" ;;
esac

mapfile -t sources < <(grep -rlP --include='*.rs' "$MACRO" crates tests benches 2>/dev/null | sort)
shopt -s nullglob
# Hash of everything that the answers depend on.
state() { cat /dev/null "${sources[@]}" migrations/*.sql Cargo.lock "$DIRECTORY"/*.json | sha256sum | cut -c1-16; }

# What was found to be right is not looked at again.
stamp="$CARGO_TARGET_DIR/sqlx-checked"
if [ "$mode" = check ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(state)" ]; then
    exit 0
fi

work=$(mktemp -d)
chmod 711 "$work"
mkdir "$work/answers" "$work/server"
as_user=()
if [ "$(id -u)" = 0 ]; then
    # Postgres refuses to run as root.
    user=nobody
    if id -u postgres >/dev/null 2>&1; then user=postgres; fi
    chown "$user" "$work/server"
    as_user=(setpriv "--reuid=$(id -u "$user")" "--regid=$(id -g "$user")" --clear-groups)
fi
pg() { (cd "$work/server" && "${as_user[@]}" "$@"); }

end() {
    [ ! -e "$work/server/data/postmaster.pid" ] || pg pg_ctl -D "$work/server/data" -m immediate stop >/dev/null 2>&1 || true
    # A changed time would make ordinary builds compile these files again.
    for source in "${sources[@]}"; do
        if [ -e "$work/times/$source" ] && [ "$source" -ot "$work/newer" ]; then touch -r "$work/times/$source" "$source"; fi
    done
    rm -rf "$work"
}
trap end EXIT

pg initdb -D "$work/server/data" -U "$OWNER" -A trust -E UTF8 --locale=C --no-sync >"$work/log" 2>&1 ||
    fail "initdb failed: $(cat "$work/log")"
pg pg_ctl -D "$work/server/data" -w -l "$work/server/log" -o "-k $work/server -c listen_addresses= -c fsync=off" start >/dev/null ||
    fail "Postgres does not start: $(cat "$work/server/log")"
pg createdb -h "$work/server" -U "$OWNER" "$OWNER"
for migration in migrations/*.sql; do
    psql -X -q -v ON_ERROR_STOP=1 -1 -h "$work/server" -U "$OWNER" -d "$OWNER" -f "$migration" ||
        fail "$migration cannot be applied"
done

# Cargo expands the macros again only in files that look changed; their times are put back at the end.
for source in "${sources[@]}"; do
    mkdir -p "$work/times/$(dirname "$source")"
    touch -r "$source" "$work/times/$source"
    touch "$source"
done
touch -d '+1 second' "$work/newer"

# shellcheck disable=SC2086 # the features are several words
DATABASE_URL="postgres://$OWNER@localhost/$OWNER?host=$work/server&sslmode=disable" \
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$work/answers" \
    cargo check --quiet --locked --workspace --all-targets $YTCAPTION_FEATURES

if [ "$mode" = prepare ]; then
    rm -rf "$DIRECTORY"
    cp -r "$work/answers" "$DIRECTORY"
    chmod 755 "$DIRECTORY"
    echo "sqlx: $DIRECTORY holds $(find "$DIRECTORY" -name '*.json' | wc -l) statements"
else
    diff -rq "$DIRECTORY" "$work/answers" >&2 ||
        fail "$DIRECTORY differs from the statements in the code: run 'scripts/sqlx.sh prepare' and commit what it writes."
fi
mkdir -p "$CARGO_TARGET_DIR"
state >"$stamp"
