"""One event of the room, carried out in one transaction: once, by whom it may, while it is fresh.

Whatever this refuses is said where that is safe: to people on the allow-list, in the room itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import sqlalchemy as sa

from bot.console import audit
from bot.console.room import (
    acting,
    asking,
    captcha,
    cards,
    deciding,
    looking,
    parser,
    prompts,
    reading,
    said,
    troubles,
)
from bot.console.room.here import HIDES_MS, NOTHING, Answer, Here, Outside, line
from bot.console.room.roles import Present
from bot.contract import bridge, clock, room
from bot.policy import overrides, settings
from bot.store import events, keyvalue, tables, vault

FRESH_MS: Final = 600_000
HIDDEN: Final = "room.hide"
_QUIET_MS: Final = 3_600_000
_e = tables.room_events

Act = Callable[[sa.Connection, Here, parser.Asked], Answer]
_TABLE: Final[Mapping[str, Act]] = {
    **acting.TABLE,
    **asking.TABLE,
    "help": looking.help_,
    "status": looking.status_,
    "ledger": looking.ledger,
    "review": lambda tx, here, _asked: looking.review(tx, here),
    "sends": lambda tx, here, _asked: looking.sends(tx, here),
    "who": lambda _tx, here, _asked: looking.who(here),
    "log": looking.log,
    "why": looking.why,
    "read": reading.read,
    "stats": reading.stats,
    "captcha": captcha.solved,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What carrying out is told once."""

    core: settings.Core
    keys: vault.Vault
    bridges: Mapping[str, bridge.Bridge]
    take: Callable[[str], int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One stored event with what was asked for it outside. `channel`: where it came from."""

    row_id: int
    channel: str
    taken_ms: int
    event: room.RoomEvent
    present: Present
    outside: Outside = NOTHING


def carry_out(tx: sa.Connection, told: Told, job: Job, now_ms: int) -> bool:
    """Do it unless it was done; whether anything may have to be said."""
    statement = sa.update(_e).where(_e.c.id == job.row_id, _e.c.state == "new")
    if tx.execute(statement.values(state="done", data_enc=None)).rowcount != 1:
        return False
    event = job.event
    where = said.Where(channel=job.channel, room_id=event.room_id)
    if isinstance(event, room.Trouble):
        language = told.core.room.language
        troubles.tell(tx, told.keys, where, event, language=language, now_ms=now_ms)
        return True
    if not isinstance(event, room.Command | room.Reaction | room.Refused | room.Withdrawn):
        return False
    here = _here(tx, told, job, event, now_ms)
    if isinstance(event, room.Withdrawn):
        # No question of role: whoever may take a message back may only stop something by it.
        return _withdrawn(tx, here, event.on)
    if here.present.role(here.who) is None:
        return _stranger(tx, here, event)
    answer = _answer(tx, here, job, event)
    if answer is not None:
        speak(tx, here, answer)
    return True


def _here(
    tx: sa.Connection,
    told: Told,
    job: Job,
    event: room.Command | room.Reaction | room.Refused | room.Withdrawn,
    now_ms: int,
) -> Here:
    command = isinstance(event, room.Command)
    return Here(
        core=overrides.core(told.core, events.controls(tx)),
        told=told.core,
        keys=told.keys,
        bridges=told.bridges,
        present=job.present,
        who=event.by.member.account,
        where=said.Where(channel=job.channel, room_id=event.room_id),
        answers=event.event_id if command else None,
        language=told.core.room.language,
        sealed=event.by.trust is not room.Trust.PLAIN,
        now_ms=now_ms,
        take=told.take,
        outside=job.outside,
    )


def _withdrawn(tx: sa.Connection, here: Here, event_id: str) -> bool:
    """A command was taken back: what still waits for a yes is left."""
    found = prompts.by_command(tx, here.keys, here.where, event_id)
    for prompt in found:
        if prompts.decide(tx, prompt, "no", here.who):
            audit.note(tx, here.now_ms, here.who, "refuse", what=prompt.kind.value)
            text = here.t(
                f"Left as it is: what asked for it was deleted (!yes {prompt.code} is over).",
                f"Laissé tel quel : la demande a été supprimée (!oui {prompt.code} ne vaut plus).",
            )
            speak(tx, here, line(text, ok=False))
    return bool(found)


def _stranger(tx: sa.Connection, here: Here, event: room.RoomEvent) -> bool:
    """Nobody to us. Said once an hour and only to one who is in the room and spoke up."""
    member = here.present.members.get(here.who)
    if not isinstance(event, room.Command) or member is None or not member.joined:
        return False
    key = f"{here.where.channel} {here.who}"
    last = keyvalue.get(tx, "room.stranger", key)
    if last is not None and here.now_ms - int(last) < _QUIET_MS:
        return False
    keyvalue.put(tx, "room.stranger", key, str(here.now_ms))
    text = here.t(
        "You are not on the list of this room's moderators.",
        "Vous n'êtes pas sur la liste de modération de ce salon.",
    )
    speak(tx, here, line(text, ok=False))
    return True


def _answer(
    tx: sa.Connection, here: Here, job: Job, event: room.Command | room.Reaction | room.Refused
) -> Answer | None:
    if isinstance(event, room.Refused):
        words = troubles.refused(event.why)
        return None if words is None else line(here.w(words), ok=False)
    if event.by.trust is room.Trust.UNKNOWN_DEVICE and not here.told.room.unsigned_devices:
        return line(here.w(troubles.UNSIGNED), ok=False)
    age_ms = here.now_ms - min(clock.to_ms(event.at), job.taken_ms)
    if isinstance(event, room.Reaction):
        return _reaction(tx, here, event, age_ms)
    return _command(tx, here, event.text, age_ms)


def _reaction(tx: sa.Connection, here: Here, event: room.Reaction, age_ms: int) -> Answer | None:
    prompt = prompts.by_message(tx, here.keys, here.where, event.on)
    chosen = deciding.choice(event.key)
    if prompt is None or chosen is None:
        return None
    if prompt.open(here.now_ms) and age_ms > FRESH_MS:
        late = here.t(
            "That reaction came too late; react again.",
            "Cette réaction est arrivée trop tard ; refaites-la.",
        )
        return line(late, ok=False)
    if prompt.open(here.now_ms) and prompt.sealed and prompt.kind not in prompts.BY_REACTION:
        return line(
            here.t(
                f"Reactions are not encrypted; write !yes {prompt.code} or !no {prompt.code}.",
                f"Les réactions ne sont pas chiffrées ; écrivez !oui {prompt.code} ou "
                f"!non {prompt.code}.",
            ),
            ok=False,
        )
    return _decide(tx, here, prompt, chosen)


def _decide(tx: sa.Connection, here: Here, prompt: prompts.Prompt, chosen: str) -> Answer:
    if prompt.kind is prompts.Kind.AGAIN and chosen == "yes":
        refused = deciding.refusal(here, prompt, chosen)
        if refused is not None:
            return refused
        asked = parser.parse(prompt.data["text"])
        if isinstance(asked, parser.Asked) and not here.present.may(here.who, asked.command.role):
            return _takes(here, asked.command.role)
        if not prompts.decide(tx, prompt, chosen, here.who):
            return line(here.t("That was decided already.", "C'est déjà décidé."), ok=False)
        return _command(tx, here, prompt.data["text"], 0)
    return deciding.decide(tx, here, prompt, chosen)


def _command(tx: sa.Connection, here: Here, text: str, age_ms: int) -> Answer:
    asked = parser.parse(text)
    if isinstance(asked, parser.Wrong):
        return Answer(card=cards.of(asked.words, here.language), ok=False)
    if asked.spoken:
        here = dataclasses.replace(here, language=asked.spoken)
    role = asked.command.role
    if not here.present.may(here.who, role):
        return _takes(here, role)
    if age_ms > FRESH_MS:
        return _again(here, text, asked)
    if asked.command.name in {"yes", "no"}:
        prompt = prompts.by_code(tx, here.keys, here.where, asked.codes[0])
        if prompt is None:
            return line(
                here.t("There is no such question.", "Cette question n'existe pas."), ok=False
            )
        return _decide(tx, here, prompt, asked.command.name)
    return _TABLE[asked.command.name](tx, here, asked)


def _takes(here: Here, role: room.Role) -> Answer:
    return line(here.t(f"That takes the role {role}.", f"Il faut le rôle {role}."), ok=False)


def _again(here: Here, text: str, asked: parser.Asked) -> Answer:
    """An old wish may be nobody's wish any more (C23)."""
    if asked.command.name in {"yes", "no"}:
        return line(
            here.t("That came too late; say it again.", "Trop tard ; redites-le."), ok=False
        )
    name = here.t(asked.command.name, asked.command.french)
    question = prompts.Question(
        kind=prompts.Kind.AGAIN,
        data={"text": text},
        card=cards.Card(
            lines=(
                here.t(
                    f"!{name} came more than ten minutes ago and was not carried out. Do it now?",
                    f"!{name} date de plus de dix minutes et n'a pas été exécuté. Le faire ?",
                ),
            )
        ),
        asked_by=here.who,
        sealed=here.sealed,
        lasts_ms=prompts.ASKS_AGAIN_MS,
    )
    return Answer(questions=(question,))


def speak(tx: sa.Connection, here: Here, answer: Answer) -> None:
    """Say the answer and ask its questions."""
    if answer.card is not None:
        extras = said.Extras(answers=here.answers, image=answer.image)
        out_id = said.say(
            tx,
            here.keys,
            here.where,
            answer.card,
            lane=room.Lane.ANSWER,
            now_ms=here.now_ms,
            extras=extras,
        )
        if answer.hides:
            hide(tx, here.where, out_id, here.now_ms + HIDES_MS)
    for question in answer.questions:
        prompts.ask(
            tx,
            here.keys,
            here.where,
            question,
            now_ms=here.now_ms,
            language=here.language,
            answers=here.answers,
        )


def hide(tx: sa.Connection, where: said.Where, out_id: int, at_ms: int) -> None:
    """Take a message back then, also after a restart."""
    keyvalue.put(tx, HIDDEN, str(out_id), f"{at_ms} {where.channel} {where.room_id}")


def hides_now(tx: sa.Connection, now_ms: int) -> bool:
    """Whether `hide_due` would find any."""
    return bool(_to_hide(tx, now_ms))


def _to_hide(tx: sa.Connection, now_ms: int) -> list[tuple[str, said.Where]]:
    """Keys of what showed somebody long enough, and where it stands."""
    table, found = tables.storage, []
    query = sa.select(table.c.key, table.c.value).where(table.c.channel == HIDDEN)
    for key, value in tx.execute(query):
        at_ms, channel, room_id = value.split(" ", 2)
        if int(at_ms) <= now_ms:
            found.append((key, said.Where(channel=channel, room_id=room_id)))
    return found


def hide_due(tx: sa.Connection, keys: vault.Vault, now_ms: int) -> int:
    """Take back what showed somebody long enough; how many."""
    found = _to_hide(tx, now_ms)
    for key, where in found:
        said.withdraw(tx, keys, where, int(key), now_ms)
        keyvalue.put(tx, HIDDEN, key, None)
    return len(found)
