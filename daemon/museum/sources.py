"""Where the stories come from: each source by a short key, and what of it no exhibit can show, with the reason.

L1-L27 are failures that obi-execution-engine, the forerunner of this project, had live and named in its commits; D1-D17
are defects found in its newest public code, by reading it or by running its functions. The others are public threads,
by their numbers: nt nautilus_trader, hb hummingbot, hl-sdk hyperliquid-python-sdk, pb passivbot, ft freqtrade, alpaca
alpaca-py, lean QuantConnect's Lean and its brokerages.
"""

from msgspec import Struct


class Source(Struct, frozen=True):
    """One source. `left_out` says what has no exhibit, and why; empty if nothing is left out."""

    key: str
    about: str
    left_out: str = ""


def _thread(key: str, project: str, about: str, left_out: str = "") -> Source:
    return Source(key, f"{project} #{key.rpartition('-')[2]}: {about}", left_out)


LIVE = (
    Source("L1", "text of an enumeration in a fill's callback"),
    Source("L2", "a restart with an empty memory, orders without a tag"),
    Source("L3", "paper fills that live would not have made"),
    Source("L4", "connection limits and zombie streams"),
    Source("L5", "one WebSocket slot for data and orders"),
    Source("L6", "a stop that crashed on a feed that was never started"),
    Source("L7", "time in force, day trades and short sales of equities"),
    Source("L8", "a network error in a poll that ended everything"),
    Source("L9", "prices rounded to zero, sizes rounded over the cap"),
    Source("L10", "a preseed cut at the vendor's page"),
    Source("L11", "status ok with an error inside, of orders and of leverage"),
    Source("L12", "stale memory and dust that deadlocked exits and entries"),
    Source("L13", "an imbalance of five levels that flickers"),
    Source("L14", "fills that overwrote each other"),
    Source("L15", "no floor in a trend"),
    Source("L16", "one clearinghouse asked of many, caps that were never enforced"),
    Source("L17", "names put into capitals"),
    Source("L18", "post-only exits that loop, exits looked up by one tag"),
    Source("L19", "leverage that the venue refuses, a stream that cancelled its siblings"),
    Source("L20", "profits paired, summed and paged wrongly"),
    Source("L21", "SIGTERM ignored", "signals themselves need a process: tests/daemon sends them to one"),
    Source("L22", "a size override ignored, a net cap open on NaN"),
    Source(
        "L23",
        "collateral not held, refusals counted, keys that cannot transfer",
        "sub-accounts without unified-account mode: nothing here stands on that mode",
    ),
    Source(
        "L24",
        "an empty list out of a header, Kelly sizes in price units, syntax of a later Python",
        "there is no Kelly sizing here, and the suite runs on every Python that is named",
    ),
    Source(
        "L25",
        "a counter that could not count, a window of the wrong start",
        "there is no counter of toxic fills here; that each fault fires is held by the emulator's tests",
    ),
    Source("L26", "a calendar that ended too soon, of releases and of reports"),
    Source("L27", "the same refusal 120 times an hour"),
)

DEFECTS = (
    Source("D1", "a rollback of what was filled"),
    Source("D2", "a reprice of the full size"),
    Source("D3", "an exit pending for ever"),
    Source("D4", "positions believed before risk, candidates counted twice"),
    Source("D5", "cancels in shadow that end nothing"),
    Source("D6", "an exit filled in part that sets memory flat"),
    Source("D7", "lots in floats"),
    Source("D8", "decimals and sides of prices"),
    Source("D9", "a token bucket with a second burst"),
    Source("D10", "silence as refusal, takers without a name"),
    Source("D11", "fills during an outage, no periodic reconciler"),
    Source(
        "D12",
        "one queue for all, no look at a book's age",
        "questions in the strategy's way: a mind cannot await, and tests/test_tidy.py lets no client into actors/",
    ),
    Source("D13", "a breaker for buys alone, open on errors, renewed by restarts"),
    Source("D14", "a watchdog that mis-sums, a halt that does not hold, orders that stay"),
    Source("D15", "a sector counter of equities, exits that were believed before they were sent"),
    Source("D16", "two kinds of price in one window"),
    Source("D17", "names of orders by the second"),
)

WHEELS = "nothing here is compiled: locked wheels, `make run` on a fresh clone (docs/decisions/0001)"
TWINS = "one graph in every mode, which tests compare; a run beside another run is not built yet"
ELSEWHERE = "shown where a process of its own is needed: "

