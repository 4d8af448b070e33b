"""Each house rule, fed what it forbids and what it must leave alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import house_rules

NOTHING_ALLOWED = house_rules.Allowed()
# Put together here, so that this file itself keeps the rules it tests.
DOT = "."
PLUS = "+"
ENCODED_PLUS = "%2" + "B"
ZERO = "0"
REGISTRY = "pypi" + DOT + "org"
NPM = "registry" + DOT + "npmjs" + DOT + "org"
MARKS = ("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")


def rules(path: str, text: str, allowed: house_rules.Allowed = NOTHING_ALLOWED) -> list[str]:
    """The rules that this file breaks, in the order of the file."""
    found = list(house_rules.text_faults(path, text, allowed))
    if path.endswith(".py"):
        found += house_rules.python_faults(path, text)
    return [fault.rule for fault in found]


def function(lines: int) -> str:
    """A function of so many lines."""
    return "def f():\n" + "    x = 1\n" * (lines - 1)


def test_a_file_may_have_400_lines_and_no_more() -> None:
    assert rules("bot/x.py", "x = 1\n" * 400) == []
    assert rules("bot/x.py", "x = 1\n" * 401) == ["401 lines (at most 400)"]
    assert rules("bridges/sms/x.py", "x = 1\n" * 401) != []
    assert rules("tests/test_x.py", "x = 1\n" * 401) == ["401 lines (at most 400)"]


def test_a_function_may_have_60_lines_and_no_more() -> None:
    assert rules("bot/x.py", function(60)) == []
    assert rules("bot/x.py", function(61)) == ["f: 61 lines (at most 60)"]
    assert rules("bot/x.py", "async " + function(61)) == ["f: 61 lines (at most 60)"]


def test_a_class_may_have_ten_public_methods() -> None:
    def klass(public: int) -> str:
        body = "".join(
            f"    def m{i}(self): ...\n    def _p{i}(self): ...\n" for i in range(public)
        )
        return "class C:\n" + body

    assert rules("bot/x.py", klass(10)) == []
    assert rules("bot/x.py", klass(11)) == ["C: 11 public methods (at most 10)"]


def test_a_property_and_its_setter_are_one_method() -> None:
    pair = "    @property\n    def m{0}(self): ...\n    @m{0}.setter\n    def m{0}(self, v): ...\n"
    assert rules("bot/x.py", "class C:\n" + "".join(pair.format(i) for i in range(10))) == []


@pytest.mark.parametrize(
    "clause",
    ["except:", "except Exception:", "except BaseException as e:", "except (OSError, Exception):"],
)
def test_a_broad_except_stands_at_two_edges_only(clause: str) -> None:
    text = f"try:\n    f()\n{clause}\n    g()\n"
    assert rules("bot/inbox.py", text) == ["broad except away from its edge"]
    assert rules("bridges/signal/bridge.py", text) == ["broad except away from its edge"]
    assert rules("bot/supervisor.py", text) == []
    assert rules("bot/dispatcher/loop.py", text) == []


def test_a_narrow_except_is_fine() -> None:
    assert rules("bot/inbox.py", "try:\n    f()\nexcept (OSError, ValueError):\n    g()\n") == []


def test_suppressing_everything_is_a_broad_except_too() -> None:
    assert rules("bot/x.py", "with contextlib.suppress(Exception):\n    f()\n") == [
        "broad suppress"
    ]
    assert rules("bot/x.py", "with contextlib.suppress(OSError):\n    f()\n") == []


@pytest.mark.parametrize("mark", MARKS)
def test_unfinished_work_is_named(mark: str) -> None:
    assert rules("bot/x.py", f"x = 1  # {mark}: later\n") == [f"unfinished: {mark}"]
    assert rules("docs/x.md", f"{mark}\n") == [f"unfinished: {mark}"]
    assert rules("bot/x.py", f"x = '{mark}ES'\n") == []


def test_the_code_of_no_currency_is_no_mark() -> None:
    assert rules("bot/x.py", f'x = money.parse("1", "{MARKS[2]}")\n') == []


@pytest.mark.parametrize("call", ["", "()", "('later')"])
def test_an_unwritten_function_is_unfinished(call: str) -> None:
    text = f"def f():\n    raise {house_rules.UNWRITTEN}{call}\n"
    assert rules("bot/x.py", text) == [f"unfinished: {house_rules.UNWRITTEN}"]


@pytest.mark.parametrize("body", ["x = f()", "pass", "print(f())", "if f(): g()"])
def test_a_test_that_asserts_nothing_is_refused(body: str) -> None:
    assert rules("tests/test_x.py", f"async def test_it():\n    {body}\n") == [
        "test_it: asserts nothing"
    ]


@pytest.mark.parametrize(
    "body",
    [
        "assert f()",
        "with pytest.raises(OSError): f()",
        "pytest.fail('no')",
        "await expect(page).to_be_visible()",
        "must_hold(f())",
        "run_state_machine_as_test(M) or assert_kept()",
    ],
)
def test_what_counts_as_asserting(body: str) -> None:
    assert rules("tests/test_x.py", f"async def test_it():\n    {body}\n") == []


@pytest.mark.parametrize("call", ["time.sleep(0.1)", "asyncio.sleep(delay)", "sleep(1)"])
def test_tests_do_not_sleep(call: str) -> None:
    text = f"def test_it():\n    {call}\n    assert f()\n"
    assert rules("tests/test_x.py", text) == ["sleeps; time in tests is virtual"]
    assert rules("tests/test_x.py", f"def wait():\n    {call}\n") != []


def test_letting_others_run_is_no_sleep() -> None:
    assert rules("tests/test_x.py", "async def go():\n    await asyncio.sleep(0)\n") == []


@pytest.mark.parametrize(
    "number",
    [
        PLUS + "33612345678",
        PLUS + "33 6 12 34 56 78",
        PLUS + "1 (212) 555-1234",
        PLUS + "44 7911 123456",
        ENCODED_PLUS + "33612345678",
        ZERO + "6 12 34 56 78",
        ZERO + "612345678",
        ZERO + "7.12.34.56.78",
        PLUS + "336399800000",
        PLUS + "3363997999",
    ],
)
def test_a_number_that_may_be_somebodys_is_refused(number: str) -> None:
    (rule,) = rules("docs/x.md", f"call <{number}> now")
    assert rule.startswith("phone number outside fiction: +")


@pytest.mark.parametrize(
    "text",
    [
        "+33639980000 and +33639989999, +33 6 39 98 12 34, 06 39 98 12 34, %2B33639981234",
        "+12125550100, +1 (305) 555-0199",
        "+447700900000 +44 7700 900 999",
        "2026-10-31T10:00:00+00:00, 1e+10000000, v1.2.3+20261031, 0612345678901, x+12345678",
        "+44 7700 900xxx, +33, +1684, +8816, 25,000 messages, 0.712345678",
    ],
)
def test_fiction_and_what_is_no_number_pass(text: str) -> None:
    assert rules("tests/data.txt", text) == []


def test_the_allow_list_lets_through_what_it_names(tmp_path: Path) -> None:
    listed = PLUS + "881612345678"
    listing = tmp_path / "allow.toml"
    listing.write_text(
        f'[[allow]]\nnumber = "{listed}"\nreason = "satellite"\n'
        '[[allow]]\nprefix = "+999"\nreason = "nobody\'s"\n'
    )
    allowed = house_rules.read_allowed(listing)
    assert rules("x.md", f"{listed} +99912345678", allowed) == []
    assert rules("x.md", f"{listed[:-1]}9", allowed) != []


def test_an_allow_list_entry_without_a_reason_is_refused(tmp_path: Path) -> None:
    listing = tmp_path / "allow.toml"
    listing.write_text('[[allow]]\nprefix = "+999"\nreason = " "\n')
    with pytest.raises(ValueError, match="no reason"):
        house_rules.read_allowed(listing)


@pytest.mark.parametrize("path", ["requirements.lock", "README.md", "Makefile", "LICENSE"])
def test_no_file_names_a_registry(path: str) -> None:
    for host in (REGISTRY, NPM):
        assert rules(path, f"from https://{host}/simple") == ["names a package registry's host"]


def test_text_that_does_not_parse_is_a_fault() -> None:
    (rule,) = rules("bot/x.py", "def f(:\n")
    assert rule.startswith("does not parse")


def test_only_what_git_would_take_is_looked_at(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("hidden.py\n")
    (tmp_path / "hidden.py").write_text("except\n")
    (tmp_path / "seen.py").write_text("def f(:\n")
    (tmp_path / "binary.dat").write_bytes(b"\0" + REGISTRY.encode())
    paths = house_rules.committed(tmp_path)
    found = list(house_rules.faults(tmp_path, paths, NOTHING_ALLOWED))
    assert [(fault.path, fault.line) for fault in found] == [("seen.py", 1)]


def test_the_command_ends_with_one_when_there_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("try:\n    f()\nexcept:\n    g()\n")
    monkeypatch.setattr(house_rules, "committed", lambda _root: [str(bad)])
    assert house_rules.main() == 1
    assert f"{bad}:3: broad except" in capsys.readouterr().out
    bad.write_text("x = 1\n")
    assert house_rules.main() == 0
