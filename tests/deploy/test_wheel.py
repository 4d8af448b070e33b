"""The wheel alone, in an empty environment with what the runtime lock names: the demo answers."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UV = ROOT / ".tools" / "bin" / "uv"
# What deploy/runtime.lock names and nothing else, made by tools/peers/runtime.sh.
PLACE = ROOT / ".cache" / "peers" / "runtime"
LIMIT_S = 120


def run(*command: str | pathlib.Path, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(one) for one in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
    )


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """`antirelou` as the Dockerfile installs it: built here, without anything of the checkout."""
    if not (PLACE / "bin" / "python").exists():
        pytest.skip("no environment for the wheel: bash tools/peers/runtime.sh")
    folder = tmp_path_factory.mktemp("wheel")
    made = run(
        *(UV, "build", "--no-config", "--offline", "--no-build-isolation", "--wheel"),
        *("--python", ROOT / ".venv" / "bin" / "python", "--out-dir", folder / "dist", ROOT),
        cwd=folder,
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    install = (UV, "pip", "install", "-q", "--no-config", "--offline", "--no-deps", "--reinstall")
    done = run(*install, "--python", PLACE / "bin" / "python", wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    return PLACE / "bin" / "antirelou"


def test_the_demo_answers_from_the_wheel(program: pathlib.Path, tmp_path: pathlib.Path) -> None:
    # Away from the checkout, so that nothing of it is found by accident.
    with subprocess.Popen(
        [str(program), "demo", "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
    ) as running:
        try:
            assert running.stdout is not None
            told = ""
            while (found := re.search(r"http://127\.0\.0\.1:\d+", told)) is None:
                line = running.stdout.readline()
                assert line, f"ended without an address: {told}"
                told += line
            with urllib.request.urlopen(f"{found[0]}/", timeout=20) as page:  # noqa: S310 (http, from the line above)
                assert page.status == 200
                assert b"</html>" in page.read()
        finally:
            running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=LIMIT_S) == 0


def test_every_command_of_the_wheel_has_help(program: pathlib.Path, tmp_path: pathlib.Path) -> None:
    top = run(program, "--help", cwd=tmp_path)
    assert top.returncode == 0, top.stderr
    for command in ("run", "check", "simulate", "segments"):
        told = run(program, command, "--help", cwd=tmp_path)
        assert told.returncode == 0, told.stderr
        assert "Example" in told.stdout
