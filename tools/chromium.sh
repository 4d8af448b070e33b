#!/usr/bin/env bash
# Makes Chromium available to the browser tests where that is possible, and says so loudly where not.
# Never fails: without Chromium those tests are skipped with their reason printed.
set -u
if [ -n "${ANTIRELOU_CHROMIUM:-}" ] && [ -x "$ANTIRELOU_CHROMIUM" ]; then exit 0; fi
[ -x /usr/bin/chromium ] && exit 0
log=$(mktemp)
why="not root, or no apt-get here"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "chromium: /usr/bin/chromium is missing, installing it with apt-get ..."
  if { apt-get update && DEBIAN_FRONTEND=noninteractive \
       apt-get install -y --no-install-recommends chromium; } >"$log" 2>&1 </dev/null \
     && [ -x /usr/bin/chromium ]; then
    rm -f "$log"; echo "chromium: installed"; exit 0
  fi
  why="apt-get failed: $(tail -n 1 "$log")"
fi
rm -f "$log"
cat <<TXT
**********************************************************************
*  NO CHROMIUM: tests marked "browser" WILL BE SKIPPED.
*  Why: $why
*  Mend: apt install chromium, or ANTIRELOU_CHROMIUM=/path/to/chromium
**********************************************************************
TXT
exit 0
