#!/usr/bin/env bash
# Installs the clients of test/interop/tools, which are too heavy to be dependencies, in a folder of their own and runs
# them against Pharlo. npm run interop [-- files or flags]; needs the registry, so it stands beside the suite.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp test/interop/tools/package.json test/interop/tools/package-lock.json "$folder"
npm ci --prefix "$folder" --ignore-scripts --silent --no-audit --no-fund

if [ $# = 0 ]; then set -- test/interop/*.interop.ts; fi
PHARLO_INTEROP_TOOLS=$folder node test/run.ts "$@"
