"""What a wording would cost and which characters make it dear, before anybody agrees (C30)."""

from __future__ import annotations

import sqlalchemy as sa

from bot.console import funds
from bot.console.room.here import Here
from bot.contract import money, segments


def verdict(tx: sa.Connection, here: Here, text: str) -> tuple[tuple[str, str], ...]:
    """Rows for a card: parts, guilty characters, a cheaper spelling, the price of one reply."""
    size, t = segments.count(text), here.t
    part = funds.part_micros(tx)
    price = money.Money(part * size.parts, here.core.budget.currency)
    rows = [
        (
            t("size", "taille"),
            t(
                f"{size.parts} part(s), {size.units} units, {size.encoding}",
                f"{size.parts} partie(s), {size.units} unités, {size.encoding}",
            ),
        ),
        (
            t("price", "prix"),
            t(
                f"about {price} a reply on a paid network",
                f"environ {price} par réponse sur un réseau payant",
            ),
        ),
    ]
    for one in size.guilty[:5]:
        instead = t("nothing near", "rien de proche")
        if one.suggestion is not None:
            instead = f"« {one.suggestion} »"
        dear = t(f"makes it dear; instead: {instead}", f"le rend cher ; à la place : {instead}")
        rows.append((f"« {one.character} » {one.name}", dear))
    cheap = segments.to_gsm7(text)
    if size.guilty and cheap is not None:
        rows.append((t("cheaper", "moins cher"), f"« {cheap} »"))
    if "stop" not in text.casefold():
        rows.append((t("missing", "manque"), t("the word STOP", "le mot STOP")))
    return tuple(rows)
