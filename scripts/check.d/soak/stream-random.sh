#!/usr/bin/env bash
# Twelve generations of ten minutes under random settings that change every two minutes, half of them from a
# prompt: nothing invalid, no stall.
# Finished ones are not repeated: their reports are in build/soak/random.
set -euo pipefail
cmake --preset ci >/dev/null && cmake --build --preset ci --target stream_soak >/dev/null
mkdir -p build/soak/random
prompts=(tests/data/midi/*.mid)
for seed in $(seq 12); do
  prompt=()  # every other one goes on from a piece
  ((seed % 2)) || prompt=("${prompts[seed * 9 % ${#prompts[@]}]}")
  report=build/soak/random/$seed.txt
  if [[ ! -f $report ]]; then
    build/test/tests/stream_soak play models/mini-q8_0.gguf 600 "$seed" "${prompt[@]}" >"$report.part" || { cat "$report.part"; exit 1; }
    mv "$report.part" "$report"
  fi
  echo "seed $seed ${prompt[*]}: $(grep recoveries "$report" | tail -1)"
  tail -n 2 "$report"
done
