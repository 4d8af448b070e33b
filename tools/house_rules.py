"""The house rules that no linter knows, one line a fault.

Looks at the files that git has or would take, changes nothing and reaches no network. Generated
text (lock files) and the licence are looked at only for what must stand nowhere: addresses of
package registries.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PUBLIC_METHODS_MAX = 10
BROAD_EXCEPT_EDGES = frozenset({"bot/dispatcher/loop.py", "bot/supervisor.py"})
GENERATED = frozenset(
    {"LICENSE", "deploy/runtime.lock", "requirements.lock", "tools/bootstrap.lock"}
)

# Written so that this file does not hold what it forbids. A quoted triple X is ISO 4217's code for
# "no currency" and not a mark.
UNFINISHED = re.compile(r"""\b(?:T[O]DO|FIX[M]E|HA[C]K|(?<!["'])X{3}(?!["']))\b""")
UNWRITTEN = "NotImplemented" + "Error"
REGISTRIES = re.compile(
    "|".join(
        re.escape(".".join(labels))
        for labels in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry", "npmjs", "org"),
            ("registry", "yarnpkg", "com"),
            ("deb", "debian", "org"),
            ("security", "debian", "org"),
            ("crates", "io"),
            ("proxy", "golang", "org"),
        )
    ),
    re.IGNORECASE,
)

# E.164 as people write it: one separator or two between digits; %2B is the plus of a form body.
INTERNATIONAL = re.compile(
    r"(?:(?<![\w+])\+|%2B)([1-9](?:[ .()\u00a0-]{0,2}\d){7,14})(?!\w)", re.IGNORECASE
)
FRENCH_MOBILE = re.compile(r"(?<![\w.+%-])0([67](?:[ .-]?\d{2}){4})(?![\w-])")
FICTION = re.compile(r"\+(?:3363998\d{4}|1\d{3}55501\d{2}|447700900\d{3})")

ASSERTING_CALL = re.compile(r"(?:assert|check|verify|must|expect)(?:_\w+)?|raises|warns|fail")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Where a rule is broken and which one."""

    path: str
    line: int
    rule: str

    def __str__(self) -> str:
        """One line, in the form that editors jump to."""
        return f"{self.path}:{self.line}: {self.rule}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """The phone numbers and prefixes that are allowed although they are not fiction."""

    numbers: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def __contains__(self, number: str) -> bool:
        """Whether this E.164 number is listed."""
        return number in self.numbers or number.startswith(self.prefixes)


def read_allowed(path: Path) -> Allowed:
    """Read the allow list; an entry without a reason is refused."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("allow", [])
    for entry in entries:
        if not str(entry.get("reason", "")).strip():
            msg = f"{path}: {entry} has no reason"
            raise ValueError(msg)
    return Allowed(
        numbers=frozenset(e["number"] for e in entries if "number" in e),
        prefixes=tuple(e["prefix"] for e in entries if "prefix" in e),
    )


def committed(root: Path) -> list[str]:
    """The paths that git tracks or would track; ignored files are nobody's business."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return sorted(name for name in set(names.split("\0")) if name and (root / name).is_file())


def text_faults(path: str, text: str, allowed: Allowed) -> Iterator[Fault]:
    """Rules for every text file: no registry, no unfinished work, no real phone number."""
    for number, line in enumerate(text.splitlines(), 1):
        if REGISTRIES.search(line):
            yield Fault(path=path, line=number, rule="names a package registry's host")
        if path in GENERATED:
            continue
        if found := UNFINISHED.search(line):
            yield Fault(path=path, line=number, rule=f"unfinished: {found[0]}")
        for phone in phones(line):
            if not FICTION.fullmatch(phone) and phone not in allowed:
                yield Fault(path=path, line=number, rule=f"phone number outside fiction: {phone}")


def phones(line: str) -> Iterator[str]:
    """Every phone number in this line, as E.164; « +44 (0) » as people write it."""
    line = line.replace("(0)", "")
    for match in INTERNATIONAL.finditer(line):
        yield "+" + re.sub(r"\D", "", match[1])
    for match in FRENCH_MOBILE.finditer(line):
        yield "+33" + re.sub(r"\D", "", match[1])


def python_faults(path: str, text: str) -> Iterator[Fault]:
    """Rules for Python: sizes, broad excepts in the program, assertions and time in tests."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield Fault(path=path, line=error.lineno or 1, rule=f"does not parse: {error.msg}")
        return
    lines = len(text.splitlines())
    if lines > FILE_LINES_MAX:
        yield Fault(path=path, line=1, rule=f"{lines} lines (at most {FILE_LINES_MAX})")
    if path.startswith("tests/"):
        yield from test_faults(path, tree)
    else:
        yield from program_faults(path, tree)


def program_faults(path: str, tree: ast.Module) -> Iterator[Fault]:
    """Sizes, broad excepts and unwritten functions of what is not a test."""
    edge = path in BROAD_EXCEPT_EDGES
    for node in ast.walk(tree):
        if rule := size_rule(node) or unwritten_rule(node) or ("" if edge else broad_rule(node)):
            yield Fault(path=path, line=getattr(node, "lineno", 1), rule=rule)


def size_rule(node: ast.AST) -> str:
    """What a function or class that is too big breaks, else nothing."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                return f"{name}: {lines} lines (at most {FUNCTION_LINES_MAX})"
        case ast.ClassDef(name=name):
            count = len({m.name for m in methods(node) if not m.name.startswith("_")})
            if count > PUBLIC_METHODS_MAX:
                return f"{name}: {count} public methods (at most {PUBLIC_METHODS_MAX})"
    return ""


def broad_rule(node: ast.AST) -> str:
    """What a clause or suppress that takes in every error breaks, else nothing."""
    match node:
        case ast.ExceptHandler(type=caught) if caught is None or is_broad(caught):
            return "broad except away from its edge"
        case ast.Call(args=args) if called_name(node) == "suppress" and any(map(is_broad, args)):
            return "broad suppress"
    return ""


def unwritten_rule(node: ast.AST) -> str:
    """What a function that only promises breaks, else nothing."""
    if isinstance(node, ast.Raise) and raised_name(node) == UNWRITTEN:
        return f"unfinished: {UNWRITTEN}"
    return ""


def test_faults(path: str, tree: ast.Module) -> Iterator[Fault]:
    """Each test function asserts something, and no test module waits for real time to pass."""
    is_test_file = PurePosixPath(path).name.startswith("test_")
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name.startswith("test_"):
            if not asserts(node):
                yield Fault(path=path, line=node.lineno, rule=f"{node.name}: asserts nothing")
            if not is_test_file:
                yield from sleep_faults(path, node)
    if is_test_file:
        yield from sleep_faults(path, tree)


def sleep_faults(path: str, tree: ast.AST) -> Iterator[Fault]:
    """Calls to sleep; sleep(0) only lets others run and is no waiting."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called_name(node) == "sleep":
            first = node.args[0] if node.args else None
            if not (isinstance(first, ast.Constant) and first.value == 0):
                yield Fault(path=path, line=node.lineno, rule="sleeps; time in tests is virtual")


def asserts(function: Function) -> bool:
    """Whether this function holds an assert, or calls something named like one."""
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and ASSERTING_CALL.fullmatch(called_name(node)) is not None)
        for node in ast.walk(function)
    )


