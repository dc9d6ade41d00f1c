#!/usr/bin/env bash
# Eight hours of music through Stream, queue and scheduler, as fast as it goes: flat memory, no lost or hanging note, no
# drift. About an hour on two processors.
set -euo pipefail
cmake --preset ci >/dev/null && cmake --build --preset ci --target stream_soak >/dev/null
build/test/tests/stream_soak play models/mini-q8_0.gguf "${MIDINF_SOAK_SECONDS:-28800}" 0
