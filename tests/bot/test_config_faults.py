"""All faults at once, one clear line each, and never a value in them (C36)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import config

pytestmark = pytest.mark.case("C36")

SECRET = "hunter2-canary"


def faults(
    path: Path,
    text: str | bytes = "",
    *,
    mode: int = 0o600,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> list[str]:
    file = path / "a.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    with pytest.raises(config.ConfigError) as caught:
        config.load(file, overrides=overrides, environ=environ or {})
    lines = str(caught.value).splitlines()
    assert lines == [str(fault) for fault in caught.value.faults]
    assert SECRET not in str(caught.value)
    return lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[reply]\ndelay_min = 3", "a.toml:2: reply.delay_min: unknown key; did you mean delay_"),
        ("[reply]\nzzz = 3", "a.toml:2: reply.zzz: unknown key; known here: delay_max_s, "),
        ("\n\n[budgt]", "a.toml:3: budgt: unknown section; did you mean budget?"),
        ("reply = 3", "a.toml:1: reply: must be a table; "),
        ('[web]\nport = "80"', "a.toml:2: web.port: must be a whole number; "),
        ("[web]\nport = 65536", "a.toml:2: web.port: must be at most 65535; "),
        ('[web]\nadmin_listen = "0.0.0.0:9180"', "a.toml:1: web: admin_listen is open to other "),
        ('[web]\nadmin_listen = "here"', "a.toml:2: web.admin_listen: is no place to listen; "),
        ("[web]\nadmin_listen = [1]", "a.toml:2: web.admin_listen: is no place to listen; "),
        ("[web]\nadmin_listen = {}", "a.toml:2: web.admin_listen: is no place to listen; "),
        ('[web]\nadmin_listen = "127.0.0.1:99999"', "a.toml:2: web.admin_listen: is no place "),
        ('[web]\ntrusted_proxies = ["me"]', "a.toml:2: web.trusted_proxies[0]: is no address or"),
        ('[web]\nadmin_token = "x"', "a.toml:2: web.admin_token: is no good secret; "),
        ('[web]\nhost = ""', "a.toml:2: web.host: must not be empty; "),
        ('[store]\nurl = "mysql://x"', "a.toml:2: store.url: is no database of ours; "),
        ('[log]\nlevel = "trace"', "a.toml:2: log.level: must be one of debug, info, warning,"),
        ('[reply]\ntone = "neutrl"', "a.toml:2: reply.tone: must be one of neutral, 2017; did y"),
        ("[reply]\nroute = 3", "a.toml:2: reply.route: must be one of same, cheapest; choose one"),
        ("[reply]\ndelay_min_s = -1", "a.toml:2: reply.delay_min_s: must be at least 0; "),
        ("[reply]\ndelay_min_s = 3.5", "a.toml:2: reply.delay_min_s: must be a whole number; "),
        ("[reply]\ndelay_min_s = 9000", "a.toml:1: reply.delay_max_s: must be at least delay_mi"),
        ("[reply]\nwindow_days = 0", "a.toml:2: reply.window_days: must be at least 1; "),
        ("[reply]\nwindow_days = 3651", "a.toml:2: reply.window_days: must be at most 3650; "),
        ("[reply]\nnight_hold = 1", "a.toml:2: reply.night_hold: must be true or false; "),
        ("[reply]\nnight_to_hour = 25", "a.toml:2: reply.night_to_hour: must be at most 24; "),
        ('[reply]\nlanguage = "xx"', "a.toml:2: reply.language: is no language of ours; "),
        ('[reply]\nlanguages = "fr"', "a.toml:2: reply.languages: must be a list; "),
        ('[reply]\nlanguages = ["fr",\n"xx"]', "a.toml:2: reply.languages[1]: is no language "),
        ('[reply.texts]\n\nxx = "a"', "a.toml:3: reply.texts.xx: is no language of ours; "),
        ('[reply.texts]\nfr = ""', "a.toml:2: reply.texts.fr: must not be empty; "),
        ('[who]\ncountries = ["FR", "UK"]', "a.toml:2: who.countries[1]: is no known country"),
        ('[who]\nown = ["06"]', "a.toml:2: who.own[0]: is no address; "),
        ("[budget]\ncap_day = -1", "a.toml:2: budget.cap_day: must not be negative; "),
        ("[budget]\ncap_day = false", "a.toml:2: budget.cap_day: must be an amount of money; "),
        ("[budget]\ncap_day = 0.1234567", "a.toml:2: budget.cap_day: must be a decimal amount"),
        ("[budget]\ncap_day = nan", "a.toml:2: budget.cap_day: must be a decimal amount"),
        ("[budget]\nprice_ceiling = 11", "a.toml:2: budget.price_ceiling: must be at most 10"),
        ('[budget]\ntimezone = "Europe/P"', "a.toml:2: budget.timezone: is no known time zone"),
        ('[budget]\ntimezone = "../x"', "a.toml:2: budget.timezone: is no known time zone"),
        ('[budget]\ncurrency = "euro"', "a.toml:2: budget.currency: is no currency code; "),
        ("[budget.country_cap_day]\nXX = 1", "a.toml:2: budget.country_cap_day.XX: is no known"),
        ("[fx]\nUSD = 3", "a.toml:2: fx.USD: must be a table; "),
        ("[fx]\nUSD = { rate = 1 }", "a.toml:2: fx.USD.dated: is missing; add it"),
        ("[fx]\nusd = { rate = 1, dated = 2026-11-01 }", "a.toml:2: fx.usd: is no currency "),
        ("[fx]\nUSD = { rate = 0, dated = 2026-11-01 }", "a.toml:2: fx.USD.rate: must be more"),
        ('[fx]\nUSD = { rate = 1, dated = "x" }', "a.toml:2: fx.USD.dated: must be a date; "),
        ("[fx]\nEUR = { rate = 1, dated = 2026-11-01 }", "a.toml:2: fx.EUR: is budget.currenc"),
        ("[retention]\nheld_text_h = 73", "a.toml:2: retention.held_text_h: unknown key; "),
        ("channels = 3", "a.toml:1: channels: must be a table; "),
        ("[channels]\nsms = 3", "a.toml:2: channels.sms: must be a table; "),
        ("[channels.sms]", "a.toml:1: channels.sms.kind: is missing; add it"),
        ('[channels.sms]\nkind = "Sms!"', "a.toml:2: channels.sms.kind: is no kind; "),
        ('[channels.SMS]\nkind = "simulator"', "a.toml:1: channels.SMS: is no name for a chann"),
        (
            '[channels.sms]\nkind = "simulator"\nparts_per_day = -1',
            "a.toml:3: channels.sms.parts_per_day: must be at least 0; ",
        ),
        (
            '[channels.sms]\nkind = "simulator"\nparts_per_second = 0',
            "a.toml:3: channels.sms.parts_per_second: must be more than 0",
        ),
    ],
)
def test_each_fault_is_one_line_with_its_place(tmp_path: Path, text: str, line: str) -> None:
    (found,) = faults(tmp_path, text)
    assert found.startswith(line)
    assert "; " in found.removeprefix(line.rstrip()) or "; " in line or found.endswith("?")


def test_all_faults_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        zzz = 1
        [reply]
        window_days = 0
        tone = "x"
        delay_min_s = 7000
        [web]
        port = "x"
        [channels.one]
        auth_token = "hunter2-canary"
        [channels.two]
        kind = 3
        """,
        mode=0o644,
        environ={"ANTIRELOU_LOG__LEVEL": "x", "ANTIRELOU_LOG__X": "hunter2-canary"},
        overrides=["hunter2-canary", "log.format=x"],
    )
    assert [line.rpartition("; ")[0].split(": ")[0:2] for line in found] == [
        ["--set", "cannot be read"],
        ["--set", "log.format"],
        ["ANTIRELOU_LOG__LEVEL", "log.level"],
        ["ANTIRELOU_LOG__X", "log.x"],
        ["a.toml", "channels.one.auth_token"],
        ["a.toml:2", "zzz"],
        ["a.toml:3", "reply.delay_max_s"],
        ["a.toml:4", "reply.window_days"],
        ["a.toml:5", "reply.tone"],
        ["a.toml:8", "web.port"],
        ["a.toml:9", "channels.one.kind"],
        ["a.toml:12", "channels.two.kind"],
    ]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("[reply]\nwindow_days 3", "a.toml:2:13: not TOML: "),
        (f'[reply]\nx = "{SECRET}', "a.toml: at the end: not TOML: "),
        (f'x = "{SECRET}"\nx = "{SECRET}"\n', "a.toml:2:21: not TOML: "),
        (b"x = '\xff'", "a.toml: is not UTF-8"),
        (
            "[channels.sms]\n[channels.sms]",
            "a.toml:2:14: channels.sms: two channels have this name",
        ),
    ],
)
def test_what_is_no_toml_is_told_with_line_and_column(
    tmp_path: Path, text: str | bytes, start: str
) -> None:
    (line,) = faults(tmp_path, text)
    assert line.removeprefix(f"{tmp_path}/").startswith(start)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="there is no such file; copy"):
        config.load(tmp_path / "none.toml", environ={})
    with pytest.raises(config.ConfigError, match="cannot be read"):
        config.load(tmp_path, environ={})


