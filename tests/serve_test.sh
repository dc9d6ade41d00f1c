#!/usr/bin/env bash
# `serve` as it is typed: finding the app, the address on standard output, one-line errors, and how it ends.
# usage: serve_test.sh SOURCE_DIR PROGRAM
set -euo pipefail
program=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset MIDINFINITE_APP DISPLAY WAYLAND_DISPLAY
failures=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}
# expect CODE PATTERN ARGUMENT …: the exit code, and one line on standard error that matches.
expect() {
  local code=$1 pattern=$2 got=0
  shift 2
  timeout 10 "$program" serve "$@" >out 2>err </dev/null || got=$?
  [[ $got == "$code" ]] || fail "$*: exit code $got, expected $code: $(head -c 300 err)"
  grep -qE -- "$pattern" err && (($(wc -l <err) == 1)) || fail "$*: expected one line with '$pattern', got: $(head -c 300 err)"
  [[ ! -s out ]] || fail "$*: it failed and printed $(head -c 300 out)"
}
# started NAME COMMAND …: a server in the background that has said where it is: $server, and its $port.
started() {
  local name=$1
  shift
  "$@" >"$name.out" 2>"$name.err" </dev/null &
  server=$!
  for ((i = 0; i < 200; ++i)); do
    [[ ! -s $name.out ]] || break
    sleep 0.05
  done
  port=$(grep -oE '127\.0\.0\.1:[0-9]+' "$name.out" | cut -d : -f 2) || { fail "$name: no address: $(cat "$name.out" "$name.err")"; port=1; }
}
# ended NAME SIGNAL: by it, within a second and with success, having said nothing more.
ended() {
  local got=0 start
  start=$(date +%s%N)
  kill "-$2" "$server"
  wait "$server" || got=$?
  ((got == 0)) || fail "$1: exit code $got after SIG$2"
  (($(date +%s%N) - start < 1000000000)) || fail "$1: it took longer than a second to end"
  [[ ! -s $1.err ]] || fail "$1: $(cat "$1.err")"
  (($(wc -l <"$1.out") == 1)) || fail "$1: more than one line: $(cat "$1.out")"
}
# page PORT PATH: the answer to a GET.
page() {
  exec 3<>"/dev/tcp/127.0.0.1/$1"
  printf 'GET %s HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
  cat <&3
  exec 3>&-
}

if ! "$program" --help | grep -q '^  serve '; then
  expect 1 'built without a web server; install' --port 0
  echo "built without cpp-httplib: serve says so"
  exit $((failures > 0))
fi

mkdir -p app empty prefix/bin prefix/share/midinfinite
cp "$program" prefix/bin/midinfinite
echo '<!doctype html>page' >app/index.html
program=prefix/bin/midinfinite expect 1 '^midinfinite: no web app in .*; name a built one with --app or MIDINFINITE_APP$'
expect 1 '^midinfinite: empty: there is no index.html in it; --app names' --app empty
MIDINFINITE_APP=nowhere expect 1 '^midinfinite: nowhere: there is no index.html in it; MIDINFINITE_APP names'
expect 2 '--port' --port 65536
expect 2 '--port' --port -1
expect 2 '--frobnicate' --frobnicate

# Ready when it has printed its address; one connection stays open when it ends.
started asked "$program" serve --app app --port 0
[[ $(cat asked.out) == "http://127.0.0.1:$port/" ]] || fail "it printed $(cat asked.out)"
page "$port" / >answer
grep -q 'doctype' answer && grep -qi '^cross-origin-embedder-policy: require-corp' answer || fail "no page: $(cat answer)"
expect 1 "^midinfinite: port $port: it is in use; choose another one with --port N, or --port 0" --app app --port "$port"
exec 4<>"/dev/tcp/127.0.0.1/$port"
ended asked INT
exec 4>&-

started named env MIDINFINITE_APP=app "$program" serve --port 0 --json --open
[[ $(cat named.out) == "{\"url\":\"http://127.0.0.1:$port/\"}" ]] || fail "it printed $(cat named.out)"
ended named TERM

# Beside the program, and where an installed one has it; the first of these first.
cp -r app prefix/share/midinfinite/app
started installed prefix/bin/midinfinite serve --port 0
page "$port" / | grep -q doctype || fail "the installed app is not served"
ended installed TERM
cp -r app prefix/bin/app
echo beside >prefix/bin/app/index.html
started beside prefix/bin/midinfinite serve --port 0
page "$port" / | grep -q beside || fail "the app beside the program is not served"
ended beside TERM

# With a desktop, the address is handed to it, and that it fails is no failure of ours.
if [[ $(uname) == Linux ]]; then
  mkdir bin
  printf '#!/bin/sh\necho "$1" >"%s/opened.part"\nmv "%s/opened.part" "%s/opened"\nexit 3\n' "$work" "$work" "$work" >bin/xdg-open
  chmod +x bin/xdg-open
  started opened.by env PATH="$work/bin:$PATH" DISPLAY=:0 "$program" serve --app app --port 0 --open
  for ((i = 0; i < 200; ++i)); do
    [[ ! -e opened ]] || break
    sleep 0.05
  done
  [[ -e opened && $(cat opened) == "http://127.0.0.1:$port/" ]] || fail "the desktop was not asked: $(cat opened 2>&1)"
  ended opened.by INT
fi

# Where the address cannot be printed, there is nothing to serve.
if [[ -e /dev/full ]]; then
  got=0
  timeout 10 "$program" serve --app app --port 0 >/dev/full 2>err || got=$?
  ((got == 1 && $(wc -l <err) == 1)) || fail "a full standard output: exit code $got, $(cat err)"
fi

((failures == 0)) || exit 1
echo "serve finds the app, says where it is, and ends"
