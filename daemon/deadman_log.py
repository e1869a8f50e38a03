"""What the dead man writes down: a JSONL log of its own, and a line on stderr for what somebody should see."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from daemon.log_file import LogFile
from daemon.log_reader import LOG_FOLDER
from daemon.logs import Log
from supervisor.clock import Clock
from supervisor.secrets import SECRET_LENGTH_MIN, Secrets

LOG_NAME = "deadman.jsonl"


class Notes:
    """The log, where there can be one. A full disk or a wrong owner is no reason not to cancel."""

    def __init__(self, data_dir: Path, run_id: str, clock: Clock, secrets: Iterable[str], stream: TextIO | None = None):
        self.stream = stream or sys.stderr
        self.secrets = Secrets()
        self.log: Log | None = None
        why = ""
        try:
            self.log = Log(LogFile(data_dir / LOG_FOLDER / LOG_NAME), run_id, clock.now_ns)
        except OSError as error:
            why = error.strerror or type(error).__name__
        for secret in secrets:
            if len(secret) >= SECRET_LENGTH_MIN:
                for known in (self.secrets, *([self.log.secrets] if self.log else [])):
                    known.add(secret)
        if why:
            self.loud("log_missing", why=why)

    def quiet(self, event: str, **fields: Any) -> None:
        """Write down what happened."""
        if self.log is not None:
            self.log.info(event, **fields)
            self.log.flush()

    def loud(self, event: str, *, error: BaseException | None = None, **fields: Any) -> None:
        """The same of what a person should see."""
        if self.log is not None:
            self.log.error(event, exc_info=error, **fields) if error else self.log.warning(event, **fields)
        told = {**fields, **({"error": f"{type(error).__name__}: {error}"} if error else {})}
        text = " ".join(f"{name}={' '.join(str(value).split())}" for name, value in told.items())
        self.line(f"obid deadman: {event} {text}")

    def line(self, text: str) -> None:
        """A line for a person, without any secret; nobody may be there to read it."""
        try:
            self.stream.write(self.secrets.mask(text.encode()).decode() + "\n")
            self.stream.flush()
        except (OSError, ValueError):
            self.stream = sys.__stderr__ or self.stream

    def close(self) -> None:
        """Write the rest."""
        if self.log is not None:
            self.log.close()
