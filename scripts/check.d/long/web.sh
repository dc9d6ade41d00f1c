#!/usr/bin/env bash
# The engine for browsers and the app in Chromium, with plays of minutes.
exec scripts/test-web --long
