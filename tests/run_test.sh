#!/usr/bin/env bash
# ./run and its helpers refuse what makes no sense in one line, before they install or build anything.
# usage: run_test.sh SOURCE_DIR
set -euo pipefail
cd "$1"
failures=0

# refused CODE COMMAND …: it ends with CODE, says nothing on standard output and one line on standard error.
refused() {
  local code=0 expected=$1 out err
  shift
  out=$(mktemp) err=$(mktemp)
  "$@" >"$out" 2>"$err" </dev/null || code=$?
  if ((code != expected)) || [[ -s $out ]] || (($(wc -l <"$err") != 1)); then
    echo "FAILED: $*: code $code instead of $expected, or not one line:"
    cat "$out" "$err"
    failures=$((failures + 1))
  fi
  rm -f "$out" "$err"
}
refused 1 ./run no-such-song.mid
refused 1 ./run src
refused 2 ./run --no-such-flag
refused 2 ./run one.mid two.mid
refused 2 ./run ''
refused 2 ./run --seed
refused 2 ./run --seed -1
refused 2 scripts/install-dependencies --for nothing
refused 2 scripts/install-dependencies --for

((failures == 0)) || exit 1
echo "wrong usage and missing files are refused"