@pytest.mark.parametrize(
    "text",
    [
        f'[channels.sms]\nkind = "x"\nauth_token = "{SECRET}"',
        f'[channels.sms]\nkind = "x"\nlist = [{{ api_key = "{SECRET}" }}]',
        f'[channels.sms]\nkind = "x"\nPassword = "{SECRET}"',
        f'[channels.sms]\nkind = "x"\nsecrets.tokens = 1\nsecret = ["{SECRET}"]',
        f'[store]\nurl = "postgresql://u:{SECRET}@localhost/a"',
    ],
)
def test_a_secret_that_others_can_read_is_a_fault(tmp_path: Path, text: str) -> None:
    for mode in (0o604, 0o640, 0o620):
        (line,) = faults(tmp_path, text, mode=mode)
        assert "is a secret in a file that others can read" in line
        assert line.endswith("chmod 600 a.toml")
    file = tmp_path / "a.toml"
    file.chmod(0o600)
    assert config.load(file, environ={}).source == file


def test_a_file_without_secrets_may_be_read_by_all(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        '[channels.a]\nkind = "x"\nauth_token = ""\npassword_file = "/p"\nkeyboard = "a"'
    )
    file.chmod(0o644)
    assert config.load(file, environ={}).channels["a"].table["keyboard"] == "a"


