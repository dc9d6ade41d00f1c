#!/usr/bin/env bash
# What quantising costs as it plays, activations in seven bits, keys and values in eight, on all held-out rows, plain ones and
# such with controls, against the checkpoint in float32: q8_0 at most 0.3 % in nats per event, q4_0 with calibration 1 %.
# The converted file is kept in build/check until the program is built anew. Makes and scores: a quarter of an hour.
set -euo pipefail
golden=$MIDINF_SHARED/golden q4=build/check/mini-q4_0.gguf
mkdir -p build/check
[[ $q4 -nt $MIDINF_PROGRAM ]] || "$MIDINF_PROGRAM" convert models/mini-q8_0.gguf "$q4" --type q4_0 --calibration "$golden/calibration.u16"
nats() { "$MIDINF_PROGRAM" score --tokens --json "$@" | sed -n 's/^  "nats_per_event": \([0-9.]*\).*/\1/p'; }
for rows in valid valid-controls; do
  f32=$(nats --exact --model "$MIDINF_SHARED/models/mini" "$golden/$rows.u16")
  q8=$(nats --model models/mini-q8_0.gguf "$golden/$rows.u16")
  q4_nats=$(nats --model "$q4" "$golden/$rows.u16")
  awk -v rows="$rows" -v f32="$f32" -v q8="$q8" -v q4="$q4_nats" 'BEGIN {
    printf "%s: float32 %s, q8_0 %s (%+.2f %%), q4_0 %s (%+.2f %%)\n", rows, f32, q8, 100 * (q8 / f32 - 1), q4, 100 * (q4 / f32 - 1)
    exit !(f32 > 1 && q8 <= 1.003 * f32 && q4 <= 1.01 * f32) }' || { echo "more than 0.3 % or 1 %" >&2; exit 1; }
done