MORE = (
    _thread("nt-3176", "nautilus_trader", "orders placed again at every restart"),
    _thread("nt-5039", "nautilus_trader", "callbacks whose exceptions are discarded"),
    _thread("nt-2053", "nautilus_trader", "a task that stopped without a word"),
    _thread("nt-4533", "nautilus_trader", "950 MB an hour with a market maker"),
    _thread("nt-3485", "nautilus_trader", "memory that grows"),
    _thread("nt-1196", "nautilus_trader", "memory that grows"),
    _thread("nt-1989", "nautilus_trader", "a storm of reconnects"),
    _thread("nt-1339", "nautilus_trader", "a storm of reconnects"),
    _thread("nt-2224", "nautilus_trader", "QueueFull on a burst"),
    _thread("nt-2244", "nautilus_trader", "an install that builds from source and hangs", WHEELS),
    _thread("nt-731", "nautilus_trader", "an install that fails", WHEELS),
    _thread("nt-2209", "nautilus_trader", "an install that fails", WHEELS),
    _thread("hb-3374", "hummingbot", "orders lost, exposure left"),
    _thread("hb-493", "hummingbot", "orders lost, exposure left"),
    _thread("hb-601", "hummingbot", "orders lost, exposure left"),
    _thread("hb-3915", "hummingbot", "orders lost, exposure left"),
    _thread("hb-api-243", "hummingbot-api", "executors that a restart does not resume"),
    _thread("hb-8440", "hummingbot", "a restart that opens a second position"),
    _thread("hb-3101", "hummingbot", "quotes at a frozen price for 45 minutes"),
    _thread("hb-3685", "hummingbot", "a coma after a fill"),
    _thread("hb-170", "hummingbot", "it looks alive and does nothing"),
    _thread("hb-2534", "hummingbot", "a kill switch whose handler died"),
    _thread("hb-2497", "hummingbot", "pause and resume, asked for"),
    _thread("hb-2761", "hummingbot", "pause and resume, asked for"),
    _thread("hb-dashboard-206", "hummingbot-dashboard", "a kill switch that repeats for ever"),
    _thread("hb-7462", "hummingbot", "out of memory after 13 days"),
    _thread("hb-7363", "hummingbot", "memory that grows"),
    _thread("hb-6479", "hummingbot", "memory that grows"),
    _thread("hb-8270", "hummingbot", "caches without a bound"),
    _thread("hb-7078", "hummingbot", "a source archive that lacks its sources", WHEELS),
    _thread("hb-6270", "hummingbot", "an install on a Raspberry Pi", WHEELS),
    _thread("quants-lab-23", "quants-lab", "an install that fails", WHEELS),
    _thread("quants-lab-66", "quants-lab", "an install that fails", WHEELS),
    _thread("hb-4055", "hummingbot", "Prometheus, asked for", "the daemon has none; `obid serve` has"),
    _thread("ft-10272", "freqtrade", "a backtest that differs from live", TWINS),
    _thread("ft-5489", "freqtrade", "dry and live, side by side, buy different pairs", TWINS),
    _thread("ft-6002", "freqtrade", "a backtest that differs from live", TWINS),
    _thread("ft-7502", "freqtrade", "a backtest that differs from live", TWINS),
    _thread("ft-8451", "freqtrade", "a backtest that differs from live", TWINS),
    _thread("ft-12675", "freqtrade", "a backtest that differs from live", TWINS),
    _thread("ft-3902", "freqtrade", "a backtest that differs from live", TWINS),
    _thread("ft-3647", "freqtrade", "a cancelled order that had filled"),
    _thread("ft-7606", "freqtrade", "stops for what was closed by hand"),
    _thread("ft-2836", "freqtrade", "stops for what was closed by hand"),
    _thread("ft-4999", "freqtrade", "a stop that failed"),
    _thread("ft-12598", "freqtrade", "a stop that failed"),
    _thread("ft-12984", "freqtrade", "a stop whose limit met nobody"),
    _thread("ft-11957", "freqtrade", "a heartbeat that says RUNNING"),
    _thread("ft-6031", "freqtrade", "a heartbeat that says RUNNING"),
    _thread("ft-11317", "freqtrade", "memory that grows"),
    _thread("ft-10233", "freqtrade", "memory that grows"),
    _thread("ft-13421", "freqtrade", "memory that grows"),
    _thread("ft-2968", "freqtrade", "a stop for drawdown, asked for"),
    _thread("pb-980", "passivbot", "one entry posted twice, 142 % of the limit"),
    _thread("pb-477", "passivbot", "a stop that came after the liquidation"),
    _thread("octobot-1333", "OctoBot", "147 orders believed, 143 there"),
    _thread("octobot-3190", "OctoBot", "stop and target gone after a restart"),
    _thread("octobot-3647", "OctoBot", "a node that eats 3 GB"),
    _thread(
        "octobot-trading-327",
        "OctoBot-Trading",
        "a dead man's switch, asked for",
        f"{ELSEWHERE}tests of `obid deadman`",
    ),
    _thread("octobot-1638", "OctoBot", "a broken release", WHEELS),
    _thread("octobot-2777", "OctoBot", "a broken release", WHEELS),
    _thread("lean-8551", "Lean", "out of memory"),
    _thread("hftbacktest-210", "hftbacktest", "a book that stays NaN after a reconnect"),
    _thread("hftbacktest-204", "hftbacktest", "shared memory that broke", "no memory is shared between processes here"),
    _thread("hftbacktest-67", "hftbacktest", "trades that match and a profit that does not", TWINS),
    _thread("vnpy-87", "vnpy", "a position that lived in memory"),
    _thread("vnpy-1118", "vnpy", "a position that lived in memory"),
    _thread("vnpy-2355", "vnpy", "a reconnect without its subscriptions"),
    _thread("vnpy-2424", "vnpy", "an exit twice, of a stale position"),
    _thread("vnpy-3411", "vnpy", "strategies that are not told of a disconnect"),
    _thread("barter-280", "barter-rs", "trades missed in a reconnect"),
    _thread("barter-271", "barter-rs", "live from Python, asked for", "this is Python"),
    _thread(
        "barter-68", "barter-rs", "a mock venue that is too thin", f"{ELSEWHERE}`obid emulate`, by the venues' own SDKs"
    ),
    _thread("jesse-336", "Jesse", "an install of databases and plugins", WHEELS),
    _thread("jesse-495", "Jesse", "an install of databases and plugins", WHEELS),
    _thread(
        "jesse-371", "Jesse", "a live WebSocket that failed", "no more is known of it; reconnects are shown by others"
    ),
    _thread("lumibot-1113", "Lumibot", "a method of backtests called in live", TWINS),
    _thread("bbgo-1764", "bbgo", "stuck after a stop"),
    _thread(
        "bbgo-80", "bbgo", "a grid that must be recovered", "there is no grid here; what rests is taken back at a stop"
    ),
    _thread("pythontraderbot-3", "PythonTraderBot", "a blackout around news, asked for"),
    _thread("standx-cli-43", "StandX-CLI", "a blackout around news, asked for"),
    _thread("autotrading-scheduler-7", "AutoTrading-Scheduler", "a blackout around news, asked for"),
    _thread("tracequant-24", "tracequant", "a shadow account, built on top"),
    _thread("autofx-v2-27", "AutoFX-V2", "a shadow account, asked for"),
    _thread("trade-executor-1237", "trade-executor", "live against backtest, a tool asked for", TWINS),
    _thread("ninjatrader8-13", "NinjaTrader8", "a mode that throws curve balls", f"{ELSEWHERE}`obid soak`"),
    _thread("xud-1324", "xud", "a dead man's switch, asked for", f"{ELSEWHERE}tests of `obid deadman`"),
    _thread(
        "krypto-863", "Krypto-trading-bot", "a dead man's switch, asked for", f"{ELSEWHERE}tests of `obid deadman`"
    ),
)
"""Threads that were read for the second half of the museum; what is known of each is one line."""

