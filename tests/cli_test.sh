#!/usr/bin/env bash
# The command line's contract: exit codes, one-line errors, files whole or not at all, the same seed the same song.
# usage: cli_test.sh SOURCE_DIR PROGRAM
set -euo pipefail
source=$1
program=$2 songs=$1/tests/data/midi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}
# expect CODE PATTERN ARGUMENT …: the exit code, and one line on standard error that matches.
expect() {
  local code=$1 pattern=$2 got=0
  shift 2
  "$program" "$@" >out 2>err </dev/null || got=$?
  [[ $got == "$code" ]] || fail "$*: exit code $got, expected $code: $(head -c 300 err)"
  [[ -z $pattern ]] || { grep -qE -- "$pattern" err && (($(wc -l <err) == 1)); } || fail "$*: expected one line with '$pattern', got: $(head -c 300 err)"
}
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }

# Wrong usage.
expect 2 'subcommand' ''
expect 2 '--frobnicate' generate --frobnicate
expect 2 'temperature' generate --temperature nan
expect 2 'seconds' generate --seconds 0
expect 2 'flugelhorn' generate --ensemble piano,flugelhorn
expect 2 'density' generate --density nan
expect 2 'a key to play' generate --ensemble 0 --pitch-range 0:C4-C4 --scale 1
expect 2 "'C majo'" generate --scale 'C majo'
expect 2 "'flute'" generate --pitch-range flute
expect 2 'type' convert a b --type q4_1
expect 2 'rounds' bench --rounds 0
expect 2 'seconds' bench --seconds nan
expect 2 'excludes' bench --seconds 5 --notes 3
expect 2 'only' bench --only decode,everything
expect 2 'notes-per-second' bench --notes-per-second 0
expect 2 'threads' bench --threads 0
expect 2 "'fast'" streamability --speed 155 --speed fast
expect 2 "'laptop=0'" streamability --speed laptop=0
expect 2 "'0,x'" streamability --buffer 0,x
expect 2 "'-1'" streamability --buffer=-1
expect 2 "'0,1,2,3,4'" streamability --buffer 0,1,2,3,4
expect 2 'generations' streamability --generations 0
expect 2 'seconds' streamability --seconds 0.5
expect 2 'temperature' streamability --temperature nan
expect 2 'seed' streamability --seed -1
expect 0 '' --help
expect 0 '' generate --help

# What the world gets wrong.
expect 1 'none.mid: .*check the name' tokens none.mid
expect 1 'byte' tokens "$songs/edge-cases/test-corrupt-file-missing-byte.mid"
expect 1 'not-a-midi' roll "$songs/edge-cases/test-not-a-midi-file.mid"
expect 1 'no notes to continue' generate --prompt "$songs/edge-cases/test-silence-end-of-track.mid"
expect 1 'folder' generate --seconds 1 -o nowhere/song.mid
expect 1 'folder' streamability --plot nowhere/plot.svg
expect 1 'none.gguf' streamability --model none.gguf
head -c 100000 "$source/models/mini-q8_0.gguf" >short.gguf
expect 1 'short.gguf' generate --model short.gguf
expect 1 'short.gguf' streamability --model short.gguf
expect 1 'short.gguf' info short.gguf
expect 1 'short.gguf' bench --model short.gguf
[[ -z $(find . -name '*.mid*' -o -name '*.svg*') ]] || fail "a failed command left files: $(ls)"

# Music, by the model beside the program: the same whatever the threads, the report and where it goes.
unset MIDINFINITE_MODEL
expect 0 '' generate --seed 7 --seconds 2 -o a.mid --roll a.svg --threads 1 --json
grep -q '"notes"' out || fail "generate --json: no report"
grep -q '<svg' a.svg || fail "a.svg is no picture"
expect 0 '' generate --seed 7 --seconds 2 -o - --threads 2
same out a.mid
expect 0 '' roll a.mid -o - --json
grep -q '<svg' out && grep -q '"notes"' err || fail "roll --json: no picture on standard output, or no report beside it"

# The rest is the same for any weights, so the smallest network will do.
export MIDINFINITE_MODEL=$source/tests/data/golden/tiny
expect 0 '' generate --seed 8 --notes 12 --threads 1
"$program" tokens midinfinite-8.mid >notes
(($(wc -l <notes) == 12)) || fail "--notes 12 made $(wc -l <notes)"
expect 0 '' generate --seed 8 --notes 40 --ensemble 0,128 --scale 0,3,5,7,10 --pitch-range 0:60-71 -o scale.mid --threads 1 --json
grep -q '"pitch_range"' out || fail "the report lacks the settings"
"$program" tokens scale.mid | awk '
  $3 >= 11000 + 128 * 128 { next }  # drums
  $3 < 11060 || $3 > 11071 || !(($3 - 11060) in scale) { exit 1 }
  BEGIN { split("0 3 5 7 10", steps, " "); for (i in steps) scale[steps[i]] }' || fail "a note outside the range or the scale"

# Takes: each is what its own seed makes; a start in the middle is another start, and begins at once.
expect 0 '' generate --seed 7 --takes 2 --seconds 2 -o takes.mid --roll takes.svg --threads 1 --json
[[ $(head -c 1 out) == '[' && $(grep -c '"seed"' out) == 2 && -s takes-1.svg && -s takes-2.svg ]] || fail "two takes are not reported, or drawn"
expect 0 '' generate --seed 8 --seconds 2 -o eight.mid --threads 1
same takes-2.mid eight.mid
[[ ! -e takes.mid ]] || fail "takes wrote a file of no number"
expect 1 'standard output: several takes' generate --takes 2 -o -
expect 0 '' generate --seed 8 --notes 10 --start middle -o middle.mid --threads 1
[[ $("$program" tokens middle.mid | head -n 1) == '0 '* ]] || fail "a start in the middle does not begin at once"
expect 2 'start' generate --start middle --prompt middle.mid
expect 2 'start' generate --start end

