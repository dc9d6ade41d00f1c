#!/usr/bin/env bash
# Programs built against an earlier midinfinite.h go on working: the shared library is compared with the interface as it
# was last agreed on, tests/abi/midinfinite.abi. Functions may be added, and fields at the end of a struct that has a
# struct_size (tests/abi/suppressions.ini); anything else fails. Before 1.0 it may be wanted; then, in the same commit:
#   scripts/check.d/long/abi.sh --renew
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
agreed=tests/abi/midinfinite.abi now=build/abi/midinfinite.abi

cmake -S . -B build/abi -G Ninja -DCMAKE_BUILD_TYPE=Debug -DMIDINF_TESTS=OFF -DMIDINF_APPS=OFF
cmake --build build/abi --target midinfinite_shared
abidw --exported-interfaces-only --headers-dir include --drop-private-types --no-show-locs --no-corpus-path \
  --no-architecture --no-comp-dir-path --no-elf-needed --no-parameter-names --type-id-style hash \
  build/abi/libmidinfinite.so >$now
if [[ ${1-} == --renew ]]; then
  cp $now $agreed
  exit
fi
status=0
abidiff --no-added-syms --suppressions tests/abi/suppressions.ini $agreed $now || status=$?
((status == 0)) || { echo "the interface differs from $agreed (abidiff: $status); if that is wanted: $0 --renew"; exit 1; }
echo "compatible with $agreed"
