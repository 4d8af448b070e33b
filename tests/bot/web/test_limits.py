from typing import Any

import pytest

from bot.contract import bridge
from bot.web import app, clients, limits
from tests.bot.web import test_app
from tests.bridges.simulator import world

FLOOD = "198.51.100.7"
PROVIDER = "203.0.113.9"


class Ticks:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


class Hook:
    """Takes what carries the right signature; counts how often it had to look."""

    def __init__(self) -> None:
        self.looked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
        self.looked += 1
        signed = (b"x-signature", b"right") in scope["headers"]
        status = 200 if signed else 403
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def site(
    trusted: tuple[str, ...] = (), *, burst: int = 5, per_second: float = 1.0
) -> tuple[bridge.AsgiApp, Hook, Ticks, limits.Buckets]:
    ticks, hook = Ticks(), Hook()
    buckets = limits.Buckets(limits.Rate(per_second=per_second, burst=burst), ticks)
    edge = limits.Edge(clients.Clients(trusted), buckets)
    return test_app.made(("/hook", hook), edge=edge), hook, ticks, buckets


async def ask(web: bridge.AsgiApp, client: str, headers: dict[str, str] | None = None) -> int:
    return (await world.call(web, "GET", "/health", b"", headers, client=client)).status


async def post(web: bridge.AsgiApp, client: str, *, signed: bool, **more: str) -> int:
    headers = {"x-signature": "right" if signed else "wrong", **more}
    return (await world.call(web, "POST", "/hook", b"{}", headers, client=client)).status


async def test_pages_have_a_rate_by_address() -> None:
    web, _, ticks, buckets = site()
    assert [await ask(web, FLOOD) for _ in range(7)] == [200] * 5 + [429] * 2
    assert await ask(web, PROVIDER) == 200
    ticks.at += 2
    assert [await ask(web, FLOOD) for _ in range(3)] == [200, 200, 429]
    assert buckets.turned_away == 3


async def test_a_turned_away_client_is_told_when_and_the_connection_ends() -> None:
    web, _, _, _ = site(burst=1)
    await ask(web, FLOOD)
    answer = await world.call(web, "GET", "/health", client=FLOOD)
    assert (answer.status, answer.body) == (429, b"too many requests")
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.case("C10")
async def test_a_flood_of_unsigned_webhooks_costs_only_its_own_sender() -> None:
    web, hook, _, _ = site()
    answers = [await post(web, FLOOD, signed=False) for _ in range(50)]
    assert answers == [403] * 5 + [429] * 45
    assert hook.looked == 5
    # A burst of the provider is not limited at all, before or after.
    assert [await post(web, PROVIDER, signed=True) for _ in range(200)] == [200] * 200
    assert await ask(web, PROVIDER) == 200


async def test_the_providers_own_machines_misused_by_another_account_lock_nobody_out() -> None:
    web, _, ticks, _ = site()
    assert await post(web, PROVIDER, signed=True) == 200
    for _ in range(50):
        await post(web, PROVIDER, signed=False)
    assert await post(web, PROVIDER, signed=True) == 200
    # Pages are another matter, and the favour ends.
    assert await ask(web, PROVIDER) == 429
    ticks.at += limits.PROVEN_S
    for _ in range(50):
        await post(web, PROVIDER, signed=False)
    assert await post(web, PROVIDER, signed=True) == 429


async def test_a_store_that_is_away_is_not_the_providers_fault() -> None:
    buckets = limits.Buckets(limits.Rate(per_second=1.0, burst=2), Ticks())
    edge = limits.Edge(clients.Clients(), buckets)
    for _ in range(20):
        edge.ended(PROVIDER, 503, "POST")
    assert buckets.has(PROVIDER)
    edge.ended(PROVIDER, 403, "POST")
    edge.ended(PROVIDER, 404, "POST")
    assert not buckets.has(PROVIDER)


async def test_memory_is_bounded_whoever_comes() -> None:
    buckets = limits.Buckets(limits.Rate(per_second=1.0, burst=2), Ticks())
    for n in range(limits.REMEMBERED + limits.PROVEN + 50):
        buckets.take(f"c{n}")
        buckets.prove(f"c{n}")
    assert len(buckets) == limits.REMEMBERED + limits.PROVEN


