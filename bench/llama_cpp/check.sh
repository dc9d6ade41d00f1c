#!/usr/bin/env bash
# Opens our model files in llama.cpp and compares its probabilities with ours, on two held-out rows: the embedded Q8_0 file
# (ggml rounds activations to 8 bits there, we do not) and a float32 one made on the spot (nothing differs but the order of
# sums). Needs python3 with venv, cmake and a compiler; installs llama-cpp-python from PyPI into bench/.venv-llama, which
# takes some five minutes of compiling on two cores, once. Run by `scripts/check long`. Read next: compare.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=0.3.36
venv=bench/.venv-llama
build=${MIDINF_BUILD:-build/test}
mkdir -p build
work=$(mktemp -d build/llama_cpp-XXXXXX)
trap 'rm -rf "$work"' EXIT
ids=tests/data/golden/valid-2rows.u16

if ! "$venv/bin/python" -c "import llama_cpp; assert llama_cpp.__version__ == '$version'" 2>/dev/null; then
  python3 -m venv --clear "$venv" || { echo "python3 has no venv: install python3-venv" >&2; exit 1; }
  # The CPU alone, no image or audio models; -O1 for the C++ that only loads and schedules (the kernels are C).
  export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-2}
  export CMAKE_ARGS="-DLLAVA_BUILD=OFF -DGGML_OPENMP=OFF -DGGML_LLAMAFILE=OFF -DCMAKE_CXX_FLAGS_RELEASE='-O1 -DNDEBUG'"
  "$venv/bin/pip" install --quiet --no-binary llama-cpp-python "llama-cpp-python==$version" numpy
fi

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
