"""systemd's units, as text: for the machine, hardened, and for one user.

Directives are those of systemd.service(5) and systemd.exec(5). `systemd-analyze security --offline` rates the hardened
ones; what is left open there is open because obid needs it: the network.
"""

from pathlib import Path

from msgspec import Struct

WATCHDOG_S = 9
"""An actor's deadline is 5 s, seen within half a second, and by then the watchdog may just have been fed: what hangs is
ended within 15 s. Less would end a loop that only stalls: one that stands for half of this."""
START_S, STOP_S = 180, 20
"""A venue that is asked again for two minutes at the start; a stop cancels what rests and takes under 5 s."""
RESTART_S = 1
STARTS_MAX, STARTS_WITHIN_S = 5, 300
"""More starts than that and systemd gives up: nothing that crashes at once gets better by being started for ever."""
BAD_CONFIGURATION = 2
"""obid's exit code for what a restart cannot mend."""

CREDENTIALS = (
    "hyperliquid_agent_key",
    "hyperliquid_master_address",
    "alpaca_live_key_id",
    "alpaca_live_secret",
    "alpaca_paper_key_id",
    "alpaca_paper_secret",
    "fmp_key",
    "fred_key",
    "alert_url",
)
"""What the daemon may be given; those of the dead man are his own."""
DEADMAN_CREDENTIALS = (
    "hyperliquid_deadman_key",
    "hyperliquid_master_address",
    "alpaca_deadman_key_id",
    "alpaca_deadman_secret",
    "alert_url",
)

HARDENED = """
# Nothing but the network and its own state. Checked by `systemd-analyze security --offline=true`.
# Not ProcSubset=pid: the heartbeat names the start of the machine, which stands in /proc/sys.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
PrivateMounts=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @obsolete
SystemCallErrorNumber=EPERM
DevicePolicy=closed
KeyringMode=private
""".strip()


class Unit(Struct, frozen=True, kw_only=True):
    """What differs from unit to unit."""

    description: str
    command: tuple[str, ...]
    data_dir: Path
    config_dir: Path
    credentials: tuple[str, ...]
    user: bool  # of one user, by their own service manager

    def credential(self, name: str) -> str:
        """The line that hands a secret over; a remark where there is no such file."""
        path = self.config_dir / "keys" / name
        return f"{'' if path.is_file() else '#'}LoadCredential={name}:{path}"


def unit_text(unit: Unit) -> str:
    """A unit, ready to be written down."""
    lines = [
        "[Unit]",
        f"Description={unit.description}",
        *([] if unit.user else ["After=network-online.target", "Wants=network-online.target"]),
        f"StartLimitIntervalSec={STARTS_WITHIN_S}",
        f"StartLimitBurst={STARTS_MAX}",
        "",
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={' '.join(map(quoted, unit.command))}",
        f"WatchdogSec={WATCHDOG_S}",
        f"TimeoutStartSec={START_S}",
        f"TimeoutStopSec={STOP_S}",
        "Restart=on-failure",
        f"RestartSec={RESTART_S}",
        f"RestartPreventExitStatus={BAD_CONFIGURATION}",
        "KillMode=mixed",
        "UMask=0077",
        "LimitCORE=0",
        "OOMScoreAdjust=-100" if not unit.user else "OOMPolicy=stop",
        "Environment=PYTHONDONTWRITEBYTECODE=1",
        "# A file per secret, mode 0400. Take the # off those that are there: one that is missing stops the start.",
        *map(unit.credential, unit.credentials),
        *_place(unit),
        "",
        "[Install]",
        "WantedBy=default.target" if unit.user else "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def _place(unit: Unit) -> list[str]:
    if unit.user:
        return ["NoNewPrivileges=yes", "LockPersonality=yes", "RestrictRealtime=yes"]
    return [
        "User=obid",
        "Group=obid",
        "StateDirectory=obid",
        "StateDirectoryMode=0700",
        "ConfigurationDirectory=obid",
        f"ReadWritePaths={unit.data_dir}",
        HARDENED,
    ]


def quoted(word: object) -> str:
    """A word of a command line as systemd reads it: % and quotes escaped, in quotes where it has blanks."""
    text = str(word).replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if not text or any(character in text for character in " \t'\";") else text
