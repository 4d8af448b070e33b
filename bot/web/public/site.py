"""Every file of the public page, made from what is set up and what was seen.

Pure: no clock, no I/O but the package's own templates. Links are relative, so that the same files
stand at a host's root, below a path, or in a folder on a disk.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import markupsafe
import phonenumbers

from bot.contract import address, bridge
from bot.policy import settings, texts
from bot.web import offering
from bot.web.public import emergency, shapes, state, style, words

if TYPE_CHECKING:
    import jinja2

HTML: Final = "text/html; charset=utf-8"
FIXED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "page.js": "text/javascript; charset=utf-8",
        "print.css": "text/css; charset=utf-8",
        "icon.svg": "image/svg+xml",
        "robots.txt": "text/plain; charset=utf-8",
    }
)
"""Files that are the same for everybody, with their types."""
POLICY: Final = (
    f"default-src 'none'; style-src 'self' {style.SOURCE}; script-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
"""What the page may load; served, `frame-ancestors 'none'` stands beside it."""
PRINTED: Final = ("card", "poster")
_NETWORKS: Final = MappingProxyType({"sms": "SMS", "signal": "Signal", "matrix": "Matrix"})
_SIMULATOR: Final = "simulator"
_SPOKEN: Final = f"(?P<language>{'|'.join(words.LANGUAGES)})"
_PAGE: Final = re.compile(rf"{_SPOKEN}/(?P<printed>card\.html|poster\.html)?")
_PLAIN: Final = re.compile(rf"a/{_SPOKEN}-(?P<n>[1-9][0-9]?)\.html")
_CARD: Final = re.compile(r"a/(?P<n>[1-9][0-9]?)\.vcf")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What stays the same while the program runs.

    `kinds`: of the channels. `language`: the collective's; `replies`: languages a reply may be in;
    `texts`: the operator's own wording. `url`: where the page is found, for print; may be empty.
    """

    bridges: Mapping[str, bridge.Bridge]
    kinds: Mapping[str, str]
    language: str = "fr"
    replies: frozenset[str] = frozenset(words.LANGUAGES)
    tone: str = "neutral"
    texts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    delay_min_s: int = 3600
    delay_max_s: int = 6300
    window_days: int = 30
    contact_name: str = "Alex"
    url: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One address on the page. `demo`: its simulated phone; `shown`, `spoken`: for eye and ear."""

    n: int
    network: str
    value: str
    shown: str
    spoken: str
    link: str | None
    demo: str | None
    paused: bool

    @property
    def qr(self) -> markupsafe.Markup:
        """What a camera opens."""
        return markupsafe.Markup(offering.picture(self.link or self.value))  # noqa: S704 (segno's own SVG)

    @property
    def drawn(self) -> markupsafe.Markup | None:
        """As outlines: people see it, a text index does not."""
        return shapes.drawn(self.shown, self.spoken)

    @property
    def hidden(self) -> str:
        """Address and link for the page's script, in no form that a text index knows."""
        told = f"{self.value}\n{self.link or ''}"
        return base64.b64encode(told.encode()).decode()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the page."""

    body: bytes
    type: str


class Site:
    """Makes the files. `index`: what links to a folder end with (`index.html` on a disk)."""

    def __init__(self, setup: Setup, *, index: str = "", copied: dt.date | None = None) -> None:
        """`copied`: the day of a copy that will not follow what changes."""
        self.setup: Final = setup
        self._index, self._copied = index, copied

    def paths(self, seen: state.Seen) -> Iterator[str]:
        """Every path there is now; `` and `fr/` are pages."""
        yield ""
        yield from FIXED
        printed = [f"{kind}.html" for kind in PRINTED] if self.setup.url else []
        for language in words.LANGUAGES:
            yield from (f"{language}/{name}" for name in ("", *printed))
            yield from (f"a/{language}-{one.n}.html" for one in self.offers(seen))
        yield from (f"a/{one.n}.vcf" for one in self.offers(seen))

    def file(self, path: str, language: str, seen: state.Seen) -> File | None:
        """The file at a path without its first slash, None if there is none.

        `language`: for the path that is the same in all, the empty one.
        """
        if path in FIXED:
            return File(body=_fixed(path), type=FIXED[path])
        if not path:
            return self._page(language, "", seen)
        if found := _PLAIN.fullmatch(path):
            return self._plain(found["language"], int(found["n"]), seen)
        if found := _CARD.fullmatch(path):
            return self._card(int(found["n"]), seen)
        if found := _PAGE.fullmatch(path):
            printed = found["printed"]
            made = found["language"]
            return self._printed(made, printed) if printed else self._page(made, "../", seen)
        return None

    def offers(self, seen: state.Seen) -> Sequence[Offer]:
        """The addresses, in order."""
        setup = self.setup
        return [
            _offer(n, setup.bridges[channel], value, setup.kinds[channel], channel in seen.paused)
            for n, (channel, value) in enumerate(seen.offered, 1)
            if channel in setup.bridges
        ]

    def _page(self, language: str, root: str, seen: state.Seen) -> File:
        setup, book = self.setup, emergency.book()
        spoken = setup.language if language not in setup.replies else language
        return self._rendered(
            "page.html",
            language,
            root=root,
            seen=seen,
            offers=self.offers(seen),
            copied=self._copied,
            delays={"least": setup.delay_min_s // 60, "most": -(-setup.delay_max_s // 60)},
            days=setup.window_days,
            reply=setup.texts.get(spoken) or texts.text(spoken, setup.tone),
            reply_language=spoken,
            book=book,
            countries=book.ordered(language),
            near=emergency.first(language),
            kinds=emergency.KINDS,
            least=state.LEAST,
            has_print=bool(setup.url),
        )

    def _plain(self, language: str, n: int, seen: state.Seen) -> File | None:
        offers = self.offers(seen)
        if n > len(offers):
            return None
        offer, name = offers[n - 1], self.setup.contact_name
        return self._rendered("plain.html", language, root="../", offer=offer, contact=name)

    def _printed(self, language: str, name: str) -> File | None:
        if not self.setup.url:
            return None
        return self._rendered(
            "print.html",
            language,
            root="../",
            kind=name.removesuffix(".html"),
            url=self.setup.url,
            shown=self.setup.url.partition("://")[2].rstrip("/"),
            qr=markupsafe.Markup(offering.picture(self.setup.url)),  # noqa: S704 (segno's own SVG)
        )

    def _card(self, n: int, seen: state.Seen) -> File | None:
        offers = self.offers(seen)
        if n > len(offers):
            return None
        return File(
            body=contact(self.setup.contact_name, offers[n - 1]).encode(),
            type="text/vcard; charset=utf-8",
        )

    def _rendered(self, template: str, language: str, **told: object) -> File:
        told |= {
            "_": words.of(language),
            "words": words.of(language),
            "language": language,
            "languages": [(code, words.own_name(code)) for code in words.LANGUAGES],
            "index": self._index,
            "policy": POLICY,
            "style": markupsafe.Markup(style.SHEET),  # noqa: S704 (our own file)
            "networks": _NETWORKS,
        }
        text = _templates().get_template(template).render(told)
        return File(body=text.encode(), type=HTML)


def setup(
    reply: settings.Reply,
    bridges: Mapping[str, bridge.Bridge],
    kinds: Mapping[str, str],
    *,
    contact_name: str,
    url: str,
) -> Setup:
    """What an installation's page says, by its settings."""
    return Setup(
        bridges=bridges,
        kinds=kinds,
        language=reply.language,
        replies=reply.languages,
        tone=reply.tone,
        texts=reply.texts,
        delay_min_s=reply.delay_min_s,
        delay_max_s=reply.delay_max_s,
        window_days=reply.window_days,
        contact_name=contact_name,
        url=url,
    )


