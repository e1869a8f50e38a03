"""Settings of the daemon itself: mode, places and credentials, from the command line down to the TOML file.

Sources, the first that speaks wins:

    command line > environment (OBID_*) > .env > credentials directory, a file per secret > [daemon] in a TOML file

Secrets are SecretStr, and nothing here validates one inside pydantic: its errors carry what they were given, in
`errors()` and `json()` even where the text hides it. Formats and modes are checked afterwards, by plain functions.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from config.errors import ConfigError
from config.explain import explain, nearest
from config.key_file import read_key_file, refuse_exposed
from config.layers import Layer, merge, origin
from config.places import default_data_dir
from config.profile import EngineName

__all__ = ["Settings", "default_data_dir", "load_settings"]  # default_data_dir alone is cheaper from config.places

Mode = Literal["live", "paper", "shadow", "synthetic", "replay"]
PREFIX = "OBID_"
CONFIRMATION = "yes-real-money"
"""What OBID_LIVE has to say before live mode starts: two switches in two places can't be thrown by one mistake."""
PLAY = "yes-play-money"
"""What it may say instead where no money can be lost: on Hyperliquid's testnet, whose signatures mainnet refuses, and
at an emulated Alpaca on this machine."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that are this machine."""
SYSTEMD_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what LoadCredential names."""
ENV_FILE = Path(".env")
CREDENTIALS_OF_URL = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)?.*@")
ENV_LINE = re.compile(r"^\s*(?:export\s+)?(\w+)\s*=", re.MULTILINE)


class Settings(BaseSettings):
    """What holds for the whole daemon. Built by load_settings, which knows the sources."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",  # other programs' lines in .env; our own misspellings are looked for in check_names
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        loc_by_alias=False,
    )

    mode: Mode = "synthetic"
    data_dir: Path = Field(default_factory=default_data_dir)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_file_mib_max: int = Field(default=64, ge=1, le=1024)  # a file is rotated at this size, and each day
    log_files_kept: int = Field(default=31, ge=0, le=1000)  # rotated ones; in all at most a gibibyte of them
    metrics_port: int = Field(default=0, ge=0, le=65535)  # Prometheus on this machine; 0: off
    alert_url: SecretStr | None = None  # a webhook to tell of what needs a person; its address is a secret
    alert_format: Literal["plain", "slack", "discord", "telegram"] = "plain"
    alert_chat_id: str = ""  # telegram: who is told
    alert_level: Literal["info", "warning", "critical"] = "warning"  # this or worse
    live: str = ""  # the second switch of live mode: CONFIRMATION
    deadman: Literal["required", "optional", "off"] | None = None  # required in live, off elsewhere, if nothing is said
    deadman_age_s: float = Field(default=8.0, ge=1.0, le=15.0)  # a heartbeat this old means that nobody is there
    deadman_keeps_protection: bool = False  # reduce-only orders and stops are left where they are
    alpaca_trading_mode: Literal["paper", "live"] = Field(
        default="paper", validation_alias=AliasChoices("OBID_ALPACA_TRADING_MODE", "ALPACA_TRADING_MODE")
    )
    hyperliquid_chain: Literal["mainnet", "testnet"] | None = None  # whose signatures; mainnet where no URL is given
    hyperliquid_url: str = ""  # where it is; empty: the chain's own address
    hyperliquid_fast_books: bool = True  # 5 levels ten times as often, beside the 20
    hyperliquid_poll: tuple[str, ...] = ()  # symbols whose books are asked for as well, within what orders leave
    hyperliquid_agent_key: SecretStr | None = None  # of an agent wallet, which can trade and not withdraw
    hyperliquid_deadman_key: SecretStr | None = None  # of another agent wallet, for `obid deadman` alone
    hyperliquid_master_key: SecretStr | None = (
        None  # the account's own, for `obid fund-perp` alone; a run never reads it
    )
    hyperliquid_master_address: str | None = None  # the account that the agent trades for
    alpaca_url: str = ""  # where orders go; empty: the venue's own address of paper or live
    alpaca_data_url: str = ""  # where market data comes from; empty: the venue's own, or alpaca_url where that is given
    alpaca_plan: Literal["basic", "plus"] = "basic"  # of market data: how many symbols one stream may carry
    alpaca_feed: Literal["iex", "sip"] = "iex"  # of shares: one exchange, or all of them, which is not in basic
    alpaca_data_key_id: SecretStr | None = None  # for market data, where another key than the one for orders is used
    alpaca_data_secret: SecretStr | None = None
    alpaca_paper_key_id: SecretStr | None = None
    alpaca_paper_secret: SecretStr | None = None
    alpaca_live_key_id: SecretStr | None = None
    alpaca_live_secret: SecretStr | None = None
    alpaca_deadman_key_id: SecretStr | None = None  # for `obid deadman`, where it has a key of its own
    alpaca_deadman_secret: SecretStr | None = None
    aleatoric_key: SecretStr | None = None  # for `obid run --feed`, of scope stream
    fmp_key: SecretStr | None = None  # Financial Modeling Prep, the paid macro calendar
    fred_key: SecretStr | None = None  # Federal Reserve Bank of St. Louis, dates of releases
    earnings_file: Path | None = None  # companies and the days on which they report, written down by the operator

    @property
    def deadman_policy(self) -> str:
        """Whether a dead man must watch: required, optional (it may), off (nobody is told how we are)."""
        return self.deadman or ("required" if self.mode == "live" else "off")

    def __reduce__(self) -> NoReturn:
        raise TypeError("settings hold secrets and are never pickled")


