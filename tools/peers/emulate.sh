#!/usr/bin/env bash
# The Twilio emulator for the tests of bridges/sms/twilio: npm's emulate, pinned (its `latest` tag
# is another package), from a lock file with hashes, into .cache/peers. Needs no root; Node 20 is
# enough for its API. Never fails: without it those tests are skipped with their reason printed.
#
# New version: edit package.json, then, in emulate_node,
#   npm install --package-lock-only --omit-lockfile-registry-resolved
set -u
cd "$(dirname "$0")/../.." || exit 0
here=tools/peers/emulate_node
into=.cache/peers/emulate
want=$(sha256sum <"$here/package-lock.json" | cut -d' ' -f1)
[ "$(cat "$into/.stamp" 2>/dev/null)" = "$want" ] && exit 0

log=$(mktemp)
why=""
mkdir -p "$into"
rm -f "$into/.stamp"
if ! command -v npm >/dev/null 2>&1; then
  why="no npm here (Debian: apt install npm)"
elif ! { cp "$here"/package*.json "$into/" \
         && npm ci --prefix "$into" --ignore-scripts --no-audit --no-fund; } >"$log" 2>&1 </dev/null; then
  why="npm ci failed: $(tail -n 1 "$log")"
fi
rm -f "$log"
if [ -z "$why" ]; then
  printf '%s\n' "$want" >"$into/.stamp"
  echo "emulate: ready in $into"
  exit 0
fi
cat <<TXT
**********************************************************************
*  NO TWILIO EMULATOR: tests against it WILL BE SKIPPED.
*  Why: $why
**********************************************************************
TXT
exit 0
