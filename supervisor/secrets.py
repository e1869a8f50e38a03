"""Secrets of this process, kept out of every text that leaves it.

Who holds one adds it to `KNOWN`; who writes, prints, answers or keeps the words of others asks `hidden` or `mask`.
"""

import json
from typing import Any, TextIO
from urllib.parse import quote

MASK = "***"
SECRET_LENGTH_MIN = 8
"""A shorter secret is a guessable one, and masking it would tear ordinary words apart."""


class Secrets:
    """The values that must never be written, in every form a line can hold them."""

    def __init__(self) -> None:
        self.forms: tuple[bytes, ...] = ()

    def add(self, value: str) -> None:
        """Never write this value. Raises ValueError, without it, for one too short to be told from ordinary text."""
        if len(value) < SECRET_LENGTH_MIN:
            raise ValueError(f"a secret of {len(value)} characters cannot be kept out of the log")
        escaped = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], quote(value, safe=""))
        forms = {value.encode(), *(form.encode() for form in escaped), *self.forms}
        self.forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))  # the longest first: forms nest

    def mask(self, text: bytes) -> bytes:
        """The text without any secret."""
        for form in self.forms:
            text = text.replace(form, MASK.encode())
        return text


KNOWN = Secrets()
"""What this process holds: kept out of all that it prints and answers, as a run's log keeps it out of its lines, and
out of what others say: a venue that answers with what it was sent would have it told, and booked, as a reason."""


def hidden(text: str) -> str:
    """Text without any secret of this process."""
    return KNOWN.mask(text.encode(errors="replace")).decode(errors="replace") if KNOWN.forms else text


class Masked:
    """A text stream without the secrets of this process; in all else it is the stream it stands for."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, hidden; gives how much was taken, as the caller counts it."""
        self._stream.write(hidden(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