async def test_zero_limits_nobody() -> None:
    web, _, _, buckets = site(per_second=0.0)
    assert {await ask(web, FLOOD) for _ in range(50)} == {200}
    assert {await post(web, FLOOD, signed=False) for _ in range(50)} == {403}
    assert len(buckets) == 0


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "172.17.0.1", "::1", "fd00::1", ""])
async def test_neighbours_cannot_be_told_apart_and_are_not_counted(peer: str) -> None:
    web, _, _, _ = site(burst=1)
    assert {await ask(web, peer) for _ in range(20)} == {200}


@pytest.mark.parametrize(
    ("peer", "told", "name"),
    [
        (FLOOD, None, FLOOD),
        # Whoever is no proxy of ours may claim what he likes.
        (FLOOD, "203.0.113.9", FLOOD),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        # The client wrote the left part himself.
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, nonsense", None),
        ("10.0.0.1", "x" * 100_000, None),
        ("10.0.0.1", None, None),
        # One subscriber of IPv6 is one client.
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", None, "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", None, FLOOD),
        ("10.0.0.1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_who_asks(peer: str, told: str | None, name: str | None) -> None:
    who = clients.Clients(["10.0.0.0/24"])
    headers = [(b"host", b"x")] + ([(b"x-forwarded-for", told.encode())] if told else [])
    assert who.of(peer, headers) == name


def test_several_lines_of_the_header_are_one() -> None:
    who = clients.Clients(["10.0.0.1"])
    headers = [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-for", b"203.0.113.9")]
    assert who.of("10.0.0.1", headers) == "203.0.113.9"
    assert who.peer("10.0.0.1") is None


@pytest.mark.case("C10")
@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/?" + "a" * limits.MAX_TARGET_BYTES, {}, 414),
        ("/" + "a" * limits.MAX_TARGET_BYTES, {}, 414),
        ("/", {f"x-{n}": "a" for n in range(limits.MAX_HEADERS + 1)}, 431),
        ("/", {"cookie": "a" * limits.MAX_HEAD_BYTES}, 431),
        ("/health", {f"x-{n}": "a" for n in range(50)}, 200),
    ],
    ids=["query", "path", "many", "long", "fine"],
)
async def test_heads_are_bounded(target: str, headers: dict[str, str], status: int) -> None:
    answer = await world.call(test_app.made(), "GET", target, b"", headers)
    assert answer.status == status
    assert "frame-ancestors" in answer.headers["content-security-policy"]


async def test_browsers_are_bound_to_https_only_where_we_are_reached_by_it() -> None:
    for url, bound in (("https://sms.example.org", True), ("http://10.0.0.5", False), ("", False)):
        answer = await world.call(test_app.made(public_url=url), "GET", "/")
        assert ("strict-transport-security" in answer.headers) is bound


def test_the_admins_listener_has_the_same_bounds() -> None:
    assert isinstance(app.around(Hook()), app._App)


@pytest.mark.parametrize(
    ("trusted", "peer", "told", "name"),
    [
        ("::ffff:192.0.2.0/120", "::ffff:192.0.2.7", b"203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "10.0.0.1", b"203.0.113.5:4433", "203.0.113.5"),
        ("10.0.0.1", "10.0.0.1", b"[2001:db8:1:2::3]:443", "2001:db8:1:2::/64"),
        ("10.0.0.1", "10.0.0.1", b"2001:db8:1:2::3", "2001:db8:1:2::/64"),
        ("10.0.0.1", "10.0.0.1", b"::ffff:203.0.113.5", "203.0.113.5"),
        # Everybody comes from a proxy within that nobody named: nobody is counted by it.
        ("10.0.0.1", "10.0.0.1", b"203.0.113.5, 192.168.1.4", None),
        ("10.0.0.1", "10.0.0.1", b"127.0.0.1", None),
    ],
)
def test_as_proxies_spell_addresses(trusted: str, peer: str, told: bytes, name: str | None) -> None:
    who = clients.Clients([trusted])
    assert who.of(peer, [(b"x-forwarded-for", told)]) == name
