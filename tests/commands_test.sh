#!/usr/bin/env bash
# Every command that the documents tell a reader to type is one that the program has, with those flags.
# usage: commands_test.sh SOURCE_DIR PROGRAM
set -euo pipefail
cd "$1"
program=$2
failures=0 commands=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

for document in README.md models/README.md docs/*.md; do
  # From the program's name to the end of the code span, the comment or the line.
  while read -r command; do
    read -ra words <<<"$command"
    [[ ${words[0]-} =~ ^[a-z]+$ ]] || continue
    commands=$((commands + 1))
    help=$("$program" "${words[0]}" --help 2>&1) || true
    if ! grep -qF "Usage: midinfinite ${words[0]} " <<<"$help"; then
      fail "$document: there is no command ${words[0]}"
      continue
    fi
    for word in "${words[@]:1}"; do
      [[ $word != -* || $word == - ]] || grep -qE -- "(^|[ ,])${word%%=*}([ ,]|$)" <<<"$help" || fail "$document: ${words[0]} has no $word"
    done
  done < <(grep -oE '(^ +|`|/)midinfinite [^`#]*' "$document" | sed -E 's/^[^m]*midinfinite //')
done

((commands >= 10)) || fail "only $commands commands found in the documents"
((failures == 0)) || exit 1
echo "$commands commands, all there"
