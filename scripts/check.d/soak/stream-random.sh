#!/usr/bin/env bash
# Sixty generations of ten minutes under random settings that change every two minutes, eight at a time in one pass, half of
# them from a prompt: nothing invalid, no stall, no hanging note, flat memory. Finished dozens are not repeated: their
# reports are in build/soak/random.
set -euo pipefail
cmake --preset ci >/dev/null && cmake --build --preset ci --target stream_soak >/dev/null
mkdir -p build/soak/random
for dozen in 0 1 2 3 4; do
  prompts=(tests/data/midi/*.mid)
  prompt=${prompts[(dozen * 18 + 9) % ${#prompts[@]}]}
  report=build/soak/random/$dozen.txt
  if [[ ! -f $report ]]; then
    build/test/tests/stream_soak play models/mini-q8_0.gguf 600 $((dozen * 12 + 1)) 12 "$prompt" >"$report.part" ||
      { cat "$report.part"; exit 1; }
    mv "$report.part" "$report"
  fi
  echo "half from $prompt"
  grep -c ': good$' "$report"
  tail -n 2 "$report"
done
