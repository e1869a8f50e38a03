"""More than an actor can take: books give way to newer ones and are counted, fills and orders wait and are heard."""

import pytest

from actors.ledger import Ledger
from actors.messages import Imbalance, OrderChanged
from actors.signal import Signal
from daemon import graph, session
from daemon.books import open_books
from supervisor.actor import MindBody
from supervisor.supervisor import House
from tests.daemon.runs import count, digest_of, eager, log_of, obid
from venues.market import Fill

SLOW_S = 10.0
"""How long a slow actor takes for a batch: a book of each of two coins comes twenty times in it."""


class SlowBody:
    """Reads its mailbox now and then."""

    def __init__(self, mind):
        self.mind = mind

    async def run(self, post):
        """Sleep, read, say."""
        post.ready()
        while True:
            await post.clock.sleep(SLOW_S)
            while batch := post.mailbox.take():
                for message in batch:
                    for said in self.mind.hear(message):
                        post.say(said)


def slow_signal(monkeypatch):
    """Let the strategy be slow."""

    def body(mind):
        return SlowBody(mind) if isinstance(mind, Signal) else MindBody(mind)

    monkeypatch.setattr(graph, "MindBody", body)


@pytest.fixture(name="houses")
def _houses(monkeypatch):
    """Every house that is built."""
    built = []

    class Seen(House):
        def __init__(self, *args):
            super().__init__(*args)
            built.append(self)

    monkeypatch.setattr(session, "House", Seen)
    return built


def run(tmp_path, name="data", seed=4):
    return obid(
        *("run", "--symbols", "BTC,ETH", "--bar", "1s", "--speed", "max", "--for", "5m", "--seed", seed),
        *("--config", eager(tmp_path), "--data-dir", tmp_path / name),
    )


def test_a_slow_strategy_acts_on_the_newest_books_and_misses_no_fill(tmp_path, monkeypatch, houses):
    heard = []

    class Counting(Signal):
        def hear(self, message):
            heard.append(type(message).__name__)
            return super().hear(message)

    monkeypatch.setattr(graph, "Signal", Counting)
    slow_signal(monkeypatch)
    result = run(tmp_path)
    assert result.stderr == ""
    (house,) = houses
    box = house.mailboxes["perps.signal"]
    books = box.lanes[Imbalance]
    assert heard.count("Imbalance") + books.conflated + len(books) == count(result, "books heard")
    assert books.conflated > 10 * heard.count("Imbalance")
    assert books.high_water <= 2  # a coin each, however long it takes
    assert f"perps.signal {books.conflated:,}" in result.stdout
    changed = len(log_of(tmp_path / "data", "order_changed"))
    assert heard.count("OrderChanged") + len(box.lanes[OrderChanged]) == changed  # some wait when all stop
    assert all(lane.conflated == 0 for kind, lane in box.lanes.items() if kind is not Imbalance)


@pytest.mark.parametrize("seed", [2, 6, 8])
def test_a_slow_disk_delays_orders_and_loses_nothing(seed, tmp_path, monkeypatch, houses):
    commit = Ledger._commit

    async def slow(self, post, book, records, news):
        await post.clock.sleep(3.0)
        await commit(self, post, book, records, news)

    monkeypatch.setattr(Ledger, "_commit", slow)
    result = run(tmp_path, seed=seed)
    assert result.stderr == ""
    assert log_of(tmp_path / "data", "drift") == [], "what is not written yet is no drift, however slow the disk"
    fills = {line["id"]: line for line in log_of(tmp_path / "data", "fill")}.values()
    assert len(fills) >= 3
    assert (count(result, "fills"), count(result, "adopted")) == (len(fills), 0)
    (house,) = houses
    lane = house.mailboxes["ledger"].lanes[Fill]
    assert lane.high_water <= lane.size_max
    held = {symbol: one.lots for symbol, one in open_books(tmp_path / "data").positions.get("perps", {}).items()}
    lots = {}
    for line in fills:
        lots[line["symbol"]] = lots.get(line["symbol"], 0) + (1 if line["side"] == "buy" else -1) * line["lots"]
    assert held == {symbol: number for symbol, number in lots.items() if number}


def test_a_slow_actor_is_slow_in_the_same_way_each_time(tmp_path, monkeypatch):
    slow_signal(monkeypatch)
    assert digest_of(run(tmp_path, "one")) == digest_of(run(tmp_path, "two"))
