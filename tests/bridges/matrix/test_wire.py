"""Matrix events to commands, reactions, misuses and contacts: pure, and nothing raises."""

from __future__ import annotations

import datetime as dt
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from bot.contract import address, messages, room
from bridges.matrix import places, wire

OWN = "@bot:example.org"
ADA = "@ada:example.org"
ROOM = "!room:example.org"
EDIT = {"rel_type": "m.replace"}
NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def event(content: Any, kind: str = "m.room.message", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "type": kind,
        "event_id": "$1",
        "sender": ADA,
        "origin_server_ts": 1_767_614_400_000,
        "content": content,
        **more,
    }


def text(body: object, **more: object) -> dict[str, Any]:
    return event({"msgtype": "m.text", "body": body, **more})


def place(*, encrypted: bool = False) -> places.Place:
    return places.Place(
        room_id=ROOM, joined={ADA, OWN}, levels={"users": {ADA: 50}}, encrypted=encrypted
    )


def read(
    told: dict[str, Any], *, trust: room.Trust = room.Trust.PLAIN, encrypted: bool = False
) -> room.RoomEvent | None:
    return wire.read(wire.Heard(event=told, trust=trust), place(encrypted=encrypted), OWN)


def test_a_command_carries_who_said_it_and_when() -> None:
    found = read(text("  !pause for 2h\x00 "))
    assert isinstance(found, room.Command)
    assert found.text == "!pause for 2h"
    assert found.at == NOW
    assert found.by.member == room.Member(account=ADA, joined=True, power=50)
    assert repr(found) == "<Command>"


@pytest.mark.parametrize(
    "told",
    [
        text("hello"),
        text("hello !pause"),
        text(None),
        text("!pause", **{"m.relates_to": EDIT, "m.new_content": {"body": "x"}}),
        event({"msgtype": "m.text", "body": "!pause"}, sender=OWN),
        event({"msgtype": "m.text", "body": "!pause"}, sender=None),
        event({"msgtype": "m.text", "body": "!pause"}, origin_server_ts="soon"),
        event({"msgtype": "m.text", "body": "!pause"}, event_id=""),
        event({"msgtype": "m.text", "body": "!pause"}, event_id=7),
        event(None),
        event({"body": "!pause"}, "m.room.topic"),
        text("> <@eve:x> !pause\n> again\n\nno", **{"m.relates_to": {"m.in_reply_to": {}}}),
    ],
)
def test_other_talk_is_never_handed_in(told: dict[str, Any]) -> None:
    assert read(told) is None


@pytest.mark.case("C22")
@pytest.mark.parametrize(
    ("told", "why"),
    [
        (text("* !pause", **{"m.relates_to": {"rel_type": "m.replace"}}), room.Why.EDIT),
        (
            text("x", **{"m.relates_to": EDIT, "m.new_content": {"body": "!a"}}),
            room.Why.EDIT,
        ),
        (event({"msgtype": "m.notice", "body": "!pause"}), room.Why.NOTICE),
        (event({"msgtype": "m.emote", "body": "!pause"}), room.Why.NOTICE),
    ],
)
def test_misuses_are_named(told: dict[str, Any], why: room.Why) -> None:
    found = read(told)
    assert isinstance(found, room.Refused)
    assert found.why is why


@pytest.mark.case("C22", "C25")
def test_plain_words_in_an_encrypted_room_are_no_command() -> None:
    found = read(text("!pause"), encrypted=True)
    assert isinstance(found, room.Refused)
    assert found.why is room.Why.PLAIN_IN_ENCRYPTED
    sealed = read(text("!pause"), encrypted=True, trust=room.Trust.OWN_DEVICE)
    assert isinstance(sealed, room.Command)


def test_a_reply_is_its_own_words_only() -> None:
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}}
    found = read(text("> <@eve:x> !drop\n> !drop\n\n!approve", **relation))
    assert isinstance(found, room.Command)
    assert (found.text, found.answers) == ("!approve", "$0")


