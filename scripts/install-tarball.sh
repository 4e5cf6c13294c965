#!/usr/bin/env bash
# Installs the packed tarball in an empty folder, as a user of the package would, starts it and asks whether it is ready.
# npm run test:install; needs the registry, so it stands beside the suite.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
server=''
finish() {
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap finish EXIT

npm pack --silent --pack-destination "$folder" >/dev/null
mkdir "$folder/empty"
cd "$folder/empty"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund "$folder"/pharlo-*.tgz

port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
PORT=$port PHARLO_DATA_DIR="$folder/data" node node_modules/pharlo/bin/pharlo.js >"$folder/log" 2>&1 &
server=$!
for _ in $(seq 1 150); do
  if curl -sf "http://localhost:$port/api/v1/ready" >/dev/null; then
    echo 'The packed tarball installs, starts and is ready.'
    exit 0
  fi
  sleep 0.2
done
cat "$folder/log" >&2
exit 1
