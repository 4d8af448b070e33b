"""Who writes in a run, and what each of them may expect: the truth that a run is judged by."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random

from bot.contract import address, messages

TEXTS = (
    "salut",
    "Salut ça va ?",
    "tu fais quoi ce soir",
    "c'est Max, on s'est vus hier",
    "hey",
    "réponds moi stp",
    "t'es où",
    "coucou toi",
    "stop tu me plais",
)
OURS = {
    "sms": "+33639989999",
    "sim": "+33639989998",
    "signal": "0" * 7 + "1" + "-0000-4000-8000-000000000001",
}


@dataclasses.dataclass(slots=True, kw_only=True)
class Letter:
    """A message on its way to us. `acked`: when the network was told that it is stored."""

    message: messages.InboundMessage
    at_s: float
    wish: str = ""
    acked_s: float | None = None


class Linked:
    """Which addresses are known to be one person's, as stored messages said it."""

    def __init__(self) -> None:
        self._parent: dict[address.Address, address.Address] = {}
        self.joined_s: dict[frozenset[address.Address], float] = {}

    def of(self, one: address.Address) -> address.Address:
        """The component's name."""
        while self._parent.get(one, one) != one:
            one = self._parent[one]
        return one

    def join(self, one: address.Address, other: address.Address, at_s: float) -> None:
        """A stored message named both."""
        a, b = self.of(one), self.of(other)
        self.joined_s.setdefault(frozenset((one, other)), at_s)
        if a != b:
            self._parent[b] = a


def letters(draw: random.Random, start: dt.datetime, count: int) -> list[Letter]:
    """`count` messages of about a fifth as many people over ten hours, in their order."""
    people = max(count // 5, 3)
    out: list[Letter] = []
    for n in range(count):
        who = draw.randrange(people)
        at_s = draw.uniform(0, 36_000)
        if draw.random() < 0.15 and out:
            at_s = out[-1].at_s
        at = start + dt.timedelta(seconds=at_s)
        wish, text = "", draw.choice(TEXTS)
        roll = draw.random()
        if roll < 0.04:
            wish, text = "stop", draw.choice(("STOP", "arret", "Stop."))
        elif roll < 0.05:
            wish, text = "start", "START"
        number = address.Address(address.SMS, f"+3363998{who:04d}")
        aci = address.Address("signal", f"{who:08x}-0000-4000-8000-00000000000a")
        on_signal = who % 3 == 0 and draw.random() < 0.5
        channel = "signal" if on_signal else ("sim" if who % 4 == 1 else "sms")
        aliases = (number,) if on_signal and draw.random() < 0.4 else ()
        message = messages.InboundMessage(
            channel=channel,
            provider_id=f"m{n}",
            sender=aci if on_signal else number,
            recipient=address.Address("signal" if on_signal else address.SMS, OURS[channel]),
            received_at=at,
            text=text,
            aliases=aliases,
        )
        out.append(Letter(message=message, at_s=at_s, wish=wish))
    return sorted(out, key=lambda letter: letter.at_s)