def test_an_address_belongs_to_one_channel(tmp_path: Path) -> None:
    text = """
        [channels.a]
        kind = "sms.twilio"
        addresses = ["+33639980000", "+33639980001"]
        [channels.b]
        kind = "sms.smsgate"
        addresses = [{ value = "+33639980001", state = "answering" }, 3]
        [channels.c]
        kind = "signal"
        addresses = ["+33639980000"]
    """
    (line,) = faults(tmp_path, text)
    assert line.startswith("a.toml:7: channels.b.addresses: holds an address that is also one of")
    assert "channels.a;" in line
    assert "+336" not in line


def test_a_secret_s_file_must_be_readable_full_and_the_only_source(tmp_path: Path) -> None:
    variable = "ANTIRELOU_CHANNELS__A__PASSWORD"
    empty = tmp_path / "empty"
    empty.touch()
    found = faults(
        tmp_path,
        '[channels.a]\nkind = "x"',
        environ={
            "ANTIRELOU_CHANNELS__A__TOKEN_FILE": "/nowhere",
            "ANTIRELOU_CHANNELS__A__SECRET_FILE": str(empty),
            "ANTIRELOU_CHANNELS__A__PASSWORD": SECRET,
            "ANTIRELOU_CHANNELS__A__PASSWORD_FILE": str(tmp_path / "a.toml"),
        },
    )
    assert [line.partition(";")[0] for line in found] == [
        f"{variable}_FILE: channels.a.password: is given by {variable} too",
        "ANTIRELOU_CHANNELS__A__SECRET_FILE: names an empty file",
        "ANTIRELOU_CHANNELS__A__TOKEN_FILE: names a file that cannot be read (FileNotFoundError)",
    ]


def test_a_key_below_a_value_is_told(tmp_path: Path) -> None:
    (line,) = faults(tmp_path, "", overrides=["reply.tone.x.y=1", "reply.tone=neutral"][::-1])
    assert line == "--set: reply.tone.x.y: tone is not a table; name another key"


@given(key=st.sampled_from(("budget.cap_day", "log.level", "store.url")), raw=st.text(max_size=30))
def test_no_text_in_a_value_breaks_the_reader_or_is_repeated(key: str, raw: str) -> None:
    canary = f"{SECRET}{raw}"
    with pytest.raises(config.ConfigError) as caught:
        config.load(None, overrides=[f"{key}={canary}"], environ={})
    assert SECRET not in str(caught.value)
    assert len(caught.value.faults) == 1
