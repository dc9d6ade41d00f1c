#!/usr/bin/env bash
# The whole held-out set under the checkpoint in float32 and under the embedded model: 2.577 nats per event within 0.002,
# and Q8_0 at most 0.004 worse (AMT.md). Takes some minutes.
set -euo pipefail
model=$MIDINF_SHARED/models/mini valid=$MIDINF_SHARED/golden/valid.u16
for file in "$model/config.json" "$valid"; do
  [[ -f $file ]] || { echo "$file is missing: set MIDINF_SHARED to the folder that has it" >&2; exit 1; }
done
nats() { "$MIDINF_PROGRAM" score --tokens --exact --json --model "$1" "$valid" | sed -n 's/^  "nats_per_event": \([0-9.]*\).*/\1/p'; }
f32=$(nats "$model")
q8=$(nats models/mini-q8_0.gguf)
echo "nats per event: float32 $f32, q8_0 $q8"
awk -v f32="$f32" -v q8="$q8" 'BEGIN { exit !(f32 > 2.575 && f32 < 2.579 && q8 - f32 < 0.004 && q8 > 2.5) }' ||
  { echo "expected 2.577 within 0.002 in float32 and q8_0 at most 0.004 worse" >&2; exit 1; }
