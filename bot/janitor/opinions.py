"""Second opinions on held numbers in doubt, where one costs less than the reply it may save.

Asked about is whoever a crowd holds: the members of a new topic, and those that wait for their
turn because they came in a surge. A bridge that can tell (`GivesSecondOpinions`) is asked once a
reply, the cheapest first, for money of its own (`budget.opinions_day`). A number that nobody has
is cancelled. A real one proves nothing about what was written: on a topic it goes on waiting for
a moderator; in a surge it takes its turn with those who are not in doubt.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa
import structlog

from bot import ledger, outbox
from bot.contract import address, bridge
from bot.janitor import questions
from bot.policy import settings, texts
from bot.policy.decision import Reason
from bot.policy.flood import opinions, snapshot
from bot.policy.lifecycle import State
from bot.store import database, events, statements, tables, vault

_log = structlog.get_logger(__name__)

PER_RUN: Final = 20
ASK_LIMIT_S: Final = 30.0
# So many held ones are looked through for some that are worth a question.
_SCAN: Final = 500
_r, _s = tables.replies, tables.storage
_HELD = sa.literal_column("replies.state") == sa.literal_column("'held'")
_WAITING = (
    sa.select(_r)
    .where(_HELD, _r.c.automatic, ~_r.c.approved, _r.c.opinion.is_(None))
    .where(_r.c.reason.in_((Reason.NEW_TOPIC.value, Reason.PACE.value)))
    .order_by(_r.c.due_ms, _r.c.id)
    .limit(_SCAN)
)
_MARK = (
    sa.update(_r)
    .where(_r.c.id == sa.bindparam("of"), _HELD, _r.c.opinion.is_(None))
    .values(opinion=opinions.ASKED)
)
_SAID = sa.update(_r).where(_r.c.id == sa.bindparam("of")).values(opinion=sa.bindparam("said"))
_KEY: Final = {"channel": "", "key": "opinions"}
_LOAD = sa.select(_s.c.value).where(_s.c.channel == "", _s.c.key == "opinions")
_KEEP = statements.upsert(_s).on_conflict_do_update(
    index_elements=["channel", "key"], set_={"value": statements.upsert(_s).excluded.value}
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Doubt:
    """A held reply that is worth a question. `cluster`: what it is judged together with."""

    id: int
    number: address.Address
    cluster: str
    price_micros: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A bridge that can tell, and what one answer costs."""

    channel: str
    bridge: bridge.GivesSecondOpinions
    price: ledger.Amount

    def knows(self, of: _Doubt) -> str:
        """Where it is kept what this bridge's answers taught about his cluster."""
        return opinions.learned_from(self.channel, of.cluster)


def learned_of(tx: sa.Connection) -> dict[str, opinions.Learned]:
    """What the answers said so far, by bridge and cluster."""
    return opinions.read(tx.execute(_LOAD).scalar_one_or_none())


