#!/usr/bin/env bash
# docs/a-notes-journey.md is a tour through the code: the files that it names must exist, and be a tour's worth.
# usage: journey_test.sh SOURCE_DIR [DOCUMENT]
set -euo pipefail
cd "$1"
document=${2:-docs/a-notes-journey.md}
[[ -f $document ]] || { echo "FAILED: there is no $document"; exit 1; }

missing=0 found=0
while read -r path; do
  if [[ -e $path || -e src/$path || -e $(dirname "$document")/$path ]]; then
    found=$((found + 1))
  else
    echo "FAILED: $document names $path, which does not exist"
    missing=$((missing + 1))
  fi
done < <(sed -E 's|[a-z]+://[^ )]*||g' "$document" | grep -oE '[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+\.[a-z0-9]+' | sort -u)
if ((found < 8)); then
  echo "FAILED: $document names $found files of the project; a journey has at least 8 stops"
  exit 1
fi
((missing == 0)) || exit 1
echo "$found files, all there"
