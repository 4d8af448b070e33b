#!/usr/bin/env bash
# Makes the homeserver that the Matrix tests talk to: Synapse in an environment of its own, pinned
# by hash. Needs no root. Never fails: without it those tests are skipped with their reason printed.
#   newest versions: .tools/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
#     --no-emit-index-url --no-emit-find-links --no-config \
#     tools/peers/synapse.in -o tools/peers/synapse.lock
set -u
cd "$(dirname "$0")/../.." || exit 0
uv=.tools/bin/uv
home=.cache/peers/synapse
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME || true
stamp=.cache/peers/synapse.stamp
want=$(sha256sum <tools/peers/synapse.lock | cut -d' ' -f1)
[ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && [ -x "$home/bin/python" ] && exit 0
log=$(mktemp)
mkdir -p .cache/peers
rm -f "$stamp"
if { "$uv" venv -q --clear --no-config --python .venv/bin/python "$home" \
     && "$uv" pip sync -q --no-config --require-hashes --python "$home/bin/python" tools/peers/synapse.lock \
     && "$home/bin/python" -c 'import synapse'; } >"$log" 2>&1 </dev/null; then
  rm -f "$log"; printf '%s\n' "$want" >"$stamp"; echo "synapse: installed in $home"; exit 0
fi
cat <<TXT
**********************************************************************
*  NO SYNAPSE: the Matrix tests against a real homeserver WILL BE SKIPPED.
*  Why: $(tail -n 1 "$log")
*  Mend: bash tools/peers/synapse.sh, with a package index that can be reached
**********************************************************************
TXT
rm -f "$log"
exit 0