@functools.cache
def _templates() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 (not before somebody asks for the page)

    return jinja2.Environment(
        loader=jinja2.PackageLoader("bot.web.public", "templates"),
        autoescape=True,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


@functools.cache
def _fixed(name: str) -> bytes:
    return resources.files(__package__).joinpath("templates", name).read_bytes()


def _offer(n: int, way: bridge.Bridge, value: str, kind: str, paused: bool) -> Offer:  # noqa: FBT001 (one call)
    own = address.Address(way.network, value)
    shown = spoken = value
    if own.is_e164:
        parsed = phonenumbers.parse(value)
        international = phonenumbers.PhoneNumberFormat.INTERNATIONAL
        shown = phonenumbers.format_number(parsed, international).replace("-", " ")
        # A comma is a short pause for whoever listens.
        spoken = shown.replace(" ", ", ")
    return Offer(
        n=n,
        network=way.network,
        value=value,
        shown=shown,
        spoken=spoken,
        link=offering.link(way, value),
        demo=f"phone/{way.channel}/" if kind == _SIMULATOR else None,
        paused=paused,
    )


def contact(name: str, offer: Offer) -> str:
    """A vCard 3.0 (RFC 2426) under a neutral name, as every phone reads it."""
    escaped = re.sub(r"([\\;,])", r"\\\1", name)
    own = address.Address(offer.network, offer.value)
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:;{escaped};;;", f"FN:{escaped}"]
    if own.is_e164:
        lines.append(f"TEL;TYPE=CELL:{offer.value}")
    if offer.link and not offer.link.startswith("sms:"):
        lines.append(f"URL:{offer.link}")
    return "\r\n".join([*lines, "END:VCARD", ""])