SECRETS = tuple(name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))
CREDENTIALS = (*SECRETS, "hyperliquid_master_address")
"""What may stand in the credentials directory, a file each."""
ALPACA_LIVE = ("alpaca_live_key_id", "alpaca_live_secret")
ALPACA_PAPER = ("alpaca_paper_key_id", "alpaca_paper_secret")
NEEDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("live", "perps"): ("hyperliquid_agent_key", "hyperliquid_master_address"),
    ("live", "crypto"): ALPACA_LIVE,
    ("live", "equities"): ALPACA_LIVE,
    ("paper", "crypto"): ALPACA_PAPER,
    ("paper", "equities"): ALPACA_PAPER,
    ("shadow", "crypto"): ALPACA_PAPER,  # its market data wants a login; Hyperliquid's is open to all
    ("shadow", "equities"): ALPACA_PAPER,
}
"""Credentials without which a mode of an engine can't start."""
FORMATS = {
    "hyperliquid_agent_key": (re.compile(r"(0x)?[0-9a-fA-F]{64}"), "must be 64 hex digits, with or without 0x"),
    "hyperliquid_deadman_key": (re.compile(r"(0x)?[0-9a-fA-F]{64}"), "must be 64 hex digits, with or without 0x"),
    "hyperliquid_master_key": (re.compile(r"(0x)?[0-9a-fA-F]{64}"), "must be 64 hex digits, with or without 0x"),
    "hyperliquid_master_address": (re.compile(r"0x[0-9a-fA-F]{40}"), "must be 0x and 40 hex digits"),
}


