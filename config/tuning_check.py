"""Whether a change may be made while an engine runs: asked of the model that reads the configuration file."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from config.errors import ConfigError
from config.explain import explain, must_be, nearest, not_a_number
from config.load import quarrels
from config.profile import Profile, Tier
from config.tuning import (
    ENTRIES,
    OFF,
    ON,
    TUNABLES,
    Z_ENTRY,
    Z_EXIT,
    Changes,
    Key,
    changed,
    holds,
    tuned,
    written,
)
from config.universe import load_universe

DEFAULT = "default"
"""What takes a change back."""

Measured = Mapping[str, Tier]
"""Thresholds that were measured at the start, by symbol."""


def check_name(engine: str, name: str) -> None:
    """Refuse a name that cannot be changed while it runs. Raises ConfigError."""
    if name not in TUNABLES:
        right = f"is nothing that can be changed while it runs; {nearest(name, TUNABLES)}"
        raise ConfigError(f"{engine}.{name}", right)


def check_change(base: Profile, changes: Changes, measured: Measured, key: Key, value: object) -> str:
    """The text of a change that may be made; empty for one that is taken back. Raises ConfigError.

    `base` is what the engine was started with, `value` text as it was typed, or a number or flag.
    """
    _, name, symbol = key
    check_name(base.engine, name)
    _check_symbol(base, name, symbol)
    text = "" if value == DEFAULT else _canonical(base, name, symbol, value)
    after = changed(changes, key, text)
    if text:
        _check_limit(base, name, symbol, text)
    _check_together(base, after, measured, f"{base.engine}.{name}", text or DEFAULT)
    return text


def configured(base: Profile, name: str, symbol: str) -> str:
    """What an engine was started with, before anything was measured or changed."""
    return written(name, value_of(base, name, symbol, base.tier(symbol) if symbol else base.tier_default))


def value_of(profile: Profile, name: str, symbol: str, tier: Tier) -> object:
    """A value of a profile; of a tier, which is given, because nobody but the signal measures one."""
    if TUNABLES[name].table == "tier":
        return getattr(tier, name)
    if name == ENTRIES:
        return symbol not in profile.risk.entries_off
    if name == "notional_usd" and symbol:
        return notional_usd(profile, symbol)
    if name == "symbol_cap_usd" and symbol:
        return profile.symbol_cap_usd(symbol)
    value: object = getattr(getattr(profile, TUNABLES[name].table), name)
    return value


def notional_usd(profile: Profile, symbol: str) -> object:
    """What one entry of a symbol is worth, by its class in the universe."""
    facts = load_universe(profile.universe).get(symbol)
    return profile.notional_usd(facts.asset_class if facts else "native", symbol)  # type: ignore[arg-type]


def _check_symbol(base: Profile, name: str, symbol: str) -> None:
    field, by_symbol = f"{base.engine}.{name}", TUNABLES[name].by_symbol
    if symbol and not by_symbol:
        raise ConfigError(field, f"is one value for all of {base.engine}: leave the symbol out", symbol)
    if symbol and symbol not in base.symbols:
        raise ConfigError(field, f"no such symbol in {base.engine}; {nearest(symbol, base.symbols)}", symbol)
    if name == ENTRIES and not symbol:
        raise ConfigError(field, "needs a symbol; `obid ctl pause` stops the entries of all")


def _canonical(base: Profile, name: str, symbol: str, value: object) -> str:
    """The value as the configuration's model reads it. Raises ConfigError."""
    if name == ENTRIES:
        if value not in (ON, OFF):
            raise ConfigError(f"{base.engine}.{name}", f"must be {ON} or {OFF}", value)
        return str(value)
    if TUNABLES[name].kind is bool and value in (ON, OFF):
        value = value == ON
    path = _path(name, symbol)
    table = json.loads(base.model_dump_json()) | {"engine": base.universe}
    change: dict[str, Any] = {}
    inside, only = table, change
    for part in path[:-1]:
        inside = inside.setdefault(part, {})
        only = only.setdefault(part, {})
    inside[path[-1]] = only[path[-1]] = _number(value, positive=name in (Z_ENTRY, Z_EXIT))
    if path[0] == "tiers":  # both stand there, and the other one is no matter here
        tier = base.tier(symbol)
        inside |= {other: getattr(tier, other) for other in (Z_ENTRY, Z_EXIT) if other != name}
    if wrong := not_a_number(Profile, change):
        raise ConfigError(".".join([base.engine, *path]), must_be(Profile, path), wrong[1])
    try:
        read, error = Profile.model_validate_json(json.dumps(table, default=str), strict=True), None
    except ValidationError as caught:
        read, error = None, caught
    if read is None:
        assert error is not None
        raise explain(error, Profile, base.engine, lambda _: "")
    at: Any = read
    for part in path:
        at = at[part] if isinstance(at, Mapping) else getattr(at, part)
    return written(name, at)


def _path(name: str, symbol: str) -> Sequence[str]:
    """Where a value stands in the configuration."""
    tunable = TUNABLES[name]
    if symbol and tunable.table == "tier":
        return [tunable.by_symbol, symbol, name]
    if symbol:
        return [*tunable.by_symbol.split("."), symbol]
    return ["tier_default" if tunable.table == "tier" else tunable.table, name]


def _number(value: object, *, positive: bool) -> object:
    """What was typed, as JSON has it: a number where it reads as one, else the text, which the model then refuses.

    A threshold of z is a distance, and `-1.75` is how a long's is written: the sign is dropped.
    """
    if not isinstance(value, str):
        return abs(value) if positive and isinstance(value, int | float) and not isinstance(value, bool) else value
    text = value.removeprefix("-") if positive else value
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if number - number == 0 else value  # nan and inf are no JSON
    return value


def _check_limit(base: Profile, name: str, symbol: str, text: str) -> None:
    """A limit may only be made stricter than what the engine was started with."""
    started = configured(base, name, symbol)
    if not TUNABLES[name].limit or not started:
        return
    loose = (text, started) in ((ON, OFF), ("true", "false"))
    if TUNABLES[name].kind is not bool:
        loose = float(text) > float(started)
    if loose:
        right = f"must be {f'at most {started}' if TUNABLES[name].kind is not bool else started}, which this run was"
        more = "started with: a limit is only tightened while it runs, the file and a restart loosen it"
        raise ConfigError(f"{base.engine}.{name}", f"{right} {more}", text)


def _check_together(base: Profile, after: Changes, measured: Measured, field: str, text: str) -> None:
    """What no single value can know."""
    for path, value, right in quarrels(tuned(base, after)):
        if path[0] not in ("tier_default", "tiers", "tier_rules"):
            raise ConfigError(field, f"then {'.'.join(path)} ({value}) {right}", text)
    for symbol in base.symbols:
        for tier in (base.tier(symbol), measured.get(symbol)):
            if tier is not None:
                z_entry, z_exit = (holds(after, name, getattr(tier, name), symbol) for name in (Z_ENTRY, Z_EXIT))
                if z_exit >= z_entry:
                    right = f"then {symbol} has z_exit {z_exit:g}, which must be below its z_entry {z_entry:g}"
                    raise ConfigError(field, right, text)
