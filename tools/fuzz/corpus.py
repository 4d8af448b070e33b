"""Valid inputs to begin with: what each sender really sends, with made-up people."""

from __future__ import annotations

from typing import Any, Final

_HIS: Final = "+33639980001"
_OURS: Final = "+33639980000"
_ACI: Final = "00000000-0000-4000-8000-00000000000a"
_OWN_ACI: Final = "00000000-0000-4000-8000-00000000000b"
_REPLY: Final = "a" * 32


def _phone(kind: str, **payload: object) -> dict[str, object]:
    return {
        "deviceId": "d1",
        "event": kind,
        "id": "ev1",
        "webhookId": "w1",
        "payload": {"messageId": "abc", "simNumber": 1, **payload},
    }


SMSGATE: Final[list[Any]] = [
    _phone(
        "sms:received",
        message="Salut",
        sender=_HIS,
        recipient=_OURS,
        receivedAt="2026-01-05T12:59:00.000+01:00",
    ),
    _phone("mms:received", sender=_HIS, receivedAt="2026-01-05T12:59:00.000+01:00"),
    _phone("sms:sent", messageId=_REPLY, partsCount=1, sentAt="2026-01-05T12:59:00.000+01:00"),
    _phone("sms:delivered", messageId=_REPLY, deliveredAt="2026-01-05T12:59:00.000+01:00"),
    _phone("sms:failed", messageId=_REPLY, reason="Send result: RESULT_ERROR_NO_SERVICE"),
    _phone("system:ping", health={"status": "pass"}),
]
SEVEN: Final[list[Any]] = [
    {
        "webhook_event": "sms_mo",
        "webhook_timestamp": "2026-01-05 13:00:00",
        "data": {
            "id": 681590,
            "sender": _HIS[1:],
            "system": _OURS[1:],
            "text": "Salut",
            "time": "1767614340",
        },
    },
    {
        "webhook_event": "dlr",
        "data": {
            "msg_id": "77133879512",
            "status": "DELIVERED",
            "timestamp": "2026-01-05 13:00:00.000000",
            "foreign_id": _REPLY,
        },
    },
]


def _envelope(**more: object) -> dict[str, object]:
    return {
        "envelope": {
            "source": _ACI,
            "sourceNumber": _HIS,
            "sourceUuid": _ACI,
            "sourceName": "x",
            "sourceDevice": 1,
            "timestamp": 1_767_614_340_000,
            "serverReceivedTimestamp": 1_767_614_340_100,
            **more,
        },
        "account": _OURS,
    }


SIGNAL: Final[list[Any]] = [
    _envelope(dataMessage={"timestamp": 1_767_614_340_000, "message": "Salut", "viewOnce": False}),
    _envelope(dataMessage={"message": None, "attachments": [{"contentType": "image/jpeg"}]}),
    _envelope(dataMessage={"message": "x", "reaction": {"emoji": "👍", "targetAuthor": _HIS}}),
    _envelope(
        editMessage={
            "targetSentTimestamp": 1_767_614_340_000,
            "dataMessage": {"message": "STOP"},
        }
    ),
    _envelope(receiptMessage={"isDelivery": True, "timestamps": [1_767_614_340_000]}),
    _envelope(
        sourceNumber=_OURS,
        sourceUuid=_OWN_ACI,
        source=_OWN_ACI,
        syncMessage={"sentMessage": {"message": "note", "destination": _OURS}},
    ),
    _envelope(typingMessage={"action": "STARTED"}),
    {"exception": {"type": "UntrustedIdentityException", "message": "x"}, "account": _OURS},
    {"jsonrpc": "2.0", "method": "receive", "params": _envelope(dataMessage={"message": "Salut"})},
    {
        "jsonrpc": "2.0",
        "method": "receive",
        "params": {"subscription": 0, "result": _envelope(dataMessage={"message": "Salut"})},
    },
]
DAEMON: Final[list[Any]] = [
    *SIGNAL[-2:],
    {"jsonrpc": "2.0", "id": "1", "result": {"timestamp": 1, "results": [{"type": "SUCCESS"}]}},
    {"jsonrpc": "2.0", "id": "1", "error": {"code": -1, "message": "x", "data": {"response": {}}}},
]
EVENTS: Final = {"smsgate": SMSGATE, "seven": SEVEN, "signal": SIGNAL}


