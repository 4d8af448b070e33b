"""Who is woken by what we say, and who is not."""

from __future__ import annotations

from bot.contract import room
from bridges.matrix import sending


def said(**told: object) -> room.Outgoing:
    values: dict[str, object] = {"plain": "words", "html": "<b>words</b>"} | told
    return room.Outgoing(id="a-1", room_id="!r:example.org", lane=room.Lane.NOTICE, **values)  # type: ignore[arg-type]


def test_a_notice_wakes_nobody() -> None:
    content = sending.content_of(said())
    assert (content["msgtype"], content["m.mentions"]) == ("m.notice", {})


def test_what_must_be_acted_on_wakes_those_it_names() -> None:
    # The default push rules keep still for every m.notice, whoever it mentions.
    content = sending.content_of(said(mentions=("@anna:example.org",)))
    assert content["msgtype"] == "m.text"
    assert content["m.mentions"] == {"user_ids": ["@anna:example.org"]}


def test_an_edit_wakes_nobody() -> None:
    content = sending.content_of(said(replaces="$first"))
    assert content["m.new_content"]["m.mentions"] == {}
    assert content["m.mentions"] == {}
