#!/usr/bin/env bash
# The shared library exports the functions of midinfinite.h and nothing else, not even weak symbols of the standard
# library: what a program links beside it cannot collide with what is inside.
# usage: exports_test.sh SOURCE_DIR LIBRARY
set -euo pipefail
declared=$(grep -oE '\bmidinf_[a-z_]+\(' "$1/include/midinfinite/midinfinite.h" | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$2" | awk '{ print $NF }' | sort -u)
if ! diff <(echo "$declared") <(echo "$exported"); then
  echo "FAILED: < is declared and not exported, > is exported and not declared"
  exit 1
fi
echo "$(echo "$exported" | wc -l) functions, all declared"
