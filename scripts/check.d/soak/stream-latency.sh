#!/usr/bin/env bash
# In real time: how soon the first note is there, a change is obeyed and a step cancelled, measured where the audio side pops
# notes. It fails when the first note takes over 300 ms, or when, 95 times of 100, the last note under the old setting is
# later than 0.5 s, the first new one is not there by then or the music stops. Three minutes; the machine should be idle.
set -euo pipefail
cmake --preset ci >/dev/null && cmake --build --preset ci --target stream_soak >/dev/null
build/test/tests/stream_soak latency models/mini-q8_0.gguf
