"""What a source of a calendar said, kept in a file: a restart within hours asks nobody again."""

import os
from pathlib import Path

import msgspec

from venues.market import CalendarRead


class Cache:
    """One file for each source and kind. A file that can't be read is as if there were none."""

    def __init__(self, folder: Path, name: str):
        self.path = folder / f"{name}.json"

    def load(self) -> CalendarRead | None:
        """What was kept."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=CalendarRead)
        except (OSError, msgspec.MsgspecError):
            return None

    def keep(self, read: CalendarRead) -> None:
        """Keep a reading, whole or not at all. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_suffix(".new")
        aside.write_bytes(msgspec.json.encode(read))
        os.replace(aside, self.path)
