"""What is a message, and what only looks like one."""

import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import address, messages
from bridges.signal import wire
from tests.bridges.signal import envelopes
from tests.bridges.signal.envelopes import AT_MS, OUR_ACI, OURS, Raw

HIM = envelopes.aci(1)
OWN = address.Address(address.SIGNAL, OURS)
NOW = dt.datetime.fromtimestamp(AT_MS / 1000, dt.UTC) + dt.timedelta(hours=1)
NUMBER = "+33639980017"


def read(raw: object) -> wire.Heard:
    return wire.read(raw, number=OURS, own_aci=OUR_ACI)


def handed_in(raw: object, root_ms: int | None = None) -> messages.InboundMessage:
    heard = read(raw)
    assert isinstance(heard, wire.Message)
    root = heard.root_ms if root_ms is None else root_ms
    return wire.inbound(heard, channel="signal", own=OWN, now=NOW, root_ms=root)


@pytest.mark.case("C27")
def test_a_text_is_a_message_of_its_account() -> None:
    message = handed_in(envelopes.text(HIM, "salut", AT_MS))
    assert message.sender == address.Address(address.SIGNAL, HIM)
    assert message.recipient == OWN
    assert (message.text, message.kind) == ("salut", messages.Kind.TEXT)
    assert message.aliases == ()
    assert message.received_at == dt.datetime.fromtimestamp(AT_MS / 1000 + 0.05, dt.UTC)


@pytest.mark.case("C48")
def test_a_number_that_shows_is_the_same_person() -> None:
    message = handed_in(envelopes.text(HIM, "salut", AT_MS, number=NUMBER))
    assert message.sender.value == HIM
    assert message.aliases == (address.Address(address.SMS, NUMBER),)
    hidden = envelopes.text(HIM, "salut", AT_MS)
    hidden["envelope"]["source"] = HIM.upper()
    del hidden["envelope"]["sourceUuid"]
    assert handed_in(hidden).sender.value == HIM


@pytest.mark.case("C27")
def test_every_wrapping_is_read() -> None:
    raw = envelopes.text(HIM, "a", AT_MS)
    for wrapped in (raw, envelopes.notification(raw), {"result": raw, "subscription": 0}):
        assert isinstance(read(wrapped), wire.Message)


@pytest.mark.case("C45")
def test_an_attachment_is_a_contact_without_words() -> None:
    files = [{"contentType": "image/jpeg", "id": "x.jpg", "size": 1}]
    message = handed_in(envelopes.text(HIM, "  ", AT_MS, attachments=files))
    assert (message.kind, message.text) == (messages.Kind.ATTACHMENT, "")
    assert "x.jpg" not in repr(message)
    with_words = handed_in(envelopes.text(HIM, "regarde", AT_MS, attachments=files))
    assert (with_words.kind, with_words.text) == (messages.Kind.TEXT, "regarde")


NO_MESSAGES: dict[str, Raw] = {
    key: envelopes.data(HIM, AT_MS, {"message": "salut", key: {"x": 1}})
    for key in (
        *("groupInfo", "reaction", "sticker", "remoteDelete", "payment", "storyContext"),
        *("pollCreate", "pollVote", "pollTerminate", "groupCallUpdate"),
    )
} | {
    "expiry": envelopes.text(HIM, "salut", AT_MS, isExpirationUpdate=True),
    "view once": envelopes.text(HIM, "salut", AT_MS, viewOnce=True),
    "empty": envelopes.text(HIM, "", AT_MS),
    "blank": envelopes.text(HIM, " \n", AT_MS, attachments=[]),
    "no parts": envelopes.event(HIM, AT_MS),
    "typing": envelopes.event(HIM, AT_MS, typingMessage={"action": "STARTED"}),
    "call": envelopes.event(HIM, AT_MS, callMessage={"offerMessage": {"id": 1}}),
    "story": envelopes.event(HIM, AT_MS, storyMessage={"allowsReplies": True}),
    "read": envelopes.event(HIM, AT_MS, receiptMessage={"isDelivery": False, "timestamps": [1]}),
    "no receipt": envelopes.event(HIM, AT_MS, receiptMessage={"isDelivery": True}),
    "another account": {**envelopes.text(HIM, "a", AT_MS), "account": "+33639980009"},
}


