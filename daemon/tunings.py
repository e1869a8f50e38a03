"""Tunings: a sink that keeps what was changed while it runs, as the actors were told, and says what holds.

Names, ranges and what goes with what are those of the configuration (config.tuning, config.tuning_check).
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from actors.messages import TierChanged, Tuned
from config.errors import ConfigError
from config.profile import EngineName, Profile, Tier
from config.tuning import FILE, OPERATOR, TUNABLES, Key, changed, tuned, tuned_tier, written
from config.tuning_check import check_change, configured, value_of
from daemon.snapshot import TunedRow

Unfit = list[tuple[Tuned, str]]
"""Changes, and why each does not hold."""

Told = tuple[str, Key]
"""(engine, what is changed)."""


class Tunings:
    """What was changed, by engine, and what that comes to."""

    def __init__(self, profiles: Mapping[EngineName, Profile]):
        self.base: dict[str, Profile] = {str(engine): one for engine, one in profiles.items()}
        self.known: dict[str, dict[Key, Tuned]] = {engine: {} for engine in profiles}
        self.measured: dict[str, dict[str, Tier]] = {engine: {} for engine in profiles}
        self._waits: list[tuple[Told, int, asyncio.Future[None]]] = []

    def write(self, message: Any) -> None:
        """Take one message."""
        if type(message) is TierChanged and message.engine in self.measured:
            tier = Tier.model_construct(z_entry=message.z_entry, z_exit=message.z_exit)
            self.measured[message.engine][message.symbol] = tier
        elif type(message) is Tuned and message.engine in self.known:
            known = self.known[message.engine]
            known.pop(message.key, None)
            if message.value:
                known[message.key] = message
            self._wake(message)

    def flush(self) -> None:
        """Nothing is buffered."""

    def _wake(self, message: Tuned) -> None:
        for what, at_ns, future in self._waits:
            if what == (message.engine, message.key) and message.at_ns >= at_ns and not future.done():
                future.set_result(None)

    @contextmanager
    def told(self, engine: str, key: Key, at_ns: int) -> Iterator[asyncio.Future[None]]:
        """What is done once a change of that moment is on disk and has been told."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wait = ((engine, key), at_ns, future)
        self._waits.append(wait)
        try:
            yield future
        finally:
            self._waits.remove(wait)

    # --- what holds

    def changes(self, engine: str) -> dict[Key, str]:
        """What was changed in an engine, as text."""
        return {key: one.value for key, one in self.known[engine].items()}

    def profile(self, engine: str) -> Profile:
        """An engine's profile as it is now."""
        return tuned(self.base[engine], self.changes(engine))

    def check(self, engine: str, key: Key, value: object) -> str:
        """The text of a change that may be made. Raises ConfigError."""
        return check_change(self.base[engine], self.changes(engine), self.measured[engine], key, value)

    def now(self, engine: str, name: str, symbol: str) -> str:
        """A value as it is."""
        base, changes = self.base[engine], self.changes(engine)
        tier = base.tier_default
        if symbol:
            tier = tuned_tier(base, changes, symbol, self.measured[engine].get(symbol))
        return written(name, value_of(tuned(base, changes), name, symbol, tier))

    def rows(self, engine: str, name: str = "", symbol: str = "") -> Iterator[TunedRow]:
        """What can be changed in an engine: by symbol where one is asked for, and where a symbol has its own."""
        for one, tunable in TUNABLES.items():
            if name in ("", one):
                yield from (
                    self._row(engine, one, where) for where in self._symbols(engine, one, tunable, name, symbol)
                )

    def _symbols(self, engine: str, one: str, tunable: Any, name: str, symbol: str) -> Iterable[str]:
        if not tunable.by_symbol:
            return () if symbol and not name else ("",)
        if symbol:
            return (symbol,)
        if name:
            return self.base[engine].symbols
        own = {symbol for _, named, symbol in self.known[engine] if named == one and symbol}
        return ("", *(s for s in self.base[engine].symbols if s in own))

    def _row(self, engine: str, name: str, symbol: str) -> TunedRow:
        known = self.known[engine]
        keys = [(source, name, where) for source in (OPERATOR, FILE) for where in dict.fromkeys((symbol, ""))]
        change = next((known[key] for key in keys if key in known), None)
        by = {OPERATOR: "operator", FILE: "reload"}[change.source] if change else "file"  # type: ignore[index]
        if change is None and name in PER_SYMBOL and symbol in self.measured[engine] and name != "entries":
            by = "measured"
        several = name in PER_SYMBOL and not symbol
        return TunedRow(
            engine=engine,
            name=name,
            symbol=symbol,
            configured=BY_SYMBOL if several else configured(self.base[engine], name, symbol),
            now=(change.value if change else BY_SYMBOL) if several else self.now(engine, name, symbol),
            by=by,
            since_ns=change.at_ns if change else 0,
            keep=change.keep if change else False,
            reason=change.reason if change else "",
            what=TUNABLES[name].what,
            limit=TUNABLES[name].limit,
        )


PER_SYMBOL = ("z_entry", "z_exit", "entries")
"""Values that an engine has by symbol alone: category, measure and table give each its own."""
BY_SYMBOL = "by symbol"


def fitting(
    kept: Iterable[Tuned], profiles: Mapping[EngineName, Profile]
) -> tuple[list[Tuned], list[tuple[Tuned, str]]]:
    """Changes of before the start that the configuration still allows, and those that it does not any more, with why.

    A file that has become stricter, or has lost the symbol, is the newer word.
    """
    known: dict[str, Profile] = {str(engine): one for engine, one in profiles.items()}
    good: list[Tuned] = []
    left = [(one, "") for one in kept if one.engine in known and one.keep]  # else another run's engine, or over
    before: Unfit = []
    while left != before:  # one may stand on another that was said again later, and then lies behind it
        before, left = left, []
        for one, _ in before:
            changes: dict[Key, str] = {}
            for other in good:
                changes = changed(changes, other.key, other.value) if other.engine == one.engine else changes
            try:
                check_change(known[one.engine], changes, {}, one.key, one.value)
            except ConfigError as error:
                left.append((one, str(error)))
            else:
                good.append(one)
    return good, left
