#!/usr/bin/env bash
# Opens our model files in llama.cpp and compares its probabilities with ours, on two held-out rows: the embedded Q8_0 file
# (ggml rounds activations to 8 bits there, we do not) and a float32 one made on the spot (nothing differs but the order of
# sums). Needs python3 with venv, cmake and a compiler; installs llama-cpp-python from PyPI into bench/.venv-llama, which
# takes some five minutes of compiling on two cores, once. Run by `scripts/check long`. Read next: compare.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

. bench/llama_cpp/install.sh
venv=bench/.venv-llama
build=${MIDINF_BUILD:-build/test}
mkdir -p build
work=$(mktemp -d build/llama_cpp-XXXXXX)
trap 'rm -rf "$work"' EXIT
ids=tests/data/golden/valid-2rows.u16

# Quick to compile, for its results only: bench/compare has another for its speed.
install_llama_cpp "$venv" -DGGML_OPENMP=OFF -DGGML_LLAMAFILE=OFF "-DCMAKE_CXX_FLAGS_RELEASE='-O1 -DNDEBUG'"

# The folder that ./test and `scripts/check` build in, as it is configured.
[[ -f $build/build.ninja ]] || cmake --preset test -B "$build" >/dev/null
cmake --build "$build" --target midinfinite dump_logits >/dev/null
program=$(find "$build" -name midinfinite -type f -perm -u+x | head -n 1)
dump=$(find "$build" -name dump_logits -type f -perm -u+x | head -n 1)

# The float32 file from the original weights where they are, else from the embedded model's.
source=${MIDINF_SHARED:-../shared}/models/mini
[[ -d $source ]] || source=models/mini-q8_0.gguf
"$program" convert "$source" "$work/f32.gguf" --type f32 >/dev/null

split --bytes=2048 --numeric-suffixes "$ids" "$work/row"
status=0
compare() { # compare LIMIT MODEL, in nats a slot
  local row logits=()
  for row in "$work"/row??; do
    "$dump" "$2" "$row" "$row.f32"
    logits+=("$row.f32")
  done
  "$venv/bin/python" bench/llama_cpp/compare.py "$1" "$2" "$ids" "${logits[@]}" || status=1
}
compare 1e-3 models/mini-q8_0.gguf
compare 1e-5 "$work/f32.gguf"
exit "$status"
