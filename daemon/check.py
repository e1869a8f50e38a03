"""`obid check`: what would run, line by line, and nothing is started, made or asked of a venue."""

from datetime import UTC, datetime

from config.macro import load_macro_calendar
from config.profile import Profile, RiskLimits
from config.sessions import load_sessions
from config.settings import Settings
from daemon.calendars import companies_of
from daemon.configured import Configured, configure
from daemon.lock import LOCK_NAME
from daemon.modes import REAL, feed_key
from daemon.options import Mode, RunOptions
from daemon.scenarios import refuse_unknown
from supervisor.clock import NS_PER_S

DATA = {
    Mode.LIVE: "the real venue's market",
    Mode.PAPER: "the real venue's market",
    Mode.SHADOW: "the real venue's market",
    Mode.SYNTHETIC: "Aleatoric, the generator",
}
ORDERS = {
    Mode.LIVE: "the real venue: REAL MONEY",
    Mode.PAPER: "the venue's own paper account",
    Mode.SHADOW: "obid's matching engine; nothing leaves this machine",
    Mode.SYNTHETIC: "obid's matching engine",
}
BY_HAND = {
    "adopt": "adopted, positions are left like our own and orders cancelled",
    "quarantine": "left alone, its symbol neither entered nor left until it is flat",
}


def lines_of(options: RunOptions) -> list[str]:
    """The lines. Raises ConfigError for the first thing that is wrong."""
    configured = configure(options)
    refuse_unknown(options.scenarios, configured.profiles)
    market = DATA[options.mode]
    if options.feed:
        feed_key(configured.settings)  # refuses where there is none
        market = f"{market}, as {options.feed} streams it; nobody asked whether it does"
    state = "in use before" if (options.data_dir / LOCK_NAME).exists() else "would be made"
    lines = [
        f"mode: {options.mode}",
        f"market data: {market}",
        *(f"scenario: {one.text}" for one in options.scenarios),
        f"orders go to: {ORDERS[options.mode]}",
        f"data directory: {options.data_dir} ({state})",
        f"configuration file: {options.config or 'none, the packaged values hold'}",
        f"log level: {configured.settings.log_level}",
    ]
    lines += deadman_lines(configured.settings) if options.mode in (Mode.LIVE, Mode.PAPER) else []
    lines += calendar_lines(configured) if options.mode in REAL else []
    for profile in configured.profiles.values():
        if profile.in_shadow:
            lines.append(f"{profile.engine}: orders go to: {ORDERS[Mode.SHADOW]}")
        lines += [f"{profile.engine}: {line}" for line in profile_lines(profile)]
        if profile.in_shadow or options.mode not in (Mode.LIVE, Mode.PAPER):
            account = profile.simulated
            lines.append(f"{profile.engine}: simulated account: {account.cash_usd} USD, {account.latency_ms:g} ms away")
    return [*lines, "ok: this would run"]


def deadman_lines(settings: Settings) -> list[str]:
    """Who cancels what rests when the daemon cannot."""
    told = {
        "required": "nothing is opened while none watches: obid deadman",
        "optional": "one may watch: obid deadman",
        "off": "OFF, what rests when this process dies rests on",
    }
    return [f"dead man: {told[settings.deadman_policy]}; a heartbeat is old after {settings.deadman_age_s:g} s"]


def calendar_lines(configured: Configured) -> list[str]:
    """Where releases and reports are known from."""
    settings, table = configured.settings, load_macro_calendar()
    until = f"{datetime.fromtimestamp(table.last_ns // NS_PER_S, UTC):%Y-%m-%d}"
    asked = [name for name, key in (("FRED", settings.fred_key), ("FMP", settings.fmp_key)) if key is not None]
    reports = [name for name in asked if name == "FMP"]
    reports += [str(settings.earnings_file)] if settings.earnings_file is not None else []
    companies = companies_of(configured.profiles)
    return [
        f"releases: the checked-in table, which ends on {until}" + "".join(f", and {name}" for name in asked),
        f"reports of {len(companies)} companies: {' and '.join(reports) or 'nobody is asked'}",
    ]


