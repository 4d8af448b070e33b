import base64
import os
import pathlib
import shutil
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store import vault, vault_file


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "keys"


@pytest.mark.case("C35")
def test_made_for_the_owner_alone_and_never_over_another(path: pathlib.Path) -> None:
    made = vault.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert vault.load(path).fingerprints() == made.fingerprints()
    with pytest.raises(vault.KeyFileError, match="cannot make"):
        vault.create(path)


def test_a_new_file_is_on_disk_under_its_name_before_anything_is_sealed(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, kinds = os.fsync, []

    def noted(descriptor: int) -> None:
        kinds.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    vault.create(path)
    # The file, then the folder that names it.
    assert kinds == [False, True]


KEY = base64.b64encode(bytes(range(32))).decode()
SHORT = base64.b64encode(bytes(range(31))).decode()


@pytest.mark.case("C35")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no 'mac' key"),
        (f"mac 1 {KEY}\n", "no 'enc' key"),
        (f"mac 1 {SHORT}\nenc 1 {KEY}\n", "31 bytes long"),
        (f"mac 1 {KEY}\nenc 1 {KEY[:-9]}\n", "line 2"),
        (f"mac 1 {KEY}\nenc 1 {KEY}\nenc 1 {KEY}\n", "there twice"),
        (f"mac one {KEY}\nenc 1 {KEY}\n", "line 1: expected"),
        (f"mac 0 {KEY}\nenc 1 {KEY}\n", "from 1 to 65535"),
        ("\x00\xff", "line 1"),
    ],
)
def test_a_damaged_file_is_refused_with_the_mend(path: pathlib.Path, text: str, said: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(vault.KeyFileError, match=said) as caught:
        vault.load(path)
    assert KEY not in str(caught.value)
    assert KEY[:-9] not in str(caught.value)


@pytest.mark.case("C35")
def test_missing_and_bytes_that_are_no_text(path: pathlib.Path) -> None:
    with pytest.raises(vault.KeyFileError, match="missing; put it back"):
        vault.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    path.chmod(0o600)
    with pytest.raises(vault.KeyFileError, match="cannot read"):
        vault.load(path)


@pytest.mark.case("C35")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_readable_by_others_is_refused(path: pathlib.Path, mode: int) -> None:
    vault.create(path)
    path.chmod(mode)
    with pytest.raises(vault.KeyFileError, match="chmod 600"):
        vault.load(path)


@pytest.mark.case("C35")
def test_rotation_opens_the_old_and_seals_with_the_new(path: pathlib.Path) -> None:
    old = vault.create(path)
    sealed = old.seal("+33639981234", "replies/1")
    hashed = old.hash_address("sms", "+33639981234")
    new = vault.rotate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert new.open(sealed, "replies/1") == "+33639981234"
    assert not new.is_newest(sealed)
    assert new.is_newest(new.seal("x", "replies/1"))
    # Hashes cannot be made again, so their ring is left alone.
    assert new.hash_address("sms", "+33639981234") == hashed
    # A process that runs meanwhile fetches the key when it first meets it.
    assert old.open(new.seal("x", "replies/1"), "replies/1") == "x"
    assert old.is_newest(old.seal("y", "replies/1"))
    assert new.open(old.seal("y", "replies/1"), "replies/1") == "y"


@pytest.mark.case("C35")
def test_a_key_that_is_in_no_file_here_opens_nothing(path: pathlib.Path) -> None:
    here = vault.create(path)
    elsewhere = path.with_name("copy")
    shutil.copy(path, elsewhere)
    there = vault.rotate(elsewhere)
    with pytest.raises(vault.SealedError, match="not in the key file"):
        here.open(there.seal("x", "replies/1"), "replies/1")
    shutil.copy(elsewhere, path)
    assert here.open(there.seal("x", "replies/1"), "replies/1") == "x"


@pytest.mark.case("C35")
def test_a_prepared_key_is_read_with_and_not_used_until_the_rotation(path: pathlib.Path) -> None:
    keys = vault.create(path)
    assert vault_file.prepare(path, "2026-11-22") == 2
    assert vault_file.prepare(path, "2026-11-23") == 2
    assert keys.renew()
    assert [one[:3] for one in keys.listed()[1:]] == [
        ("enc", 1, vault.today()),
        ("next", 2, "2026-11-22"),
    ]
    first = keys.seal("x", "replies/1")
    assert "enc 2" not in keys.fingerprints()
    assert vault_file.rotate(path) == 2
    assert keys.renew()
    assert not keys.renew()
    assert not keys.is_newest(first)
    assert keys.open(first, "replies/1") == "x"
    assert vault_file.rotate(path) == 3


@pytest.mark.case("C35")
def test_a_file_replaced_by_another_one_changes_nothing(path: pathlib.Path) -> None:
    keys = vault.create(path)
    sealed = keys.seal("x", "replies/1")
    path.unlink()
    with pytest.raises(vault.KeyFileError, match="missing"):
        keys.renew()
    vault.create(path)
    with pytest.raises(vault.KeyFileError, match="replaced by another"):
        keys.renew()
    assert keys.open(sealed, "replies/1") == "x"


@pytest.mark.case("C35")
@pytest.mark.parametrize("left", ["", "mac 1 half", "# antirelou"])
def test_what_a_killed_rotation_left_is_no_obstacle(path: pathlib.Path, left: str) -> None:
    keys = vault.create(path)
    path.with_name(path.name + ".new").write_text(left)
    assert vault_file.rotate(path) == 2
    assert keys.renew()
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


@pytest.mark.case("C35")
def test_an_old_key_is_dropped_and_one_in_use_is_not(path: pathlib.Path) -> None:
    keys = vault.create(path)
    with pytest.raises(vault.KeyFileError, match="in use"):
        vault_file.drop(path, 1)
    sealed = keys.seal("x", "replies/1")
    vault_file.rotate(path)
    vault_file.drop(path, 1)
    with pytest.raises(vault.KeyFileError, match="holds no encryption key 1"):
        vault_file.drop(path, 1)
    with pytest.raises(vault.SealedError, match="not in the key file"):
        vault.load(path).open(sealed, "replies/1")


def test_a_link_to_the_key_file_stays_a_link(path: pathlib.Path) -> None:
    real = path.with_name("real")
    vault.create(real)
    path.symlink_to(real)
    vault_file.rotate(path)
    assert path.is_symlink()
    assert len(vault.load(real).listed()) == 3


@pytest.mark.case("C33", "C35")
def test_nothing_of_a_key_is_printed(path: pathlib.Path) -> None:
    keys = vault.create(path)
    secrets = [line.split()[2] for line in path.read_text().splitlines() if line[0] != "#"]
    ring = (keys._mac, keys._enc_keys)
    shown = repr(keys) + repr(ring) + repr(keys.fingerprints()) + str(vars(keys))
    for secret in secrets:
        assert secret not in shown
        assert repr(base64.b64decode(secret)) not in shown


@given(st.text(max_size=200), st.text(max_size=30))
def test_sealed_values_open_in_their_place_only(plain: str, place: str) -> None:
    keys = vault.throwaway(1)
    plain = plain.encode("utf-8", "replace").decode()
    place = place.encode("utf-8", "replace").decode()
    sealed = keys.seal(plain, place)
    assert keys.open(sealed, place) == plain
    with pytest.raises(vault.SealedError):
        keys.open(sealed, place + "x")


@given(st.integers(0, 40), st.integers(0, 7))
def test_changed_bytes_do_not_open(position: int, bit: int) -> None:
    keys = vault.throwaway(1)
    sealed = bytearray(keys.seal("+33639981234", "replies/1"))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(vault.SealedError):
        keys.open(bytes(sealed), "replies/1")


@pytest.mark.parametrize("length", range(15))
def test_cut_bytes_do_not_open(length: int) -> None:
    keys = vault.throwaway(1)
    with pytest.raises(vault.SealedError):
        keys.open(keys.seal("x", "p")[:length], "p")


def test_hashes_keep_purposes_networks_and_keys_apart() -> None:
    one, two = vault.throwaway(1), vault.throwaway(2)
    found = {
        one.hash("seen", "a"),
        one.hash("prefix", "a"),
        two.hash("seen", "a"),
        one.hash_address("sms", "a")[0],
        one.hash_address("signal", "a")[0],
    }
    assert len(found) == 5
    assert {len(h) for h in found} == {vault.HASH_BYTES}


@given(st.text(max_size=20))
def test_draws_are_in_range_and_repeat(value: str) -> None:
    keys = vault.throwaway(1)
    assert 0 <= keys.draw("delay", value) < 1
    assert keys.draw("delay", value) == vault.throwaway(1).draw("delay", value)


def test_what_was_hashed_under_an_older_key_is_still_found() -> None:
    old, new = (vault_file.Key(n, bytes([n]) * 32) for n in (1, 2))
    before, both, after = (vault.Vault(ring, (old,)) for ring in ((old,), (old, new), (new,)))
    assert both.hash_address("sms", "a") == (
        *after.hash_address("sms", "a"),
        *before.hash_address("sms", "a"),
    )
    assert both.ring("seen", "a") == (*after.ring("seen", "a"), *before.ring("seen", "a"))
    # New hashes are of the new key; names that were told to others stay.
    assert both.hash("seen", "a") == after.hash("seen", "a") != before.hash("seen", "a")
    assert both.lasting("reply", "7") == before.lasting("reply", "7") != after.lasting("reply", "7")
