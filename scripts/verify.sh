#!/usr/bin/env bash
# Everything with full counts, one after another; says at the end what was not as it should be. An hour or more.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
step() {
  echo "== $*"
  "$@" || failed+=("$*")
}

step npm run check
step npm test
step env PHARLO_TEST_REPLICA_ROUNDS=50 npm test -- 'test/replicas/*.test.ts'
step npm run test:pg
step npm run test:install
step npm run interop
step npm run conformance
step npm run drill
step npm run drill -- --mutants
step npm run fuzz -- --requests 100000
step npm run mutants
step npm run mutation

if [ ${#failed[@]} -gt 0 ]; then
  printf 'Not as it should be: %s\n' "${failed[@]}"
  exit 1
fi
echo 'All as it should be.'