def test_reactions_need_an_event_and_a_key() -> None:
    relation = {"rel_type": "m.annotation", "event_id": "$9", "key": "✅"}
    found = read(event({"m.relates_to": relation}, "m.reaction"))
    assert isinstance(found, room.Reaction)
    assert (found.on, found.key) == ("$9", "✅")
    for wrong in ({"rel_type": "m.thread"}, {"event_id": 1}, {"key": ""}, {"key": "x" * 300}):
        assert read(event({"m.relates_to": {**relation, **wrong}}, "m.reaction")) is None


@hypothesis.given(
    content=JSON,
    relation=JSON,
    kind=st.sampled_from(["m.room.message", "m.reaction", "m.room.encrypted", "m.room.member"]),
    body=JSON | st.just("!x"),
    sealed=st.booleans(),
)
def test_whatever_comes_in_nothing_raises(
    content: object, relation: object, kind: str, body: object, sealed: bool
) -> None:
    made = content if not isinstance(content, dict) else {**content, "body": body}
    if isinstance(made, dict):
        made["m.relates_to"] = relation
        made["msgtype"] = "m.text"
    told = event(made, kind, state_key="x")
    heard = wire.Heard(event=told, readable=not sealed)
    here = place()
    assert wire.changes(told, here, NOW) is not None
    found = wire.read(heard, here, OWN)
    assert found is None or found.event_id == "$1"
    told_to_us = wire.contact(heard, channel="c", own=address.Address("matrix", OWN), now=NOW)
    assert told_to_us is None or told_to_us.sender.value == ADA


def contact(told: dict[str, Any], *, readable: bool = True) -> messages.InboundMessage | None:
    return wire.contact(
        wire.Heard(event=told, readable=readable),
        channel="handle",
        own=address.Address("matrix", OWN),
        now=NOW,
    )


@pytest.mark.case("C45")
def test_contacts_by_their_kind() -> None:
    words = contact(text("coucou"))
    assert words is not None
    assert (words.kind, words.text, words.provider_id) == (messages.Kind.TEXT, "coucou", "$1")
    assert words.received_at == NOW
    picture = contact(event({"msgtype": "m.image", "body": "me.jpg", "url": "mxc://x/y"}))
    assert picture is not None
    assert (picture.kind, picture.text) == (messages.Kind.ATTACHMENT, "")


@pytest.mark.case("C14")
@pytest.mark.parametrize(
    "told",
    [
        event({"msgtype": "m.notice", "body": "I am a robot"}),
        text("* STOP mais non", **{"m.relates_to": EDIT}),
        text("* START", **{"m.relates_to": EDIT}),
        event({"msgtype": "m.notice", "body": "* STOP", "m.relates_to": EDIT}),
        event({"msgtype": "m.image", "body": "* STOP", "m.relates_to": EDIT}),
        # What counts is what it says now, not what old clients are shown.
        text("* STOP", **{"m.relates_to": EDIT, "m.new_content": {"body": "salut"}}),
        text("\x00 "),
        event({"m.relates_to": {}}, "m.reaction"),
        event({}, "m.room.encrypted"),
        event({"msgtype": "m.text", "body": "x"}, sender="not an account"),
        event({"msgtype": "m.text", "body": "x"}, sender=OWN),
    ],
)
def test_what_is_no_contact(told: dict[str, Any]) -> None:
    assert contact(told) is None


@pytest.mark.case("C15")
@pytest.mark.parametrize("word", ["STOP", "stop sms", "Stopp.", "désabonner"])
def test_an_edit_to_an_opt_out_is_that_wish_under_its_own_id(word: str) -> None:
    now = {"msgtype": "m.text", "body": word}
    edits = {"m.relates_to": EDIT | {"event_id": "$0"}}
    for told in (text(f"* {word}", **edits), text("* ?", **edits, **{"m.new_content": now})):
        wish = contact(told)
        assert wish is not None
        assert (wish.wish, wish.text) == (messages.Wish.STOP, word)
        assert (wish.kind, wish.provider_id) == (messages.Kind.TEXT, "$1")
    assert contact(text(f"* {word} {word} x", **edits)) is None


