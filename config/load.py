"""Profiles from files: the packaged one, changed by the operator's TOML and the command line, checked as a whole."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from config.errors import ConfigError
from config.explain import explain, must_be, nearest, not_a_number
from config.layers import Layer, Table, merge, origin, read
from config.profile import EngineName, Profile, Tier
from config.universe import CATEGORIES, load_universe

PACKAGE = Path(__file__).parent
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
DAEMON = "daemon"
"""The table of an operator's file that holds settings of the daemon itself; every other table is an engine's."""

Where = Callable[[Sequence[str]], str]


def load_profile(
    engine: EngineName,
    files: Iterable[Path] = (),
    *,
    symbols: Sequence[str] = (),
    cli: Table | None = None,
    live: bool = False,
) -> Profile:
    """The profile of an engine; later layers win: packaged, its [live] tables, files in order, the command line.

    `symbols` narrows what is traded (`--symbols`), `cli` is a table of other command-line values. Raises ConfigError.
    """
    layers = [layer for path in (None, *files) for layer in _layers(engine, path, live)]
    if symbols:
        check_symbols("--symbols", symbols, engine)
    layers.append(Layer((cli or {}) | ({"symbols": list(symbols)} if symbols else {}), "command line"))

    def where(path: Sequence[str]) -> str:
        return origin(layers, path)

    # JSON, because pydantic reads it as strictly as TOML means it: no number from text, no flag from a number.
    table = merge(layers)
    if wrong := not_a_number(Profile, table):
        path, value = wrong
        raise ConfigError(".".join([engine, *path]), must_be(Profile, path), value, where(path))
    document = json.dumps(table, default=str)
    try:
        profile, error = Profile.model_validate_json(document, strict=True), None
    except ValidationError as caught:
        profile, error = None, caught
    if profile is None:
        assert error is not None
        raise explain(error, Profile, engine, where)
    _check(profile, engine, where)
    return profile


def split_symbols(engines: Sequence[EngineName], symbols: Sequence[str]) -> dict[EngineName, tuple[str, ...]]:
    """Which of the `--symbols` each engine trades. Each must be known to one, and each engine must get one."""
    universes = {engine: load_universe(engine) for engine in engines}
    known = [name for universe in universes.values() for name in universe]
    for symbol in symbols:
        if symbol not in known:
            raise ConfigError("--symbols", f"no such symbol in {', '.join(engines)}; {nearest(symbol, known)}", symbol)
    split = {engine: tuple(name for name in symbols if name in universes[engine]) for engine in engines}
    for engine, names in split.items():
        if symbols and not names:
            raise ConfigError("--symbols", f"names nothing that {engine} trades", ",".join(symbols))
    return split


def daemon_tables(files: Iterable[Path]) -> list[Layer]:
    """The [daemon] table of each file that has one."""
    tables = [(str(path), *read(path)) for path in files]
    return [Layer(table[DAEMON], path, text, (DAEMON,)) for path, table, text in tables if DAEMON in table]


def check_symbols(field: str, symbols: Sequence[str], engine: EngineName, source: str = "") -> None:
    """Refuse symbols that the engine's universe lacks, or that come twice."""
    universe = load_universe(engine)
    for symbol in symbols:
        if symbol not in universe:
            right = f"no such symbol in the {engine} universe; {nearest(symbol, universe)}"
            raise ConfigError(field, right, symbol, source)
        if symbols.count(symbol) > 1:
            raise ConfigError(field, "is named twice", symbol, source)


def _layers(engine: EngineName, path: Path | None, live: bool) -> list[Layer]:
    """The layers of one file, packaged if the path is None: the engine's tables, then those for live mode."""
    whole: object
    if path is None:
        name = f"config/profiles/{engine}.toml"
        whole, text = read(PACKAGE.parent / name)
        prefix: tuple[str, ...] = ()
    else:
        name, prefix = str(path), (engine,)
        document, text = read(path)
        for key in document:
            if key not in (*ENGINES, DAEMON):
                raise ConfigError(key, f"no such table; {nearest(key, (*ENGINES, DAEMON))}", source=name)
        whole = document.get(engine, {})
    if not isinstance(whole, dict) or not isinstance(whole.get("live", {}), dict):
        raise ConfigError(engine, "must be a table, and its live too", source=name)
    always = {key: value for key, value in whole.items() if key != "live"}
    layers = [Layer(always, name, text, prefix)]
    return [*layers, Layer(whole.get("live", {}), name, text, (*prefix, "live"))] if live else layers


