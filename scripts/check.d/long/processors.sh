#!/usr/bin/env bash
# Processors that this machine is not. The release program makes the same music on an emulated Haswell as with AVX2 here,
# and runs on a Nehalem (SSE4.1) and on the bare baseline. Compiled for Arm, the kernels' tests pass on cores without the
# dot product, with it, and with matrix products besides; each core's best set is the one expected, and the network's tests
# pass with it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
out=build/processors
mkdir -p "$out"

for cpu in Haswell Nehalem qemu64; do
  MIDINFINITE_KERNELS='' qemu-x86_64 -cpu "$cpu" "$MIDINF_PROGRAM" generate -o "$out/$cpu.mid" --seconds 1 --seed 2 --json >"$out/$cpu.json"
  grep -o '"kernels": "[a-z0-9_]*"' "$out/$cpu.json"
done
grep -q '"kernels": "avx2"' "$out/Haswell.json"
grep -q '"kernels": "sse41"' "$out/Nehalem.json"
grep -q '"kernels": "plain"' "$out/qemu64.json"
MIDINFINITE_KERNELS=avx2 "$MIDINF_PROGRAM" generate -o "$out/here.mid" --seconds 1 --seed 2 >"$out/here.log"
cmp "$out/here.mid" "$out/Haswell.mid"

cmake -S . -B build/arm64 -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static \
  -DCMAKE_PREFIX_PATH="/usr/lib/$(g++ -print-multiarch)/cmake" -DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64 \
  -DMIDINF_APPS=OFF -DMIDINF_INSTALL=OFF
cmake --build build/arm64 --target kernels_test forward_test
for cpu_and_set in cortex-a72:neon neoverse-n1:neon_dotprod max:neon_i8mm; do
  cpu=${cpu_and_set%:*} set=${cpu_and_set#*:}
  echo "$cpu"
  # The sets are listed best first.
  qemu-aarch64 -cpu "$cpu" build/arm64/src/kernels/kernels_test --gtest_list_tests >"$out/$cpu.list"
  grep -m 1 '^  GeluAgreesWithDoublePrecision/' "$out/$cpu.list" | grep -q "/$set "
  qemu-aarch64 -cpu "$cpu" build/arm64/src/kernels/kernels_test | tail -n 3
  # Only with quantised weights, in which Arm's sets differ, and only what takes an emulator no minutes.
  MIDINFINITE_KERNELS=$set qemu-aarch64 -cpu "$cpu" build/arm64/src/model/forward_test \
    --gtest_filter='*PrefillAndDecodeAgree*/q?_0:*SeveralAnswered*/q?_0' | tail -n 3
done
