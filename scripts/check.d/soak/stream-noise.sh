#!/usr/bin/env bash
# 300 minutes, each under other random settings, of a small random network whose music is noise: nothing invalid, no stall.
set -euo pipefail
cmake --preset ci >/dev/null && cmake --build --preset ci --target stream_soak >/dev/null
mkdir -p build/check
for seed in $(seq 300); do
  build/test/tests/stream_soak play tests/data/golden/tiny 60 "$seed" raw >build/check/stream-noise-one.txt ||
    { echo "seed $seed:"; cat build/check/stream-noise-one.txt; exit 1; }
  tail -n 2 build/check/stream-noise-one.txt | head -n 1
done | awk '{ notes += $1 } END { print NR " minutes, " notes " notes"; exit !(NR == 300 && notes > 10000) }'