@pytest.mark.case("C27")
@pytest.mark.parametrize("what", sorted(NO_MESSAGES))
def test_no_message(what: str) -> None:
    assert isinstance(read(NO_MESSAGES[what]), wire.Nothing)


@pytest.mark.case("C27")
def test_our_own_devices_are_no_contact() -> None:
    note = {"sentMessage": {"destinationNumber": OURS, "message": "note"}}
    sync = read(envelopes.event(OUR_ACI, AT_MS, number=OURS, syncMessage=note))
    assert isinstance(sync, wire.Echo)
    assert (sync.text, sync.sender.aci) == ("note", OUR_ACI)
    mine = read(envelopes.text(OUR_ACI, "loop", AT_MS))
    assert isinstance(mine, wire.Echo)
    by_number = read(envelopes.text(HIM, "loop", AT_MS, number=OURS))
    assert isinstance(by_number, wire.Echo)


@pytest.mark.case("C27")
def test_an_edit_bears_the_id_of_what_it_replaces() -> None:
    first = handed_in(envelopes.text(HIM, "salut", AT_MS))
    edit = handed_in(envelopes.edit(HIM, "salut toi", AT_MS + 9, AT_MS))
    assert (edit.provider_id, edit.text) == (first.provider_id, "salut toi")
    other = handed_in(envelopes.text(HIM, "salut", AT_MS + 1))
    assert other.provider_id != first.provider_id


@pytest.mark.case("C15", "C27")
@pytest.mark.parametrize("word", [" Stop. ", "stop sms", "stopp", "désabonner", "baja"])
def test_an_edit_to_an_opt_out_is_a_wish_under_an_id_of_its_own(word: str) -> None:
    first = handed_in(envelopes.text(HIM, "salut", AT_MS))
    edit = handed_in(envelopes.edit(HIM, word, AT_MS + 9, AT_MS))
    assert edit.wish is messages.Wish.STOP
    assert edit.provider_id != first.provider_id
    assert handed_in(envelopes.edit(HIM, word, AT_MS + 9, AT_MS)).provider_id == edit.provider_id
    assert handed_in(envelopes.edit(HIM, "start", AT_MS + 9, AT_MS)).wish is None
    assert handed_in(envelopes.edit(HIM, "stop tu me plais", AT_MS + 9, AT_MS)).wish is None


@pytest.mark.case("C27")
def test_ids_tell_sender_device_and_time_apart_and_nobody_who() -> None:
    ids = set()
    for who in (HIM, envelopes.aci(2)):
        for device in (1, 2):
            for at_ms in (AT_MS, AT_MS + 1):
                raw = envelopes.text(who, "a", at_ms)
                raw["envelope"]["sourceDevice"] = device
                ids.add(handed_in(raw).provider_id)
    assert len(ids) == 8
    assert not any(HIM in one or str(AT_MS) in one for one in ids)


@pytest.mark.case("C27")
def test_a_withheld_text_is_surfaced_not_answered() -> None:
    raw = envelopes.event(HIM, AT_MS, number=NUMBER)
    raw["exception"] = {"message": f"untrusted {NUMBER}", "type": "UntrustedIdentityException"}
    heard = read(envelopes.notification(raw))
    assert isinstance(heard, wire.Sealed)
    assert heard.untrusted
    assert heard.sender is not None
    assert heard.sender.aci == HIM
    assert NUMBER not in repr(heard)
    other = read({"exception": {"type": "ProtocolInvalidMessageException"}, "account": OURS})
    assert other == wire.Sealed(sender=None, untrusted=False)


