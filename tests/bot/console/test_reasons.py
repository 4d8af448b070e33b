from __future__ import annotations

import pytest

from bot.policy import decision, lifecycle, numbers, reasons

REASONS = sorted({*decision.Reason, *numbers.Ineligible})


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_its_words(reason: str) -> None:
    words = reasons.of(reason)
    assert words != reasons.of("a provider's own word")
    assert words.en.endswith(".")
    assert words.fr.endswith(".")
    assert words.en != words.fr


def test_no_words_for_a_reason_that_is_gone() -> None:
    assert reasons.known() == {str(reason) for reason in REASONS}


def test_every_state_and_verdict_has_its_words() -> None:
    for state in lifecycle.State:
        assert reasons.of_state(state).fr != state
    for verdict in decision.Verdict:
        assert reasons.of_verdict(verdict).fr
    assert reasons.of_state("new").en == "new"


def test_a_providers_word_is_not_shown() -> None:
    words = reasons.of("30007 carrier violation")
    assert "30007" not in words.en + words.fr
