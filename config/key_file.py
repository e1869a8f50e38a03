"""Files that hold secrets: read only if nobody else can read them.

A refusal names the file, its mode and the command that mends it, never a byte of what is inside.
"""

import os
import stat
from pathlib import Path

from config.errors import ConfigError

KEY_BYTES_MAX = 4096
"""A key is a line. Anything longer is the wrong file."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""Group and others have no business in a key file."""


def read_key_file(path: Path, *, by_systemd: bool = False, exposed: list[ConfigError] | None = None) -> str:
    """The secret in a file, without the white space around it.

    With `exposed` a file that others can use is read all the same, and what is wrong with it is put there.
    """
    try:
        with path.open("rb") as file:
            refuse_exposed(path, os.fstat(file.fileno()), by_systemd=by_systemd, exposed=exposed)
            content = file.read(KEY_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(str(path), f"can't be read: {error.strerror}") from None
    if len(content) > KEY_BYTES_MAX:
        raise ConfigError(str(path), f"must be a key, which is shorter than {KEY_BYTES_MAX} bytes")
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        secret = ""  # its bytes would be in the exception: raise outside of this block
    if not secret or not secret.isprintable():
        raise ConfigError(str(path), "must hold one line of text: the secret and nothing else")
    return secret


def refuse_exposed(
    path: Path, status: os.stat_result, *, by_systemd: bool = False, exposed: list[ConfigError] | None = None
) -> None:
    """Refuse a file that is not private, or note it in `exposed` where somebody only looks."""
    try:
        check_private(path, status, by_systemd=by_systemd)
    except ConfigError as error:
        if exposed is None:
            raise
        exposed.append(error)


def check_private(path: Path, status: os.stat_result, *, by_systemd: bool = False) -> None:
    """Refuse a file that others may read or write, or that belongs to somebody else. POSIX only: Windows has ACLs.

    systemd gives a service its credentials as root's files with an access list; the list's mask shows as group bits.
    """
    if os.name != "posix":
        return
    mine, roots = status.st_uid == os.geteuid(), status.st_uid == 0
    if not (mine or (by_systemd and roots)):
        right = f"must belong to the user obid runs as, {os.geteuid()}; run: chown {os.geteuid()} {path}"
        raise ConfigError(str(path), f"belongs to user {status.st_uid}; {right}")
    allowed = stat.S_IRGRP if by_systemd and roots else 0
    if status.st_mode & OTHERS & ~allowed:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        right = f"has mode {mode}, so others than its owner can use it; run: chmod 600 {path}"
        raise ConfigError(str(path), right)
