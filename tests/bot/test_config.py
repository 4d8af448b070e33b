"""What the sources say becomes frozen settings; the page and the example tell the truth."""

from __future__ import annotations

import decimal
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bot import config
from bot.config import sources
from bot.contract import money
from bot.policy import settings as policy

Loads = Callable[..., config.Settings]


@pytest.fixture
def loads(tmp_path: Path) -> Loads:
    """Load a text as a file that only its owner can read."""

    def load(
        text: str, *, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> config.Settings:
        path = tmp_path / "antirelou.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return config.load(path, overrides=overrides, environ=environ or {})

    return load


# ---------------------------------------------------------------- the example and the page


def test_the_example_runs_as_it_is(project_root: Path) -> None:
    settings = config.load(project_root / "config.example.toml", environ={})
    assert settings.warnings == ()
    assert {name: one.kind for name, one in settings.channels.items()} == {
        "sms": "simulator",
        "signal": "simulator",
    }
    assert settings.store.url.startswith("sqlite:")
    assert not list(sources._secrets(tomllib.loads(_example(project_root)), ()))
    # What stands in it says nothing but the defaults.
    assert settings.core.reply == policy.Reply()


def _example(project_root: Path) -> str:
    return (project_root / "config.example.toml").read_text(encoding="utf-8")


def _keys(text: str) -> set[str]:
    """Every key of the example, set or commented out, by its full path."""
    section, found = "", set()
    for line in text.splitlines():
        if header := re.match(r"\[(.+)\]", line):
            section = header[1]
        elif key := re.match(r"#?([\w.]+) = (.*)", line):
            found.add(f"{section}.{key[1]}")
            if inner := re.match(r"\{(.*)\}", key[2]):
                inside = re.findall(r"(\w+) =", inner[1])
                found |= {f"{section}.{key[1]}.{name}" for name in inside}
    return found


def test_the_example_names_every_core_key_and_no_other(project_root: Path) -> None:
    keys = _keys(_example(project_root))
    for row in config.rows():
        key = row.key.replace("channels.NAME", "channels.sms")
        assert any(one == key or one.startswith(f"{key}.") for one in keys), row.key
    # With every comment taken away, all is known still.
    opened = re.sub(r"(?m)^#(?=[\w.]+ = )", "", _example(project_root))
    assert config.load(_written(project_root, opened), environ={}).warnings == ()


def _written(project_root: Path, text: str) -> Path:
    path = project_root / ".cache" / "example-opened.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_shows_the_defaults(project_root: Path) -> None:
    section, shown = "", {}
    for line in _example(project_root).splitlines():
        if header := re.match(r"\[(.+)\]", line):
            section = header[1]
        elif found := re.match(r"#?(\w+) = (.+?)(?: +#.*)?$", line):
            shown[f"{section}.{found[1]}"] = found[2]
    for row in config.rows():
        if row.default and row.default != "{}":
            assert shown[row.key.replace("channels.NAME", "channels.sms")] == row.default


def test_the_page_of_settings_is_made_from_the_code(project_root: Path) -> None:
    page = (project_root / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == config.markdown(), "write docs/settings.md anew from bot.config.markdown()"


def test_every_setting_has_a_meaning_and_a_type() -> None:
    rows = config.rows()
    assert len({row.key for row in rows}) == len(rows) > 40
    assert all(row.meaning and row.type for row in rows)
    assert not [row.key for row in rows if row.key.endswith("_s") and row.unit != "s"]


# ---------------------------------------------------------------- values


def test_defaults_are_the_policy_s_own() -> None:
    settings = config.load(None, environ={})
    assert settings.core == policy.Core()
    assert settings.source is None
    assert settings.warnings == ("channels: there is none; nothing will be taken in or answered",)


def test_all_sections_arrive(loads: Loads) -> None:
    settings = loads(
        """
        [reply]
        delay_min_s = 4000
        route = "cheapest"
        language = "de"
        languages = ["fr"]
        texts.fr = "Bonjour. STOP"
        [who]
        countries = ["FR", "BE"]
        own = ["+33639980000", "@us:example.org"]
        [budget]
        currency = "CHF"
        timezone = "Europe/Zurich"
        cap_day = 7
        cap_month = "70.5"
        price_ceiling = 0.1
        country_cap_day = { FR = "1.25" }
        [fx]
        margin_percent = 3
        USD = { rate = "0.93", dated = 2026-11-01 }
        [retention]
        seen_days = 500
        [log]
        level = "debug"
        [web]
        admin_token = "0123456789abcdef"
        admin_listen = "[::]:9180"
        trusted_proxies = ["10.0.0.0/24", "::1"]
        requests_per_second = 2.5
        [store]
        url = "postgresql://localhost/a"
        key_file = "/k"
        """
    )
    core = settings.core
    assert (core.reply.delay_min_s, core.reply.route) == (4000, "cheapest")
    assert core.reply.languages == {"fr", "de"}
    assert core.reply.texts == {"fr": "Bonjour. STOP"}
    assert core.who.countries == {"FR", "BE"}
    assert core.who.own == {"+33639980000", "@us:example.org"}
    assert core.budget.timezone.key == "Europe/Zurich"
    assert core.budget.cap_day_micros == 7_000_000
    assert core.budget.cap_month_micros == 70_500_000
    assert core.budget.price_ceiling_micros == 100_000
    assert core.budget.country_cap_day_micros == {"FR": 1_250_000}
    assert core.budget.rates == {
        "USD": money.Rate(currency="USD", micros=957_900, dated="2026-11-01")
    }
    assert core.retention.seen_days == 500
    assert settings.log.level == "debug"
    assert settings.web.admin_token == "0123456789abcdef"
    assert settings.web.admin_listen == ("::", 9180)
    assert settings.web.trusted_proxies == ("10.0.0.0/24", "::1")
    assert settings.web.requests_per_second == 2.5
    assert "0123456789abcdef" not in repr(settings)
    assert (settings.store.url, str(settings.store.key_file)) == ("postgresql://localhost/a", "/k")
    assert settings.source is not None


def test_a_margin_is_rounded_up(loads: Loads) -> None:
    text = '[fx]\nmargin_percent = 1\nUSD = { rate = "0.000001", dated = 2026-11-01 }'
    assert loads(text).core.budget.rates["USD"].micros == 2


def test_a_bridge_gets_its_table_and_the_core_its_quota(loads: Loads) -> None:
    settings = loads(
        """
        [channels.one]
        kind = "sms.twilio"
        auth_token = "hunter2"
        price = 0.08
        nested = { a = [1, 2] }
        parts_per_second = 0.5
        parts_per_hour = 100
        parts_per_day = 1000
        recipients_per_month = 250
        cap_day = "3.5"
        """
    )
    one = settings.channels["one"]
    assert (one.name, one.kind) == ("one", "sms.twilio")
    assert one.table == {
        "auth_token": "hunter2",
        "price": decimal.Decimal("0.08"),
        "nested": {"a": [1, 2]},
    }
    assert one.quota == policy.Quota(
        parts_per_hour=100,
        parts_per_day=1000,
        recipients_per_month=250,
        cap_day_micros=3_500_000,
        parts_per_second=0.5,
    )
    assert settings.core.budget.quotas == {"one": one.quota}
    assert "hunter2" not in repr(settings)


def test_without_caps_only_money_is_set_free(loads: Loads) -> None:
    text = """
        [budget]
        country_cap_day.FR = 1
        [channels.one]
        kind = "simulator"
        cap_day = 1
        parts_per_day = 5
    """
    settings = config.without_caps(loads(text))
    budget = settings.core.budget
    assert (budget.cap_day_micros, budget.cap_month_micros) == (None, None)
    assert budget.country_cap_day_micros == {}
    assert budget.quotas["one"] == policy.Quota(parts_per_day=5) == settings.channels["one"].quota
    assert budget.price_ceiling_micros == 150_000


# ---------------------------------------------------------------- environment and --set


def test_the_later_source_wins(loads: Loads) -> None:
    text = "[reply]\nwindow_days = 1\nexpires_after_s = 100\ndelay_max_s = 4000"
    environ = {
        "ANTIRELOU_REPLY__WINDOW_DAYS": "2",
        "ANTIRELOU_REPLY__EXPIRES_AFTER_S": "200",
        "ANTIRELOU_CONFIG": "x",
        "ANTIRELOU_LOG__LEVEL": "",
        "PATH": "x__y",
    }
    reply = loads(text, environ=environ, overrides=["reply.window_days=3"]).core.reply
    assert (reply.window_days, reply.expires_after_s, reply.delay_max_s) == (3, 200, 4000)


def test_text_need_not_be_quoted_outside_the_file(loads: Loads) -> None:
    settings = loads(
        '[channels.sms]\nkind = "simulator"',
        environ={
            "ANTIRELOU_REPLY__LANGUAGE": "de",
            "ANTIRELOU_REPLY__LANGUAGES": '["de", "fr"]',
            "ANTIRELOU_FX__USD__RATE": "0.93",
            "ANTIRELOU_FX__USD__DATED": "2026-11-01",
            "ANTIRELOU_BUDGET__COUNTRY_CAP_DAY__FR": "5",
            "ANTIRELOU_CHANNELS__SMS__PRICE": "0.08",
            "ANTIRELOU_CHANNELS__SMS__NUMBER": "+33639980000",
            "ANTIRELOU_CHANNELS__SMS__AUTH_TOKEN": "12345",
            "ANTIRELOU_STORE__KEY_FILE": "/keys/one",
        },
        overrides=["channels.sms.prices.FR=0.09", "budget.cap_day=1.5", "reply.texts.de=Hallo = 1"],
    )
    assert settings.core.reply.language == "de"
    assert settings.core.reply.texts == {"de": "Hallo = 1"}
    assert settings.core.budget.rates["USD"].micros == 976_500
    assert settings.core.budget.country_cap_day_micros == {"FR": 5_000_000}
    assert settings.core.budget.cap_day_micros == 1_500_000
    assert settings.channels["sms"].table == {
        "price": decimal.Decimal("0.08"),
        "prices": {"FR": decimal.Decimal("0.09")},
        "number": "+33639980000",
        "auth_token": "12345",
    }
    assert str(settings.store.key_file) == "/keys/one"


def test_secrets_may_stand_in_files_of_their_own(loads: Loads, tmp_path: Path) -> None:
    token, url = tmp_path / "token", tmp_path / "url"
    token.write_text("12345\n")
    url.write_text("postgresql://u:p@localhost/a\n")
    settings = loads(
        '[channels.sms]\nkind = "sms.twilio"',
        environ={
            "ANTIRELOU_CHANNELS__SMS__AUTH_TOKEN_FILE": str(token),
            "ANTIRELOU_CHANNELS__SMS__SOCKET_FILE": "/run/socket",
            "ANTIRELOU_STORE__URL_FILE": str(url),
        },
    )
    assert settings.channels["sms"].table == {"auth_token": "12345", "socket_file": "/run/socket"}
    assert settings.store.url == "postgresql://u:p@localhost/a"
    assert "u:p" not in repr(settings)


# ---------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("[reply]\ndelay_min_s = 60", "reply.delay_min_s: 0:01:00 is under an hour"),
        (f'[reply]\ntexts.fr = "{"a" * 161}"', "reply.texts.fr: 2 parts in GSM-7"),
        (f'[reply]\ntexts.fr = "{"ê" * 71}"', "reply.texts.fr: 2 parts in UCS-2"),
        ('[reply]\nlanguages = ["fr"]\ntexts.de = "a"', "reply.texts.de: not among"),
        ("[budget]\ncap_month = 0", "budget.cap_month: 0"),
        ("[retention]\npersons_days = 20", "retention.persons_days: shorter"),
    ],
)
def test_unwise_is_warned_of(loads: Loads, text: str, warning: str) -> None:
    (_, found) = loads(text).warnings
    assert found.startswith(warning)


def test_the_room_is_told_who_is_woken_when_and_what_it_may_spend(tmp_path: Path) -> None:
    path = _written(
        tmp_path,
        """
[room]
language = "en"
on_call = { "@anna:example.org" = "08-20", "@bea:example.org" = "20-08", "@c:d" = "00-24" }
cap_day_max = "40"
""",
    )
    room = config.load(path, environ={}).core.room
    assert dict(room.on_call) == {
        "@anna:example.org": (8, 20),
        "@bea:example.org": (20, 8),
        "@c:d": (0, 0),
    }
    assert (room.cap_day_max_micros, room.cap_month_max_micros) == (40_000_000, None)


@pytest.mark.case("C36")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('on_call = { "anna" = "08-20" }', "is no account"),
        ('on_call = { "@anna:example.org" = "8-20" }', "must be hours of the day"),
        ('on_call = { "@anna:example.org" = "08-25" }', "must be hours of the day"),
        ('language = "de"', "fr"),
        ("power = 200", "100"),
    ],
)
def test_a_slip_in_the_room_is_named(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.load(_written(tmp_path, f"[room]\n{line}\n"), environ={})
    (fault,) = caught.value.faults
    assert told in str(fault)
    assert "room" in str(fault)
