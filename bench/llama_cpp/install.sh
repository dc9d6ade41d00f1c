# Sourced by check.sh and bench/compare: llama.cpp, compiled here from its PyPI package, in an environment of its own.
# Needs python3 with venv, cmake and a compiler. shellcheck shell=bash

# install_llama_cpp VENV [CMAKE ARGUMENT …]: nothing to do where it is there already.
install_llama_cpp() {
  local version=0.3.36 venv=$1
  shift
  if "$venv/bin/python" -c "import llama_cpp; assert llama_cpp.__version__ == '$version'" 2>/dev/null; then return; fi
  python3 -m venv --clear "$venv" || { echo "python3 has no venv: install python3-venv" >&2; return 1; }
  # The CPU alone, no image or audio models. Without pip's cache, which would hand out one built with other arguments.
  CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-2} CMAKE_ARGS="-DLLAVA_BUILD=OFF $*" \
    "$venv/bin/pip" install --quiet --no-cache-dir --no-binary llama-cpp-python "llama-cpp-python==$version" numpy
}
