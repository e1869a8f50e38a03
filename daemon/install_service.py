"""`obid install-service`: units that start this very obid, written where systemd looks for them."""

import sys
from pathlib import Path

from msgspec import Struct

from config.places import default_data_dir
from daemon.errors import BadInput, Failed
from daemon.options import Mode
from daemon.service_units import CREDENTIALS, DEADMAN_CREDENTIALS, Unit, unit_text

SYSTEM_FOLDER = Path("/etc/systemd/system")
SYSTEM_DATA, SYSTEM_CONFIG = Path("/var/lib/obid"), Path("/etc/obid")
MAIN, DEADMAN = "obid.service", "obid-deadman.service"
FILE_MODE = 0o644
HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome=yes of the hardened units leaves empty (systemd.exec(5))."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What the service is to run."""

    user: bool
    mode: Mode
    engines: tuple[str, ...]
    config: Path | None
    data_dir: Path | None
    program: tuple[str, ...] = ()  # how obid is called; empty: as it was called now


def units(wanted: Wanted) -> dict[str, str]:
    """The units by name: the daemon's, and the dead man's where orders leave the machine."""
    data_dir = wanted.data_dir or (default_data_dir() if wanted.user else SYSTEM_DATA)
    config_dir = Path.home() / ".config" / "obid" if wanted.user else SYSTEM_CONFIG
    program = wanted.program or (sys.executable, "-m", "daemon")
    engines = [word for engine in wanted.engines for word in ("--engine", engine)]
    config = ["--config", str(wanted.config)] if wanted.config else []
    tail = (*engines, *config, "--data-dir", str(data_dir))
    main = Unit(
        description=f"obid, {wanted.mode.value}: {', '.join(wanted.engines)}",
        command=(*program, "run", "--plain", "--mode", wanted.mode.value, *tail),
        data_dir=data_dir,
        config_dir=config_dir,
        credentials=CREDENTIALS,
        user=wanted.user,
    )
    found = {MAIN: unit_text(main)}
    if wanted.mode in (Mode.LIVE, Mode.PAPER):
        deadman = Unit(
            description="obid's dead man: cancels every order when the daemon is gone",
            command=(*program, "deadman", "--mode", wanted.mode.value, *tail),
            data_dir=data_dir,
            config_dir=config_dir,
            credentials=DEADMAN_CREDENTIALS,
            user=wanted.user,
        )
        found[DEADMAN] = unit_text(deadman)
    return found


def folder(wanted: Wanted) -> Path:
    """Where systemd looks for them."""
    return Path.home() / ".config" / "systemd" / "user" if wanted.user else SYSTEM_FOLDER


def refuse_hidden(wanted: Wanted) -> None:
    """What a unit of the machine could not reach, so that it would never start. Raises BadInput."""
    program = Path((wanted.program or (sys.executable,))[0])
    named: dict[str, Path | None] = {"the program": program, "the program's own": program.resolve()}
    named |= {"--config": wanted.config, "--data-dir": wanted.data_dir}
    for what, path in named.items():
        if path and not wanted.user and any(path.is_relative_to(place) for place in HIDDEN):
            right = "is hidden from a service of the machine (ProtectHome): have it in /opt, or use --user"
            raise BadInput(what, path, right)


def install(wanted: Wanted, *, force: bool) -> list[str]:
    """Write them; what to do next, in lines. Raises Failed, and BadInput for a file that somebody has changed."""
    refuse_hidden(wanted)
    where, lines = folder(wanted), []
    for name, text in units(wanted).items():
        path = where / name
        if path.exists() and path.read_text("utf-8") != text and not force:
            raise BadInput("install-service", path, "is there and says something else; --force writes over it")
        try:
            where.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(FILE_MODE)
        except OSError as error:
            hint = "" if wanted.user else "; it needs root, or use --user"
            raise Failed(f"{path}: {error.strerror}{hint}") from error
        lines.append(f"wrote {path}")
    names = " ".join(units(wanted))
    ask = "systemctl --user" if wanted.user else "systemctl"
    lines += [f"next: {ask} daemon-reload && {ask} enable --now {names}"]
    lines += (
        ["      loginctl enable-linger    # or it ends when you log out"]
        if wanted.user
        else ["      useradd --system --home-dir /var/lib/obid --shell /usr/sbin/nologin obid    # first, once"]
    )
    lines += [f"look: {ask} status obid, obid ctl status, journalctl {'--user ' if wanted.user else ''}-u obid"]
    return lines
