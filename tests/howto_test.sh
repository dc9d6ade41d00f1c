#!/usr/bin/env bash
# Every program in docs/howto is what a reader gets who copies it: each block that names a file is extracted, built with
# the CMakeLists.txt of embed.md against an installation of BUILD_DIR, and run.
# usage: howto_test.sh SOURCE_DIR BUILD_DIR CXX [CXX_FLAGS]
set -euo pipefail
cd "$1"
build=$2 compiler=$3 flags=${4-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0 programs=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

cmake --install "$build" --prefix "$folder/prefix" >"$folder/log" 2>&1 || { tail "$folder/log"; echo "FAILED: installing"; exit 1; }

for page in docs/howto/*.md; do
  name=$(basename "$page" .md)
  [[ $name != add-an-instruction-set ]] || continue  # about files that are here; tests/documents_test.sh looks for them
  mkdir -p "$folder/$name"
  awk -v folder="$folder/$name" '/^```[a-z]+ [^ ]+$/ { file = folder "/" $2; next }
                                 /^```/ { file = ""; next }
                                 file != "" { print > file }' "$page"
  for source in "$folder/$name"/*.cc; do
    [[ -f $source ]] || { fail "$page holds no program"; continue; }
    programs=$((programs + 1))
    project=$folder/$name/$(basename "$source" .cc)
    mkdir "$project"
    cp "$source" "$project/main.cc"
    cp "$folder/embed/CMakeLists.txt" "$project"
    if ! { cmake -S "$project" -B "$project/build" -DCMAKE_PREFIX_PATH="$folder/prefix" -DCMAKE_CXX_COMPILER="$compiler" \
             -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror $flags" && cmake --build "$project/build"; } >"$folder/log" 2>&1; then
      grep -E -A 5 'error|Error' "$folder/log" | head -n 20
      fail "$page: $(basename "$source") does not build"
    elif ! "$project/build/endless" 2 >"$folder/log" 2>&1; then
      tail -n 5 "$folder/log"
      fail "$page: $(basename "$source") does not run, or does not do what it says"
    fi
  done
done

# The lines that README.md shows are part of a program.
{
  echo '#include <midinfinite/midinfinite.hpp>'
  echo 'void play(const midinfinite::Note&);'
  echo 'void readme(double now) {'
  awk '/^```/ { block = ($0 == "```cpp"); next } block' README.md
  echo '}'
} >"$folder/readme.cc"
grep -q Stream "$folder/readme.cc" || fail "README.md shows no program"
"$compiler" -std=c++20 -Wall -Wextra -Werror -fsyntax-only -I "$folder/prefix/include" "$folder/readme.cc" || fail "what README.md shows does not build"

((programs >= 3)) || fail "only $programs programs found in docs/howto"
((failures == 0)) || exit 1
echo "$programs programs built and run"
