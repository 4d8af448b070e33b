"""The picture of where the time goes is what was sampled."""

import pathlib
from xml.etree import ElementTree as ET

from bench import flame

LINES = [
    "bot.inbox.door:work;bot.inbox.fold:fold 6",
    "bot.inbox.door:work;bot.store.prepared:many 2",
    "bot.web.direct:_write 2",
    "bot.build:house;importlib._bootstrap:_find_and_load 90",
]


def test_widths_are_shares_and_the_start_is_left_out() -> None:
    root = flame.folded(LINES)
    assert root.samples == 10
    drawn = ET.fromstring(flame.drawn(root, "a < b"))  # noqa: S314 (our own)
    space = "{http://www.w3.org/2000/svg}"
    titles = [one.text for one in drawn.iter(f"{space}title")]
    assert titles == [
        "a < b",
        "bot.inbox.door:work: 80.0%",
        "bot.inbox.fold:fold: 60.0%",
        "bot.store.prepared:many: 20.0%",
        "bot.web.direct:_write: 20.0%",
    ]
    widths = [float(one.get("width", "0")) for one in drawn.iter(f"{space}rect")]
    assert widths == [1000.0, 799.5, 599.5, 199.5, 199.5]


def test_what_runs_is_sampled_below_the_loop(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "stacks"
    code = "def busy():\n    end = sum(i * i for i in range(4_000_000))\ndef run():\n    busy()\n"
    names = {"__name__": "asyncio.runners"}
    exec(compile(code, "made", "exec"), names)  # noqa: S102 (a function of the name that counts)
    run = names["run"]
    assert callable(run)
    flame.sampled(str(out), run)
    lines = out.read_text(encoding="ascii").splitlines()
    assert lines
    assert all(line.startswith("asyncio.runners:busy") for line in lines)
