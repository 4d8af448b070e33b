"""The way that needs no luck: a link and a QR code to the free handle, on the page and in texts."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping

import pytest

from bot import build, config, registry
from bot.cli import pricing, running
from bot.contract import address, bridge
from bot.policy import settings
from bot.web import offering
from bot.web.public import shapes, site, state
from tests.fakes import world

NUMBER = "+33639980000"
CONFIG = """
[reply]
handle = "signal"
texts.fr = "Non. Gratuit : {{handle}}"
[channels.sms]
kind = "simulator"
addresses = ["+33639989999"]
[channels.signal]
kind = "signal"
number = "{number}"
{more}
secret = "0123456789abcdef"
url = "http://127.0.0.1:8080"
"""


class Handle(world.World):
    def link(self, own: address.Address) -> str | None:
        return f"https://signal.me/#p/{own.value}"


def _listed() -> list[Mapping[str, object]]:
    free, paid = Handle("signal"), world.World("sms")
    bridges: dict[str, bridge.Bridge] = {"signal": free, "sms": paid}
    offered = {"signal": [NUMBER], "sms": [world.OURS]}
    return [*offering.listed(bridges, offered, {"signal": "signal", "sms": "sms.twilio"})]


def test_each_address_on_offer_has_its_link() -> None:
    signal, sms = _listed()
    assert signal["links"] == {NUMBER: f"https://signal.me/#p/{NUMBER}"}
    assert sms["links"] == {world.OURS: f"sms:{world.OURS}"}


def test_a_qr_code_holds_another_picture_for_another_link() -> None:
    one, other = offering.picture("sms:+33639980000"), offering.picture("sms:+33639980001")
    assert one != other
    assert one.startswith("<svg")
    assert "http" not in one


def test_a_short_code_has_none() -> None:
    short = world.World("sms")
    assert offering.link(short, "38080") is None


# No account can have it: Signal gives out no number that is zero (libsignal, UsernameError).
NOBODYS = re.compile(r"[a-z_][a-z0-9_]{2,31}\.00")


@pytest.mark.parametrize(("file", "said"), [("config.example.toml", ()), (None, running.DEMO)])
def test_a_newcomer_is_shown_addresses_as_people_know_them_and_nobodys(
    project_root: pathlib.Path, file: str | None, said: tuple[str, ...]
) -> None:
    told = config.load(project_root / file if file else None, overrides=said, environ={})
    bridges = pricing.make(told)
    offered = tuple((name, own.address.value) for name, b in bridges.items() for own in b.addresses)
    kinds = {name: channel.kind for name, channel in told.channels.items()}
    page = site.Site(site.Setup(bridges=bridges, kinds=kinds))
    sms, signal = page.offers(state.Seen(offered=offered))
    assert sms.shown.startswith("+33 6 39 98 ")
    assert NOBODYS.fullmatch(signal.shown)
    assert shapes.drawn(signal.shown, signal.spoken) is not None


def _core(told: config.Settings) -> settings.Core:
    return build.core_of(told, pricing.make(told))


def test_the_operators_own_words_may_lead_to_the_handle(tmp_path: pathlib.Path) -> None:
    told = _load(tmp_path, CONFIG.format(number=NUMBER, more=""))
    assert _core(told).reply.texts["fr"] == f"Non. Gratuit : https://signal.me/#p/{NUMBER}"
    link = "https://signal.me/#eu/AbCd1234"
    told = _load(
        tmp_path, CONFIG.format(number=NUMBER, more=f'username = "camille.42"\nlink = "{link}"')
    )
    assert _core(told).reply.texts["fr"].endswith(link)


def test_words_that_lead_nowhere_are_refused(tmp_path: pathlib.Path) -> None:
    told = _load(tmp_path, CONFIG.format(number=NUMBER, more='username = "camille.42"'))
    with pytest.raises(registry.RegistryError, match=r"reply\.handle"):
        _core(told)


def _load(folder: pathlib.Path, text: str) -> config.Settings:
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return config.load(path, overrides=(), environ={})
