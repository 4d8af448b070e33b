"""`antirelou migrate --from`: the commands go where the data went."""

from __future__ import annotations

import pytest

from tests.bot.cli.conftest import Place
from tests.peers import postgres


@pytest.mark.case("C39")
def test_an_installation_moves_and_its_commands_with_it(
    installed: Place, server: postgres.Cluster
) -> None:
    url = server.url(server.fresh())
    source = f"sqlite:{installed.folder / 'antirelou.db'}"
    moved = installed.run("migrate", "--from", source, "--to", url)
    assert moved.exit_code == 0, moved.stderr
    assert "the same on both sides" in moved.stderr
    # The file answers for nothing any more.
    assert installed.run("status").exit_code == 3
    there = ("--set", f"store.url={url}")
    for command in ("check", "status", "pause", "resume", "migrate"):
        result = installed.run(command, *there)
        assert result.exit_code == 0, (command, result.stderr)
    again = installed.run("migrate", "--from", source, *there)
    assert (again.exit_code, "was moved before" in again.stderr) == (1, True)


def test_only_a_file_moves_and_only_to_postgresql(installed: Place) -> None:
    source = f"sqlite:{installed.folder / 'antirelou.db'}"
    for told in (
        ("--from", "postgresql://localhost/a"),
        ("--from", source, "--to", "sqlite:other.db"),
        ("--from", source),
        ("--to", "postgresql://localhost/a"),
    ):
        assert installed.run("migrate", *told).exit_code == 2, told
    assert installed.run("migrate", "--from", "sqlite:none.db").exit_code == 3
    assert installed.run("status").exit_code == 0
