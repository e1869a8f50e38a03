"""Tuner: `get`, `set` and `reload` of the control socket. A change goes into the graph as a message, like an order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from actors.messages import Tune
from config.errors import ConfigError
from config.explain import nearest
from config.profile import Profile
from config.settings import Settings
from config.tuning import FILE, OPERATOR, TUNABLES, Key, tuned, written
from config.tuning_check import configured, value_of
from daemon import verbs
from daemon.configured import Configured, configure
from daemon.errors import BadInput
from daemon.options import RunOptions
from daemon.snapshot import Outcome, Reloaded, TunedRow
from daemon.tunings import PER_SYMBOL, Tunings

Say = Callable[[Tune], Awaitable[None]]


class Tuner:
    """Knows the configuration as it was read last."""

    def __init__(self, options: RunOptions, tunings: Tunings, started: Configured):
        self.options = options
        self.tunings = tunings
        self.started = started
        self._one_at_a_time = asyncio.Lock()  # each is checked against what the one before has made

    def get(self, args: verbs.Get) -> tuple[TunedRow, ...]:
        """The values asked for. Raises BadInput."""
        known = self.tunings.base
        if args.engine and args.engine not in known:
            raise BadInput("engine", args.engine, f"one of {', '.join(known)}")
        if args.name:
            self._check_name(args.name)
        engines = [args.engine] if args.engine else list(known)
        if args.symbol:
            engines = [engine for engine in engines if args.symbol in known[engine].symbols]
            if not engines:
                raise self._unknown(args.symbol, args.engine)
        return tuple(row for engine in engines for row in self.tunings.rows(engine, args.name, args.symbol))

    async def set(self, args: verbs.Set, say: Say, now_ns: Callable[[], int]) -> Outcome:
        """Change a value: checked, journaled, told. Raises BadInput and ConfigError."""
        async with self._one_at_a_time:
            engine = self._engine(args)
            key: Key = (OPERATOR, args.name, args.symbol)
            text = self.tunings.check(engine, key, args.value)
            before = self._shown(engine, args.name, args.symbol)
            await self._change(engine, key, text, (args.keep, args.reason or "operator: set"), (say, now_ns))
        return Outcome(tuple(self._told(engine, key, before, args.keep)))

    async def reload(self, say: Say, now_ns: Callable[[], int]) -> Reloaded:
        """Read the file again; what is wrong in it changes nothing. Raises ConfigError."""
        async with self._one_at_a_time:
            read = await asyncio.get_running_loop().run_in_executor(None, configure, self.options)
            applied: list[str] = []
            restart = settings_changed(self.started.settings, read.settings)
            for engine in dict.fromkeys((*self.started.profiles, *read.profiles)):
                before, after = self.started.profiles.get(engine), read.profiles.get(engine)
                if before is None or after is None:
                    restart.append(f"{engine}: {'is there now' if before is None else 'is gone'}")
                    continue
                restart += differences(before, after)
                done, not_done = await self._reload_engine(engine, after, (say, now_ns))
                applied += done
                restart += not_done
        return Reloaded(tuple(applied), tuple(restart))

    async def _reload_engine(
        self, engine: str, after: Profile, speaker: tuple[Say, Callable[[], int]]
    ) -> tuple[list[str], list[str]]:
        applied: list[str] = []
        restart: list[str] = []
        for key, value in self._differing(engine, after):
            before = self._shown(engine, key[1], key[2])
            if value != configured(self.tunings.base[engine], key[1], key[2]):
                try:
                    text = self.tunings.check(engine, key, value)
                except ConfigError as error:
                    restart.append(str(error))
                    continue
            else:
                text = ""
            await self._change(engine, key, text, (False, "reload"), speaker)
            applied += self._told(engine, key, before, keep=True)
        return applied, restart

    def _differing(self, engine: str, after: Profile) -> Iterable[tuple[Key, str]]:
        """Tunable values that the file has otherwise than when it was read last."""
        base = self.tunings.base[engine]
        said = {key: text for key, text in self.tunings.changes(engine).items() if key[0] == FILE}
        now = tuned(base, said)
        for name, tunable in TUNABLES.items():
            for symbol in base.symbols if tunable.by_symbol else ("",):
                if tunable.table == "tier" and symbol not in after.tiers and symbol not in base.tiers:
                    continue  # by its category, and measured at the start: `differences` names it
                tier = base.tier(symbol) if symbol else base.tier_default
                was = said.get((FILE, name, symbol)) or written(name, value_of(now, name, symbol, tier))
                tier = after.tier(symbol) if symbol else after.tier_default
                if (value := written(name, value_of(after, name, symbol, tier))) != was:
                    yield (FILE, name, symbol), value

    async def _change(
        self, engine: str, key: Key, text: str, how: tuple[bool, str], speaker: tuple[Say, Callable[[], int]]
    ) -> None:
        """Say it, and wait until it is on disk and told."""
        say, now_ns = speaker
        source, name, symbol = key
        keep, reason = how
        at_ns = now_ns()
        tune = Tune(
            engine=engine, name=name, symbol=symbol, value=text, source=source, keep=keep, reason=reason, at_ns=at_ns
        )
        with self.tunings.told(engine, key, at_ns) as told:
            await say(tune)
            await told

    def _engine(self, args: verbs.Set) -> str:
        """Whose value is meant. Raises BadInput where that is not clear."""
        known = self.tunings.base
        if args.engine and args.engine not in known:
            raise BadInput("engine", args.engine, f"one of {', '.join(known)}")
        self._check_name(args.name)
        fits = [
            engine
            for engine in ([args.engine] if args.engine else known)
            if not args.symbol or args.symbol in known[engine].symbols
        ]
        if not fits:
            raise self._unknown(args.symbol, args.engine)
        if len(fits) > 1:
            raise BadInput("engine", "", f"name one: {' and '.join(fits)} have a {args.name} each")
        return fits[0]

    def _check_name(self, name: str) -> None:
        if name not in TUNABLES:
            raise BadInput("name", name, f"is nothing that can be changed while it runs; {nearest(name, TUNABLES)}")

    def _unknown(self, symbol: str, engine: str) -> BadInput:
        """A symbol that no engine trades, or another one."""
        known = self.tunings.base
        others = [one for one, profile in known.items() if symbol in profile.symbols]
        if others:
            return BadInput("symbol", symbol, f"is traded by {' and '.join(others)}, not by {engine}")
        where = [known[engine]] if engine in known else list(known.values())
        return BadInput(
            "symbol", symbol, f"not traded here; {nearest(symbol, [s for one in where for s in one.symbols])}"
        )

    def _shown(self, engine: str, name: str, symbol: str) -> str:
        return next((row.now for row in self.tunings.rows(engine, name, symbol) if row.symbol == symbol), "")

    def _told(self, engine: str, key: Key, before: str, keep: bool) -> list[str]:
        """What a change has come to."""
        _, name, symbol = key
        now = self._shown(engine, name, symbol)
        until = "after a restart too" if keep else "until the end of this run"
        what = " ".join(filter(None, (f"{engine}.{name}", symbol or ("all symbols" if name in PER_SYMBOL else ""))))
        if key not in self.tunings.changes(engine):
            return [f"{what}: {now or 'as configured'}, as without the change"]
        lines = [f"{what}: {now}{f', was {before}' if before else ''}; {until}"]
        if not symbol and TUNABLES[name].by_symbol:
            own = sorted(
                s for source, one, s in self.tunings.changes(engine) if one == name and s and source == OPERATOR
            )
            lines += [f"{', '.join(own)}: what was set for the symbol stays"] if own else []
        return lines


def differences(before: Profile, after: Profile) -> list[str]:
    """What differs between two profiles and is not tunable, as lines."""
    ours = {("signal", name) for name, one in TUNABLES.items() if one.table == "signal"}
    ours |= {("risk", name) for name, one in TUNABLES.items() if one.table == "risk"}
    ours |= {("risk", "symbol_caps_usd"), ("risk", "entries_off"), ("signal", "notional_usd_by_symbol")}
    ours |= {("signal", "notional_usd_by_class")}
    found = []
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    for path, was, now in leaves(old, new):
        if path[:2] not in ours and path[0] != "tiers":
            found.append(f"{before.engine}.{'.'.join(path)}: {was} -> {now}")
    return found


def leaves(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], object, object]]:
    """Where two tables differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys((*old, *new)):
            yield from leaves(old.get(name), new.get(name), (*path, name))
    elif old != new:
        yield path, shown(old), shown(new)


def shown(value: Any) -> object:
    """A value in a line; of long lists their length alone."""
    return f"{len(value)} names" if isinstance(value, Sequence) and not isinstance(value, str) else value


def settings_changed(before: Settings, after: Settings) -> list[str]:
    """Settings of the daemon that differ, by name; their values may be secrets."""
    names = type(after).model_fields
    return [f"daemon.{name}: differs" for name in names if getattr(before, name) != getattr(after, name)]
