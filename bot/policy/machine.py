"""Which kind of machine wrote a text, if a machine did; machines are never answered or shown.

A person taken for a machine is not answered, which is worse than a machine answered once (most
machines write from short codes and names, which `numbers` refuses anyway). So every rule asks for
two signs together (a strong phrase and a digit code, a parcel and its tracking number), and words
of talk ("t'as recu", "did you", "c'est qui") overrule all but automatic answers. The rules stand
in `machine_wording`.
"""

import re
import unicodedata
from enum import StrEnum

from bot.policy import machine_wording, stems

_READ = 700
"""Characters looked at: over four parts; machines come to the point."""


class Machine(StrEnum):
    """The kind of machine text."""

    ONE_TIME_CODE = "one_time_code"
    DELIVERY_NOTICE = "delivery_notice"
    APPOINTMENT = "appointment"
    INVOICE = "invoice"
    ACCOUNT_NOTICE = "account_notice"
    CALL_NOTICE = "call_notice"
    ADVERTISING = "advertising"
    AUTO_REPLY = "auto_reply"


_BY_KIND = (
    (Machine.ONE_TIME_CODE, machine_wording.ONE_TIME_CODES),
    (Machine.DELIVERY_NOTICE, machine_wording.DELIVERIES),
    (Machine.APPOINTMENT, machine_wording.APPOINTMENTS),
    (Machine.INVOICE, machine_wording.INVOICES),
    (Machine.ADVERTISING, machine_wording.ADVERTS),
    (Machine.ACCOUNT_NOTICE, machine_wording.ACCOUNTS),
    (Machine.CALL_NOTICE, machine_wording.CALLS),
)


_AUTO = stems.Stems(machine_wording.AUTO_STEMS)


def kind(text: str) -> Machine | None:
    """Name the kind of machine that wrote a text, None for a person."""
    folded = _fold(text[:_READ])
    if _AUTO.within(folded) and _found(machine_wording.AUTO_REPLIES, folded):
        return Machine.AUTO_REPLY
    if not machine_wording.HAS_DIGIT_OR_LINK.search(folded) or machine_wording.TALK.search(folded):
        return None
    for machine, patterns in _BY_KIND:
        if _found(patterns, folded):
            return machine
    return None


def _found(patterns: tuple[re.Pattern[str], ...], folded: str) -> bool:
    return any(pattern.search(folded) for pattern in patterns)


def _fold(text: str) -> str:
    """Lower case, ASCII, one space for any white space: what the patterns are written for."""
    if not text.isascii():
        spelt = text.replace("\u2019", "'").replace("€", " eur").replace("œ", "oe")
        text = unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()
    return " ".join(text.casefold().split())
