"""Tuning: what a person may change while an engine runs, and what the changes make of its profile.

A change is text under a key: who said it, the name of the value, and the symbol it is for (empty: all of them). The
changes in force are a plain dict of those; the functions here turn configuration and changes into what holds, and every
actor, `obid ctl get` and `explain` ask them, so that nothing is worked out twice.

The most particular word holds: a symbol's own over the one for all, the operator's over what a `reload` read. A limit
is another matter: of all that was said of one the strictest holds, and none may be looser than what the engine was
started with. A process that runs can only become more careful than it was started; to make it less so takes the file,
`obid check` and a restart, which no slip of the fingers does at three in the morning.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from config.profile import Profile, RiskLimits, SignalLimits, Tier

Source = Literal["operator", "file"]
OPERATOR: Source = "operator"
FILE: Source = "file"
Key = tuple[str, str, str]
"""(source, name, symbol)."""
Changes = Mapping[Key, str]

ENTRIES = "entries"
"""The name that switches a symbol's entries; in the configuration it stands in `risk.entries_off`."""
ON, OFF = "on", "off"
FIGURES = 12
"""Of a number as it is written: more than anybody types, fewer than binary fractions would show."""
Z_ENTRY, Z_EXIT = "z_entry", "z_exit"


class Tunable(NamedTuple):
    """A value that can be changed while it runs."""

    table: str  # of the profile: signal, risk, or tier
    kind: type  # float, int, bool, Decimal
    what: str  # what it is, with its unit
    by_symbol: str = ""  # the table of the configuration that has it by symbol; empty: one for the engine
    limit: bool = False  # may be made stricter only: lower, or off


TUNABLES: dict[str, Tunable] = {
    Z_ENTRY: Tunable("tier", float, "standard deviations from the mean to enter at, on either side", "tiers"),
    Z_EXIT: Tunable("tier", float, "standard deviations from the mean to leave by", "tiers"),
    "obi_theta": Tunable("signal", float, "imbalance of the book that an entry needs, 0 to 1"),
    "trend_gate": Tunable("signal", bool, "long only above the mean of the trend, short only below it"),
    "allow_short": Tunable("signal", bool, "enter short too", limit=True),
    "stop_loss": Tunable("signal", float, "share of the entry price at which a position is left", limit=True),
    "time_stop_rth_s": Tunable("signal", int, "seconds after which a position is left while New York trades"),
    "time_stop_s": Tunable("signal", int, "seconds after which a position is left otherwise"),
    "notional_usd": Tunable("signal", Decimal, "dollars of one entry", "signal.notional_usd_by_symbol"),
    "taker_slippage_bps": Tunable("signal", float, "basis points through the touch that a crossing order may reach"),
    ENTRIES: Tunable("risk", bool, "whether a symbol is entered, on or off; it is left all the same", "risk", True),
    "order_notional_usd_max": Tunable("risk", Decimal, "dollars of one order at most", limit=True),
    "symbol_cap_usd": Tunable("risk", Decimal, "dollars of one position at most", "risk.symbol_caps_usd", True),
    "net_cap_usd": Tunable("risk", Decimal, "dollars of longs less shorts at most", limit=True),
    "daily_loss_usd": Tunable("risk", Decimal, "dollars of a day's loss that halt", limit=True),
    "drawdown_max": Tunable("risk", float, "share of the day's high water whose loss halts", limit=True),
    "orders_per_minute": Tunable("risk", int, "orders that add risk, a minute", limit=True),
    "orders_burst": Tunable("risk", int, "of them at once", limit=True),
    "entries_max": Tunable("risk", int, "entries a venue accepts in a day", limit=True),
}
"""Everything else wants a restart: what a window holds, how long a bar is, routes, fees, sessions, the universe."""

SIGNAL = tuple(name for name, one in TUNABLES.items() if one.table == "signal")
LIMITS = tuple(name for name, one in TUNABLES.items() if one.table == "risk" and name != ENTRIES)


def read(name: str, text: str) -> Any:
    """The value of a change."""
    kind = TUNABLES[name].kind
    return text in ("true", ON) if kind is bool else kind(text)


