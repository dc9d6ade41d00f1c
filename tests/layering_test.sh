#!/usr/bin/env bash
# Shows that a forbidden include does not build: the compiler gets each target's own include folders and is asked for
# every layer's headers; what it finds must be exactly what DESIGN's arrows allow.
# usage: layering_test.sh SOURCE_DIR COMPILER LAYER=DIR:DIR… …      (ctest passes the real targets' folders)
set -euo pipefail
source=$1 compiler=$2
shift 2
cd "$source"

# Who may see whom, written out: the closure of "base <- midi, tokens, kernels, sampling; …".
declare -A allowed=(
  [base]="base"
  [midi]="base midi"
  [tokens]="base tokens"
  [kernels]="base kernels"
  [sampling]="base sampling"
  [anticipation]="base tokens sampling anticipation"
  [model]="base kernels model"
  [stream]="base tokens sampling anticipation kernels model stream"
  [c_api]="base midi tokens sampling anticipation kernels model stream c_api"
)
layers=(base midi tokens kernels sampling anticipation model stream c_api)
failures=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

# includes_of LAYER: its -I flags, from the arguments.
declare -A includes=()
for argument in "$@"; do includes[${argument%%=*}]=${argument#*=}; done
flags_of() {
  local folders folder
  IFS=: read -ra folders <<<"${includes[$1]}"
  for folder in "${folders[@]}"; do [[ $folder == /usr/include ]] || echo "-I$folder"; done
}

# compiles LAYER HEADER: whether a file of that layer that includes HEADER builds.
compiles() {
  mapfile -t flags < <(flags_of "$1")
  echo "#include \"$2\"" | "$compiler" -std=c++20 -fsyntax-only "${flags[@]}" -x c++ - 2>"$log"
}
# sees LAYER OTHER: whether a file of LAYER finds OTHER's headers.
sees() {
  local header
  header=$(find "src/$2" -maxdepth 1 -name '*.h' | sort | head -n 1)
  [[ -n $header ]] || { fail "src/$2 has no header"; return 1; }
  mapfile -t flags < <(flags_of "$1")
  printf '#if !__has_include("%s")\n#error\n#endif\n' "${header#src/}" |
    "$compiler" -std=c++20 -E "${flags[@]}" -x c++ - -o /dev/null 2>/dev/null
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

for layer in "${layers[@]}"; do
  [[ -n ${includes[$layer]-} ]] || { fail "no include folders given for $layer"; continue; }
  for other in "${layers[@]}"; do
    if [[ " ${allowed[$layer]} " == *" $other "* ]]; then
      sees "$layer" "$other" || fail "$layer does not find $other/, which it may use"
    else
      ! sees "$layer" "$other" || fail "$layer finds $other/, which it must not know"
    fi
  done
done

# The same with whole compilations, for the two that matter most, so that the error is a missing header and nothing else.
for pair in "tokens model/config.h" "model midi/smf_reader.h"; do
  read -r layer header <<<"$pair"
  if compiles "$layer" "$header"; then
    fail "$layer builds with $header"
  elif ! grep -q "$header" "$log"; then
    fail "$layer with $header fails for another reason: $(head -n 1 "$log")"
  fi
done
for pair in "tokens base/note.h" "tokens tokens/vocabulary.h" "model model/config.h" "midi midi/smf_reader.h"; do
  read -r layer header <<<"$pair"
  compiles "$layer" "$header" || fail "$layer does not build with $header: $(head -n 1 "$log")"
done

# A relative path would get round all of this.
if grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]([^">]*/)?\.\./' --include='*.h' --include='*.cc' --include='*.hpp' \
  --include='*.c' src apps tests; then
  fail "relative includes, above"
fi

((failures == 0)) || exit 1
echo "${#layers[@]} layers see what they may and nothing else"
