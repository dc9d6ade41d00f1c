#!/usr/bin/env bash
# What density does: an ensemble of six, five minutes at each density, and for each instrument the longest time that it
# was silent. Prints a table. Finished runs are kept in build/soak/density.
set -euo pipefail
folder=build/soak/density
mkdir -p "$folder"
ensemble=0,24,33,48,73,128
echo "| density | counted in | notes a second | Piano | Nylon Guitar | Bass | Strings | Flute | Drums |"
echo "|---|---|---|---|---|---|---|---|---|"
for unit in events seconds; do
  for density in 0 1 2 3; do
    [[ $density != 0 || $unit == events ]] || continue
    song=$folder/$unit-$density.mid
    if [[ ! -f $song ]]; then  # one that was stopped has its first part only
      "$MIDINF_PROGRAM" generate --model models/mini-q8_0.gguf --seed 1 --seconds 300 --ensemble $ensemble \
        --density $density --density-unit $unit -o "$song.part" >/dev/null
      mv "$song.part" "$song"
    fi
    "$MIDINF_PROGRAM" tokens "$song" | awk -v label="| $density | $unit |" '
      BEGIN { split("0 24 33 48 73 128", who) }
      { i = int(($3 - 11000) / 128); if ($1 - until[i] > longest[i]) longest[i] = $1 - until[i]
        end = $1 + $2 - 10000; if (end > until[i]) until[i] = end }
      END { printf "%s %.1f", label, NR / 300
            for (k = 1; k <= 6; k++) { i = who[k]; if (30000 - until[i] > longest[i]) longest[i] = 30000 - until[i]; printf " | %.1f s", longest[i] / 100 }
            print " |" }'
  done
done