def _check(profile: Profile, requested: EngineName, where: Where) -> None:
    """What no single field can know; raises the first complaint."""
    engine, universe = profile.engine, load_universe(requested)

    def refuse(path: Sequence[str], value: object, right: str) -> ConfigError:
        return ConfigError(".".join([engine, *path]), right, value, where(path))

    if engine != requested:
        raise ConfigError(f"{requested}.engine", f"must be {requested}", engine, where(["engine"]))
    if not profile.symbols:
        raise refuse(["symbols"], list(profile.symbols), "must name at least one symbol")
    check_symbols(f"{engine}.symbols", profile.symbols, engine, where(["symbols"]))
    check_symbols(f"{engine}.shadow_symbols", profile.shadow_symbols, engine, where(["shadow_symbols"]))
    check_symbols(f"{engine}.risk.entries_off", profile.risk.entries_off, engine, where(["risk", "entries_off"]))
    by_symbol: dict[str, Iterable[str]] = {
        "tiers": profile.tiers,
        "leverage": profile.leverage,
        "risk.symbol_caps_usd": profile.risk.symbol_caps_usd,
        "signal.notional_usd_by_symbol": profile.signal.notional_usd_by_symbol,
    }
    by_symbol |= {f"bars.{source}": given for source, given in profile.bars.items()}
    for table, names in by_symbol.items():
        for symbol in names:
            check_symbols(f"{engine}.{table}", [symbol], engine, where([*table.split("."), symbol]))
    for asset_class in dict.fromkeys(universe[symbol].asset_class for symbol in profile.symbols):
        for name, given in (("routes", profile.routes), ("fees", profile.fees)):
            if asset_class not in given:
                raise refuse([name, asset_class], None, f"is missing, and symbols of class {asset_class} are traded")
    categories = dict.fromkeys([*CATEGORIES, *(facts.category for facts in universe.values() if facts.category)])
    for category in profile.tier_rules:
        if category not in categories:
            right = f"no such category; {nearest(category, categories)}"
            raise refuse(["tier_rules", category], None, right)
    sectors = dict.fromkeys(facts.sector for facts in universe.values() if facts.sector)
    for sector in profile.risk.sector_caps:
        if sector not in sectors:
            raise refuse(["risk", "sector_caps", sector], None, f"no such sector; {nearest(sector, sectors)}")
    for path, value, right in quarrels(profile):
        raise refuse(path, value, right)


def _tier_quarrels(profile: Profile) -> Iterable[tuple[Sequence[str], object, str]]:
    """Thresholds that cross, steps that do not rise."""
    given: list[tuple[list[str], Tier]] = [(["tier_default"], profile.tier_default)]
    given += [(["tiers", name], tier) for name, tier in profile.tiers.items()]
    for name, rule in profile.tier_rules.items():
        given.append((["tier_rules", name], rule))
        given += [(["tier_rules", name, "steps"], step) for step in rule.steps]
        bounds = [step.rmsd_min for step in rule.steps]
        if bounds != sorted(set(bounds)):
            yield ["tier_rules", name, "steps"], bounds, "rmsd_min must rise from step to step"
    for path, tier in given:
        if tier.z_exit >= tier.z_entry:
            yield [*path, "z_exit"], tier.z_exit, f"must be below z_entry ({tier.z_entry})"


def quarrels(profile: Profile) -> Iterable[tuple[Sequence[str], object, str]]:
    """Pairs of values of which one makes no sense beside the other."""
    signal, risk = profile.signal, profile.risk
    yield from _tier_quarrels(profile)
    if signal.obi_depth == 1 and signal.obi_theta == 0:
        right = "must be above 0 where obi_depth is 1: an empty or balanced quote would pass both sides"
        yield ["signal", "obi_theta"], signal.obi_theta, right
    named = [symbol for names in profile.bars.values() for symbol in names]
    if profile.bars and signal.daily:
        yield ["bars"], ", ".join(profile.bars), "an engine whose window holds days cuts them from its own books"
    for symbol in named:
        if named.count(symbol) > 1:
            yield ["bars"], symbol, "has bars of one source at most"
    if risk.reduce_off > risk.reduce_on:
        yield ["risk", "reduce_off"], risk.reduce_off, f"must be at most reduce_on ({risk.reduce_on})"
    by_name = (*signal.notional_usd_by_class.values(), *signal.notional_usd_by_symbol.values())
    largest = max([signal.notional_usd, *by_name])
    if largest > risk.order_notional_usd_max:
        right = f"must be at least the largest notional of an entry ({largest}), or no entry ever passes"
        yield ["risk", "order_notional_usd_max"], risk.order_notional_usd_max, right
    if risk.flatten_minutes > risk.entries_stop_minutes:
        right = f"must be at most entries_stop_minutes ({risk.entries_stop_minutes}), or what was closed opens again"
        yield ["risk", "flatten_minutes"], risk.flatten_minutes, right
