import errno
import os
import pathlib

import pytest

from bot.store import backup


def one_name_only(_part: pathlib.Path, _target: pathlib.Path) -> None:
    """As FAT and exFAT answer, which is what sticks are made with."""
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_a_stick_that_knows_no_links_takes_a_backup_too(tmp_path: pathlib.Path) -> None:
    part, target = tmp_path / "b.db.part", tmp_path / "b.db"
    part.write_bytes(b"whole")
    backup.publish(part, target, one_name_only)
    assert target.read_bytes() == b"whole"
    assert not part.exists()


def test_nothing_is_written_over_there_either(tmp_path: pathlib.Path) -> None:
    part, target = tmp_path / "b.db.part", tmp_path / "b.db"
    part.write_bytes(b"new")
    target.write_bytes(b"old")
    with pytest.raises(backup.BackupError, match="there already"):
        backup.publish(part, target, one_name_only)
    assert target.read_bytes() == b"old"


def test_another_fault_of_the_disk_stays_one(tmp_path: pathlib.Path) -> None:
    def full(_part: pathlib.Path, _target: pathlib.Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    part, target = tmp_path / "b.db.part", tmp_path / "b.db"
    part.write_bytes(b"whole")
    with pytest.raises(backup.BackupError, match="No space"):
        backup.publish(part, target, full)
    assert not target.exists()
