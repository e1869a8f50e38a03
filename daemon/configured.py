"""What a run's options and configuration files add up to: settings and one profile for each engine, all checked."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, cast

from config.errors import ConfigError
from config.load import daemon_tables, load_profile, split_symbols
from config.profile import EngineName, Profile
from config.settings import SECRETS, Settings, load_settings
from config.shadow import split_shadow
from daemon.calendars import written_down
from daemon.guarded import guard, secrets_of
from daemon.options import Mode, RunOptions
from supervisor.secrets import SECRET_LENGTH_MIN


class Configured(NamedTuple):
    """Everything `obid run` needs to know before it touches anything."""

    settings: Settings
    profiles: dict[EngineName, Profile]  # in the order of the engines

    def secrets(self) -> list[str]:
        """Every secret value in use, so that the log can keep them out."""
        return secrets_of(self.settings)


def configure(options: RunOptions, exposed: list[ConfigError] | None = None) -> Configured:
    """Read and check everything, touch nothing. Raises ConfigError for the first thing that is wrong.

    With `exposed` it is only looked: files of secrets that others can read are put there, and what an engine's mode
    needs is left to be asked for (config.settings.check_mode).
    """
    files = files_of(options)
    engines = cast("tuple[EngineName, ...]", options.engines)  # parse_engines let nothing else through
    settings = load_settings(
        {"mode": options.mode.value, "data_dir": options.data_dir},
        tables=daemon_tables(files),
        engines=engines if exposed is None else (),
        exposed=exposed,
    )
    refuse_short(settings)
    guard(secrets_of(settings))  # before anything else is refused, perhaps by telling what stands in the wrong place
    written_down(settings)  # refused now, before anything is opened
    split = split_symbols(engines, options.symbols)
    live = options.mode.value == "live"
    profiles = {
        engine: load_profile(engine, files, symbols=split[engine], cli=changes(options), live=live)
        for engine in engines
    }
    return Configured(settings, {name: one for whole in profiles.values() for name, one in _sides(whole, options)})


def refuse_short(settings: Settings) -> None:
    """A secret that the log could not tell from ordinary text is none. Raises ConfigError, without it."""
    for name in SECRETS:
        value = getattr(settings, name)
        if value is not None and len(value.get_secret_value()) < SECRET_LENGTH_MIN:
            right = (
                f"has fewer than {SECRET_LENGTH_MIN} characters: no key, and nothing that can be kept out of the log"
            )
            raise ConfigError(name, right)


def _sides(profile: Profile, options: RunOptions) -> Iterable[tuple[EngineName, Profile]]:
    """An engine, and beside it what of it is in shadow; in modes that simulate every fill of it there is one side."""
    whole = options.mode in (Mode.SHADOW, Mode.REPLAY)
    if options.mode in (Mode.SYNTHETIC, Mode.REPLAY):
        profile = profile.model_copy(update={"bars": {}})  # a made or recorded market has no other source beside it
    return {profile.engine: profile}.items() if whole else split_shadow(profile).items()


def changes(options: RunOptions) -> dict[str, Any]:
    """What the command line changes in every profile."""
    return {} if options.bar_s is None else {"signal": {"bar_s": options.bar_s}}


def files_of(options: RunOptions) -> tuple[Path, ...]:
    """The operator's configuration files."""
    return () if options.config is None else (options.config,)