THREADS = (
    _thread("nt-3878", "nautilus_trader", "made-up fills with new ids at each start"),
    _thread("nt-4991", "nautilus_trader", "orderUpdates after a reconnect"),
    _thread("nt-4861", "nautilus_trader", "a start that scans every builder dex"),
    _thread("nt-3046", "nautilus_trader", "fills replayed at a restart"),
    _thread("nt-4736", "nautilus_trader", "a restart that undoes what is held"),
    _thread("nt-3104", "nautilus_trader", "75 here, 65 short there"),
    _thread("nt-5000", "nautilus_trader", "working orders missing after SIGKILL"),
    _thread("hb-8250", "hummingbot", "no recovery after close 1000"),
    _thread("hb-8457", "hummingbot", "orders dropped in an outage"),
    _thread("hb-7593", "hummingbot", "1006 again and again for one name"),
    _thread("hb-7294", "hummingbot", "failed, then filled"),
    _thread("hb-7737", "hummingbot", "duplicate nonces"),
    _thread("hb-6730", "hummingbot", "post-only phase after an upgrade"),
    _thread("hl-sdk-145", "hyperliquid-python-sdk", "subscriptions that fall silent"),
    _thread("hl-sdk-191", "hyperliquid-python-sdk", "no reconnect, no resubscribe"),
    _thread(
        "hl-sdk-293",
        "hyperliquid-python-sdk",
        "the WebSocket manager again",
        "what is known of it is the story of hl-sdk-191",
    ),
    _thread("pb-567", "passivbot", "429 on a shared address"),
    _thread("ft-10960", "freqtrade", "the address's requests used up by stops"),
    _thread("alpaca-740", "alpaca-py", "a stream mute for hours, another that reconnects every ten milliseconds"),
    _thread("alpaca-248", "alpaca-py", "connection limit exceeded"),
    _thread("alpaca-api-165", "Alpaca-API", "a replace of what is partly filled begins anew"),
    _thread("lean-ib-249", "Lean.Brokerages.InteractiveBrokers", "fills during a disconnect dropped"),
    _thread("lean-tastytrade-31", "Lean.Brokerages.Tastytrade", "a mute market data socket, no word, no recovery"),
    _thread("lean-tradestation-95", "Lean.Brokerages.TradeStation", "heartbeats flow, frames of fills are missing"),
    _thread("lean-alpaca-60", "Lean.Brokerages.Alpaca", "orders while trade_updates was down"),
    _thread("lean-4680", "Lean", "cash asked for once a day"),
    _thread("lean-9742", "Lean", "paper fills that never come because quotes froze"),
    _thread("alpacatradingagent-36", "AlpacaTradingAgent", "an equity that is no number as high water"),
    _thread("forven-92", "Forven", "a halt latched by one bad tick"),
    _thread("go-trader-1448", "go-trader", "the whole book halted on one position's margin"),
    _thread("openalgo-1419", "openalgo", "a watchdog of staleness in closed markets"),
    _thread("qubx-390", "Qubx", "a paper venue whose prices never moved"),
    _thread("quantdinger-141", "QuantDinger", "a halt around news, asked for"),
    *MORE,
)

