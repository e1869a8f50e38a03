"""Exhibits: answers of the venue that were believed without being read, and requests that it was bound to refuse."""

import json
from typing import Any

import msgspec

from daemon.museum.desk import AGENT, BTC, ETH, MASTER, START_NS, Desk, S, limit, placed
from daemon.museum.exhibit import Exhibit
from venues.hyperliquid import info
from venues.hyperliquid.actions import update_leverage, usd_class_transfer
from venues.hyperliquid.answers import Done, Meaning, Refused, meaning_of, read_answer
from venues.hyperliquid.nonce import Nonces
from venues.hyperliquid.sign import Signer
from venues.venue import VenueMisspoke


def _status_only(body: bytes) -> str:
    """The naive reading: the word at the top."""
    return "done" if json.loads(body)["status"] == "ok" else "refused"


def _read(body: bytes, asked: int) -> str:
    verdicts = read_answer(body, asked)
    return "refused" if all(isinstance(verdict, Refused) for verdict in verdicts) else "done"


def _too_small() -> bytes:
    return Desk(("BTC",)).post(placed(limit(BTC, "buy", "65000", "0.0001", "Gtc")))


OK_WITH_AN_ERROR = Exhibit(
    name="l11-ok-with-an-error",
    story='The venue answered "ok" with a refusal inside, and the engine believed that it held a position.',
    sources=("L11",),
    stake="a position in memory that does not exist",
    right=lambda: _read(_too_small(), 1),
    wrong=lambda: _status_only(_too_small()),
    check=lambda said: said == "refused",
)


def _levered(leverage: int) -> bytes:
    return Desk(("BTC",)).post(update_leverage(BTC, leverage, cross=True))


LEVERAGE_UNREAD = Exhibit(
    name="l11-leverage-unread",
    story="A change of leverage was refused with HTTP 200, and taken for done because nothing was raised.",
    sources=("L11", "L19"),
    stake="margin of another size than planned",
    right=lambda: _read(_levered(1_000), 0),
    wrong=lambda: "done" if _levered(1_000) else "refused",
    check=lambda said: said == "refused",
)


def _boots(fatal: bool) -> str:
    """Set the leverage of two coins at the start, the first to what the venue does not take."""
    desk, said = Desk(("BTC", "ETH")), []
    for asset, leverage in ((BTC, 1_000), (ETH, 5)):
        (verdict,) = read_answer(desk.post(update_leverage(asset, leverage, cross=True)), 0)
        if fatal and isinstance(verdict, Refused):
            return "dead at the first"
        said.append("set" if isinstance(verdict, Done) else "kept")
    return " ".join(said)


LEVERAGE_FATAL = Exhibit(
    name="l19-leverage-fatal",
    story="The venue would not change the leverage of one coin, and the engine did not start at all.",
    sources=("L19",),
    stake="positions that nobody watches",
    right=lambda: _boots(fatal=False),
    wrong=lambda: _boots(fatal=True),
    check=lambda said: said == "kept set",
)

HEADER = b"[WARN] slow path\n[]"


def _strict() -> str:
    try:
        return repr(info.open_orders(MASTER.address).read(HEADER))
    except VenueMisspoke:
        return "misspoke"


def _bracket() -> str:
    """From the first thing that looks like a list and can be read as one."""
    for at, letter in enumerate(HEADER.decode()):
        if letter == "[":
            try:
                return repr(json.loads(HEADER.decode()[at:]))
            except ValueError:
                continue
    return "[]"


EMPTY_BY_MISTAKE = Exhibit(
    name="l24-empty-by-mistake",
    story="A reader looked for the first bracket, met a header line, and said for 17 rounds that there was nothing.",
    sources=("L24",),
    stake="silence that looks like a flat account",
    right=_strict,
    wrong=_bracket,
    check=lambda said: said == "misspoke",
)


def _after_restart() -> bytes:
    desk = Desk(("BTC",))
    desk.venue.restart(desk.now_ns + 20 * S)
    return desk.post(placed(limit(BTC, "sell", "65000", "0.01", "Ioc")))


def _naive_phase() -> str:
    """A list of refusals without this one: the order is neither placed nor refused."""
    status = str(json.loads(_after_restart())["response"]["data"]["statuses"][0])
    return "refused" if any(words in status for words in ("margin", "minimum value", "tick size")) else "lost"


POST_ONLY_PHASE = Exhibit(
    name="hb-6730",
    story="After an upgrade only post-only orders are taken; the connector did not know the words and lost track.",
    sources=("hb-6730",),
    stake="exits that hang when the market has just reopened",
    right=lambda: _read(_after_restart(), 1),
    wrong=_naive_phase,
    check=lambda said: said == "refused",
)


def _burst(nonces: Any) -> list[str]:
    """Three orders within one millisecond."""
    desk, said = Desk(("BTC",)), []
    for number in range(3):
        order = placed(limit(BTC, "buy", f"{60_000 + number}", "0.01", "Gtc"))
        answer = json.loads(desk.post(order, nonce=nonces(desk.now_ns)))
        said.append(answer["status"])
    return said


def _clock_ms(now_ns: int) -> int:
    return now_ns // 1_000_000


NONCE_TWICE = Exhibit(
    name="hb-7737",
    story="Nonces were read off a clock of milliseconds, and the second order of a millisecond was a duplicate.",
    sources=("hb-7737",),
    stake="orders refused in the very burst they were needed",
    right=lambda: _burst(Nonces().take),
    wrong=lambda: _burst(_clock_ms),
    check=lambda said: said == ["ok"] * 3,
)


def _echo(read: Any) -> str:
    """An order is sent twice by a transport that retries; the second answer is all that comes back."""
    desk = Desk(("BTC",))
    order = placed(limit(BTC, "buy", "60000", "0.01", "Gtc"))
    desk.post(order, nonce=START_NS // 1_000_000 + 1)
    answer = desk.post(order, nonce=START_NS // 1_000_000 + 1)
    return str(read(json.loads(answer)["response"]))


DUPLICATE_IS_AN_ECHO = Exhibit(
    name="hb-7737-echo",
    story='"Duplicate nonce" was read as a refusal, though the first copy of the order rested in the book.',
    sources=("hb-7737",),
    stake="an order that nobody owns",
    right=lambda: _echo(meaning_of),
    wrong=lambda: _echo(lambda text: Meaning.REFUSED if "invalid" in text.lower() else Meaning.DOUBT),
    check=lambda meaning: meaning == str(Meaning.DOUBT),
)


def _moved(who: Signer) -> str:
    """Move money from spot to perpetuals."""
    desk = Desk(("BTC",))
    action = usd_class_transfer(100_000_000, desk.now_ns // 1_000_000, to_perp=True)
    body = msgspec.json.decode(who.user(action).body())
    return str(json.loads(desk.venue.exchange(body, desk.now_ns))["status"])


AGENT_MOVES_MONEY = Exhibit(
    name="l23-agent-moves-money",
    story="A transfer was signed with the agent's key, which may trade but not move money.",
    sources=("L23",),
    stake="collateral that never arrives",
    right=lambda: _moved(MASTER),
    wrong=lambda: _moved(AGENT),
    check=lambda status: status == "ok",
)

EXHIBITS = (
    OK_WITH_AN_ERROR,
    LEVERAGE_UNREAD,
    LEVERAGE_FATAL,
    EMPTY_BY_MISTAKE,
    POST_ONLY_PHASE,
    NONCE_TWICE,
    DUPLICATE_IS_AN_ECHO,
    AGENT_MOVES_MONEY,
)
