"""The made-up evenings: who writes what, and that one seed is one evening."""

import itertools

import phonenumbers
import pytest

from bridges.simulator import crowd, crowd_words

KINDS = tuple(crowd.Kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", crowd_words.LANGUAGES)
def test_one_seed_is_one_evening_and_another_is_another(kind: crowd.Kind, language: str) -> None:
    made = crowd.evening(kind, language, 1, after_a_day=False)
    again = crowd.evening(kind, language, 1, after_a_day=False)
    other = crowd.evening(kind, language, 2, after_a_day=False)
    assert made.lines == again.lines
    assert made.lines != other.lines


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_can_be_answered_and_has_a_role(kind: crowd.Kind) -> None:
    made = crowd.evening(kind, "fr", 3, after_a_day=False)
    assert {line.sender for line in made.lines} == set(made.roles)
    for number in made.roles:
        assert phonenumbers.is_valid_number(phonenumbers.parse(number))
    assert all(line.text.strip() for line in made.lines)
    pairs = itertools.pairwise(line.after_s for line in made.lines)
    assert all(one <= other for one, other in pairs)
    assert made.lines[-1].after_s <= made.ends_s


def test_roles_are_those_of_the_kind() -> None:
    def roles(kind: crowd.Kind) -> set[crowd.Role]:
        return set(crowd.evening(kind, "en", 4, after_a_day=False).roles.values())

    assert roles(crowd.Kind.RAID) == {crowd.Role.PERSON, crowd.Role.RAIDER}
    assert roles(crowd.Kind.VIRAL) == {crowd.Role.PERSON}
    assert roles(crowd.Kind.BAIT) == {crowd.Role.PERSON, crowd.Role.MISLED}


def test_the_day_before_ends_where_the_evening_begins() -> None:
    made = crowd.evening(crowd.Kind.RAID, "fr", 5, after_a_day=True)
    for line in made.lines:
        if made.roles[line.sender] is crowd.Role.BEFORE:
            assert line.after_s <= made.begins_s
        else:
            assert line.after_s >= made.begins_s
    assert crowd.Role.BEFORE in made.roles.values()
    assert crowd.evening(crowd.Kind.RAID, "fr", 5, after_a_day=False).begins_s == 0


def test_most_of_a_raid_comes_from_few() -> None:
    made = crowd.evening(crowd.Kind.RAID, "fr", 6, after_a_day=False)
    raiders = [n for n, role in made.roles.items() if role is crowd.Role.RAIDER]
    wrote = sorted((sum(line.sender == n for line in made.lines) for n in raiders), reverse=True)
    assert sum(wrote[:45]) > len(wrote)