class CredentialsDirectory(PydanticBaseSettingsSource):
    """One file per secret, named like the setting: what systemd's LoadCredential makes, or a folder of one's own."""

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        directory: Path,
        *,
        by_systemd: bool,
        exposed: list[ConfigError] | None = None,
    ):
        super().__init__(settings_cls)
        self.directory, self.by_systemd, self.exposed = directory, by_systemd, exposed

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """The content of a setting's file, None where there is none."""
        path = self.directory / field_name
        if field_name not in CREDENTIALS or not path.exists():
            return None, field_name, False
        return read_key_file(path, by_systemd=self.by_systemd, exposed=self.exposed), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Every credential that has a file."""
        read = {name: self.get_field_value(None, name)[0] for name in CREDENTIALS}
        return {name: value for name, value in read.items() if value is not None}


def load_settings(
    cli: Mapping[str, Any] | None = None,
    *,
    credentials: Path | None = None,
    env_file: Path | None = ENV_FILE,
    tables: Sequence[Layer] = (),
    engines: Sequence[EngineName] = (),
    exposed: list[ConfigError] | None = None,
) -> Settings:
    """The settings, checked for the engines that are to run. Raises ConfigError, in which no secret ever stands.

    `cli` are settings given on the command line, `tables` what `config.load.daemon_tables` found. With `exposed` files
    of secrets that others can read are no error: they are put there (`obid doctor` looks on).
    """
    cli = {name: value for name, value in (cli or {}).items() if value is not None}
    check_names(env_file, exposed)
    _check_tables(tables)
    settings, error = _build(cli, credentials, env_file, tables, exposed)
    if settings is None:
        assert error is not None
        field = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
        raise explain(error, Settings, "", lambda path: _origin(field, cli, env_file, tables))
    check_formats(settings)
    check_hyperliquid(settings)
    check_alpaca(settings)
    check_alerts(settings)
    for engine in engines:
        check_mode(settings, engine)
    return settings


def _build(
    cli: Mapping[str, Any],
    credentials: Path | None,
    env_file: Path | None,
    tables: Sequence[Layer],
    exposed: list[ConfigError] | None,
) -> tuple[Settings | None, ValidationError | None]:
    """Settings out of their sources, or what pydantic says against them; raised by nobody, so it is no context."""
    directory = credentials or Path(os.environ.get(SYSTEMD_DIRECTORY) or "")
    if credentials is not None and not credentials.is_dir():
        raise ConfigError("--credentials", "must be a directory with a file per secret", str(credentials))
    table = merge(tables)

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            by_systemd = credentials is None
            files = [CredentialsDirectory(settings_cls, directory, by_systemd=by_systemd, exposed=exposed)]
            below = InitSettingsSource(settings_cls, table)
            given = files if directory.is_absolute() or credentials else []
            return (init_settings, env_settings, dotenv_settings, *given, below)

    try:
        return Sourced(_env_file=env_file, **cli), None
    except ValidationError as error:
        return None, error


def check_names(env_file: Path | None, exposed: list[ConfigError] | None = None) -> None:
    """Refuse misspelt OBID_ names, and a .env that holds secrets others can read."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    text: str | None = ""
    if env_file is not None and env_file.is_file():
        try:
            text = env_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            text = None  # the error holds what it couldn't read: raise outside of this block
    if text is None:
        raise ConfigError(str(env_file), "can't be read as text")
    in_file = [name.upper() for name in ENV_LINE.findall(text)]
    for name, source in [(name, "environment") for name in os.environ] + [(name, str(env_file)) for name in in_file]:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise ConfigError(name, f"no such setting; {nearest(name, known)}", source=source)
    if env_file is not None and any(PREFIX + name.upper() in in_file for name in SECRETS):
        refuse_exposed(env_file, env_file.stat(), exposed=exposed)


def check_formats(settings: Settings) -> None:
    """Refuse credentials that can't be any; a secret is described by its length alone."""
    for name, (pattern, right) in FORMATS.items():
        given = getattr(settings, name)
        text = given.get_secret_value() if isinstance(given, SecretStr) else given
        if text is not None and not pattern.fullmatch(text):
            raise ConfigError(name, f"{right}; this has {len(text)} characters")


def check_mode(settings: Settings, engine: EngineName) -> None:
    """Refuse a mode whose second switch is open, or whose credentials are missing."""
    mode = settings.mode
    harmless = settings.hyperliquid_chain == "testnet" if engine == "perps" else is_loopback(settings.alpaca_url)
    play = settings.live == PLAY and harmless
    if mode == "live" and settings.live != CONFIRMATION and not play:
        raise ConfigError("mode", f"real money needs the second switch too: {PREFIX}LIVE={CONFIRMATION}", mode)
    if mode == "paper" and engine == "perps":
        raise ConfigError("mode", "Hyperliquid has no paper account; use shadow: its book, no orders sent", mode)
    if engine != "perps" and mode in ("live", "paper") and settings.alpaca_trading_mode != mode:
        right = f"must be {mode} for {engine} in {mode} mode: ALPACA_TRADING_MODE={mode}"
        raise ConfigError("alpaca_trading_mode", right, settings.alpaca_trading_mode)
    if engine != "perps" and mode in ("live", "paper", "shadow"):
        check_data_key(settings)
    for name in NEEDS.get((mode, engine), ()):
        if getattr(settings, name) is None:
            right = f"is missing, and {engine} in {mode} mode needs it: set {PREFIX}{name.upper()}"
            raise ConfigError(name, f"{right}, or put it in a file of that name in the credentials directory")


