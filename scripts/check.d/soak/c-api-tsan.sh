#!/usr/bin/env bash
# Ten minutes of C API programs (tests/fuzz/c_api_fuzz.cc) under ThreadSanitizer. It goes on from the inputs found before.
set -euo pipefail
mkdir -p build/fuzz-corpus/c_api build/fuzz-findings
cmake --preset fuzz-tsan >build/check/c-api-tsan.log
cmake --build --preset fuzz-tsan >>build/check/c-api-tsan.log || { tail -n 30 build/check/c-api-tsan.log; exit 1; }
build/fuzz-tsan/tests/fuzz/c_api_fuzz -max_total_time="${MIDINF_FUZZ_SECONDS:-600}" -timeout=60 -rss_limit_mb=4096 \
  -print_final_stats=1 -artifact_prefix=build/fuzz-findings/c_api-tsan- build/fuzz-corpus/c_api tests/fuzz/corpus/c_api
