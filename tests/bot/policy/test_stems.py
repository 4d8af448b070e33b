"""The cheap look gives what a look for every stem would give."""

import hypothesis
import hypothesis.strategies as st
import pytest

from bot.policy import distress, machine, machine_wording, stems

STEMS = ("tuer", "out of office", "no-reply", "die")
pieces = st.sampled_from([*STEMS, "office", "out of", "no-", "reply", " ", "x", "1", "'", "tue"])


@hypothesis.given(st.lists(pieces, max_size=8).map("".join))
def test_it_is_what_a_look_for_each_would_give(text: str) -> None:
    assert stems.Stems(STEMS).within(text) == any(stem in text for stem in STEMS)
    words = STEMS[0], STEMS[3]
    assert stems.Stems(words).within(text) == any(stem in text for stem in words)


@pytest.mark.parametrize(
    ("asked", "all_of"),
    [(machine._AUTO, machine_wording.AUTO_STEMS), (distress._STEMS, distress._STEMS._stems)],
)
def test_every_stem_in_use_is_found(asked: stems.Stems, all_of: tuple[str, ...]) -> None:
    assert all(asked.within(f"a {stem}s.") for stem in all_of)
    assert not asked.within("salut ca va")


@pytest.mark.case("C33")
def test_what_is_remembered_are_words_and_never_a_number() -> None:
    asked = stems.Stems(STEMS)
    for n in range(2 * stems._REMEMBERED):
        asked.within(f"appelle le 06399800{n:02d} dis")
    # Two words, and all the numbers beside them left nothing.
    assert asked._holds.cache_info().currsize == 2


def test_memory_is_bounded() -> None:
    asked = stems.Stems(STEMS)
    letters = "abcdefghijklmnopqrstuvwxyz"
    for word in (a + b + c for a in letters for b in letters for c in letters):
        asked.within(word)
    assert asked._holds.cache_info().currsize == stems._REMEMBERED
