"""Who keeps a daemon up and who is told: the service manager and its watchdog, the dead man, alerts, calendars."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from config.errors import ConfigError
from config.macro import load_macro_calendar
from config.sessions import load_sessions
from config.settings import CREDENTIALS, check_mode
from daemon.calendars import FOLDER
from daemon.configured import Configured
from daemon.deadman_venues import VENUES
from daemon.doctor.line import Line, fail, ok, warn
from daemon.heart import REQUIRED
from daemon.heartbeat import Beat, Link, Unreadable, beacon, heartbeat, unwatched
from daemon.install_service import MAIN, Wanted, folder
from daemon.options import Mode, RunOptions
from supervisor.boot import boot_id, since_boot_ns
from supervisor.clock import NS_PER_S

AHEAD_DAYS_LOW = 30
"""A calendar that ends sooner is to be renewed: obid is upgraded by then, or its table edited."""
FETCHED_OLD_S = 26 * 3_600
"""What a source said holds for a day (docs/operating.md, Calendars); two hours are its next tries."""
SYSTEMCTL_S = 2.0
SERVICE = "service"
SHOWN = ("ActiveState", "Type", "WatchdogUSec", "NRestarts", "StatusText")


# --- credentials ------------------------------------------------------------------------------------------------------


def credentials_line(configured: Configured, mode: Mode) -> Line:
    """Whether what the mode needs is there; what kind of keys they are is asked of the venues.

    Raises ConfigError for what is no credential: that is a wrong configuration.
    """
    missing = []
    for profile in configured.profiles.values():
        if profile.in_shadow:
            continue
        try:
            check_mode(configured.settings, profile.engine)
        except ConfigError as error:
            if error.field not in CREDENTIALS:
                raise
            missing.append(error)
    if missing:
        told = "; ".join(dict.fromkeys(str(error) for error in missing))
        return fail("credentials", told, "as it says; not looked at: the venues that want them")
    return ok("credentials", f"what {mode.value} needs is there")


# --- service ----------------------------------------------------------------------------------------------------------


def unit_paths() -> list[Path]:
    """Where systemd may have the daemon's unit: of the user, of the machine."""
    asked = (Wanted(user=user, mode=Mode.LIVE, engines=(), config=None, data_dir=None) for user in (True, False))
    return [folder(one) / MAIN for one in asked]


def service_line(pid: str | None, *, leaves: bool) -> Line:
    """Whether somebody starts it again, and is fed. `leaves`: orders leave this machine."""
    user, machine = unit_paths()
    found = next((path for path in (user, machine) if path.is_file()), None)
    if found is None:
        if not leaves:
            return ok(SERVICE, "no unit is installed; nothing leaves this machine, so it matters less")
        return warn(SERVICE, "no unit is installed: nobody starts a daemon that ended", "obid install-service --user")
    if "WatchdogSec=" not in found.read_text("utf-8", "replace"):
        return warn(SERVICE, f"{found} has no WatchdogSec: a hang is not ended", "obid install-service --force")
    shown = systemctl_shows(user=found == user)
    if pid is not None and shown and shown.get("ActiveState") != "active":
        do = "stop the one that runs by hand, then systemctl start obid"
        return warn(SERVICE, f"{found} is {shown.get('ActiveState')}, and pid {pid} runs without it", do)
    if pid is not None and shown and shown.get("WatchdogUSec", "0") in ("0", "infinity"):
        return warn(SERVICE, f"{found} is active without a watchdog", "systemctl daemon-reload, then restart it")
    told = (
        f"{shown['ActiveState']}, {shown.get('NRestarts', '?')} restarts; {shown.get('StatusText', '')}"
        if shown
        else ""
    )
    return ok(SERVICE, f"{found}, with a watchdog" + (f"; {told}" if told else ""))


def systemctl_shows(*, user: bool) -> dict[str, str]:
    """What systemd says of the unit; nothing where there is none to ask."""
    program = shutil.which("systemctl")
    if program is None:
        return {}
    command = [program, *(["--user"] if user else []), "show", MAIN, *(f"--property={name}" for name in SHOWN)]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=SYSTEMCTL_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = dict(row.split("=", 1) for row in said.splitlines() if "=" in row)
    return rows if rows.get("ActiveState") else {}


# --- dead man ---------------------------------------------------------------------------------------------------------


