#!/usr/bin/env bash
# An environment with what deploy/runtime.lock names and nothing else, as the Dockerfile makes it: the
# wheel is tried in it. Needs no root. Never fails: without it those tests are skipped aloud.
set -u
cd "$(dirname "$0")/../.." || exit 0
uv=.tools/bin/uv
home=.cache/peers/runtime
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME || true
stamp=.cache/peers/runtime.stamp
want=$(sha256sum <deploy/runtime.lock | cut -d' ' -f1)
[ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && [ -x "$home/bin/python" ] && exit 0
log=$(mktemp)
mkdir -p .cache/peers
rm -f "$stamp"
if { "$uv" venv -q --clear --no-config --python .venv/bin/python "$home" \
     && "$uv" pip sync -q --no-config --require-hashes --python "$home/bin/python" deploy/runtime.lock; \
   } >"$log" 2>&1 </dev/null; then
  rm -f "$log"; printf '%s\n' "$want" >"$stamp"; echo "runtime: installed in $home"; exit 0
fi
cat <<TXT
**********************************************************************
*  NO RUNTIME ENVIRONMENT: the tests of the wheel WILL BE SKIPPED.
*  Why: $(tail -n 1 "$log")
*  Mend: bash tools/peers/runtime.sh, with a package index that can be reached
**********************************************************************
TXT
rm -f "$log"
exit 0
