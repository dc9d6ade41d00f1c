#!/usr/bin/env bash
# Short forms of the soaks: two minutes of music through Stream, plain and with changing random settings.
set -euo pipefail
for seed in 0 5; do build/test/tests/stream_soak play models/mini-q8_0.gguf 150 "$seed"; done
