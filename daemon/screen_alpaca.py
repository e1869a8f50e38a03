"""Alpaca's shares to screen: its list of assets, and daily bars of the whole tape, for which any key will do.

Days of the consolidated tape (SIP) are free when they are older than a quarter of an hour; of IEX alone hardly a name
trades a million shares.
"""

from collections.abc import Sequence
from pathlib import Path

from config.load import daemon_tables
from config.settings import load_settings
from daemon.alpaca import data_login_of, data_urls, login_of
from daemon.guarded import guard, secrets_of
from daemon.stocks import DAYS, Stock
from daemon.venue_places import alpaca_url
from supervisor.clock import Clock
from venues.alpaca.bars import DAY_NS, STOCKS, BarsRest, Wanted
from venues.alpaca.plan import PLANS
from venues.alpaca.rest import Rest as TradingRest
from venues.alpaca.trading_wire import EQUITY, Asset
from venues.rest import Rest, RestLimits

TAPE = "sip"
TOTAL_S = 30.0
"""A page of ten thousand rows may take its time: nobody waits for it but a person."""


class AlpacaStocks:
    """Asks with the paper key, or the live one where that is all there is. Raises ConfigError where there is none."""

    def __init__(self, clock: Clock, files: Sequence[Path] = ()):
        tables = daemon_tables(files)
        settings = load_settings({"mode": "paper"}, tables=tables, engines=("equities",))
        guard(secrets_of(settings))
        login = login_of(settings, live=False)
        url = alpaca_url(settings, live=False)
        history_url = data_urls(settings)[1]
        self.name = url
        self._assets = TradingRest(url, login, clock)
        data_login, field = data_login_of(settings)
        limits = RestLimits(total_s=TOTAL_S)
        made = lambda: Rest(history_url, limits, data_login.headers)  # noqa: E731
        self._bars = BarsRest(made, PLANS[settings.alpaca_plan], clock, "screen", field)

    async def stocks(self, known: Sequence[str], *, new_only: bool) -> Sequence[Stock]:
        """Those of the names that trade there, or everything else that does."""
        query = {"status": "active", "asset_class": EQUITY}
        rows = await self._assets.must(tuple[Asset, ...], "/v2/assets", query)
        tradable = {one.symbol for one in rows if one.tradable and one.asset_class == EQUITY}
        wanted = sorted(tradable - set(known)) if new_only else [symbol for symbol in known if symbol in tradable]
        missing = [] if new_only else [symbol for symbol in known if symbol not in tradable]
        asked = Wanted(path=STOCKS, interval_ns=DAY_NS, bars=DAYS, feed=TAPE)
        buffers = await self._bars.buffers(wanted, asked)
        return [
            *(
                Stock(
                    symbol=symbol,
                    closes=tuple(bar.close for bar in buffer.bars),
                    volumes=buffer.volumes,
                    wrong=buffer.text if not buffer.bars else "",
                )
                for symbol, buffer in buffers.items()
            ),
            *(Stock(symbol=symbol, wrong="cannot be traded there") for symbol in missing),
        ]

    async def close(self) -> None:
        """Let go of the connections."""
        await self._assets.close()
        await self._bars.close()
