"""Does Twilio itself answer STOP, START, HELP, INFO? Then the number gives her away at once.

No API tells it. What can be known: a webhook with OptOutType says that a keyword was handled
(kept durably), and with two numbers of our own the one can write to the other and see what comes
back (`probe`, at `setup --apply`, costs a few parts). Replies of the Advanced Opt-Out do not
appear in Twilio's message log, so the log proves nothing.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Final

from bot.contract import bridge
from bridges.sms.twilio import client, line, records

KEYWORDS: Final = ("STOP", "HELP", "INFO", "START")
"""START last: it undoes what STOP did."""
WAIT_S: Final = 20.0
MEND: Final = (
    "Console > Messaging > Services: Opt-Out Management off, or the number out of the service; "
    "for a long code ask Twilio's support to switch the default keywords off; then "
    "antirelou setup CHANNEL --apply"
)


async def remember(of: line.Line, keyword: str) -> None:
    """Twilio told that it handled a keyword."""
    told = {"keyword": keyword, "at": of.now().isoformat()}
    await of.context.storage.put(line.ANSWERS_KEY, json.dumps(told))


async def known(of: line.Line) -> str | None:
    """The keyword that Twilio was last seen to answer, None if none was."""
    kept = await of.context.storage.get(line.ANSWERS_KEY)
    if kept is None:
        return None
    try:
        return str(json.loads(kept)["keyword"])
    except (ValueError, KeyError, TypeError):
        return "a keyword"


async def forget(of: line.Line) -> None:
    """Somebody has mended it; the next OptOutType would tell otherwise."""
    await of.context.storage.put(line.ANSWERS_KEY, None)


def finding(keyword: str | None, of: line.Line) -> bridge.Finding:
    """What is known of it, as a sentence."""
    if keyword is None:
        return bridge.Finding(
            verdict=bridge.Verdict.WARNING,
            about="keywords",
            sentence="Twilio was not seen to answer STOP, START, HELP or INFO, which is no proof",
            mend="write HELP to the number from a phone: nothing must come back",
        )
    allowed = of.settings.allow_provider_answers
    verdict = bridge.Verdict.WARNING if allowed else bridge.Verdict.FAULT
    sentence = f"Twilio itself answers {keyword}: refused for cover"
    return bridge.Finding(verdict=verdict, about="keywords", sentence=sentence, mend=MEND)


async def probe(of: line.Line) -> list[bridge.Finding]:
    """Write the keywords from one of our numbers to another and see what comes back.

    Empty with fewer than two numbers. Raises the client's errors.
    """
    own = [one.address.value for one in of.settings.addresses]
    if len(own) < 2:  # noqa: PLR2004 (one writes, one is written to)
        return []
    asked, asking = own[0], own[1]
    before = of.now() - dt.timedelta(minutes=1)
    heard = {one.sid for one in await _answers(of, asked, asking)}
    for keyword in KEYWORDS:
        await of.account.sdk.messages.create_async(to=asked, from_=asking, body=keyword)
    await of.context.clock.sleep(WAIT_S)
    came = [one for one in await _answers(of, asked, asking) if one.sid not in heard]
    came = [one for one in came if one.created_at is None or one.created_at >= before]
    if came:
        await remember(of, "a keyword")
        return [finding("one of the keywords", of)]
    return [
        bridge.Finding(
            verdict=bridge.Verdict.GOOD,
            about="keywords",
            sentence=f"{', '.join(KEYWORDS)} from our second number got no answer",
        )
    ]


async def _answers(of: line.Line, asked: str, asking: str) -> list[records.Record]:
    told = await of.account.sdk.messages.list_async(to=asking, from_=asked, limit=100)
    found = [one for one in map(records.read, told) if one is not None]
    return [one for one in found if one.body not in KEYWORDS]


async def with_probe(of: line.Line) -> list[bridge.Finding]:
    """`probe`, its trouble as a finding."""
    try:
        return await probe(of)
    except client.SayingNo as error:
        return [
            bridge.Finding(
                verdict=bridge.Verdict.WARNING,
                about="keywords",
                sentence=f"could not be tried from our second number: {error}",
                mend="write HELP to the number from a phone: nothing must come back",
            )
        ]