def _event(kind: str, content: object, **more: object) -> dict[str, object]:
    return {
        "type": kind,
        "event_id": "$e1:example.org",
        "sender": "@anna:example.org",
        "origin_server_ts": 1_767_614_340_000,
        "content": content,
        **more,
    }


def _text(body: str, **more: object) -> dict[str, object]:
    return _event("m.room.message", {"msgtype": "m.text", "body": body, **more})


MATRIX: Final[list[Any]] = [
    _text("!pause 2h"),
    _text("Salut"),
    _text("> <@b:c> x\n\n!status", **{"m.relates_to": {"m.in_reply_to": {"event_id": "$q"}}}),
    _text(
        "* STOP",
        **{
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$e0"},
            "m.new_content": {"body": "STOP", "msgtype": "m.text"},
        },
    ),
    _event("m.room.message", {"msgtype": "m.image", "body": "x.jpg", "url": "mxc://a/b"}),
    _event(
        "m.reaction",
        {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$e0", "key": "✅"}},
    ),
    _event(
        "m.room.encrypted",
        {
            "algorithm": "m.megolm.v1.aes-sha2",
            "sender_key": "k",
            "session_id": "s",
            "device_id": "D",
            "ciphertext": "c",
        },
    ),
    _event("m.room.member", {"membership": "join"}, state_key="@bob:example.org"),
    _event(
        "m.room.power_levels",
        {"users": {"@anna:example.org": 100}, "users_default": 0},
        state_key="",
    ),
    _event(
        "m.room.create",
        {"room_version": "12", "additional_creators": ["@bob:example.org"]},
        state_key="",
    ),
    _event("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}, state_key=""),
    _event("m.room.join_rules", {"join_rule": "invite"}, state_key=""),
]
COMMANDS: Final = (
    *("!status", "!statut", "!pause sms 2h", "!pause pour 1j", "!reprendre", "!mode tight 2h"),
    *("!cap day 25", "!plafond jour 25,50€", "!release #ab12", "!liberer #ab12 #cd34", "!help cap"),
    *("!text set fr Bonjour", "!texte essayer fr Salut STOP", "!bill", "!history 7", "!why #ab12"),
    *("!give 20", "!don 20", "!block #ab12", "!bloquer #ab12", "!reveal #ab12", "!aide", "!"),
)
CONFIG: Final = b"""
[store]
url = "sqlite:antirelou.db"
[web]
port = 8080
admin_listen = "127.0.0.1:9180"
trusted_proxies = ["10.0.0.0/24"]
[reply]
delay_min_s = 3600
texts.fr = "Bonjour. STOP"
languages = ["fr", "en"]
[budget]
cap_day = "20.00"
timezone = "Europe/Paris"
country_cap_day.FR = "5"
[fx]
USD = { rate = "0.93", dated = 2026-11-01 }
[room]
on_call = { "@anna:example.org" = "08-20" }
[channels.sms]
kind = "simulator"
addresses = ["+33639980000"]
parts_per_second = 1.5
[[channels.sms.more]]
a = 1
"""
TRACE: Final[list[Any]] = [
    {
        "start": "2017-10-27T08:00:00+02:00",
        "timezone": "Europe/Paris",
        "to": _OURS,
        "signal": [_HIS],
        "sms_price_per_segment": {"currency": "EUR", "FR": "0.08", "default": "0.12"},
    },
    {"at": 0.5, "id": "SM1", "from": _HIS, "to": _OURS, "body": "Salut"},
    {"at": 12, "id": "SM2", "from": "22000", "to": _OURS, "body": "é€😀"},
]
