#!/usr/bin/env bash
# Which lines of src/ the unit, golden and replay tests run: a table by folder, and every line not run in
# build/coverage/lines.txt. The packaging tests are left out: their programs would have to be linked for coverage too.
set -euo pipefail

export CMAKE_BUILD_PARALLEL_LEVEL
CMAKE_BUILD_PARALLEL_LEVEL=$(getconf _NPROCESSORS_ONLN)
rm -rf build/coverage  # counts of another build do not fit
mkdir -p build/coverage
cmake -S . -B build/coverage -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS="--coverage -Og" >build/coverage/build.log
cmake --build build/coverage >>build/coverage/build.log || { tail -n 30 build/coverage/build.log; exit 1; }
ctest --test-dir build/coverage --no-tests=error --label-exclude '^slow$' --exclude-regex '^house.packaging' \
  --parallel "$CMAKE_BUILD_PARALLEL_LEVEL" \
  >build/coverage/test.log || { tail -n 30 build/coverage/test.log; exit 1; }
# Test files and tools are not what is measured.
gcovr --root . --object-directory build/coverage --filter src/ --exclude '.*_(test|tool)\.cc' --exclude '.*test_.*\.h' \
  --exclude '.*/(random_checkpoint|golden_logits|plain_chain)\.h' --csv build/coverage/lines.csv --txt build/coverage/lines.txt
awk -F, 'NR > 1 { split($1, path, "/"); folder = path[1] == "src" ? path[2] : path[4]  # a header, by way of its layer
         lines[folder] += $2; run[folder] += $3; all += $2; all_run += $3 }
         END { printf "%-14s %7s %7s %7s\n", "folder", "lines", "run", "share"
               for (name in lines) printf "%-14s %7d %7d %6.1f%%\n", name, lines[name], run[name], 100 * run[name] / lines[name] | "sort"
               close("sort"); printf "%-14s %7d %7d %6.1f%%\n", "src", all, all_run, 100 * all_run / all }' build/coverage/lines.csv