OURS = (
    Source("README", "what obi-execution-engine's README says and its code does not: gates, sessions, a calendar"),
    Source("calendar", "rows of Financial Modeling Prep over the years: names, times, plans, and releases that moved"),
    Source("trap-alpaca", "Alpaca's wire: binary frames, times in two notations, replaces that lose to a fill"),
    Source("reconcile", "found by a machine that lets everything befall an account (make reconcile)"),
    Source("hour", "found by an hour of our own daemon against the emulated Alpaca (make alpaca-hour)"),
)
"""Not threads: what documents and frames say, and what we found ourselves."""

COMMITS = {
    "L1": "a4cc25b",
    "L2": "a4cc25b",
    "L3": "a4cc25b",
    "L4": "0ca4ef2, dbf2551, a7c984e, fc20187",
    "L5": "f0a66b3, b7d2a96",
    "L6": "25d8ecf",
    "L7": "63c5703, 53f476c, 6fd27a7",
    "L8": "7225399",
    "L9": "a5b1344",
    "L10": "4445271, 22eb4d1, 0ac2620",
    "L11": "eda3e6a",
    "L12": "eda3e6a, 969f40e",
    "L13": "eda3e6a",
    "L14": "55b5199",
    "L15": "55b5199",
    "L16": "2ecfccc, 2ba0e74",
    "L17": "df812fb",
    "L18": "3df6893",
    "L19": "d959d10",
    "L20": "d959d10, e9fe3a6, 88512fd, b8dcd51",
    "L21": "4cc13fd",
    "L22": "4cc13fd",
    "L23": "f1ac148, 79006ef",
    "L24": "74c44c4, 58f570a, c885ccd",
    "L25": "c1a298f",
    "L26": "c94696e",
}
"""Commits of obi-execution-engine that name a failure."""

SOURCES = (*LIVE, *DEFECTS, *THREADS, *OURS)