def check_hyperliquid(settings: Settings) -> None:
    """Refuse a URL without a chain, which nothing but a guess would tell, and one in clear text that can cost money."""
    url, chain = settings.hyperliquid_url, settings.hyperliquid_chain
    if url and chain is None:
        right = "is missing: say mainnet or testnet, whose signatures the venue at hyperliquid_url takes"
        raise ConfigError("hyperliquid_chain", right)
    if url and not url.startswith(("https://", "http://") if chain == "testnet" else "https://"):
        right = "must begin with https://; http:// is for emulators, with hyperliquid_chain = testnet"
        raise ConfigError("hyperliquid_url", right, without_password(url))


def without_password(url: str) -> str:
    """A URL as it may be shown: without who logs in and with what, wherever that stands."""
    return CREDENTIALS_OF_URL.sub(r"\1***@", url)


def is_loopback(url: str) -> bool:
    """Whether a URL is of this machine, where nobody's money is."""
    return urlsplit(url).hostname in LOOPBACK


def check_data_key(settings: Settings) -> None:
    """Refuse half of a key for market data."""
    if (settings.alpaca_data_key_id is None) != (settings.alpaca_data_secret is None):
        given, missing = ("key_id", "secret") if settings.alpaca_data_secret is None else ("secret", "key_id")
        right = f"is missing beside alpaca_data_{given}: both, or neither where the key for orders gets the data too"
        raise ConfigError(f"alpaca_data_{missing}", right)


def check_alpaca(settings: Settings) -> None:
    """Refuse keys in clear text to another machine, and a feed that the plan does not have."""
    for name in ("alpaca_url", "alpaca_data_url"):
        url = getattr(settings, name)
        if url and not url.startswith("https://") and not (url.startswith("http://") and is_loopback(url)):
            raise ConfigError(name, "must begin with https://; http:// is for an emulator on this machine", url)
    if settings.alpaca_feed == "sip" and settings.alpaca_plan == "basic":
        raise ConfigError(
            "alpaca_feed", "must be iex with alpaca_plan = basic, which has no consolidated quotes", "sip"
        )


def check_alerts(settings: Settings) -> None:
    """Refuse a webhook in clear text to another machine, and a chat without a name. The address is a secret."""
    url = settings.alert_url.get_secret_value() if settings.alert_url else ""
    if url and not url.startswith("https://") and not (url.startswith("http://") and is_loopback(url)):
        raise ConfigError("alert_url", "must begin with https://; http:// is for a receiver on this machine")
    if url and settings.alert_format == "telegram" and not settings.alert_chat_id:
        raise ConfigError("alert_chat_id", "is missing, and alert_format = telegram needs it")


def _check_tables(tables: Sequence[Layer]) -> None:
    """Refuse what [daemon] can't say: names that are none, and secrets, because such files get shared."""
    for layer in tables:
        if not isinstance(layer.table, dict):
            raise ConfigError("daemon", "must be a table", source=layer.source)
        for name in layer.table:
            if name in SECRETS:
                right = "a secret doesn't belong into this file; put it in the environment or a credentials directory"
                raise ConfigError(f"daemon.{name}", right, source=layer.origin([name]))
            if name not in Settings.model_fields:
                right = f"no such setting; {nearest(name, Settings.model_fields)}"
                raise ConfigError(f"daemon.{name}", right, source=layer.origin([name]))


def _origin(field: str, cli: Mapping[str, Any], env_file: Path | None, tables: Sequence[Layer]) -> str:
    """Which source said the value of a field that is no credential."""
    variable = PREFIX + field.upper()
    if field in cli:
        return "command line"
    if any(name.upper() in (variable, variable.removeprefix(PREFIX)) for name in os.environ):
        return f"environment, {variable}"
    return origin(tables, [field]) or f"{env_file}, {variable}"
