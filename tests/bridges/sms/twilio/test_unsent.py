"""While Twilio itself answers keywords, a reply of ours would come beside one of Twilio's."""

from __future__ import annotations

from bot.contract import outcomes
from bridges.sms.twilio import cover
from tests.bridges.sms.twilio import bench, exchange


async def test_nothing_is_sent_while_twilio_itself_answers(
    world: exchange.Exchange, on: bench.Bench
) -> None:
    await cover.remember(on.bridge._line, "HELP")
    outcome = await on.bridge.send(on.reply(1))
    assert isinstance(outcome, outcomes.NotNow)
    assert outcome.reason == "Twilio itself answers keywords"
    assert outcome.retry_at > on.clock.now()
    assert world.seen == []
    # Somebody mended it.
    await cover.forget(on.bridge._line)
    assert isinstance(await on.bridge.send(on.reply(2)), outcomes.Accepted)
    assert len(world.messages) == 1