def test_a_sealed_message_and_its_words_are_two_contacts() -> None:
    fields = dict.fromkeys(
        ("algorithm", "sender_key", "session_id", "device_id", "ciphertext"), "x"
    )
    sealed = contact(event(fields, "m.room.encrypted"), readable=False)
    assert sealed is not None
    assert sealed.kind is messages.Kind.ATTACHMENT
    later = contact(text("STOP"))
    assert later is not None
    assert later.provider_id != sealed.provider_id
    again = contact(event(fields, "m.room.encrypted"), readable=False)
    assert again is not None
    assert again.provider_id == sealed.provider_id


QUOTE = {"m.relates_to": {"m.in_reply_to": {"event_id": "$other"}}}
SHOWN = {"format": "org.matrix.custom.html", "formatted_body": "<b>!pause</b>"}


@pytest.mark.case("C22")
@pytest.mark.parametrize(
    "told",
    [
        # What a client shows is not what was said: the body alone counts.
        text("good morning", **SHOWN),
        text("good morning", displayname="!pause", **{"m.mentions": {"user_ids": ["!pause"]}}),
        # Before the sign stands something that nobody sees.
        *(text(f"{mark}!pause") for mark in ("\u200b", "\u202e", "\u2066", "\u00ad")),
        text("\uff01pause"),
        # Quotes, with and without what marks them.
        text("> <@ada:example.org> !pause", **QUOTE),
        text("> !pause\n> !resume\n\nno", **QUOTE),
        text(">!pause", **QUOTE),
        # An edit whose mark was taken off on the way has its fallback for a body.
        text("* !pause", **{"m.new_content": {"msgtype": "m.text", "body": "!pause"}}),
        # Names are state, not words.
        event({"membership": "join", "displayname": "!pause"}, "m.room.member", state_key=ADA),
        event({"topic": "!pause"}, "m.room.topic", state_key=""),
        event({"body": "!pause", "msgtype": "m.text"}, "m.room.pinned_events"),
        event({"body": ["!pause"], "msgtype": "m.text"}),
    ],
)
def test_words_that_only_seem_to_be_said(told: dict[str, Any]) -> None:
    assert not isinstance(read(told), room.Command)


@pytest.mark.case("C22")
def test_a_relation_that_somebody_put_on_on_the_way_gives_no_right() -> None:
    # To say that it replies to something changes nothing of what it asks for.
    found = read(text("!log 3", **QUOTE))
    assert isinstance(found, room.Command)
    assert (found.text, found.answers) == ("!log 3", "$other")
    # Made an edit on the way, it is no command any more.
    edited = {"m.relates_to": {"rel_type": "m.replace", "event_id": "$other"}}
    refused = read(text("!log 3", **edited))
    assert isinstance(refused, room.Refused)
    assert refused.why is room.Why.EDIT
    thread = {"m.relates_to": {"rel_type": "m.thread", "event_id": "$other"}}
    assert isinstance(read(text("!log 3", **thread)), room.Command)


@pytest.mark.case("C22")
def test_a_very_long_body_is_cut_and_kept_from_nobody() -> None:
    found = read(text("!" + "pause " * 100_000))
    assert isinstance(found, room.Command)
    assert len(found.text) <= messages.MAX_TEXT_CHARACTERS


@pytest.mark.case("C22")
@pytest.mark.parametrize("versions", ["before 11", "from 11"])
def test_a_deletion_names_what_it_deletes(versions: str) -> None:
    if versions == "before 11":
        told = event({"reason": "!pause"}, "m.room.redaction", redacts="$old")
    else:
        told = event({"redacts": "$old"}, "m.room.redaction")
    found = read(told)
    assert isinstance(found, room.Withdrawn)
    assert (found.on, found.by.member.account) == ("$old", ADA)
    assert read(event({}, "m.room.redaction")) is None
    assert read(event({}, "m.room.redaction", redacts=3)) is None
