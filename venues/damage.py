"""Damage in recorded data: said by file, place and reason, while everything else is still played."""

from collections.abc import Callable

from msgspec import Struct


class Damage(Struct, frozen=True):
    """A row or record that could not be used."""

    file: str
    place: int  # row of a table, counted from 0; byte of a recording
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: row {self.place}: {self.reason}"


Report = Callable[[Damage], object]
"""Is told of each damage once."""


class BadRecording(Exception):
    """A file that is no recording at all, or has no data to play."""
