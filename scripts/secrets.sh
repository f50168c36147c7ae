#!/usr/bin/env bash
# Writes .env, the passwords and keys of compose.yaml: random, once, for this user only. Keep a copy of MASTER_KEY elsewhere:
# without it the personal content of the events cannot be read.
set -euo pipefail
file="$(dirname "$(readlink -f "$0")")/../.env"
umask 077
set -o noclobber
hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
secrets="POSTGRES_PASSWORD=$(hex 24)
SERVICE_PASSWORD=$(hex 24)
S3_ACCESS_KEY_ID=GK$(hex 12)
S3_SECRET_ACCESS_KEY=$(hex 32)
S3_RPC_SECRET=$(hex 32)
MASTER_KEY=$(head -c 32 /dev/urandom | base64)"
{ echo "$secrets" > "$file"; } 2> /dev/null || { echo "secrets: $file exists already; nothing was changed" >&2; exit 1; }
echo "secrets: written to $(realpath "$file")"
