"""A process that holds secrets leaves no core file and shows nobody its memory, and its last words are masked.

Linux keeps a process that is not dumpable (prctl(2), PR_SET_DUMPABLE) out of the reach of ptrace and of core files; the
limit on core files does the latter everywhere else. Windows has neither, and its crash dumps are the operator's.
"""

import ctypes
import sys
import threading
import traceback
from collections.abc import Iterable
from string import hexdigits
from types import TracebackType
from urllib.parse import unquote, urlsplit

from config.settings import SECRETS, Settings
from supervisor.secrets import KNOWN, SECRET_LENGTH_MIN, hidden

PR_SET_DUMPABLE = 4
"""Of <sys/prctl.h>."""


HEX_DIGITS_MIN = 32
"""A shorter one may be anything; keys have 64."""


def secrets_of(settings: Settings) -> list[str]:
    """Every secret value of settings, in the forms that others may print."""
    values = [value.get_secret_value() for name in SECRETS if (value := getattr(settings, name)) is not None]
    urls = (settings.hyperliquid_url, settings.alpaca_url, settings.alpaca_data_url)
    passwords = [password for url in urls if len(password := urlsplit(url).password or "") >= SECRET_LENGTH_MIN]
    return [*values, *(form for value in values for form in hex_forms(value)), *map(unquote, passwords)]


def hex_forms(value: str) -> tuple[str, ...]:
    """A key of hex digits as others may print it: without 0x, in either case."""
    digits = value[2:] if value[:2].lower() == "0x" else value
    if len(digits) < HEX_DIGITS_MIN or not all(digit in hexdigits for digit in digits):
        return ()
    return digits, digits.lower(), digits.upper()


def guard(secrets: Iterable[str]) -> None:
    """Never print these from now on, and never leave them in a file of the kernel's."""
    held = [secret for secret in secrets if len(secret) >= SECRET_LENGTH_MIN]  # others are refused, or no secrets
    if not held:
        return
    for secret in held:
        KNOWN.add(secret)
    keep_memory()
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_of_thread
    sys.unraisablehook = _unraisable


def keep_memory() -> None:
    """No core file, and no reading of this process by others of its user."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(hidden("".join(traceback.format_exception(kind, error, trace))))


def _uncaught_of_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and told.exc_type is not SystemExit:
        _uncaught(told.exc_type, told.exc_value, told.exc_traceback)


def _unraisable(told: "sys.UnraisableHookArgs") -> None:
    if told.exc_value is not None:
        _uncaught(told.exc_type, told.exc_value, told.exc_traceback)
