#!/usr/bin/env bash
# Makes .tools (uv, pinned) and .venv (all that the lock names, and the project itself) from nothing
# but a Python with pip. Needs no root, downloads no Python, installs nothing outside this folder.
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The lock is the whole truth: nobody's own settings or active environment take part.
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME || true

die() { printf '\nsetup: %s\n' "$*" >&2; exit 1; }

# --- a Python of 3.11 or newer
python=""
for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
  [ -n "$name" ] || continue
  command -v "$name" >/dev/null 2>&1 || continue
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$("$name" -c 'import sys; print(sys.executable)')
    break
  fi
done
[ -n "$python" ] || die "no Python 3.11 or newer found (python3 is: $(python3 --version 2>&1 || echo missing)).
  Install one (Debian: apt install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3.12"
printf 'setup: %s (%s)\n' "$python" "$("$python" -c 'import platform; print(platform.python_version())')"

# --- uv, pinned by hash, in an environment of its own
# A kept .tools is used again only if its pinned uv still runs.
pin=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' tools/bootstrap.lock)
have=$(.tools/bin/uv --version 2>/dev/null | cut -d' ' -f2 || true)
if [ "$have" != "$pin" ]; then
  rm -rf .tools
  if "$python" -c 'import ensurepip, venv' 2>/dev/null && "$python" -m venv .tools; then
    .tools/bin/python -m pip install -q --require-hashes -r tools/bootstrap.lock
  elif "$python" -m virtualenv --version >/dev/null 2>&1; then
    rm -rf .tools
    "$python" -m virtualenv -q .tools
    .tools/bin/python -m pip install -q --require-hashes -r tools/bootstrap.lock
  elif "$python" -m pip --version >/dev/null 2>&1; then
    # No venv module: pip can still unpack uv's wheel, which is one binary.
    rm -rf .tools
    "$python" -m pip install -q --require-hashes -r tools/bootstrap.lock --target .tools
  else
    rm -rf .tools
    die "this Python can make no environment and has no pip.
  Debian or Ubuntu: apt install python3-venv   Fedora: dnf install python3-pip
  Or name a Python that can: make setup PYTHON=/path/to/python3"
  fi
  [ -x .tools/bin/uv ] || die "uv was installed but .tools/bin/uv is not there"
fi
uv=.tools/bin/uv

# --- the environment: exactly what the lock names, then the project itself, editable
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  rm -rf .venv
  "$uv" venv -q --no-config --python "$python" .venv
fi
"$uv" pip sync -q --compile-bytecode --no-config --require-hashes --python .venv/bin/python requirements.lock
"$uv" pip install -q --no-config --no-deps --no-build-isolation --python .venv/bin/python --editable .
touch .venv/.ready
printf 'setup: ready in .venv\n'
