"""The page over HTTP: languages, tags, compression, and what changes while it is served."""

from __future__ import annotations

import dataclasses
import gzip

import pytest

from bot.web import app
from bot.web.public import serve, site, state, words
from tests.bot.web.public import places
from tests.bridges.simulator import world


class Told:
    """A look that says what it is told to."""

    def __init__(self) -> None:
        self.seen = places.SEEN
        self.stale = False

    def fresh(self) -> state.Seen | None:
        return None if self.stale else self.seen

    async def __call__(self) -> state.Seen:
        return self.seen


class Served:
    def __init__(self, turns: serve.Turns | None = None) -> None:
        self.told = Told()
        self.pages = serve.Pages(site.Site(places.setup()), self.told, turns)  # type: ignore[arg-type]

    async def get(self, target: str, method: str = "GET", **headers: str) -> world.Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await world.call(self.pages, method, target, headers=named)


async def test_the_browsers_language_is_spoken_and_another_can_be_asked_for() -> None:
    served = Served()
    for target, accepted, language in (
        ("/", "", "fr"),
        ("/", "de-AT,de;q=0.9,en;q=0.5", "de"),
        ("/?lang=nl", "de", "nl"),
        ("/?lang=xx", "de", "de"),
        ("/?lang=%ff&lang=", "it", "it"),
        ("/pt/", "de", "pt"),
    ):
        answer = await served.get(target, accept_language=accepted)
        assert answer.status == 200
        assert f'<html lang="{language}">' in answer.body.decode()
        assert answer.headers["vary"] == "accept-encoding, accept-language"
    # From the empty path the links lead down, from a language's beside it.
    assert 'src="page.js"' in (await served.get("/")).body.decode()
    assert 'src="../page.js"' in (await served.get("/fr/")).body.decode()
    moved = await served.get("/fr")
    assert (moved.status, moved.headers["location"]) == (307, "/fr/")


async def test_what_is_known_is_not_sent_again_until_something_changes() -> None:
    served = Served()
    first = await served.get("/fr/")
    tag = first.headers["etag"]
    again = await served.get("/fr/", if_none_match=f'W/"x", {tag}')
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == tag
    assert "content-length" not in again.headers
    served.told.stale = True
    served.told.seen = dataclasses.replace(places.SEEN, paused=frozenset({"sms"}))
    changed = await served.get("/fr/", if_none_match=tag)
    assert changed.status == 200
    assert changed.headers["etag"] != tag
    assert "En pause" in changed.body.decode()


async def test_a_browser_asks_each_time_because_open_or_paused_is_live() -> None:
    for target in ("/", "/fr/", "/page.js", "/a/1.vcf"):
        assert (await Served().get(target)).headers["cache-control"] == "no-cache"


@pytest.mark.case("C10")
async def test_who_reads_gives_way_while_messages_queue() -> None:
    rested: list[float] = []
    is_pressed = True

    async def rest(seconds: float) -> None:
        rested.append(seconds)

    turns = serve.Turns(lambda: is_pressed, tick=lambda: 7.0, rest=rest)
    served = Served(turns)
    # The clock stands still: a burst. Each comes one step later, until that is too long to wait.
    answers = [await served.get("/fr/") for _ in range(1_000)]
    shown = [answer for answer in answers if answer.status == 200]
    late = [answer for answer in answers if answer.status != 200]
    assert len(shown) == pytest.approx(serve.PATIENCE_S * serve.PRESSED_PER_S, abs=1)
    assert len(rested) == len(shown) - 1
    assert rested[0] == pytest.approx(1 / serve.PRESSED_PER_S)
    assert rested[-1] == pytest.approx(serve.PATIENCE_S, abs=0.01)
    assert {(one.status, one.headers["retry-after"]) for one in late} == {(503, "2")}
    assert len({answer.body for answer in shown}) == 1
    is_pressed = False
    n_rests = len(rested)
    assert [(await served.get("/fr/")).status for _ in range(50)] == [200] * 50
    assert len(rested) == n_rests, "nobody waits once the messages are stored"


async def test_compressed_it_is_the_same() -> None:
    served = Served()
    plain = await served.get("/fr/", accept_encoding="br, gzip;q=0")
    packed = await served.get("/fr/", accept_encoding="gzip, br")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) == int(packed.headers["content-length"]) < len(plain.body) / 2


async def test_a_head_has_the_length_and_nothing_else() -> None:
    served = Served()
    whole, head = await served.get("/en/"), await served.get("/en/", "HEAD")
    assert head.headers == whole.headers
    assert (head.status, head.body) == (200, b"")


async def test_what_is_not_there_and_what_is_not_for_it() -> None:
    served = Served()
    assert (await served.get("/a/fr-9.html")).status == 404
    assert (await served.get("/fr/nothing")).status == 404
    refused = await served.get("/", "POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
    pages = served.pages
    assert all(map(pages.has, ("/", "/fr/", "/fr", "/robots.txt", "/a/1.vcf", "/nl/card.html")))
    assert not any(map(pages.has, ("/a", "/health", "/api/channels", "/phone/", "/frx/", "/fx/")))


@pytest.mark.parametrize("target", ["/", "/robots.txt", "/a/1.vcf", "/en/", "/a/en-1.html"])
async def test_engines_are_told_on_every_answer(target: str) -> None:
    async def fine() -> dict[str, object]:
        return {"ok": True}

    whole = app.create(routes=[], channels=[], health=fine, page=Served().pages)
    answer = await world.call(whole, "GET", target)
    assert answer.status == 200
    assert answer.headers["x-robots-tag"].startswith("noindex, nofollow")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


async def test_each_file_is_made_once_for_a_state() -> None:
    served = Served()
    made: list[str] = []
    files = served.pages._files
    original = files.file

    def counted(path: str, language: str, seen: state.Seen) -> site.File | None:
        made.append(f"{path} {language}".strip())
        return original(path, language, seen)

    files.file = counted  # type: ignore[method-assign]
    for _ in range(3):
        for language in words.LANGUAGES:
            await served.get("/", accept_language=language)
            await served.get(f"/{language}/", accept_language="fr")
    assert len(made) == len(set(made)) == 2 * len(words.LANGUAGES)