def written(name: str, value: object) -> str:
    """A value as the text of a change; what there is not is empty."""
    if value is None:
        return ""
    if TUNABLES[name].kind is bool:
        return (ON if value else OFF) if name == ENTRIES else str(bool(value)).lower()
    return f"{value.normalize():f}" if isinstance(value, Decimal) else f"{value:.{FIGURES}g}"


def said(changes: Changes, name: str, symbol: str = "") -> list[Any]:
    """All that was said of a value, the most particular first."""
    keys = [(source, name, one) for source in (OPERATOR, FILE) for one in dict.fromkeys((symbol, ""))]
    return [read(name, changes[key]) for key in keys if key in changes]


def holds(changes: Changes, name: str, base: Any, symbol: str = "") -> Any:
    """A value as it is with the changes; `base` is what the engine was started with."""
    words = said(changes, name, symbol)
    if TUNABLES[name].limit:
        return min([one for one in (base, *words) if one is not None], default=None)
    return words[0] if words else base


def tuned_signal(signal: SignalLimits, changes: Changes) -> SignalLimits:
    """The strategy's constants with the changes."""
    if not any(name in SIGNAL for _, name, _ in changes):
        return signal
    values = {name: holds(changes, name, getattr(signal, name)) for name in SIGNAL}
    name = "notional_usd"
    own = {symbol for _, changed, symbol in changes if changed == name and symbol}
    if (OPERATOR, name, "") in changes:
        values["notional_usd_by_class"] = values["notional_usd_by_symbol"] = {}
    by_symbol = dict(values.get("notional_usd_by_symbol", signal.notional_usd_by_symbol))
    values["notional_usd_by_symbol"] = by_symbol | {one: said(changes, name, one)[0] for one in sorted(own)}
    return signal.model_copy(update=values)


def tuned_risk(risk: RiskLimits, changes: Changes) -> RiskLimits:
    """The gate's bounds with the changes."""
    tables = {name for _, name, _ in changes}
    if tables.isdisjoint(LIMITS) and ENTRIES not in tables:
        return risk
    values = {name: holds(changes, name, getattr(risk, name)) for name in LIMITS}
    caps, name = risk.symbol_caps_usd, "symbol_cap_usd"
    own = sorted({*caps, *(symbol for _, changed, symbol in changes if changed == name and symbol)})
    values["symbol_caps_usd"] = {one: holds(changes, name, caps.get(one, risk.symbol_cap_usd), one) for one in own}
    switched = [symbol for (_, changed, symbol), text in changes.items() if changed == ENTRIES and text == OFF]
    values["entries_off"] = tuple(dict.fromkeys((*risk.entries_off, *sorted(switched))))
    return risk.model_copy(update=values)


def tuned(profile: Profile, changes: Changes) -> Profile:
    """A profile with the changes, but for tiers: those are `tuned_tier`'s, which knows what was measured."""
    return profile.model_copy(
        update={"signal": tuned_signal(profile.signal, changes), "risk": tuned_risk(profile.risk, changes)}
    )


def tuned_tier(profile: Profile, changes: Changes, symbol: str, measured: Tier | None = None) -> Tier:
    """A symbol's thresholds: the changes over what was measured, or, where they do not go with that, over the file's.

    A threshold that was kept may meet, at the next start, a measure it was not made for: an exit above the entry.
    """
    unmeasured = profile.tier(symbol)
    tier = _over(measured or unmeasured, changes, symbol)
    return tier if tier.z_exit < tier.z_entry else _over(unmeasured, changes, symbol)


def _over(base: Tier, changes: Changes, symbol: str) -> Tier:
    z_entry, z_exit = (holds(changes, name, getattr(base, name), symbol) for name in (Z_ENTRY, Z_EXIT))
    return Tier.model_construct(z_entry=z_entry, z_exit=z_exit)


def changed(changes: Changes, key: Key, text: str) -> dict[Key, str]:
    """The changes after one more; empty text takes one back."""
    rest = {one: known for one, known in changes.items() if one != key}
    return rest | {key: text} if text else rest
