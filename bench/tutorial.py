"""How the provider's tutorial takes messages in: the reference (a) of `bench.intake`.

Flask, the SDK's own validator, one INSERT and one commit a request, served by gunicorn's two
workers. As ours it answers only what is on the disk (WAL, synchronous=FULL), and a million
messages lie in its table already.

    gunicorn --workers 2 'bench.tutorial:app("FILE")'
"""

from __future__ import annotations

import sqlite3

import flask
from twilio import request_validator  # type: ignore[import-untyped]

from bench import forms

_MAKE = "CREATE TABLE IF NOT EXISTS messages (sid TEXT PRIMARY KEY, sender TEXT, body TEXT)"


def connect(path: str) -> sqlite3.Connection:
    """As durable as ours."""
    connection = sqlite3.connect(path, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_MAKE)
    return connection


def fill(path: str) -> None:
    """A million messages that came before."""
    connection = connect(path)
    connection.executemany(
        "INSERT INTO messages VALUES (?, ?, 'salut')",
        ((f"SM{place:032x}", forms.number(place)) for place in range(forms.PEOPLE)),
    )
    connection.commit()
    connection.close()


def app(path: str) -> flask.Flask:
    """The application, one for each worker."""
    made = flask.Flask("tutorial")
    validator = request_validator.RequestValidator(forms.TOKEN)
    connection = connect(path)

    @made.route(forms.PATH, methods=["POST"])
    def take() -> flask.Response:
        told = flask.request.form
        signature = flask.request.headers.get("X-Twilio-Signature", "")
        if not validator.validate(forms.PUBLIC_URL + forms.PATH, told, signature):
            flask.abort(403)
        connection.execute(
            "INSERT INTO messages VALUES (?, ?, ?)",
            (told["MessageSid"], told["From"], told["Body"]),
        )
        connection.commit()
        return flask.Response("<Response/>", mimetype="text/xml")

    @made.route("/ready")
    def ready() -> str:
        return "ready"

    return made
