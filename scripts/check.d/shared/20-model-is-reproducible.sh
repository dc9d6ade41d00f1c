#!/usr/bin/env bash
# The embedded model is what converting the checkpoint gives, byte for byte (models/README.md).
set -euo pipefail
made=$(mktemp)
trap 'rm -f "$made"' EXIT
"$MIDINF_PROGRAM" convert "$MIDINF_SHARED/models/mini" "$made" --metadata models/mini.json
cmp "$made" models/mini-q8_0.gguf
