#!/usr/bin/env bash
# Plants small faults in src/oauth, one at a time, and counts how many its tests find (mutation score).
# npm run mutation [-- --all | --sample 400 --seed 1948 | --file token.ts | --again | --workers 2]
# --again measures the survivors of the run before. Needs the registry, so it stands beside the suite.
set -euo pipefail
cd "$(dirname "$0")/.."

PHARLO_MUTATION_FOLDER=$(mktemp -d)
export PHARLO_MUTATION_FOLDER
trap 'rm -rf "$PHARLO_MUTATION_FOLDER"' EXIT
cp test/mutation/tools/package*.json "$PHARLO_MUTATION_FOLDER"
npm ci --prefix "$PHARLO_MUTATION_FOLDER" --ignore-scripts --no-audit --no-fund --silent

PHARLO_MUTATION_ARGUMENTS=$(node -p 'JSON.stringify(process.argv.slice(1))' -- "$@")
export PHARLO_MUTATION_ARGUMENTS
nice -n 10 node test/run.ts --test-timeout=14400000 test/mutation/score.ts
