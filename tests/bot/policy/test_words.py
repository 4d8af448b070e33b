"""Words to the last letter: what is one, what is left of it, and which number it gets."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.policy.flood import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A number is its shape; a bare one is nothing.
        ("rdv 12h30", ("rdv", "#h#", "=rdv #h#")),
        ("5km 6kmh 7", ("#km", "#kmh", "=#km #kmh")),
        ("100€", ("#€",)),
        ("5€ ok", ("#€", "ok", "=#€ ok")),
        ("# 12", ("#",)),
        ("1/2 3-1 12:30 +33 x", ("x",)),
        ("12:30h", ("#h",)),
        ("5a5", ("#a",)),
        # Signs say something only where there is nothing else.
        ("! ?", ("!", "?", "=! ?")),
        ("... ok !!", ("ok",)),
        ("_ok_", ("ok",)),
        ("_", ()),
        ("$$$ 5", ("$",)),
        ("😊👍🏽", ("😊", "👍", "🏽", "=😊 👍 🏽")),
        ("😊 oui", ("oui",)),
        ("😊 5km", ("#km",)),
        # Case, accents, width, joiners and selectors are gone, also where ASCII stands beside.
        ("Straße", ("strasse",)),
        ("ﬁn Ⅻ", ("fin", "xii", "=fin xii")),
        ("h\u0301e\u0302 é", ("he", "e", "=he e")),
        ("❤\ufe0f", ("❤",)),
        ("a\u200db\u2060c", ("abc",)),
        # Three of a kind are one, two stay two.
        ("nooon", ("non",)),
        ("noon", ("noon",)),
        ("NON non nOn", ("non",)),
        ("ééé", ("e",)),
        # Each word once, where it first stood.
        ("b a b a", ("b", "a", "=b a")),
        # One word is itself, without a whole one.
        ("salut", ("salut",)),
    ],
)
def test_what_is_left_of_a_text(text: str, expected: tuple[str, ...]) -> None:
    assert words.of(text) == expected


def test_many_words_are_the_first_eleven_and_the_whole() -> None:
    found = words.of(" ".join(string.ascii_lowercase))
    assert found == (*"abcdefghijk", "=a b c d e f g h i j k")
    assert len(found) == words.MOST
    assert words.of(" ".join("abcdefghijk")) == found
    assert words.of(" ".join("abcdefghij")) == (*"abcdefghij", "=a b c d e f g h i j")
    # What is nothing or was there before takes no place, a sign does.
    assert words.of("1 a 2 a 3 " + " ".join(string.ascii_lowercase)) == found
    assert words.of("! " + " ".join(string.ascii_lowercase)) == (
        *"abcdefghij",
        "=a b c d e f g h i j",
    )


def test_a_word_and_a_shape_are_cut_and_a_text_is_read_so_far() -> None:
    long = "abcdefghijklmnopqrstuvwxyz"
    assert words.of(long) == (long[:24],)
    assert words.of(long[:24]) == (long[:24],)
    assert words.of("9" + long) == ("#" + long[:23],)
    # Four hundred characters are read: what stands behind them is nothing.
    assert words.of("z " + "1" * 397 + " y") == ("z",)
    assert words.of("z " + "1" * 396 + " y") == ("z", "y", "=z y")
    assert words.of("z " + "1 " * 198 + "yx") == ("z", "yx", "=z yx")
    assert words.of("z " + "1 " * 198 + "_yx") == ("z", "y", "=z y")
    assert words.of("z " + "1 " * 199 + "y") == ("z",)


@given(st.text(max_size=600))
@example("#")
@example("! ?")
def test_words_are_short_and_the_whole_is_of_those_before_it(text: str) -> None:
    found = words.of(text)
    single = found[:-1] if len(found) > 1 else found
    assert all(0 < len(word) <= 24 for word in single)
    if len(found) > 1:
        assert found[-1] == "=" + " ".join(single)


@pytest.mark.parametrize(
    ("sender", "block"),
    [
        ("+33639980012", "+3363998"),
        # Nine characters are a number, eight are not.
        ("+33639980012"[:9], "+3363"),
        ("+33639980012"[:8], None),
        ("33639980012", None),
        ("@somebody:example.org", None),
        ("somebody@example.org", None),
        ("", None),
    ],
)
def test_a_block_is_a_number_without_its_last_four(sender: str, block: str | None) -> None:
    assert words.block(sender) == block


DIGEST = bytes(range(1, 33))
FOUND = 0x01020304050607 + 1


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("salut", 0),
        ("=salut toi", words.WHOLE),
        ("=a", words.WHOLE),
        ("+3363998", words.BLOCK),
        ("+3", words.BLOCK),
        # By itself a sign is a word like another.
        ("=", 0),
        ("+", 0),
        ("a=", 0),
        ("a+", 0),
    ],
)
def test_a_number_is_of_the_digest_and_of_its_kind(word: str, kind: int) -> None:
    assert words.number(word, DIGEST) == FOUND | kind
    # Never nothing, and never two kinds at once, whatever the digest.
    assert words.number(word, bytes(32)) == 1 | kind
    assert words.number(word, b"\xff" * 32) == (1 << 56) | kind
    assert words.number(word, DIGEST[:7] + bytes(25)) == FOUND | kind


def test_packed_words_are_eight_bytes_each_the_lowest_first() -> None:
    assert words.pack([1, words.BLOCK | 2]) == bytes([1, *[0] * 7, 2, *[0] * 6, 0x20])
    assert words.pack([]) == b""
    assert words.unpack(words.pack([words.TOPICAL, 5])) == (words.TOPICAL, 5)
    assert words.unpack(None) == words.unpack(b"") == ()