class Opinions:
    """Asks now and then; whatever was learned and asked is in the store."""

    def __init__(
        self,
        *,
        core: settings.Core,
        keys: vault.Vault,
        bridges: Mapping[str, bridge.Bridge],
        flood: Callable[[], snapshot.Snapshot],
    ) -> None:
        """`flood`: what its leader last saw."""
        self._core = core
        self._keys = keys
        self._bridges = bridges
        self._flood = flood

    async def step(self, store: database.Store, now_ms: int) -> dict[str, int]:
        """About at most PER_RUN replies; how many were asked about, and what the answers were.

        Whom one bridge cannot tell of, the next dearer one is asked about.
        """
        counts = {"opinions_asked": 0, "opinions_real": 0, "opinions_nobody": 0}
        ways = self._ways()
        doubts = await store.read(self._doubts) if ways else []
        for number, way in enumerate(ways):
            worth = await store.read(functools.partial(self._worth, way=way, doubts=doubts))
            if not worth:
                break
            take = functools.partial(self._take, way=way, doubts=worth, now_ms=now_ms)
            taken = await store.write(functools.partial(take, first=number == 0))
            said = await self._ask(way, taken)
            counts["opinions_asked"] += len(taken)
            if said is None:
                break
            await store.write(
                functools.partial(self._settle, way=way, taken=taken, said=said, now_ms=now_ms)
            )
            counts["opinions_real"] += sum(said.values())
            counts["opinions_nobody"] += len(said) - sum(said.values())
            doubts = [one for one in taken if one.number not in said]
        return counts

    def _ways(self) -> list[_Way]:
        """Those that can tell, the cheapest first; none without a budget or a rate."""
        budget, found = self._core.budget, []
        if not budget.opinions_day_micros:
            return []
        for channel, way in self._bridges.items():
            if isinstance(way, bridge.GivesSecondOpinions):
                price = ledger.convert(budget, way.opinion_price())
                if price is not None:
                    found.append(_Way(channel=channel, bridge=way, price=price))
        return sorted(found, key=lambda one: (one.price.micros, one.channel))

    def _doubts(self, tx: sa.Connection) -> list[_Doubt]:
        """Held replies in doubt about whom nobody was asked, oldest first."""
        found = (self._doubt(row) for row in tx.execute(_WAITING).mappings())
        return [one for one in found if one is not None]

    @staticmethod
    def _worth(tx: sa.Connection, way: _Way, doubts: Sequence[_Doubt]) -> list[_Doubt]:
        """Those whose probable waste is more than the price."""
        learned = learned_of(tx)
        price = way.price.micros
        return [
            one
            for one in doubts
            if opinions.worth(
                price, one.price_micros, learned.get(way.knows(one), opinions.NOTHING)
            )
        ][:PER_RUN]

    def _doubt(self, row: sa.RowMapping) -> _Doubt | None:
        """None for one that is not in doubt, costs nothing or cannot be opened."""
        on_topic = row["reason"] == Reason.NEW_TOPIC
        if not on_topic and not self._flood().in_surge(row["first_ms"]):
            return None
        number = questions.recipient(self._keys, row)
        if number is None:
            return None
        price = row["quoted_micros"] or self._price(row, number)
        if not number.is_e164 or not price:
            return None
        cluster = opinions.cluster(row["topic"] if on_topic else None, row["first_ms"])
        return _Doubt(id=row["id"], number=number, cluster=cluster, price_micros=price)

    def _price(self, row: sa.RowMapping, number: address.Address) -> int:
        """What a reply to him would cost; 0 if it is free or cannot be sent."""
        way, rules = self._bridges.get(row["channel"]), self._core.reply
        if way is None or not way.reaches(number):
            return 0
        own = rules.texts.get(row["language"])
        quote = way.quote(number, own or texts.text(row["language"], rules.tone))
        amount = ledger.convert(self._core.budget, quote.price) if quote is not None else None
        return amount.micros if amount is not None else 0

    @staticmethod
    async def _ask(way: _Way, taken: Sequence[_Doubt]) -> dict[address.Address, bool] | None:
        """What the bridge says of these numbers; None if it failed and may have to be paid."""
        if not taken:
            return {}
        asked = way.bridge.opinions([one.number for one in taken])
        answer = await questions.answer(asked, ASK_LIMIT_S)
        if isinstance(answer, BaseException):
            _log.warning("opinions_failed", channel=way.channel, error=type(answer).__name__)
            return None
        return {one.number: answer[one.number] for one in taken if one.number in answer}

    def _take(
        self,
        tx: sa.Connection,
        *,
        way: _Way,
        doubts: Sequence[_Doubt],
        now_ms: int,
        first: bool,
    ) -> list[_Doubt]:
        """Reserve the money and remember who is asked about, before anybody is asked.

        So a program that dies meanwhile asks nobody twice and has counted what it may owe.
        """
        if first:
            doubts = [one for one in doubts if tx.execute(_MARK, {"of": one.id}).rowcount]
        n = ledger.take_opinions(tx, way.price, len(doubts), self._core.budget, now_ms)
        if first:
            # For these there is no money today.
            for one in doubts[n:]:
                tx.execute(_SAID, {"of": one.id, "said": None})
        return list(doubts[:n])

    def _settle(
        self,
        tx: sa.Connection,
        *,
        way: _Way,
        taken: Sequence[_Doubt],
        said: Mapping[address.Address, bool],
        now_ms: int,
    ) -> None:
        ledger.void_opinions(tx, way.price, len(taken) - len(said), self._core.budget, now_ms)
        if not said:
            return
        learned = learned_of(tx)
        answered = [one for one in taken if one.number in said]
        rows = outbox.load(tx, [one.id for one in answered])
        gone = []
        for one in answered:
            good, row = said[one.number], rows[one.id]
            # Taken out first: the clusters that were added to last stand last.
            place = way.knows(one)
            learned[place] = learned.pop(place, opinions.NOTHING).and_also(nobody=not good)
            tx.execute(_SAID, {"of": one.id, "said": int(good)})
            # A moderator may have decided meanwhile.
            if not good and row["state"] == State.HELD and not row["approved"]:
                gone.append({name: row[name] for name in ("id", "person_id", "window_ms")})
        end = {"reason": Reason.NOBODY, "address_enc": None}
        outbox.move(tx, State.HELD, State.CANCELLED, [{**row, **end} for row in gone])
        tx.execute(_KEEP, {**_KEY, "value": opinions.text(learned)})
        real = sum(said.values())
        events.count(tx, now_ms, {"opinions:real": real, "opinions:nobody": len(said) - real})
