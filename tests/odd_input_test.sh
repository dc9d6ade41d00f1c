#!/usr/bin/env bash
# Input that makes no sense ends in one line and an exit code, never in an abort, and leaves no file behind: numbers at
# the edge of their range, songs that last for months, models of which nothing can be computed.
# usage: odd_input_test.sh SOURCE_DIR PROGRAM
set -euo pipefail
source=$1 program=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}
# refused CODE PATTERN ARGUMENT …: that exit code, one line on standard error that matches, and no file.
refused() {
  local code=$1 pattern=$2 got=0
  shift 2
  "$program" "$@" >out 2>err </dev/null || got=$?
  [[ $got == "$code" ]] || fail "$*: exit code $got, expected $code: $(head -c 300 err)"
  { grep -qE -- "$pattern" err && (($(wc -l <err) == 1)); } || fail "$*: expected one line with '$pattern', got: $(head -c 300 err)"
  [[ ! -e song.mid && ! -e model.gguf ]] || fail "$*: wrote a file"
  rm -f song.mid model.gguf
}

for seed in -1 18446744073709551616 99999999999999999999 0x10 1e3 ' 1' ''; do
  refused 2 'seed' generate --seconds 1 --seed "$seed" -o song.mid
done
refused 1 'two of' generate --seconds 1 -o song.mid --roll song.mid
refused 1 'two of' generate --seconds 1 -o song.mid --roll ./song.mid
mkdir folder && touch here.mid && ln -s here.mid there.mid
refused 1 'two of' generate --seconds 1 -o here.mid --wav there.mid
refused 1 '^midinfinite: folder: it is a folder' generate --seconds 1 -o folder
refused 1 'standard output: two of' generate --seconds 1 -o - --wav -

# A note at 0 s and one after 100 days: 16.7 s a tick.
printf 'MThd\0\0\0\6\0\0\0\1\0\1MTrk\0\0\0\x1d\0\xff\x51\x3\xff\xff\xff\0\x90\x3c\x40\1\x80\x3c\x40\x9f\xd7\x00\x90\x3c\x40\1\x80\x3c\x40\0\xff\x2f\0' >months.mid
"$program" tokens months.mid 2>/dev/null >tokens || fail "months.mid cannot be read"
(($(tail -n 1 tokens | cut -d' ' -f1) > 800000000)) || fail "months.mid is too short: $(tail -n 1 tokens)"
refused 1 'more than 57 days' generate --prompt months.mid --seconds 1 -o song.mid

# The last number of the file is one of the last norm's biases.
model=$source/models/mini-q8_0.gguf
head -c -4 "$model" >nan.gguf
printf '\0\0\xc0\x7f' >>nan.gguf
cmp -s -n "$(($(stat -c %s "$model") - 4))" "$model" nan.gguf || fail "nan.gguf differs elsewhere too"
refused 1 'nan.gguf: the model computes' generate --seconds 1 --model nan.gguf -o song.mid
refused 1 'nan.gguf: the model computes' bench --only music --rounds 1 --model nan.gguf
refused 1 'nan.gguf: the model computes' bench --only slide --rounds 1 --model nan.gguf
refused 1 'nan.gguf: the model computes' score --model nan.gguf "$source/tests/data/midi/edge-cases/test-c-major-scale.mid"

# A WAV on standard output is that and nothing else. (Without FluidSynth or a soundfont there is none.)
if "$program" generate --seed 1 --seconds 1 -o kept.mid --wav - >song.wav 2>err; then
  size=$(od -An -t u4 -j 4 -N 4 song.wav)
  ((size + 8 == $(stat -c %s song.wav))) || fail "--wav -: a file of $(stat -c %s song.wav) bytes that says $((size + 8))"
fi

# Less memory than the program needs. (A sanitizer needs far more than that for itself.)
if ! grep -qa __asan_init "$program"; then
  (ulimit -v 150000; "$program" convert "$model" model.gguf --type f32 >out 2>err) && fail "converted without memory"
  (($(wc -l <err) == 1)) && grep -q 'memory' err || fail "without memory: expected one line, got: $(head -c 300 err)"
  [[ -z $(find . -name 'model.gguf*') ]] || fail "without memory: left $(ls model.gguf*)"
fi

((failures == 0)) || exit 1
echo "odd input is refused in one line"
