"""The one door to bytes nobody can guess: for locks against strangers, never for anything a run decides."""

import secrets

TOKEN_BYTES = 32
"""256 bits: beyond guessing, whatever the attacker can afford."""


def unguessable() -> str:
    """A fresh token of letters, digits, - and _."""
    return secrets.token_urlsafe(TOKEN_BYTES)