# Streamability: the music that generate makes, judged at the speeds given; the same seed, the same verdict.
expect 0 '' streamability --generations 1 --seconds 2 --seed 8 --threads 1 --json
[[ $(grep -m1 '"notes"' out) == *" $("$program" tokens eight.mid | wc -l),"* ]] || fail "streamability generates other music than generate"
expect 0 '' streamability --generations 3 --seconds 3 --seed 8 --threads 1 --speed 44 --speed 'a laptop=155' --buffer 0,2,5 --plot plot.svg
cp out verdict
grep -q '<svg' plot.svg || fail "plot.svg is no picture"
[[ $(grep -c '^| a laptop .* 155 |' out) == 1 && $(grep -c '^| small, M2, MLC .* 24.1 % | *47.0 % |$' out) == 1 ]] || fail "streamability: not the rows asked for"
expect 0 '' streamability --generations 3 --seconds 3 --seed 8 --threads 2 --speed 44 --speed 'a laptop=155' --buffer 0,2,5 --plot -
grep -q '<svg' out && diff <(grep '^|' verdict) <(grep '^|' err) || fail "streamability: another verdict with two threads"

# A prompt stands unchanged, and what is new begins at its last onset, for the ensemble that was asked for.
"$program" tokens "$songs/strawberry.mid" >prompt
expect 0 '' generate --seed 7 --notes 40 --prompt "$songs/strawberry.mid" --ensemble violin -o continued.mid --threads 1
"$program" tokens continued.mid >all
head -n "$(wc -l <prompt)" all | cmp -s - prompt || fail "the prompt's notes changed"
tail -n "+$(($(wc -l <prompt) + 1))" all >new
(($(wc -l <new) == 40)) || fail "40 new notes are $(wc -l <new)"
last=$(sort -n prompt | tail -n 1 | cut -d ' ' -f 1)
awk -v last="$last" '$1 < last { exit 1 }' new || fail "new notes before the prompt's last onset"
awk '$3 < 11000 + 40 * 128 || $3 >= 11000 + 41 * 128 { exit 1 }' new || fail "somebody else played"
grep -qaF Vocals continued.mid || fail "the name of a track of the prompt is gone"

# What tokens prints is read back: after a first time, which puts notes of one instant in the order of their tracks, to
# the letter; and it is the same notes before it, where none is nested in another of its key.
for song in strawberry freedoom-d_bunny; do
  "$program" tokens "$songs/$song.mid" >first
  { echo '# a comment'; echo; cat first; } | "$program" tokens - --to-midi >first.mid
  "$program" tokens first.mid >second
  [[ $(LC_ALL=C sort first) == "$(LC_ALL=C sort second)" ]] || fail "$song: notes changed on the way to MIDI"
  expect 0 '' tokens second --to-midi -o second.mid
  "$program" tokens second.mid >third
  same second third
done
echo '0 10050 11060' >odd
echo '5 11060' >>odd
expect 1 "odd: line 2: '5 11060' is no triplet" tokens odd --to-midi -o odd.mid
[[ ! -e odd.mid ]] || fail "a damaged text became a file"
expect 1 'byte|line 1' tokens "$songs/strawberry.mid" --to-midi
expect 2 'to-midi' tokens first -o x.mid

# Ctrl-C writes what exists.
"$program" generate --seed 7 --notes 1000000 -o stopped.mid --threads 1 >/dev/null 2>&1 &
# A shell starts what runs behind it with Ctrl-C ignored: wait until the program listens to it, and has begun.
listens() { [[ $((0x$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status") & 2)) != 0 ]]; }
until listens $! || ! kill -0 $!; do sleep 0.1; done
sleep 2
kill -INT $!
got=0
wait $! || got=$?
[[ $got == 130 ]] || fail "Ctrl-C: exit code $got"
"$program" tokens stopped.mid | grep -q . || fail "Ctrl-C wrote no music"

"$program" streamability --generations 100000 --seconds 1 --threads 1 >some 2>/dev/null &
until listens $! || ! kill -0 $!; do sleep 0.1; done
sleep 2
kill -INT $!
got=0
wait $! || got=$?
[[ $got == 130 ]] || fail "Ctrl-C in streamability: exit code $got"
grep -q '^| measured here ' some || fail "Ctrl-C in streamability wrote no table"

# A full disk.
expect 1 'No space left|/dev/full' generate --seed 7 --notes 5 -o /dev/full --threads 1
(ulimit -f 1; "$program" roll "$songs/strawberry.mid" -o big.svg 2>err) && fail "a roll larger than the limit was written"
[[ -z $(find . -name 'big.svg*') ]] || fail "a part of a file was left: $(ls big.svg*)"

expect 0 '' score --json "$songs/pop909-001.mid" --threads 1
grep -q '"nats_per_event"' out || fail "score gives no JSON"
expect 0 '' bench --rounds 1 --notes 20 --notes-per-second 8 --json --threads 1
grep -q '"times_real_time"' out || fail "bench gives no JSON"
expect 0 '' bench --rounds 1 --only prefill,first-note --notes-per-second 8 --threads 1
grep -q 'first note' out || fail "bench says nothing"

((failures == 0)) || exit 1
echo "the command line keeps its contract"
