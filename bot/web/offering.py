"""The addresses on offer as people see them: each with a link that opens a message, and its QR.

Made once at the start. Knows no bridge: a bridge that `OffersLinks` says how it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bot.contract import address, bridge

_SIMULATOR: Final = "simulator"
_QUIET: Final = 2


def link(way: bridge.Bridge, value: str) -> str | None:
    """What opens a message to that address of ours, None if nothing does."""
    own = address.Address(way.network, value)
    if isinstance(way, bridge.OffersLinks):
        return way.link(own)
    # RFC 5724: every phone knows it.
    return f"sms:{value}" if own.network == address.SMS and own.is_e164 else None


def listed(
    bridges: Mapping[str, bridge.Bridge],
    offered: Mapping[str, Sequence[str]],
    kinds: Mapping[str, str],
) -> list[dict[str, object]]:
    """What `/api/channels` tells: channel -> its addresses, and their links where there are any."""
    return [
        {
            "channel": name,
            "network": way.network,
            "kind": kinds[name],
            "addresses": list(offered.get(name, ())),
            "links": {
                value: found
                for value in offered.get(name, ())
                if (found := link(way, value)) is not None
            },
            "path": f"/phone/{name}/" if kinds[name] == _SIMULATOR else None,
        }
        for name, way in bridges.items()
    ]


def picture(told: str) -> str:
    """A link as a QR code: SVG for the page itself, without script, style or another request."""
    import segno  # noqa: PLC0415 (brings XML and HTTP clients; a page that nobody asks for needs none)

    # Its own size in CSS pixels; the page gives it a white ground, as readers want one.
    made: str = segno.make(told, error="m").svg_inline(
        scale=4, border=_QUIET, dark="#000", light="#fff", svgclass="qr", omitsize=True
    )
    return made
