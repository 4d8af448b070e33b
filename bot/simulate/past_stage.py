"""The own past on the stage: the channels that are set up, with a way out that leads nowhere.

What a reply would cost is asked of the configured bridges themselves, which never listen and
never send here. Messages of channels that are not configured cannot be played.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from bot import ledger
from bot.contract import address, bridge, clock, intake, messages, money, outcomes
from bot.policy import settings
from bot.simulate import clock as virtual
from bot.simulate import past, past_people, report, running, stage, world

NO_CHANNEL: Final = "of channels that are not set up"
_MACHINE: Final = "482913 is your verification code"
_ASKED: Final = "."


class PastError(ValueError):
    """There is nothing to play; the message says why."""


class Mute:
    """A configured bridge that answers questions and sends nothing."""

    idempotent = True

    def __init__(
        self,
        real: bridge.Bridge,
        budget: settings.Budget,
        moment: virtual.VirtualClock,
        seen: list[world.Seen],
    ) -> None:
        """What it would have sent is added to `seen`."""
        self._real = real
        self._budget = budget
        self._clock = moment
        self._seen = seen

    @property
    def channel(self) -> str:
        return self._real.channel

    @property
    def network(self) -> str:
        return self._real.network

    @property
    def addresses(self) -> Sequence[bridge.OwnAddress]:
        return self._real.addresses

    def reaches(self, recipient: address.Address) -> bool:
        """Made-up addresses of other networks are taken for good ones."""
        if self.network != address.SMS:
            return recipient.network == self.network
        return self._real.reaches(recipient)

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        found = self._real.quote(recipient, text)
        if found is None and self.network != address.SMS and self.reaches(recipient):
            return messages.Quote(price=money.Money(0, self._budget.currency), parts=1)
        return found

    def part_micros(self, number: str) -> int | None:
        """What a part to him costs, None if it is not sent there or has no rate."""
        quote = self.quote(address.Address(self.network, number), _ASKED)
        amount = None if quote is None else ledger.convert(self._budget, quote.price)
        return None if quote is None or amount is None else amount.micros // quote.parts

    async def listen(self, door: intake.Intake) -> None:
        """The simulation hands messages in by itself, at their own times."""
        await asyncio.Event().wait()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        quote = self.quote(reply.recipient, reply.text)
        amount = None if quote is None else ledger.convert(self._budget, quote.price)
        if quote is None or amount is None:
            return outcomes.Rejected(reason="no_price")
        self._seen.append(
            world.Seen(
                reply_id=reply.reply_id,
                to=reply.recipient.value,
                at_ms=self._clock.now_ms,
                network=self.network,
                parts=quote.parts,
                micros=amount.micros,
            )
        )
        return outcomes.Accepted(
            provider_id=f"p{len(self._seen):08}", parts=quote.parts, price=quote.price
        )

    async def close(self) -> None:
        """Nothing was opened."""


def play(
    found: past.Past,
    core: settings.Core,
    bridges: Mapping[str, bridge.Bridge],
    hashed: Callable[[str], int],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[report.Report, Mapping[str, int]]:
    """Play it with these settings and channels; the report, and what was left out of it.

    `hashed`: the installation's own keyed words. Raises PastError if nothing is left.
    """
    lines = [line for line in found.lines if line.channel in bridges]
    left_out = Counter(found.left_out)
    left_out[NO_CHANNEL] += len(found.lines) - len(lines)
    if not lines:
        raise PastError("no message of these days can be played; take more --days")
    made = _stage(lines, found, core, bridges, past_people.Words(hashed))
    return running.play(made, core, progress=progress), +left_out


def _stage(
    lines: Sequence[past.Line],
    found: past.Past,
    core: settings.Core,
    bridges: Mapping[str, bridge.Bridge],
    spoken: past_people.Words,
) -> stage.Stage:
    moment = virtual.VirtualClock(lines[0].at_ms)
    seen: list[world.Seen] = []
    mute = {name: Mute(one, core.budget, moment, seen) for name, one in bridges.items()}
    senders = past_people.Senders()
    channel_of: dict[str, str] = {}

    def inbound() -> Iterator[tuple[int, messages.InboundMessage]]:
        for number, line in enumerate(lines):
            sender = senders.of(line)
            channel_of[sender.value] = line.channel
            cost = found.inbound_micros.get(line.channel, 0) * line.parts
            yield (
                line.at_ms,
                messages.InboundMessage(
                    channel=line.channel,
                    provider_id=f"past{number}",
                    sender=sender,
                    recipient=_ours(bridges[line.channel]),
                    received_at=clock.from_ms(line.at_ms),
                    text=_MACHINE if line.machine else spoken.text(line.words, sender.value),
                    kind=line.kind,
                    wish=line.wish,
                    parts=line.parts,
                    cost=money.Money(cost, core.budget.currency) if cost else None,
                ),
            )

    return stage.Stage(
        name="the own past",
        start_ms=lines[0].at_ms,
        last_ms=lines[-1].at_ms,
        count=len(lines),
        inbound=inbound,
        clock=moment,
        bridges=mute,
        seen=seen,
        price=lambda who: mute[channel_of[who]].part_micros(who),
        hashed=spoken,
    )


def _ours(way: bridge.Bridge) -> address.Address:
    """Which of ours it was written to is not kept: the first."""
    if way.addresses:
        return way.addresses[0].address
    return address.Address(way.network, "us")
