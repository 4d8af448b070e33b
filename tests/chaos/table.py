"""Which peer meets which fault where, and which cells are excused and why: all in one place.

A row is a peer and what passes on the line to it. `test_table` holds that each row has each fault,
run or excused; the tests take their places from here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.peers.chaos import Fault, Way

UP, DOWN = Way.UP, Way.DOWN
SILENCE_S: Final = 0.25
"""For how long somebody waits on a line on which nothing will come."""
Order = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a send a fault strikes: `chaos.Order`'s fields.

    `seen`: how often the peer's ledger has it then. `late`: the line is good again only after the
    peer was asked what became of it.
    """

    name: str
    order: Order
    seen: int
    late: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Where in a webhook a fault strikes, by the lengths of its head and of the whole.

    `told`: the answers that the provider hears. `stored`: how often what it posted is stored then.
    `hurried`: our server's limits are low. `mends`: the line is good again while the provider still
    waits. `patience_s`: for how long it does.
    """

    name: str
    order: Callable[[int, int], Order]
    told: tuple[int, ...] = ()
    stored: int = 0
    hurried: bool = False
    mends: bool = False
    patience_s: float = 20.0


def _post(name: str, order: Callable[[int, int], Order] | Order, **more: Any) -> Post:  # noqa: ANN401 (Post's own)
    made = order if callable(order) else lambda _head, _whole: order
    return Post(name=name, order=made, **more)


_WAITS = {"hurried": True, "patience_s": SILENCE_S}
POSTS: Final[Mapping[Fault, tuple[Post, ...]]] = {
    Fault.CUT: (
        _post("after one byte", {"after": 1}),
        _post("in the first line", {"after": 9}),
        _post("in the head", lambda head, _: {"after": head // 2}),
        _post("a byte before the body", lambda head, _: {"after": head - 1}),
        _post("between head and body", lambda head, _: {"after": head}),
        _post("in the body", lambda head, whole: {"after": (head + whole) // 2}),
        _post("a byte before the end", lambda _, whole: {"after": whole - 1}),
        _post("after the body, before the answer", {"passing": True}, stored=1),
        _post("before the answer's first byte", {"way": DOWN}, stored=1),
        _post("in the answer's first line", {"way": DOWN, "after": 5}, stored=1),
    ),
    Fault.STALL: (
        _post("in the head, for too long", lambda head, _: {"after": head // 2}, hurried=True),
        _post("in the body, for too long", lambda _, whole: {"after": whole - 1}, hurried=True),
        _post(
            "in the body, for a while",
            lambda _, whole: {"after": whole - 1},
            told=(200,),
            stored=1,
            mends=True,
        ),
        _post("before the answer", {"way": DOWN}, told=(200,), stored=1, mends=True),
        _post("before the answer, for too long", {"way": DOWN}, stored=1, patience_s=SILENCE_S),
    ),
    Fault.DRIP: (
        _post("all of it", {}, told=(200,), stored=1),
        _post("the body", lambda head, _: {"after": head}, told=(200,), stored=1),
        _post("the answer", {"way": DOWN}, told=(200,), stored=1),
        _post("the head, too slowly", {"pace_s": 0.02}, hurried=True),
        _post(
            "the body, too slowly",
            lambda head, _: {"after": head, "pace_s": 0.05},
            hurried=True,
        ),
    ),
    Fault.DOUBLE: (
        _post("over two connections", {}, told=(200,), stored=1),
        _post("over one connection", {"same": True}, told=(200, 200), stored=1),
    ),
    Fault.HALF_OPEN: (
        _post("we are gone, in the head", lambda head, _: {"after": head // 2}, **_WAITS),
        _post("we are gone, in the body", lambda _, whole: {"after": whole - 1}, **_WAITS),
        _post("we are gone, after the body", {"passing": True}, stored=1, **_WAITS),
        _post("we are gone, before the answer", {"way": DOWN}, stored=1, **_WAITS),
        _post(
            "they are gone, in the head",
            lambda head, _: {"after": head // 2, "peer_stays": True},
            hurried=True,
        ),
        _post(
            "they are gone, in the body",
            lambda _, whole: {"after": whole - 1, "peer_stays": True},
            hurried=True,
        ),
        _post("they are gone, after the body", {"passing": True, "peer_stays": True}, stored=1),
    ),
}

SENDS: Final[Mapping[Fault, tuple[Place, ...]]] = {
    Fault.CUT: (
        Place(name="in the request", order={"after": 10}, seen=0),
        Place(name="after the request", order={"way": DOWN}, seen=1),
        Place(name="in the answer", order={"way": DOWN, "after": 10}, seen=1),
    ),
    Fault.STALL: (
        Place(name="in the request", order={"after": 10}, seen=0),
        Place(name="in the request, which comes later", order={"after": 10}, seen=0, late=True),
        Place(name="in the answer", order={"way": DOWN, "after": 5}, seen=1),
    ),
    Fault.DRIP: (
        Place(name="the request", order={}, seen=1),
        Place(name="the answer", order={"way": DOWN}, seen=1),
    ),
    # Right after it the ledger of a peer that knows no repeats has two: one is the line's own.
    Fault.DOUBLE: (Place(name="the request", order={"at": b"salut"}, seen=1),),
    Fault.HALF_OPEN: (
        Place(name="in the request", order={"after": 10}, seen=0),
        Place(name="in the answer", order={"way": DOWN, "after": 5}, seen=1),
        Place(name="before the answer", order={"way": DOWN}, seen=1),
    ),
}

# A real Synapse: what a moderator says comes by /sync, what we say goes by /send/.
SAID: Final[Order] = {"way": DOWN, "at": b'{"event_id":"$'}
"""The answer to a notice, which is said by then."""
ROOM: Final[Mapping[Fault, tuple[Order, ...]]] = {
    Fault.CUT: (
        {"at": b"/sync"},
        {"way": DOWN, "after": 40},
        {"at": b'"body"', "passing": True},
        SAID,
    ),
    Fault.STALL: ({"at": b"/send/"}, {"at": b"/sync"}),
    Fault.DRIP: ({"way": DOWN},),
    Fault.DOUBLE: ({"at": b"/send/"},),
    Fault.HALF_OPEN: (
        {"at": b"/sync"},
        {"at": b"/send/", "peer_stays": True},
        {**SAID, "peer_stays": True},
    ),
}

# A real signal-cli without an account: questions, one a line.
QUESTIONS: Final[Mapping[Fault, tuple[Order, ...]]] = {
    Fault.CUT: ({"after": 10}, {"way": DOWN, "after": 5}),
    Fault.STALL: ({"after": 10}, {"way": DOWN}),
    Fault.DRIP: ({}, {"way": DOWN}),
    Fault.DOUBLE: ({"at": b"version"}, {"at": b"version", "same": True}),
    Fault.HALF_OPEN: ({}, {"way": DOWN}),
}

# A real PostgreSQL, in every place of a transaction.
COMMIT: Final = b"COMMIT"
TRANSACTION: Final[Mapping[Fault, tuple[Order, ...]]] = {
    Fault.CUT: (
        {"at": COMMIT},
        {"at": COMMIT, "passing": True},
        {"at": b"INSERT"},
        {"way": DOWN, "after": 1},
    ),
    Fault.STALL: (
        {"at": COMMIT},
        {"at": COMMIT, "passing": True},
        {"at": b"INSERT"},
    ),
    Fault.DRIP: ({"at": b"BEGIN"}, {"way": DOWN}),
    # All that was ever said on that line, over another one.
    Fault.DOUBLE: ({"at": COMMIT, "whole": True},),
    Fault.HALF_OPEN: (
        {"at": COMMIT},
        {"at": COMMIT, "passing": True},
        {"at": b"INSERT"},
    ),
}

# The real emulator of Twilio: how many of one send it may list, and whether we know that it left.
EMULATED: Final[Mapping[Fault, tuple[tuple[Order, int], ...]]] = {
    Fault.CUT: (({"after": 10}, 0), ({"way": DOWN, "after": 10}, 1)),
    Fault.STALL: (({"way": DOWN}, 1),),
    Fault.DRIP: (({}, 1), ({"way": DOWN}, 1)),
    # A replay between us and them: Twilio has no idempotency, so it is two; neither is ours.
    Fault.DOUBLE: (({"at": b"Body="}, 2),),
    Fault.HALF_OPEN: (({"after": 10}, 0), ({"way": DOWN}, 1)),
}

# What comes to us over signal-cli's own line: what was written into a broken one is lost there.
SUBSCRIBED: Final[Mapping[Fault, tuple[Order, ...]]] = {
    Fault.CUT: (
        {"at": b"subscribeReceive"},
        {"way": DOWN, "at": b"dataMessage"},
        {"way": DOWN, "at": b"dataMessage", "passing": True},
    ),
    Fault.STALL: ({"at": b"subscribeReceive"}, {"way": DOWN, "at": b"dataMessage"}),
    Fault.DRIP: ({}, {"way": DOWN, "at": b"dataMessage"}),
    Fault.DOUBLE: (
        {"at": b"subscribeReceive"},
        {"way": DOWN, "at": b"dataMessage", "same": True},
    ),
    Fault.HALF_OPEN: (
        {"at": b"subscribeReceive"},
        {"way": DOWN, "at": b"dataMessage"},
        {"way": DOWN, "at": b"dataMessage", "peer_stays": True},
    ),
}

RUN: Final[Mapping[str, Mapping[Fault, tuple[Any, ...]]]] = {
    "PostgreSQL": TRANSACTION,
    "Synapse": ROOM,
    "signal-cli without an account": QUESTIONS,
    "Twilio's emulator": EMULATED,
    "Twilio (own stand-in)": SENDS,
    "SMSGate's app (stand-in)": SENDS,
    "SMSGate's server (stand-in)": SENDS,
    "seven.io (stand-in)": SENDS,
    "signal-cli-rest-api (stand-in)": SENDS,
    "signal-cli with an account (stand-in): out": SENDS,
    "signal-cli with an account (stand-in): in": SUBSCRIBED,
    "Twilio's webhooks": POSTS,
    "SMSGate's webhooks": POSTS,
    "seven.io's webhooks": POSTS,
    "signal-cli-rest-api's webhooks": POSTS,
}
_PAID: Final = "needs an account that costs money and sends real texts"
_ACCOUNT: Final = "needs a number registered at Signal, and would write to people"
EXCUSED: Final[Mapping[str, Mapping[Fault, str]]] = {
    peer: dict.fromkeys(Fault, why)
    for peer, why in {
        "SMSGate on a real phone": "needs an Android phone with a SIM; its stand-in is run",
        "seven.io itself": f"{_PAID}; its stand-in is run",
        "Twilio itself": f"{_PAID}; its emulator and our stand-in are run",
        "Signal through a real signal-cli": f"{_ACCOUNT}; its stand-in is run",
        "matrix.org": "not ours to disturb; a real Synapse on this machine is run",
    }.items()
}
