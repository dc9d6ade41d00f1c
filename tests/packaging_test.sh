#!/usr/bin/env bash
# The library as a stranger uses it: installed into a clean prefix, moved elsewhere, and the two example programs built
# and run against it outside the tree, warnings as errors.
# usage: packaging_test.sh SOURCE_DIR BUILD_DIR C_COMPILER CXX_COMPILER find_package|pkg_config|subdirectory
set -euo pipefail
source=$1 build=$2 how=$5
export CC=$3 CXX=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
quietly() { "$@" >"$log" 2>&1 || { cat "$log"; echo "FAILED: $*"; exit 1; }; }

quietly cmake --install "$build" --prefix "$work/built"
mv "$work/built" "$work/moved"
prefix=$work/moved
model=$prefix/share/midinfinite/mini-q8_0.gguf
cp "$source/examples/c/endless.c" "$source/examples/cpp/no_pitch_class.cc" "$work"
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror"
export CFLAGS=$warnings CXXFLAGS=$warnings
cd "$work"

# play FOLDER: both programs run and make music.
play() {
  local lines
  lines=$("$1/endless" "$model" 2 | wc -l)
  ((lines > 0)) || { echo "FAILED: $1/endless printed nothing in two seconds"; exit 1; }
  quietly "$1/no_pitch_class" "$model" 2 50
  grep -q 'none of them D' "$log" || { echo "FAILED: $1/no_pitch_class played D"; exit 1; }
  echo "$1: $lines notes in two seconds"
}
# make SOURCE_DIR FOLDER [OPTION …]: configures and builds.
make() {
  quietly cmake -S "$1" -B "$2" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" "${@:3}"
  quietly cmake --build "$2" --parallel "$(getconf _NPROCESSORS_ONLN)"
}

case $how in
  find_package)
    cp -r "$source/examples/c" "$source/examples/cpp" .
    make c build-c
    make cpp build-cpp
    mkdir shared
    mv build-c/endless build-cpp/no_pitch_class shared
    play shared
    cp "$source/tests/packaging/static/CMakeLists.txt" "$work"
    make . static
    play static
    quietly "$prefix/bin/midinfinite" generate --notes 5 -o song.mid  # finds its model
    ;;
  pkg_config)
    export PKG_CONFIG_PATH
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name midinfinite.pc)")
    # flags [OPTION]: split into words, as a Makefile does.
    flags() { pkg-config "$@" --cflags --libs midinfinite | xargs -n 1; }
    for header in 'c11 -xc' 'c++11 -xc++' 'c++20 -xc++'; do
      read -r standard language <<<"$header"
      echo '#include <midinfinite/midinfinite.h>' >header.c
      # shellcheck disable=SC2086
      quietly "$CC" -std="$standard" $warnings -fsyntax-only -I"$prefix/include" "$language" header.c
    done
    for kind in shared static; do
      mkdir $kind
      mapfile -t options < <(if [[ $kind == static ]]; then flags --static; else flags; fi)
      # shellcheck disable=SC2086
      quietly "$CC" -std=c11 $warnings endless.c -o $kind/endless "${options[@]}"
      # shellcheck disable=SC2086
      quietly "$CXX" -std=c++20 $warnings no_pitch_class.cc -o $kind/no_pitch_class "${options[@]}"
      LD_LIBRARY_PATH=$(pkg-config --variable=libdir midinfinite) play $kind
      find "$prefix" -name 'libmidinfinite.so*' -delete  # what is left is static
    done
    ;;
  subdirectory)
    unset CFLAGS CXXFLAGS
    cp "$source/tests/packaging/subdirectory/CMakeLists.txt" "$work"
    make . within -DMIDINF_SOURCE_DIR="$source"
    play within
    [[ -z $(find within -name '*_test' -o -name midinfinite -type f) ]] ||
      { echo "FAILED: tests or programs of ours were built"; exit 1; }
    ;;
esac
