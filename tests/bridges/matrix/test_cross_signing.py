"""Our own keys, and the judgement of others': nothing but a whole chain of signatures counts."""

from __future__ import annotations

import copy
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from nio.api import Api

from bridges.matrix import cross_signing

USER = "@ada:x"
KEYS = cross_signing.keys_of("00" * 32)
WRITTEN_DOWN = "Ersu81QeqZGinzUqSHMS7vfzB3BS4SWFtVf8MAZ1Gsw"
OTHER = cross_signing.keys_of("11" * 32)
DEVICE: dict[str, Any] = {
    "user_id": USER,
    "device_id": "D",
    "algorithms": [],
    "keys": {"ed25519:D": "x", "curve25519:D": "y"},
    "unsigned": {"device_display_name": "phone"},
}


def answer(keys: cross_signing.Keys = KEYS) -> dict[str, Any]:
    made = cross_signing.upload(USER, keys)
    return {
        "master_keys": {USER: made["master_key"]},
        "self_signing_keys": {USER: made["self_signing_key"]},
    }


def test_a_recovery_key_gives_the_same_keys_for_ever() -> None:
    told = cross_signing.new_recovery_key()
    first, second = cross_signing.keys_of(told), cross_signing.keys_of(told.replace(" ", ""))
    assert cross_signing.own_identity(first) == cross_signing.own_identity(second)
    assert cross_signing.own_identity(first) != cross_signing.own_identity(KEYS)
    # Written down once: another derivation would lose every operator's identity.
    assert cross_signing.own_identity(KEYS).master == WRITTEN_DOWN
    for wrong in ("", "zz" * 32, "00" * 31, told + "00"):
        with pytest.raises(cross_signing.RecoveryKeyError):
            cross_signing.keys_of(wrong)


def test_a_signed_device_is_its_owners() -> None:
    who = cross_signing.identity(answer(), USER)
    assert who == cross_signing.own_identity(KEYS)
    assert who is not None
    device = cross_signing.sign_device(DEVICE, USER, KEYS)
    assert "unsigned" not in device
    assert cross_signing.is_signed(device, USER, "D", who)
    assert not cross_signing.is_signed(DEVICE, USER, "D", who)
    assert not cross_signing.is_signed(device, USER, "E", who)
    assert not cross_signing.is_signed(device, "@eve:x", "D", who)
    changed = copy.deepcopy(device)
    changed["keys"]["curve25519:D"] = "z"
    assert not cross_signing.is_signed(changed, USER, "D", who)
    assert not cross_signing.is_signed(
        cross_signing.sign_device(DEVICE, USER, OTHER), USER, "D", who
    )


@pytest.mark.case("C25")
def test_a_self_signing_key_that_the_master_key_never_signed_is_nobodys() -> None:
    mixed = answer()
    mixed["self_signing_keys"] = answer(OTHER)["self_signing_keys"]
    assert cross_signing.identity(mixed, USER) is None
    assert cross_signing.identity(answer(), "@eve:x") is None
    bad: tuple[object, ...] = (None, {}, {USER: None}, {USER: {"keys": {}}})
    for key in ("master_keys", "self_signing_keys"):
        for torn in bad:
            assert cross_signing.identity({**answer(), key: torn}, USER) is None
    swapped = answer()
    swapped["self_signing_keys"] = swapped["master_keys"]
    assert cross_signing.identity(swapped, USER) is None


@hypothesis.given(
    st.dictionaries(
        st.text(max_size=6),
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=6),
        max_size=5,
    )
)
def test_canonical_json_is_as_nio_writes_it(thing: dict[str, Any]) -> None:
    plain = {k: v for k, v in thing.items() if k not in {"signatures", "unsigned"}}
    assert cross_signing.canonical(thing).decode() == Api.to_canonical_json(plain)


@pytest.mark.parametrize(
    "thing",
    [None, [], {}, {"signatures": 1}, {"signatures": {USER: {"ed25519:k": 7}}}, {"signatures": {}}],
)
def test_nonsense_is_not_verified(thing: object) -> None:
    assert not cross_signing.verified(thing, USER, "k")
    assert not cross_signing.verified(thing, USER, None)