def test_a_delivery_receipt_names_our_messages() -> None:
    heard = read(envelopes.receipt(HIM, 5, 6))
    assert isinstance(heard, wire.Receipt)
    assert heard.timestamps_ms == (5, 6)


@pytest.mark.parametrize(
    "raw",
    [
        *(None, 3, [], {}, {"envelope": None}, {"params": {"params": {"params": {}}}}),
        {"envelope": {"timestamp": 1}},
        {"envelope": {"sourceUuid": "PNI:5e5e5e5e", "dataMessage": {"message": "a"}}},
        envelopes.event(HIM, AT_MS, dataMessage=[]),
        envelopes.event(HIM, AT_MS, dataMessage={"message": 5}),
        envelopes.event(HIM, AT_MS, editMessage={"dataMessage": {}}),
        envelopes.event(HIM, AT_MS, receiptMessage=[1]),
        {"envelope": {**envelopes.text(HIM, "a", AT_MS)["envelope"], "timestamp": True}},
    ],
)
def test_nonsense_is_refused_without_repeating_it(raw: object) -> None:
    with pytest.raises(wire.WireError) as told:
        read(raw)
    assert HIM not in str(told.value)


def test_a_server_clock_that_is_wrong_dates_nothing() -> None:
    raw = envelopes.text(HIM, "a", AT_MS)
    for odd in (0, AT_MS * 2, "x", None):
        raw["envelope"]["serverReceivedTimestamp"] = odd
        assert handed_in(raw).received_at == NOW


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
KEYS = ("source", "sourceNumber", "sourceUuid", "sourceDevice", "timestamp", "dataMessage")
MORE = ("editMessage", "syncMessage", "receiptMessage", "typingMessage", "exception")
DATA = ("message", "attachments", "groupInfo", "viewOnce", "reaction", "isExpirationUpdate")
SOMETHING = JSON | st.sampled_from([HIM, OURS, NUMBER, AT_MS, "salut", "\x00", "\ud800"])


@given(
    envelope=st.dictionaries(st.sampled_from(KEYS + MORE), SOMETHING),
    data=st.none() | st.dictionaries(st.sampled_from(DATA), SOMETHING),
    wrapped=st.booleans(),
)
def test_whatever_comes_ends_in_something_heard_or_a_wire_error(
    envelope: Raw, data: Raw | None, *, wrapped: bool
) -> None:
    if data is not None:
        envelope["dataMessage"] = data
    raw = {"envelope": envelope}
    try:
        heard = read({"params": raw} if wrapped else raw)
    except wire.WireError:
        heard = None
    assert heard is None or repr(heard).count("salut") == 0
    if isinstance(heard, wire.Message):
        assert data is not None or "editMessage" in envelope or "dataMessage" in envelope
        message = handed_in(raw)
        assert message.sender.network == address.SIGNAL
        assert len(message.provider_id) == 64


@pytest.mark.case("C27")
def test_the_samples_of_signal_cli_are_read(shared_dir: Path) -> None:
    kinds: dict[str, str] = {}
    samples = (shared_dir / "contracts" / "signal-envelopes.sample.jsonl").read_text()
    for line in samples.splitlines():
        raw = json.loads(line)
        case = raw.pop("_case").partition(":")[0]
        heard = wire.read(raw, number=raw["account"])
        kinds[case] = type(heard).__name__
    assert kinds.pop("dm text") == "Message"
    assert kinds.pop("dm from hidden number") == "Message"
    assert kinds.pop("attachment only") == "Message"
    assert kinds.pop("edit") == "Message"
    assert kinds.pop("delivery receipt") == "Receipt"
    echoes = [name for name in kinds if name.startswith("sync")]
    assert {kinds.pop(name) for name in echoes} == {"Echo"}
    assert set(kinds.values()) == {"Nothing"}
    assert len(kinds) == 6
