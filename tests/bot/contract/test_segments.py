"""Counting is checked against a slow count that lays septets and units down one by one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import segments

# The alphabet again, from the tables of 3GPP TS 23.038, apart from the one under test.
_BASIC = [
    *"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ",
    *" !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿",
    *"abcdefghijklmnopqrstuvwxyzäöñüà",
]
_ESCAPED = [*"\f^{}\\[~]|€"]

_gsm = st.text(st.sampled_from(_BASIC + _ESCAPED), max_size=700)
_escapes = st.text(st.sampled_from("a€"), min_size=140, max_size=500)
_any_text = st.text(st.characters(exclude_categories=()), max_size=300)
_wide = st.text(st.sampled_from("aê😀\ud83d\ude00"), max_size=300)
_texts = st.one_of(_gsm, _escapes, _any_text, _wide)


def _oracle_gsm(text: str) -> tuple[int, int]:
    septets = [2 if character in _ESCAPED else 1 for character in text]
    if sum(septets) <= 160:
        return 1, sum(septets)
    parts = [153]
    for width in septets:
        if parts[-1] < width:
            parts.append(153)
        parts[-1] -= width
    return len(parts), sum(septets)


def _oracle_ucs2(text: str) -> tuple[int, int]:
    raw = text.encode("utf-16-be", "surrogatepass")
    units = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
    if len(units) <= 70:
        return 1, len(units)
    parts, start = 0, 0
    while start < len(units):
        end = min(start + 67, len(units))
        if end < len(units) and _is_pair(units, end - 1):
            end -= 1
        parts, start = parts + 1, end
    return parts, len(units)


def _is_pair(units: list[int], index: int) -> bool:
    return 0xD800 <= units[index] < 0xDC00 and 0xDC00 <= units[index + 1] < 0xE000


def test_the_alphabet_has_127_characters_and_ten_behind_the_escape() -> None:
    assert len(set(_BASIC)) == 127
    assert len(set(_ESCAPED)) == 10
    every = "".join(map(chr, range(0x2FFF)))
    plain = {c for c in every if segments.count(c).encoding is segments.Encoding.GSM_7}
    assert plain == set(_BASIC + _ESCAPED)


@pytest.mark.case("C30")
@pytest.mark.parametrize(
    ("text", "encoding", "parts", "units"),
    [
        ("", "GSM-7", 1, 0),
        ("a" * 160, "GSM-7", 1, 160),
        ("a" * 161, "GSM-7", 2, 161),
        ("a" * 306, "GSM-7", 2, 306),
        ("a" * 307, "GSM-7", 3, 307),
        ("a" * 158 + "€", "GSM-7", 1, 160),
        ("a" * 159 + "€", "GSM-7", 2, 161),
        # an escape would straddle the first edge: 152 + (2 on the next part)
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 2, 305),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 3, 306),
        ("€" * 80, "GSM-7", 1, 160),
        ("€" * 153, "GSM-7", 3, 306),
        ("ê" * 70, "UCS-2", 1, 70),
        ("ê" * 71, "UCS-2", 2, 71),
        ("ê" * 134, "UCS-2", 2, 134),
        ("ê" * 135, "UCS-2", 3, 135),
        ("😀" * 35, "UCS-2", 1, 70),
        ("😀" * 36, "UCS-2", 2, 72),
        # a pair would straddle: 33 pairs a part
        ("😀" * 67, "UCS-2", 3, 134),
        ("a" * 66 + "😀" + "a" * 66, "UCS-2", 3, 134),
        ("\ud83d", "UCS-2", 1, 1),
        ("\ude00" * 71, "UCS-2", 2, 71),
        ("a" * 66 + "\ud83d\ude00" + "a" * 66, "UCS-2", 3, 134),
    ],
)
def test_parts(text: str, encoding: str, parts: int, units: int) -> None:
    counted = segments.count(text)
    assert (counted.encoding, counted.parts, counted.units) == (encoding, parts, units)


@pytest.mark.case("C30")
@pytest.mark.parametrize(
    ("character", "name", "suggestion"),
    [
        ("\u2019", "RIGHT SINGLE QUOTATION MARK", "'"),
        ("…", "HORIZONTAL ELLIPSIS", "..."),
        ("\u202f", "NARROW NO-BREAK SPACE", " "),
        ("œ", "LATIN SMALL LIGATURE OE", "oe"),
        ("ç", "LATIN SMALL LETTER C WITH CEDILLA", "c"),
        ("Ê", "LATIN CAPITAL LETTER E WITH CIRCUMFLEX", "E"),
        ("ł", "LATIN SMALL LETTER L WITH STROKE", "l"),
        ("\u200b", "ZERO WIDTH SPACE", ""),
        ("😀", "GRINNING FACE", None),
        ("\ud83d", "LONE SURROGATE U+D83D", ""),
        ("\x00", "UNNAMED CHARACTER U+0000", ""),
        ("\x1b", "UNNAMED CHARACTER U+001B", ""),
    ],
)
def test_the_guilty_character_is_named(character: str, name: str, suggestion: str | None) -> None:
    counted = segments.count(f"Un no{character}n")
    assert counted.guilty == (
        segments.Guilty(character=character, position=5, name=name, suggestion=suggestion),
    )


def test_positions_count_code_points_and_every_occurrence() -> None:
    assert [g.position for g in segments.count("😀a\u2019b\u2019").guilty] == [0, 2, 4]


@given(_texts)
@pytest.mark.case("C30")
def test_agrees_with_the_slow_count(text: str) -> None:
    counted = segments.count(text)
    gsm = set(text) <= set(_BASIC + _ESCAPED)
    assert counted.encoding == ("GSM-7" if gsm else "UCS-2")
    assert (counted.parts, counted.units) == (_oracle_gsm if gsm else _oracle_ucs2)(text)


@given(_texts)
def test_guilty_are_exactly_the_characters_outside_the_alphabet(text: str) -> None:
    counted = segments.count(text)
    expected = [i for i, c in enumerate(text) if c not in _BASIC + _ESCAPED]
    assert [g.position for g in counted.guilty] == expected
    assert (counted.encoding is segments.Encoding.GSM_7) == (not counted.guilty)
    assert all(text[g.position] == g.character for g in counted.guilty)
    for guilty in counted.guilty:
        if guilty.suggestion is not None:
            assert segments.count(guilty.suggestion).encoding is segments.Encoding.GSM_7


@given(_texts, _texts)
def test_more_text_never_costs_less(first: str, second: str) -> None:
    whole = segments.count(first + second)
    for piece in (first, second):
        assert whole.parts >= segments.count(piece).parts


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("déjà vu", "déjà vu"),
        ("\u00ab\u00a0Un non\u00a0\u00bb\u2026", '" Un non "...'),
        ("l\u2019amie \u2013 \u201cnon\u201d", 'l\'amie - "non"'),
        ("un cœur\u200b", "un coeur"),
        ("de\u0301ja\u0300", "déjà"),
        ("10 €", "10 €"),
        ("ça", None),
        ("être", None),
        ("ok 😀", None),
        ("\ud83d", None),
    ],
)
def test_to_gsm7(text: str, plain: str | None) -> None:
    assert segments.to_gsm7(text) == plain


@given(_texts)
def test_to_gsm7_gives_gsm7_leaves_gsm7_alone_and_drops_no_letter(text: str) -> None:
    plain = segments.to_gsm7(text)
    if segments.count(text).encoding is segments.Encoding.GSM_7:
        assert plain == text
    if plain is not None:
        assert segments.count(plain).encoding is segments.Encoding.GSM_7
        assert segments.to_gsm7(plain) == plain
        spelt = unicodedata.normalize("NFC", text).replace("œ", "oe").replace("Œ", "OE")
        letters = [c for c in spelt if c.isalpha() and c != "\u02bc"]  # the apostrophe letter
        assert [c for c in plain if c.isalpha()] == letters