def profile_lines(profile: Profile) -> list[str]:
    """One engine: what it trades, when it enters and leaves, and what bounds it."""
    signal = profile.signal
    return [
        f"venue {profile.venue}, {len(profile.symbols)} symbols: {' '.join(profile.symbols)}",
        f"bars of {signal.bar_s} s, z over {signal.window_bars}, trend over {signal.trend_bars}"
        f"{'' if signal.trend_gate else ' (gate off)'}, {'two-sided' if signal.allow_short else 'long only'}",
        *(f"bars of {source}: {' '.join(names)}" for source, names in profile.bars_given().items()),
        f"imbalance over {signal.obi_depth} levels beyond {signal.obi_theta:g}, at most {signal.obi_age_ms_max} ms old",
        *tier_lines(profile),
        f"{signal.notional_usd} USD an entry, stop at {signal.stop_loss:.2%}, "
        f"out after {signal.time_stop_rth_s} s in regular hours and {signal.time_stop_s} s otherwise",
        *risk_lines(profile.risk),
        *(
            f"{name}: enter as {route.entry}, leave as {route.exit}, rest {route.lifetime_s} s, "
            f"move {route.reprices_max} times; maker {profile.fees[name].maker_bps:g} bps, "
            f"taker {profile.fees[name].taker_bps:g} bps"
            for name, route in profile.routes.items()
        ),
        f"entries shut {profile.macro.window_minutes} min around a release, from "
        f"{profile.macro.earnings_before_minutes} min before a company may report; where no calendar reaches: "
        f"{profile.macro.when_degraded}",
        f"venue and ledger compared every {profile.reconcile.every_s} s and after every gap; traded by hand: "
        f"{BY_HAND[profile.reconcile.by_hand]}",
        f"market data is stale after {profile.feed.stale_ms} ms",
    ]


def tier_lines(profile: Profile) -> list[str]:
    """How far z must stray, by whom it is said: the operator, or a rule that measures at the start."""
    said: dict[str, list[str]] = {}
    for symbol in profile.symbols:
        tier = profile.tier(symbol)
        by = "yours" if symbol in profile.tiers else profile.category(symbol) if profile.tier_rule(symbol) else ""
        said.setdefault(f"{tier.z_entry:g}/{tier.z_exit:g}" + (f" ({by})" if by else ""), []).append(symbol)
    lines = [f"z to enter/leave: {tier}: {' '.join(symbols)}" for tier, symbols in said.items()]
    traded = {profile.category(symbol) for symbol in profile.symbols if profile.tier_rule(symbol)}
    for category, rule in profile.tier_rules.items():
        if category in traded and rule.steps:
            steps = [f"{step.z_entry:g}/{step.z_exit:g} from {step.rmsd_min:g} %" for step in rule.steps]
            lines.append(f"z of {category} by RMSD over a week, measured at the start: {', '.join(steps)}")
    return lines


def risk_lines(risk: RiskLimits) -> list[str]:
    """The gate's bounds."""
    caps = ", ".join(f"{name} {cap}" for name, cap in risk.sector_caps.items())
    return [
        f"at most {risk.order_notional_usd_max} USD an order, {risk.symbol_cap_usd} a symbol, {risk.net_cap_usd} net",
        f"halt at {risk.daily_loss_usd} USD lost in a day or {risk.drawdown_max:.2%} below the peak",
        f"{risk.orders_per_minute} orders a minute, {risk.orders_burst} at once",
        f"session: {session_text(risk)}",
        f"entries accepted a day: {risk.entries_max or 'no cap'}",
        f"day trades in five sessions: {day_trades(risk)}",
        f"positions a sector: {risk.sector_cap_default}" + (f"; {caps}" if caps else ""),
    ]


def day_trades(risk: RiskLimits) -> str:
    """How many round trips a day's and the four sessions before it may hold."""
    if risk.day_trades_max is None:
        return "not counted"
    return f"{risk.day_trades_max}, and any number from {risk.day_trades_equity_usd_min} USD of equity on"


def session_text(risk: RiskLimits) -> str:
    """When an engine trades, and what it does before it may not."""
    if risk.session == "always":
        return "around the clock"
    known = load_sessions(risk.session)
    hours = f"{known.open:%H:%M} to {known.close:%H:%M} in {known.zone}, half days to {known.close_early:%H:%M}"
    leaves = f"flat {risk.flatten_minutes} min before it" if risk.flatten_minutes else "positions are kept over it"
    entries = f"no entry {risk.entries_stop_minutes} min before the close"
    return f"{risk.session}, {hours}, by a calendar of {known.first} to {known.last}; {entries}, {leaves}"