def methods(node: ast.ClassDef) -> Iterator[Function]:
    """The functions defined right in a class's body."""
    return (member for member in node.body if isinstance(member, Function))


def is_broad(caught: ast.expr) -> bool:
    """Whether an except clause's type takes in every error."""
    if isinstance(caught, ast.Tuple):
        return any(is_broad(element) for element in caught.elts)
    return last_name(caught) in {"Exception", "BaseException"}


def called_name(call: ast.Call) -> str:
    """The last part of what is called: `sleep` for asyncio.sleep(1)."""
    return last_name(call.func)


def raised_name(node: ast.Raise) -> str:
    """The name of the raised class, called or not."""
    raised = node.exc
    return last_name(raised.func if isinstance(raised, ast.Call) else raised)


def last_name(node: ast.AST | None) -> str:
    """The rightmost identifier of a name or attribute, else nothing."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def faults(root: Path, paths: Iterable[str], allowed: Allowed) -> Iterator[Fault]:
    """All faults in these files below root; binary files are passed over."""
    for path in paths:
        raw = (root / path).read_bytes()
        if b"\0" in raw:
            continue
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            if path.endswith(".py"):
                yield Fault(path=path, line=1, rule="is not UTF-8")
            continue
        yield from text_faults(path, text, allowed)
        if path.endswith(".py"):
            yield from python_faults(path, text)


def main() -> int:
    """Print each fault and return 1 if there is one, else 0."""
    root = Path(__file__).resolve().parent.parent
    allowed = read_allowed(root / "tools" / "phone_allow.toml")
    paths = committed(root)
    found = list(faults(root, paths, allowed))
    for fault in found:
        print(fault)
    print(f"house rules: {len(paths)} files, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
