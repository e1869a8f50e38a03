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

THREADS = (
    _thread("nt-3878", "nautilus_trader", "made-up fills with new ids at each start"),
    _thread("nt-4991", "nautilus_trader", "orderUpdates after a reconnect"),
    _thread("nt-4861", "nautilus_trader", "a start that scans every builder dex"),
    _thread("nt-3046", "nautilus_trader", "fills replayed at a restart"),
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
)

OURS = (
    Source("README", "what obi-execution-engine's README says and its code does not: gates, sessions, a calendar"),
    Source("calendar", "rows of Financial Modeling Prep over the years: names, times, plans, and releases that moved"),
    Source("trap-alpaca", "Alpaca's wire: binary frames, times in two notations, replaces that lose to a fill"),
    Source("hour", "found by an hour of our own daemon against the emulated Alpaca (make alpaca-hour)"),
)
"""Not threads: what documents and frames say, and what we found ourselves."""

SOURCES = (*LIVE, *DEFECTS, *THREADS, *OURS)
