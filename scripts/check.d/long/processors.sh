#!/usr/bin/env bash
# Processors that this machine is not. The release program makes the same music on an emulated Haswell as with AVX2 here, on a
# Nehalem as with SSE4.1, and on the bare baseline as with the plain set. Compiled for Arm, the kernels' tests pass on cores
# without the dot product, with it, and with matrix products besides; each core's best set is the one expected, and reading at
# once, id by id and in company agree with it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
out=build/processors
mkdir -p "$out"

for cpu_and_set in Haswell:avx2 Nehalem:sse41 qemu64:plain; do
  cpu=${cpu_and_set%:*} set=${cpu_and_set#*:}
  make=("$MIDINF_PROGRAM" generate --seconds 1 --seed 2 --json)
  MIDINFINITE_KERNELS='' qemu-x86_64 -cpu "$cpu" "${make[@]}" -o "$out/$cpu.mid" >"$out/$cpu.json"
  MIDINFINITE_KERNELS=$set "${make[@]}" -o "$out/$set.mid" >"$out/$set.json"
  for json in "$out/$cpu.json" "$out/$set.json"; do grep "\"kernels\": \"$set\"" "$json"; done
  cmp "$out/$set.mid" "$out/$cpu.mid"
done

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
