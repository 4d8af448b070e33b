"""The route `cheapest` in a simulation: what a free SIM is worth, within what it may send."""

from __future__ import annotations

from pathlib import Path

from bot import simulate
from bot.contract import address, bridge, messages, money
from bot.policy import settings
from tests.bot.simulate import recordings
from tests.bot.simulate.recordings import film
from tests.fakes import world as fake

SIM = "+33639989998"


class Sim(fake.World):
    """A phone of our own whose plan costs nothing more."""

    def __init__(self) -> None:
        super().__init__("sim")
        self.addresses = (bridge.OwnAddress(address=address.Address(address.SMS, SIM)),)

    def quote(self, recipient: address.Address, text: str) -> messages.Quote:
        del recipient, text
        return messages.Quote(price=money.Money(0, "EUR"), parts=1)


def told(route: str, **quota: int) -> settings.Core:
    budget = settings.Budget(
        cap_day_micros=None,
        cap_month_micros=None,
        quotas={"sim": settings.Quota(**quota)},
    )
    return settings.Core(reply=settings.Reply(route=route), budget=budget)


def people(tmp_path: Path) -> Path:
    said = [(60.0 * n, film(n + 1), f"salut {n}") for n in range(12)]
    return recordings.write(tmp_path / "t.jsonl", said)


def test_the_quota_is_used_fully_never_passed_and_the_bill_falls_by_its_worth(
    tmp_path: Path,
) -> None:
    trace, sim = people(tmp_path), Sim()
    without = simulate.run(trace, told("same", recipients_per_month=5), others=[sim])
    report = simulate.run(trace, told("cheapest", recipients_per_month=5), others=[sim])
    assert without.replies_by_route == {"sms": 12}
    assert report.replies_by_route == {"sms": 7, "sim": 5}
    assert report.saved_micros == 5 * 80_000
    assert without.bill_micros - report.bill_micros == report.saved_micros
    (use,) = report.quotas
    assert (use.channel, use.what, use.period) == ("sim", "recipients", "2017-10")
    assert (use.used, use.limit) == (5, 5)
    assert report.faults == without.faults == []
    # Nothing was really sent: the bridge was only asked for prices.
    assert sim.sent == []
    plain = report.as_json()
    assert plain["saved_by_routes"] == "0.40"
    assert plain["quotas"][0]["used"] == 5
