"""The log: one JSON object a line, through structlog, cheap enough to write down every decision.

Every line opens with the same five fields, in this order, then holds the event's own and, last, `crc`, the CRC-32 of
what stands before it (docs/log-schema.md):

    run    id of the run                          seq    1, 2, 3 ... within the run, no gaps
    at     time on the run's clock, ISO 8601 UTC with nanoseconds
    level  debug, info, warning, error, critical  event  its name in snake case

An event's field of such a name, or called crc, gets an underscore: a macro window's `event` is `event_`.
Numbers that are not finite are null, decimals are text, enums their values. A traceback names files, lines and
functions, never a local variable. Lines are buffered; a warning or worse is written at once, with all before it.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import structlog
from structlog.tracebacks import ExceptionDictTransformer

from daemon.log_file import BUFFER_BYTES, Keep, LogFile
from daemon.log_lines import CRC_KEY, RESERVED
from daemon.log_reader import LEVELS as SEVERITIES
from daemon.log_reader import LOG_FOLDER, LOG_NAME
from daemon.redact import has_secret_names, is_secret_name, masked
from daemon.times import NS_PER_S, seconds_iso
from supervisor.secrets import MASK, Secrets

LINE_BYTES_MAX = 64 * 1024
"""A longer line is cut to its envelope: a bug in one field must not fill the disk."""
FRAMES_MAX = 20
"""Frames of a traceback: where it broke and who called, not a recursion a thousand deep."""
LINES_BUFFERED_MAX = 128
"""Lines that may wait for the owner's timer, so that little is lost when the process is killed."""
LEVELS: dict[str, str] = {
    "GaveUp": "critical",
    **dict.fromkeys(("ChildCrashed", "DeadLetter", "HeldOutside", "InvariantBroken", "OrderFaulted"), "error"),
    **dict.fromkeys(("Awoke", "Drift", "CashDrift", "Rejected"), "warning"),
}
"""Messages that are more than information, by class name; `log_message` looks here."""
URGENT = frozenset(("warning", "error", "critical"))
NAMES_MAX = 1_000
"""Names of events and fields remembered: they stand in the source, but ones built from data must not be a leak."""
COMMA, BRACES = ord(","), b"{}"
HEAD, CRC_END = b"%b%d%b%09d%b", CRC_KEY + b"%d}\n"
"""Bytes and not text: half a microsecond less in each line."""
WORD_START = re.compile(r"(?<!^)(?=[A-Z])")
UNFOLD = ExceptionDictTransformer(show_locals=False, max_frames=FRAMES_MAX, use_rich=False)


class Plan(NamedTuple):
    """How messages of one type are written."""

    tail: bytes  # the envelope's end: level and event
    plain: bool  # its JSON can follow the envelope as it is
    level: str
    urgent: bool  # is written to the file at once


SILENT = Plan(b"", False, "", False)
"""The plan of what is below the log's level: it is not written."""


class Speaker(structlog.BoundLoggerBase):
    """structlog's bound logger, with methods of our own: its chain of processors costs as much as the whole line."""

    _logger: "Log"
    _context: dict[str, Any]

    def debug(self, event: str, **fields: Any) -> None:
        """Write a line that is only wanted while looking for something."""
        self._logger.write_event("debug", event, fields, self._context)

    def info(self, event: str, **fields: Any) -> None:
        """Write what happened."""
        self._logger.write_event("info", event, fields, self._context)

    def warning(self, event: str, **fields: Any) -> None:
        """Write what a person should see some time."""
        self._logger.write_event("warning", event, fields, self._context)

    def error(self, event: str, **fields: Any) -> None:
        """Write what went wrong; `exc_info` is an exception, or True for the one at hand."""
        self._logger.write_event("error", event, fields, self._context)

    def critical(self, event: str, **fields: Any) -> None:
        """Write what ends the run."""
        self._logger.write_event("critical", event, fields, self._context)

    def exception(self, event: str, **fields: Any) -> None:
        """Write the exception at hand as an error."""
        self._logger.write_event("error", event, {"exc_info": True, **fields}, self._context)


