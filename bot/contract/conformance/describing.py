"""Checks of what a bridge says of itself: protocol, settings, addresses, reaches, quote."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
from typing import Any, ClassVar, Final

from bot.contract import address, bridge, messages, money, segments
from bot.contract.conformance import faults, harness, stage

_STRANGER: Final = address.Address("elsewhere", "somebody-else")
_UNKNOWN_KEYS: Final = ("no_such_setting", "nor_this_one")
_FREE_KEYS: Final = frozenset({"kind"})
_PARTS: Final = ("Bonjour.", "a" * 160, "a" * 161, "é" * 160, "ç" * 70, "ç" * 71, "😀" * 34 + "xxx")
_COROUTINES: Final = ("listen", "send", "close")
_ALL: Final = ("channel", "network", "addresses", "idempotent", "reaches", "quote", *_COROUTINES)


class Describes:
    """The part of the suite that sends and receives nothing."""

    harness: ClassVar[type[harness.Harness]]

    async def test_satisfies_the_protocol(self) -> None:
        async with stage.set_up(self.harness) as on:
            for name in _ALL:
                faults.check(hasattr(on.bridge, name), bridge.Bridge, f"the bridge has no {name!r}")
            for name in _COROUTINES:
                faults.check(
                    inspect.iscoroutinefunction(getattr(on.bridge, name)),
                    getattr(bridge.Bridge, name),
                    f"{name}() is not `async def`",
                )

    async def test_settings_faults_come_all_at_once(self) -> None:
        async with stage.set_up(self.harness) as on:
            good = on.world.settings()
            await self._refused(on, {**good, **dict.fromkeys(_UNKNOWN_KEYS, "x")}, _UNKNOWN_KEYS)
            wrong = [key for key in good if key not in _FREE_KEYS]
            # No setting is a time of day, so every key is of a wrong type at once.
            if wrong:
                await self._refused(on, {**good, **dict.fromkeys(wrong, dt.time(4))}, tuple(wrong))

    async def _refused(
        self, on: stage.Stage, settings: dict[str, Any], keys: tuple[str, ...]
    ) -> None:
        async def create() -> bridge.Bridge:
            return on.world.create(settings, on.context)

        error = (await faults.settled(create())).error
        on.ears.note(error)
        if not isinstance(error, bridge.SettingsError):
            got = "took them" if error is None else f"raised {type(error).__name__}"
            faults.fail(bridge.SettingsError, f"create() {got}, given wrong settings {keys}")
        named = [key for key, _ in error.faults]
        missing = [key for key in keys if not any(name.startswith(key) for name in named)]
        faults.check(not missing, bridge.SettingsError, f"SettingsError leaves out {missing}")

    async def test_says_who_it_is(self) -> None:
        async with stage.set_up(self.harness) as on:
            made = on.bridge
            faults.check(
                made.channel == stage.CHANNEL,
                bridge.Bridge.channel,
                "channel is not context.channel",
            )
            faults.check(
                made.network == on.world.person.network,
                bridge.Bridge.network,
                "network is not the one of the harness's person",
            )
            faults.check(
                isinstance(made.idempotent, bool), bridge.Bridge.idempotent, "idempotent is no bool"
            )
            own = list(made.addresses)
            values = [mine.address.value for mine in own]
            rule = bridge.Bridge.addresses
            faults.check(bool(own), rule, "there is no address of our own")
            faults.check(len(set(values)) == len(values), rule, "an own address stands twice")
            faults.check(
                all(mine.address.network == made.network for mine in own),
                rule,
                "an own address is of another network",
            )
            on.ears.forbid(repr(made), "repr(bridge)")

    async def test_reaches_only_its_own_network(self) -> None:
        async with stage.set_up(self.harness) as on:
            rule = bridge.Bridge.reaches
            withheld = address.Address(on.bridge.network, "")
            for wanted, recipient, who in (
                (True, on.world.person, "the harness's person"),
                (False, _STRANGER, "an address of another network"),
                (False, withheld, "a withheld address (empty value)"),
            ):
                # The core asks from a thread of its own, where no event loop runs.
                how = await faults.settled(asyncio.to_thread(on.bridge.reaches, recipient))
                on.ears.note(how.error)
                answer: object = how.got(rule, "reaches()")
                faults.check(answer is wanted, rule, f"reaches() says {answer!r} of {who}")

    async def test_quotes_whole_money_and_the_same_again(self) -> None:
        async with stage.set_up(self.harness) as on:
            rule = bridge.Bridge.quote
            first = await _quote(on, on.world.person, "Bonjour.")
            faults.check(first is not None, rule, "quote() has no price for a person it reaches")
            again = await _quote(on, on.world.person, "Bonjour.")
            faults.check(first == again, rule, "quote() says something else the second time")
            stranger = await _quote(on, _STRANGER, "Bonjour.")
            faults.check(stranger is None, rule, "quote() has a price for another network")
            faults.check(not on.world.sent(), rule, "quote() sent something")

    async def test_quotes_the_parts_of_a_text(self) -> None:
        async with stage.set_up(self.harness) as on:
            if on.bridge.network != address.SMS:
                faults.skip(f"a text has no billed parts on {on.bridge.network}")
            for text in _PARTS:
                quote = await _quote(on, on.world.person, text)
                parts = segments.count(text).parts
                if quote is not None:  # None: too long for this channel
                    faults.check(
                        quote.parts == parts,
                        segments.count,
                        f"quote() counts {quote.parts} parts where a text has {parts}",
                    )


async def _quote(on: stage.Stage, recipient: address.Address, text: str) -> messages.Quote | None:
    """Ask from another thread, and look at the answer's types."""
    how = await faults.settled(asyncio.to_thread(on.bridge.quote, recipient, text))
    on.ears.note(how.error)
    quote: Any = how.got(bridge.Bridge.quote, "quote()")
    if quote is None:
        return None
    rule = messages.Quote
    faults.check(
        isinstance(quote, messages.Quote), rule, f"quote() returned {type(quote).__name__}"
    )
    price, parts = quote.price, quote.parts
    faults.check(
        isinstance(price, money.Money) and type(price.micros) is int,
        money.Money,
        f"the quoted price is a {type(price).__name__}, not whole Money",
    )
    faults.check(price.micros >= 0, rule, "the quoted price is below zero")
    faults.check(type(parts) is int and parts > 0, rule, "the quoted parts are no number above 0")
    return quote  # type: ignore[no-any-return]  # checked above
