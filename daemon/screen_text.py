"""A screen as a table for people, and as lines of TOML for an operator's file."""

from collections.abc import Iterable

from config.profile import Profile
from config.universe import load_universe
from daemon.screen import KINDS, Screen
from daemon.screen_stocks import StockScreen
from daemon.tables import table
from risk.screen import Ranked

MILLION = 1_000_000


def text(screen: Screen) -> str:
    """The table, and under it who is missing and why."""
    heads = "rank symbol category rmsd_% volume_musd open_interest_musd spread_bps score z_entry z_exit leverage"
    rows = [
        (
            *(row.rank, row.symbol, row.category, f"{row.rmsd:.2f}"),
            *(f"{row.volume_usd / MILLION:,.2f}", f"{row.open_interest_usd / MILLION:,.2f}"),
            "-" if row.spread_bps is None else f"{row.spread_bps:.2f}",
            *(f"{row.score:.3f}", f"{row.z_entry:.2f}", f"{row.z_exit:.2f}", row.leverage),
        )
        for row in screen.ranked
    ]
    lines = [f"{screen.market}: {len(screen.ranked)} of {screen.listed} listed", "", table(heads, rows, "none will do")]
    if screen.left_out:
        lines += ["", "left out:", *(f"  {one.symbol}: {one.why}" for one in screen.left_out)]
    return "\n".join(lines)


def stocks_text(screen: StockScreen) -> str:
    """The table of shares, and under it who is missing and why."""
    heads = "rank symbol sector universe price_usd volume_mshares z zone sector_cap"
    rows = [
        (
            *(row.rank, row.symbol, row.sector or "-", "yes" if row.in_universe else "no", f"{row.price_usd:,.2f}"),
            *(f"{row.volume_shares / MILLION:,.2f}", f"{row.z:+.2f}", row.zone, row.sector_cap),
        )
        for row in screen.ranked
    ]
    lines = [f"{screen.market}: {len(rows)} of {screen.looked_at} will do", "", table(heads, rows, "none will do")]
    if screen.left_out:
        lines += ["", "left out:", *(f"  {one.symbol}: {one.why}" for one in screen.left_out)]
    return "\n".join(lines)


def export(screen: Screen, profile: Profile) -> str:
    """A piece of configuration that would trade the choice: in shadow first, beside what the engine trades otherwise.

    Names that the universe lacks stand in comments: a name joins it by an edit that somebody reviews.
    """
    known = load_universe(profile.universe)
    asset_class, _ = KINDS[screen.kind]
    others = [symbol for symbol in profile.symbols if known[symbol].asset_class != asset_class]
    tradable = [row for row in screen.ranked if row.symbol in known]
    lines = [
        f"# obid screen {screen.kind}: {screen.market}. Review it, then put it into your configuration file.",
        f"[{profile.engine}]",
        "symbols = [",
        *_rows(others),
        *(_row(row, listed=row.symbol in known) for row in screen.ranked),
        "]",
        "shadow_symbols = [ # simulated fills first; take a name out when it has proven itself",
        *_rows(row.symbol for row in tradable),
        "]",
        "",
        f"[{profile.engine}.leverage]",
        *(f'"{row.symbol}" = {row.leverage}' for row in tradable),
    ]
    return "\n".join(lines)


def _rows(symbols: Iterable[str]) -> list[str]:
    return [f'  "{symbol}",' for symbol in symbols]


def _row(row: Ranked, *, listed: bool) -> str:
    why = f"{row.category}, RMSD {row.rmsd:.2f} %, z {row.z_entry:g}/{row.z_exit:g} unless the start measures otherwise"
    if listed:
        return f'  "{row.symbol}", # {why}'
    return f'  # "{row.symbol}", is not in config/universe/perps.toml yet; {why}'