class Log:
    """The log of one run: `speaker` writes events with fields, `log_message` a message as it is."""

    def __init__(self, file: LogFile, run_id: str, now_ns: Callable[[], int], level: str = "info"):
        self.file = file
        self.run_id = run_id
        self.now_ns = now_ns
        self.secrets = Secrets()
        self.lines = 0
        self._buffer = file.buffer
        self._waiting = 0
        self._second = -1
        self._at = b""
        self._open = b'{"run":%b,"seq":' % msgspec.json.encode(run_id)
        self._encode_into = msgspec.json.Encoder(enc_hook=repr).encode_into
        self._silent = frozenset(SEVERITIES[: SEVERITIES.index(level)])
        self._plans: dict[type, Plan] = {}
        self._events: dict[str, dict[str, Plan]] = {name: {} for name in SEVERITIES}
        self._safe_names: set[str] = set()
        self._lock = RLock()  # the disk's thread may log too
        self.speaker: Speaker = structlog.wrap_logger(self, wrapper_class=Speaker, context_class=dict).bind()
        self.debug, self.info, self.warning = self.speaker.debug, self.speaker.info, self.speaker.warning
        self.error, self.critical, self.exception = self.speaker.error, self.speaker.critical, self.speaker.exception

    def write_event(self, level: str, event: str, fields: dict[str, Any], context: dict[str, Any]) -> None:
        """Write an event with its fields; what `speaker` calls, `context` being what was bound to it."""
        plan = self._events[level].get(event) or self._event(level, event)
        if plan is SILENT:
            return
        if context:
            fields = {**context, **fields}
        if not self._safe_names.issuperset(fields):
            fields = self._checked(fields)
        self._write(plan, fields)

    def write(self, message: msgspec.Struct) -> None:
        """Write a message; with `flush`, this is what the recorder asks of a sink."""
        self.log_message(message)

    def log_message(self, message: msgspec.Struct, level: str = "") -> None:
        """Write a message: its class name in snake case as the event, its fields as they are."""
        plan = self._plans.get(type(message)) or self._plan(type(message))
        if level and level != plan.level:
            plan = SILENT if level in self._silent else plan_of(event_of(type(message)), level, plan.plain)
        if plan is SILENT:
            return
        self._write(plan, message if plan.plain else renamed(masked(msgspec.to_builtins(message, enc_hook=repr))))

    def flush(self) -> None:
        """Write what waits; the owner's timer calls it about once a second."""
        with self._lock:
            self._flush()

    def close(self) -> None:
        """Write the rest and close the file."""
        with self._lock:
            self._flush()
            self.file.close()

    def capture_stdlib(self) -> logging.Handler:
        """Send the warnings of libraries (asyncio's lost exceptions) here too; returns the handler, to be removed."""
        handler = LibraryHandler(self)
        logging.getLogger().addHandler(handler)
        return handler

    def _plan(self, kind: type[msgspec.Struct]) -> Plan:
        plain = frozenset(kind.__struct_fields__).isdisjoint(RESERVED) and not has_secret_names(kind)
        level = LEVELS.get(kind.__name__, "info")
        plan = SILENT if level in self._silent else plan_of(event_of(kind), level, plain)
        self._plans[kind] = plan
        return plan

    def _event(self, level: str, event: str) -> Plan:
        plan = SILENT if level in self._silent else plan_of(event, level)
        if len(self._events[level]) < NAMES_MAX:
            self._events[level][event] = plan
        return plan

    def _checked(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Fields with names not met before: mask secrets, rename those of the envelope, unfold an exception."""
        if error := fields.pop("exc_info", None):
            if error is True:
                error = sys.exc_info()
            elif isinstance(error, BaseException):
                error = (type(error), error, error.__traceback__)
            fields["exception"] = UNFOLD(error) if error[0] else None
        for name in fields:
            if not is_secret_name(name) and name not in RESERVED and len(self._safe_names) < NAMES_MAX:
                self._safe_names.add(name)
        return renamed({name: MASK if is_secret_name(name) else value for name, value in fields.items()})

    def _write(self, plan: Plan, fields: Any) -> None:
        """One line into the buffer. The hot path: it builds in place, and looks again only at what is rare."""
        seconds, part_ns = divmod(self.now_ns(), NS_PER_S)
        with self._lock:
            if seconds != self._second:
                self._second, self._at = seconds, f',"at":"{seconds_iso(seconds)}.'.encode()
                self.file.at_s = seconds
            self.lines += 1
            buffer = self._buffer
            start = len(buffer)
            buffer += HEAD % (self._open, self.lines, self._at, part_ns, plan.tail)
            body = len(buffer)
            try:
                self._encode_into(fields, buffer, -1)
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                self._replace(body, {"unwritable": ascii(error)})
            if not plan.plain and buffer.find(BRACES[0], body + 1) >= 0:
                self._replace(body, masked(msgspec.json.decode(buffer[body:])))
            if len(buffer) - body > LINE_BYTES_MAX:
                self._replace(body, {"cut_bytes": len(buffer) - body})
            if buffer[body + 1] == BRACES[1]:
                del buffer[body]  # no fields: the envelope needs its closing brace only
            else:
                buffer[body] = COMMA
            for form in self.secrets.forms:
                if buffer.find(form, start) >= 0:
                    buffer[start:] = self.secrets.mask(bytes(buffer[start:]))
            buffer.pop()  # the closing brace, which follows the checksum now
            buffer += CRC_END % crc32(buffer[start:])
            self._waiting += 1
            if self._waiting >= LINES_BUFFERED_MAX or plan.urgent or len(buffer) >= BUFFER_BYTES:
                self._flush()

    def _replace(self, body: int, fields: Any) -> None:
        """Other fields from `body` on, because those there cannot be written or must not."""
        del self._buffer[body:]
        self._encode_into(fields, self._buffer, -1)

    def _flush(self) -> None:
        self._waiting = 0
        self.file.flush()
        if self.file.lines_lost and not self.file.error:
            lost, self.file.lines_lost = self.file.lines_lost, 0
            self._write(plan_of("log_lines_lost", "warning"), {"lines": lost})


class LibraryHandler(logging.Handler):
    """Carries what libraries say through the standard library's logging into the log, from warnings up."""

    def __init__(self, log: Log):
        super().__init__(logging.WARNING)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One line; the event is `library`, the text stands in `message`."""
        level = record.levelname.lower() if record.levelno >= logging.WARNING else "warning"
        speak = getattr(self.log, level, self.log.warning)
        speak("library", logger=record.name, message=record.getMessage(), exc_info=record.exc_info)


def open_log(
    data_dir: Path, run_id: str, now_ns: Callable[[], int], level: str = "info", keep: Keep | None = None
) -> Log:
    """The log of a data directory, ready to write."""
    return Log(LogFile(data_dir / LOG_FOLDER / LOG_NAME, keep), run_id, now_ns, level)


def event_of(kind: type) -> str:
    """A message type as an event: PositionChanged is position_changed."""
    return event_named(kind.__name__)


def event_named(kind: str) -> str:
    """The same by the type's name."""
    return WORD_START.sub("_", kind).lower()


def plan_of(event: str, level: str, plain: bool = False) -> Plan:
    """How an event of this name and level is written."""
    tail = f'Z","level":"{level}","event":{msgspec.json.encode(event).decode()}'
    return Plan(tail.encode(), plain, level, level in URGENT)


def renamed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields under names that the envelope and the checksum do not use."""
    return {f"{name}_" if name in RESERVED else name: value for name, value in fields.items()}
