#!/usr/bin/env bash
# Two hours of music in one run of generate: memory stays flat, every note is valid, times do not drift.
# One thread, so that the machine stays usable; about 45 minutes. A finished run is not repeated: delete its folder to.
set -euo pipefail
folder=build/soak/two-hours seed=6 seconds=7200
mkdir -p "$folder"
# Copies, so that a build beside it disturbs nothing.
if [[ ! -f $folder/song.mid ]]; then
  cp "$MIDINF_PROGRAM" models/mini-q8_0.gguf "$folder/"
  : >"$folder/resident-kb.txt"
  "$folder/midinfinite" generate --model "$folder/mini-q8_0.gguf" --seed $seed --seconds $seconds --threads 1 --json \
    -o "$folder/song.mid" >"$folder/report.json" &
  process=$!
  trap 'kill "$process" 2>/dev/null || true' EXIT
  while kill -0 "$process" 2>/dev/null; do
    sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$process/status" >>"$folder/resident-kb.txt" 2>/dev/null || true
    sleep 5
  done
  wait "$process"
fi
cat "$folder/report.json"

# Flat: after the first minute no sample is more than 2 % above the smallest; the notes of the song themselves, 24 bytes
# each, are all that may grow.
awk 'NR > 12 { if (!least || $1 < least) least = $1; if ($1 > most) most = $1 }
     END { printf "resident memory: %d samples, %d to %d kB after the first minute\n", NR, least, most
           exit !(NR > 60 && most <= least * 1.02 + 8192) }' "$folder/resident-kb.txt"

"$folder/midinfinite" tokens "$folder/song.mid" >"$folder/song.tokens"
awk -v end=$((seconds * 100)) '
  NF != 3 || $1 < last || $1 >= end || $2 < 10000 || $2 > 10999 || $3 < 11000 || $3 > 27511 { print "line " NR ": " $0; bad++ }
  { if ($1 - last > gap) gap = $1 - last; last = $1 }
  END { printf "%d notes, the last at %.2f s, the longest wait %.2f s, %d invalid\n", NR, last / 100, gap / 100, bad
        exit !(NR > 7200 && bad == 0 && last > end - 1000) }' "$folder/song.tokens"

# The first minute is, to the step, what a one-minute run writes.
"$folder/midinfinite" generate --model "$folder/mini-q8_0.gguf" --seed $seed --seconds 60 -o "$folder/minute.mid"
"$folder/midinfinite" tokens "$folder/minute.mid" >"$folder/minute.tokens"
head -n "$(wc -l <"$folder/minute.tokens")" "$folder/song.tokens" | cut -d' ' -f1,3 |
  cmp - <(cut -d' ' -f1,3 "$folder/minute.tokens")
