#!/usr/bin/env bash
# The engine for browsers and the app in Chromium, with a tenth of the long plays: whole, they take an hour and a half.
SCALE=${SCALE:-0.1} exec scripts/test-web --long