def deadman_line(options: RunOptions, configured: Configured) -> Line:
    """Whether one watches who would cancel what rests; asked as a daemon asks it (daemon/heartbeat.py)."""
    name, settings = "dead man", configured.settings
    start = " ".join(["obid deadman --mode", options.mode.value, *(f"--engine {one}" for one in options.engines)])
    if settings.deadman_policy == "off":
        told = "off: what rests when the daemon dies rests on"
        if options.mode is Mode.LIVE:
            return warn(name, told, f'deadman = "required", and {start}')
        return ok(name, f"{told}; no real money")
    there, why = None, "no dead man was started: obid deadman"
    if options.data_dir.is_dir():
        try:
            there = beacon(options.data_dir).read()
            why = unwatched(there, expected(options.data_dir, configured), boot_id(), since_boot_ns())
        except (Unreadable, OSError) as error:
            why = str(error)
    if why and settings.deadman_policy == REQUIRED:
        return fail(name, f"{why}; nothing is opened while none watches", f"start it: {start}")
    if why:
        return warn(name, why, f"start it: {start}")
    assert there is not None, "who watches has a beacon"
    return ok(name, f"pid {there.pid} watches {', '.join(one.venue for one in there.guarded)}")


def expected(data_dir: Path, configured: Configured) -> Beat:
    """The beat of a daemon that would be watched now: with the accounts of the one that runs, else of the settings."""
    file = heartbeat(data_dir)
    running = file.read()
    links = running.links if running is not None and not running.stopped else links_of(configured)
    now_ns, age_s = since_boot_ns(), configured.settings.deadman_age_s
    return Beat(boot=boot_id(), place=file.place, at_ns=now_ns, pid=0, run="", age_s=age_s, links=links)


def links_of(configured: Configured) -> tuple[Link, ...]:
    """The accounts that must be watched, as far as the settings name them."""
    account = configured.settings.hyperliquid_master_address or ""
    venues = dict.fromkeys(VENUES[one.universe] for one in configured.profiles.values() if not one.in_shadow)
    return tuple(Link(venue=one, account=account) for one in venues if one == "hyperliquid" and account)


# --- alerts and calendars ---------------------------------------------------------------------------------------------


def alerts_line(configured: Configured, *, leaves: bool) -> Line:
    """Whether anybody would be woken."""
    settings = configured.settings
    if settings.alert_url is not None:
        return ok("alerts", f"a webhook ({settings.alert_format}) is told from {settings.alert_level} on")
    if leaves:
        return warn("alerts", "nobody is told of a halt", "set alert_url: docs/operating.md, Being told")
    return ok("alerts", "nobody is told; nothing leaves this machine")


def calendar_line(configured: Configured, data_dir: Path, now_ns: int) -> Line:
    """How far the calendars reach, and whether those that are fetched are of today."""
    now = datetime.fromtimestamp(now_ns // NS_PER_S, UTC)
    sessions, macro = load_sessions(), load_macro_calendar()
    macro_end = datetime.fromtimestamp(macro.last_ns // NS_PER_S, UTC)
    told = f"sessions to {sessions.last}, releases to {macro_end:%Y-%m-%d}"
    profiles = configured.profiles.values()
    sessions_left = (sessions.last - now.date()).days if any(one.risk.session != "always" for one in profiles) else None
    macro_left = (macro_end - now).days
    do = "upgrade obid, or edit config/sessions and config/macro: docs/operating.md, Calendars"
    if sessions_left is not None and sessions_left < 0:
        return fail("calendars", f"{told}: no day is a trading day for shares any more", do)
    if macro_left < 0:
        shut = [one.engine for one in profiles if one.macro.when_degraded == "shut"]
        asked = configured.settings.fred_key is not None or configured.settings.fmp_key is not None
        if shut and not asked:
            return fail("calendars", f"{told}: {', '.join(shut)} would enter nothing", do)
        return warn("calendars", told, do)
    if min(macro_left, macro_left if sessions_left is None else sessions_left) < AHEAD_DAYS_LOW:
        return warn("calendars", f"{told}: less than {AHEAD_DAYS_LOW} days", do)
    old = [path.stem for path in fetched(data_dir) if now_ns / NS_PER_S - path.stat().st_mtime > FETCHED_OLD_S]
    if old:
        return warn(
            "calendars", f"{told}; {', '.join(old)} did not answer for a day", "obid logs --event calendar_state"
        )
    return ok("calendars", told)


def fetched(data_dir: Path) -> list[Path]:
    """Files of what calendars said."""
    place = data_dir / FOLDER
    return sorted(place.glob("*.json")) if place.is_dir() else []
