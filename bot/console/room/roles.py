"""Who may do what at the moment of the act: the allow-list, the room's own word, and the smaller.

The two-person rule counts the allow-list and not who is in the room just now: an account that
was stolen could send everybody else out first (C46). Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from bot.contract.room import Member, Role

ORDER: Final = (Role.READER, Role.MODERATOR, Role.TREASURER, Role.ADMIN)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The allow-list, and who is joined with what power, as asked this moment."""

    roster: Mapping[str, Role]
    members: Mapping[str, Member]
    power: int

    def role(self, account: str) -> Role | None:
        """What they may be now; None: nobody to us."""
        most, member = self.roster.get(account), self.members.get(account)
        if most is None or member is None or not member.joined:
            return None
        return most if member.power >= self.power else Role.READER

    def may(self, account: str, role: Role) -> bool:
        """Whether they may do what takes this role."""
        have = self.role(account)
        return have is not None and reaches(have, role)

    def alone(self, account: str) -> bool:
        """Whether nobody else on the allow-list could ever agree."""
        return not any(
            other != account and reaches(role, Role.MODERATOR)
            for other, role in self.roster.items()
        )


def reaches(have: Role, role: Role) -> bool:
    """Whether one role includes the other."""
    return ORDER.index(have) >= ORDER.index(role)
