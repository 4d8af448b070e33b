"""The unit, the container's recipe and the compose file, as far as they can be tried here."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

from bot import config

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.*"))
COMPOSE = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text("utf-8"))
RECIPE = (DEPLOY / "docker" / "Dockerfile").read_text("utf-8")
# systemd's own scale: 0 may do nothing, 10 everything; under 2 is "OK".
EXPOSED_MOST = 2.0


def steps(recipe: str) -> list[tuple[str, str]]:
    """(instruction, rest) with continued lines joined."""
    plain = "\n".join(line for line in recipe.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", plain)
    return [(one, rest) for one, _, rest in (x.partition(" ") for x in joined.splitlines() if x)]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_are_understood_and_run_what_there_is(unit: pathlib.Path) -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd-analyze: apt install systemd")
    done = subprocess.run(
        [analyze, "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    told = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        # The program is installed elsewhere, and the build machine may have no units at all.
        if line.startswith(unit.name) and "is not executable" not in line
    ]
    assert told == []


def test_the_service_may_do_little() -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd-analyze: apt install systemd")
    unit = DEPLOY / "systemd" / "antirelou.service"
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = re.search(r"exposure level[^:]*: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) < EXPOSED_MOST


@pytest.mark.parametrize("unit", [one for one in UNITS if one.suffix == ".service"], ids=str)
def test_each_command_of_a_unit_is_one_of_ours(unit: pathlib.Path) -> None:
    text = unit.read_text("utf-8")
    for command, options in re.findall(r"/bin/antirelou (\w+)((?: --\w+)*)", text):
        done = subprocess.run(
            [sys.executable, "-m", "bot", command, "--help"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"},
        )
        assert done.returncode == 0, done.stderr
        assert all(option in done.stdout for option in options.split())
        break
    else:
        pytest.fail("runs nothing of ours")


def test_the_recipe_copies_what_there_is_and_takes_nothing_unpinned() -> None:
    seen = steps(RECIPE)
    assert [one for one, _ in seen].count("FROM") == 2
    for instruction, rest in seen:
        if instruction == "COPY" and "--from" not in rest:
            *sources, _ = rest.split()
            assert sources
            assert all((ROOT / source).exists() for source in sources), rest
        if instruction == "RUN" and "install" in rest and "pip install" in rest:
            for part in rest.split("&&"):
                if "pip install" in part:
                    assert "--require-hashes" in part or "--no-deps" in part, part
    last = seen[[i for i, (one, _) in enumerate(seen) if one == "FROM"][-1] :]
    assert ("USER", "antirelou") in last
    command = json.loads(dict(last)["ENTRYPOINT"]) + json.loads(dict(last)["CMD"])
    assert command == ["antirelou", "run", "--config", "/etc/antirelou/config.toml"]


def test_the_runtime_lock_holds_all_that_the_wheel_asks_for_at_the_tested_versions() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    def pins(path: pathlib.Path) -> dict[str, str]:
        found = re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", path.read_text("utf-8"), re.MULTILINE)
        return dict(found)

    runtime, tested = pins(DEPLOY / "runtime.lock"), pins(ROOT / "requirements.lock")
    names = [re.split(r"[\[>=;~ ]", one)[0].lower() for one in wanted["dependencies"]]
    assert [name for name in names if name not in runtime] == []
    assert {name: at for name, at in runtime.items() if tested.get(name) != at} == {}
    assert not {"pytest", "mypy", "flask"} & runtime.keys()


def test_the_composed_settings_are_settings(tmp_path: pathlib.Path) -> None:
    told = COMPOSE["services"]["antirelou"]["environment"]
    given = {
        name: re.sub(r"\$\{ANTIRELOU_HOST:[^}]*\}", "sms.example.org", value)
        for name, value in told.items()
    }
    path = tmp_path / "config.toml"
    path.write_text((ROOT / "config.example.toml").read_text("utf-8"), "utf-8")
    read = config.load(path, environ=given)
    assert read.web.public_url == "https://sms.example.org"
    assert read.web.host == "0.0.0.0"  # noqa: S104 (inside the container's network)
    with pytest.raises(config.ConfigError, match="trusted_proxies"):
        config.load(path, environ=given | {"ANTIRELOU_WEB__TRUSTED_PROXIES": '["everybody"]'})


def test_the_composed_containers_may_do_little_and_publish_only_caddy() -> None:
    services = COMPOSE["services"]
    assert [name for name, one in services.items() if "ports" in one] == ["caddy"]
    assert services["antirelou"]["read_only"] is True
    assert services["antirelou"]["cap_drop"] == ["ALL"]
    assert services["signal"]["logging"] == {"driver": "none"}
    settings = services["signal"]["environment"]
    assert settings["JSON_RPC_IGNORE_ATTACHMENTS"] == "true"
    assert all(":" in one["image"] for one in services.values() if "image" in one)
    named = {
        volume.partition(":")[0] for one in services.values() for volume in one.get("volumes", ())
    }
    assert {name for name in named if not name.startswith(".")} == set(COMPOSE["volumes"])
    for name in named - set(COMPOSE["volumes"]) - {"./etc"}:
        assert (DEPLOY / "docker" / name).exists(), name
