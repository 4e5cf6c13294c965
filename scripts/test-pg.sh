#!/usr/bin/env bash
# Runs the whole suite on a PostgreSQL of the system, over TCP: Debian's 15 where apt-get is, in a folder of its own.
# npm run test:pg [-- files or flags]
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1 || true)
if [ -z "$bin" ]; then
  if ! command -v apt-get >/dev/null; then
    echo 'There is no PostgreSQL here and no apt-get to install one.' >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends postgresql >/dev/null
  bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
fi

# PostgreSQL refuses to run as root.
as_server() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }

folder=$(mktemp -d)
[ "$(id -u)" = 0 ] && chown postgres "$folder"
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
password=$(node -e 'console.log(require("crypto").randomBytes(18).toString("hex"))')
printf '%s' "$password" >"$folder/password"
[ "$(id -u)" = 0 ] && chown postgres "$folder/password"

finish() {
  as_server "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap finish EXIT

as_server "$bin/initdb" -D "$folder/data" -U pharlo --pwfile="$folder/password" -A scram-sha-256 -E UTF8 --locale=C >/dev/null
as_server "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
  -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder -c fsync=off -c max_connections=200" start >/dev/null

"$bin/postgres" --version
DATABASE_URL="postgresql://pharlo:$password@127.0.0.1:$port/postgres" node test/run.ts "$@"
