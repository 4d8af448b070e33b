"""The project's own pytest plugins: cases, budgets, and the guard in front of the network."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest

from tests.plugins import budget, cases, network

MARKED = """
    import pytest

    @pytest.mark.case("C01")
    def test_holds(): assert True

    @pytest.mark.case("C02", "C03")
    @pytest.mark.parametrize("n", [1, 2])
    def test_breaks_once(n): assert n == 1

    @pytest.mark.case("C04")
    def test_left_out(): pytest.skip("no peer")

    @pytest.fixture
    def broken(): raise OSError("no")

    @pytest.mark.case("C05")
    def test_never_begun(broken): assert True

    def test_unmarked(): assert True
"""


def run(pytester: pytest.Pytester, plugin: str, *options: str) -> pytest.RunResult:
    """A pytest run of its own inside this one, with one of our plugins."""
    return pytester.runpytest_inprocess(
        "-p", "no:asyncio", "-p", f"tests.plugins.{plugin}", *options
    )


def test_only_marked_tests_run_and_their_outcomes_are_written(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x=MARKED)
    result = run(pytester, "cases", "--cases", "--cases-json=out/cases.json")
    result.assert_outcomes(passed=2, failed=1, skipped=1, errors=1, deselected=1)
    halves = {
        "test_x.py::test_breaks_once[1]": "passed",
        "test_x.py::test_breaks_once[2]": "failed",
    }
    assert json.loads((pytester.path / "out/cases.json").read_text()) == {
        "C01": {"test_x.py::test_holds": "passed"},
        "C02": halves,
        "C03": halves,
        "C04": {"test_x.py::test_left_out": "skipped"},
        "C05": {"test_x.py::test_never_begun": "error"},
    }


def test_a_teardown_that_breaks_takes_the_pass_away(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_x="""
        import pytest

        @pytest.fixture
        def leaky():
            yield
            raise OSError("no")

        @pytest.mark.case("C01")
        def test_it(leaky): assert True
        """
    )
    run(pytester, "cases", "--cases")
    report = json.loads((pytester.path / cases.DEFAULT_REPORT).read_text())
    assert report == {"C01": {"test_x.py::test_it": "error"}}


def test_without_the_option_all_tests_run_and_nothing_is_written(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x=MARKED)
    run(pytester, "cases").assert_outcomes(passed=3, failed=1, skipped=1, errors=1)
    assert not (pytester.path / ".cache").exists()


@pytest.mark.parametrize(
    ("marker", "said"), [('case("C99")', "test_it: C99"), ("case()", "names no case")]
)
def test_a_marker_that_names_no_known_case_stops_the_run(
    pytester: pytest.Pytester, marker: str, said: str
) -> None:
    pytester.makepyfile(
        test_x=f"import pytest\n@pytest.mark.{marker}\ndef test_it(): assert True\n",
    )
    result = run(pytester, "cases")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}*"])


def test_the_list_holds_every_case_from_one_on() -> None:
    known = cases.known_cases()
    assert list(known) == [f"C{number:02}" for number in range(1, len(known) + 1)]
    assert len(known) >= 50
    assert all(len(title) < 80 for title in known.values())


@pytest.mark.parametrize(
    ("nodeid", "suite"),
    [
        ("tests/bot/policy/test_delay.py::test_x[1]", "bot/policy"),
        ("tests/bridges/sms/deep/test_wire.py::TestX::test_y", "bridges/sms"),
        ("tests/bot/test_inbox.py::test_y", "bot"),
        ("tests/tools/test_house_rules.py::test_y", "tools"),
        ("tests/test_docs.py::test_z", "test_docs"),
    ],
)
def test_a_suite_is_a_folder_up_to_two_deep_or_a_file_right_below_tests(
    nodeid: str, suite: str
) -> None:
    assert budget.suite_of(nodeid) == suite


def test_a_suite_over_its_budget_is_said_and_does_not_fail(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets = pytester.path / "budgets.toml"
    budgets.write_text("default_s = 60\n[suites]\ntest_slow = 0\n")
    monkeypatch.setattr(budget, "BUDGETS_FILE", budgets)
    pytester.makepyfile(
        test_slow="def test_it(): assert True", test_quick="def test_it(): assert True"
    )
    result = run(pytester, "budget", "--budget-json=suites.json")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.re_match_lines_random(
        [r"test_slow .* of +0 s +1 tests  OVER BUDGET$", r"test_quick .* of +60 s +1 tests$"]
    )
    written = json.loads((pytester.path / "suites.json").read_text())
    assert written["test_quick"]["tests"] == 1


LOCAL = [None, "", "localhost", "127.0.0.1", "127.8.9.10", "::1", "[::1]", "::ffff:127.0.0.1"]
FOREIGN = ["192.0.2.1", "10.0.0.1", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1", "example.org"]  # noqa: S104 - never bound


@pytest.mark.parametrize("host", LOCAL)
def test_this_machine_is_local(host: str | None) -> None:
    assert network.is_local(host)


@pytest.mark.parametrize("host", [*FOREIGN, "localhost.example.org", b"example.net"])
def test_anything_else_is_not(host: object) -> None:
    assert not network.is_local(host)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("way", ["connect", "connect_ex"])
def test_a_socket_does_not_leave(network_guard: network.Guard, kind: int, way: str) -> None:
    with socket.socket(socket.AF_INET, kind) as sock, pytest.raises(network.NetworkReached):
        getattr(sock, way)(("192.0.2.1", 9))
    assert network_guard.refused
    network_guard.refused.clear()


def test_a_datagram_does_not_leave(network_guard: network.Guard) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for arguments in ((b"x", ("192.0.2.1", 9)), (b"x", 0, ("192.0.2.1", 9))):
            with pytest.raises(network.NetworkReached):
                sock.sendto(*arguments)
    network_guard.refused.clear()


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org"])
async def test_asyncio_does_not_leave(network_guard: network.Guard, host: str) -> None:
    with pytest.raises(network.NetworkReached):
        await asyncio.open_connection(host, 9)
    network_guard.refused.clear()


async def test_loopback_and_unix_sockets_work(tmp_path: Path) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "localhost", 0) as server:
        port = server.sockets[0].getsockname()[1]
        family = server.sockets[0].family
        reader, writer = await asyncio.open_connection("localhost", port, family=family)
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()
    path = tmp_path / "s"
    async with await asyncio.start_unix_server(greet, path):
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()


def test_a_swallowed_refusal_fails_the_test_all_the_same(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import contextlib, socket

        def test_it():
            with contextlib.suppress(BaseException), socket.socket() as sock:
                sock.connect(("192.0.2.1", 9))
        """
    )
    result = run(pytester, "network")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*reached for the network: connect '192.0.2.1'*"])
