import pytest

from bot.store import condition


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("OperationalError: database or disk is full", "free some space on the disk of x.db"),
        ("OperationalError: attempt to write a readonly database", "let the program write x.db"),
        ("OperationalError: no such table: replies", "antirelou check, then migrate"),
        ("OperationalError: no such column: lot", "antirelou check, then migrate"),
        ("DatabaseError: database disk image is malformed", "antirelou restore a backup"),
        ("ConnectionRefusedError", "x.db must be there and reachable"),
    ],
)
def test_each_trouble_is_told_with_its_mend(said: str, told: str) -> None:
    assert told in condition.mend("x.db", said)


def test_it_is_well_again_after_a_write() -> None:
    one = condition.Condition("x.db")
    one.ill(RuntimeError("database or disk is full"))
    assert one.tell()["ok"] is False
    one.well()
    assert one.tell() == {"ok": True}
