"""Pause and resume; the held replies: review, approve, drop.

The dispatcher reads the controls before every single send, so a pause needs no more than its
row. A wish to be left alone is stronger than any approval.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot import outbox
from bot.console import audit, challenge, names
from bot.console.results import Done, Refusal, Words, said
from bot.dispatcher import claim
from bot.policy import decision, reasons, settings
from bot.policy.lifecycle import State
from bot.store import events, tables, vault

REVIEW_LIMIT: Final = 1_000
_PAUSED: Final = "paused"
_p = tables.persons


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One held reply. `expires_ms`: when it is dropped if nobody decides."""

    reply: str
    who: str
    channel: str
    country: str | None
    language: str
    first_ms: int
    due_ms: int
    expires_ms: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Held replies that share a reason, oldest first."""

    reason: str
    why: Words
    replies: tuple[Held, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """`total` may be more than what `groups` list: at most REVIEW_LIMIT are shown."""

    total: int
    groups: tuple[Group, ...]


def pause(
    tx: sa.Connection, *, now_ms: int, who: str, channel: str | None = None, until_ms: int | None
) -> Done:
    """Send nothing, on one channel or on all, until then or until somebody resumes."""
    key = _PAUSED if channel is None else f"{_PAUSED}:{channel}"
    value = claim.FOREVER if until_ms is None else str(until_ms)
    events.control(tx, now_ms, key, value)
    audit.note(tx, now_ms, who, "pause", channel=channel, until_ms=until_ms)
    if channel is None:
        return Done(ok=True, said=said("Nothing is sent any more.", "Plus rien n'est envoyé."))
    return Done(
        ok=True,
        said=said(
            f"Nothing is sent on {channel} any more.", f"Plus rien n'est envoyé sur {channel}."
        ),
    )


def resume(tx: sa.Connection, *, now_ms: int, who: str, channel: str | None = None) -> Done:
    """Lift pauses: all of them, or those of one channel with what its network stopped it by."""
    controls = events.controls(tx)
    if channel is None:
        lifted = [key for key in controls if key.partition(":")[0] == _PAUSED]
    else:
        words = (_PAUSED, "stopped", events.CHALLENGE)
        lifted = [key for word in words if (key := f"{word}:{channel}") in controls]
    for key in lifted:
        if channel is not None and key.startswith(f"{events.CHALLENGE}:"):
            challenge.lift(tx, channel=channel, now_ms=now_ms)
        events.control(tx, now_ms, key, None)
    audit.note(tx, now_ms, who, "resume", channel=channel)
    if not lifted:
        return Done(ok=True, said=said("Nothing was paused.", "Rien n'était en pause."))
    if channel is not None and _PAUSED in controls:
        en, fr = "All channels are still paused.", "Tous les canaux sont encore en pause."
        return Done(ok=True, said=said(en, fr))
    return Done(ok=True, said=said("Sending goes on.", "Les envois reprennent."))


def review(tx: sa.Connection, *, keys: vault.Vault, rules: settings.Reply) -> Review:
    """The held replies by reason, the biggest group first."""
    rows = outbox.in_state(tx, State.HELD, REVIEW_LIMIT)
    groups: dict[str, list[Held]] = {}
    for row in rows:
        groups.setdefault(row["reason"], []).append(
            Held(
                reply=outbox.key(keys, row["id"]),
                who=names.person(keys, row["person_id"]),
                channel=row["channel"],
                country=row["country"],
                language=row["language"],
                first_ms=row["first_ms"],
                due_ms=row["due_ms"],
                expires_ms=decision.expires_ms(row["first_ms"], rules),
            )
        )
    return Review(
        total=count(tx, State.HELD),
        groups=tuple(
            Group(reason=reason, why=reasons.of(reason), replies=tuple(held))
            for reason, held in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        ),
    )


def count(tx: sa.Connection, state: State) -> int:
    """How many replies are in a state; spelt like the partial index of the waiting ones."""
    query = sa.select(sa.func.count()).select_from(tables.replies)
    found: int = tx.execute(query.where(sa.text(f"state = '{state}'"))).scalar_one()
    return found


def held_ids(tx: sa.Connection) -> list[int]:
    """All held replies, oldest first."""
    return [row["id"] for row in outbox.in_state(tx, State.HELD, 1 << 31)]


def approve(
    tx: sa.Connection,
    ids: Sequence[int],
    *,
    keys: vault.Vault,
    rules: settings.Reply,
    now_ms: int,
    who: str,
    listed: bool = True,
) -> Done:
    """Held -> scheduled, due now or at its due time if that is still to come.

    It is marked as approved, so that what held it does not hold it again. `listed`: the event
    names each reply; whoever releases thousands notes their number instead.
    """

    def refuse(row: Mapping[str, Any], person: Mapping[str, Any]) -> Words | None:
        if row["state"] != State.HELD:
            return _not_held(row["state"])
        if not row["automatic"] and row["text_enc"] is None:
            # It waits for words of a moderator; they had the usual ones.
            return reasons.of(decision.Reason.ANSWERED)
        for column, reason in (
            ("opted_out_ms", decision.Reason.OPTED_OUT),
            ("blocked_ms", decision.Reason.BLOCKED),
        ):
            if person[column] is not None:
                return reasons.of(reason)
        if now_ms >= decision.expires_ms(row["first_ms"], rules):
            return reasons.of(decision.Reason.EXPIRED)
        return None

    taken, refused = _sort(tx, ids, keys, refuse)
    moved = [
        {
            "id": r["id"],
            "due_ms": max(now_ms, r["due_ms"]),
            "reason": decision.Reason.BY_HAND,
            "approved": True,
        }
        for r in taken
    ]
    outbox.move(tx, State.HELD, State.SCHEDULED, moved)
    if listed:
        audit.note(tx, now_ms, who, "approve", replies=[r["id"] for r in taken])
    words = said(f"{len(taken)} released.", f"{len(taken)} approuvée(s).")
    return _done(keys, taken, refused, words)


def drop(
    tx: sa.Connection,
    ids: Sequence[int],
    *,
    keys: vault.Vault,
    now_ms: int,
    who: str,
    listed: bool = True,
) -> Done:
    """Held or scheduled -> cancelled by hand; the person's window is given back.

    `listed`: as in `approve`.
    """

    def refuse(row: Mapping[str, Any], _person: Mapping[str, Any]) -> Words | None:
        waits = row["state"] in (State.HELD, State.SCHEDULED)
        return None if waits else _not_held(row["state"])

    taken, refused = _sort(tx, ids, keys, refuse)
    cancel(tx, taken, decision.Reason.BY_HAND)
    if listed:
        audit.note(tx, now_ms, who, "drop", replies=[r["id"] for r in taken])
    words = said(f"{len(taken)} dropped.", f"{len(taken)} abandonnée(s).")
    return _done(keys, taken, refused, words)


def cancel(tx: sa.Connection, rows: Iterable[Mapping[str, Any]], reason: decision.Reason) -> None:
    """Cancel held and scheduled replies, whole rows; their windows are given back."""
    listed = list(rows)
    for before in (State.HELD, State.SCHEDULED):
        moved = [
            {
                "id": row["id"],
                "person_id": row["person_id"],
                "window_ms": row["window_ms"],
                "reason": reason,
                "address_enc": None,
                "text_enc": None,
            }
            for row in listed
            if row["state"] == before
        ]
        outbox.move(tx, before, State.CANCELLED, moved)


def _sort(
    tx: sa.Connection,
    ids: Sequence[int],
    keys: vault.Vault,
    refuse: Callable[[Mapping[str, Any], Mapping[str, Any]], Words | None],
) -> tuple[list[Mapping[str, Any]], list[Refusal]]:
    """Whole rows that may be moved, and the others with the reason; each id once."""
    wanted = list(dict.fromkeys(ids))
    rows: dict[int, Mapping[str, Any]] = {}
    people: dict[int, Mapping[str, Any]] = {}
    for start in range(0, len(wanted), REVIEW_LIMIT):
        rows |= outbox.load(tx, wanted[start : start + REVIEW_LIMIT])
    owners = sorted({row["person_id"] for row in rows.values()})
    for start in range(0, len(owners), REVIEW_LIMIT):
        query = sa.select(_p).where(_p.c.id.in_(owners[start : start + REVIEW_LIMIT]))
        people |= {row["id"]: row for row in tx.execute(query).mappings()}
    taken: list[Mapping[str, Any]] = []
    refused: list[Refusal] = []
    for one in wanted:
        row = rows.get(one)
        if row is not None and row["person_id"] not in people:
            # Its person was erased while it was on its way, and is gone by now.
            row = None
        if row is None:
            why: Words | None = said("There is no such reply.", "Cette réponse n'existe pas.")
        else:
            why = refuse(row, people[row["person_id"]])
        if row is not None and why is None:
            taken.append(row)
        elif why is not None:
            refused.append(Refusal(reply=outbox.key(keys, one), why=why))
    return taken, refused


def _not_held(state: str) -> Words:
    words = reasons.of_state(state)
    return said(f"It waits for nobody: {words.en}.", f"Elle n'attend personne : {words.fr}.")


def _done(
    keys: vault.Vault, taken: Sequence[Mapping[str, Any]], refused: list[Refusal], words: Words
) -> Done:
    """Not ok only if something was asked for and none of it could be done."""
    ok = bool(taken) or not refused
    return Done(
        ok=ok,
        said=words if ok else refused[0].why,
        replies=tuple(outbox.key(keys, row["id"]) for row in taken),
        refused=tuple(refused),
    )
