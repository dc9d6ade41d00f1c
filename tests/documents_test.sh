#!/usr/bin/env bash
# What README.md and CONTRIBUTING.md tell a reader to type or open exists: files, links, presets; and the links of docs.
# usage: documents_test.sh SOURCE_DIR
set -euo pipefail
cd "$1"
failures=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

for document in README.md CONTRIBUTING.md; do
  [[ -f $document ]] || { fail "there is no $document"; continue; }
  named=0
  # Code spans and code blocks, one word a line.
  words=$(awk '/^ *```/ { block = !block; next }
               block { print; next }
               { n = split($0, parts, "`"); for (i = 2; i <= n; i += 2) print parts[i] }' "$document" | tr -s ' \t()",;' '\n')
  links=$(grep -oE '\]\([^)#]+' "$document" | cut -c 3- | grep -v '://' || true)
  while read -r word; do
    path=${word#./}
    [[ $word == ./* || -e ${path%%/*} && $path == */* ]] || continue
    # What the build or a run makes, what lies outside, and patterns with a part to fill in.
    [[ $path =~ ^(build|music|web/app/dist|\.\.)(/|$) || $path =~ [*{\<\$] || $path =~ NAME|NNN|SEED ]] && continue
    named=$((named + 1))
    [[ -e $path ]] || fail "$document names $word, which does not exist"
  done < <(sort -u <<<"$words")
  while read -r link; do
    [[ -z $link || -e $link ]] || fail "$document links to $link, which does not exist"
  done <<<"$links"
  for preset in $(tr '\n' ' ' <<<"$words" | grep -oE -- '--preset[= ][a-z-]+' | sed 's/--preset.//' | sort -u); do
    grep -q "\"name\": \"$preset\"" CMakePresets.json || fail "$document names the preset $preset, which does not exist"
  done
  ((named > 0)) || fail "$document names no file: is it empty?"
done
# Links of the other pages lead somewhere too, from where the page lies.
for document in docs/*.md docs/*/*.md; do
  while read -r link; do
    [[ -z $link || -e $(dirname "$document")/$link ]] || fail "$document links to $link, which does not exist"
  done < <(awk '/^ *```/ { block = !block } !block' "$document" | grep -oE '\]\([^)#]+' | cut -c 3- | grep -v '://' || true)
done
for command in ./run ./test; do
  grep -qF -- "$command" README.md 2>/dev/null || fail "README.md does not name $command"
done

((failures == 0)) || exit 1
echo "The documents name only what exists"
