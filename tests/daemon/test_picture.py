"""The picture: the house, the board and the digest at one moment, and what a finished run comes to."""

from actors.feed import Stream
from actors.messages import PositionChanged, RunStarted
from daemon.board import Board
from daemon.digest import Digest
from daemon.options import Mode, RunOptions
from daemon.picture import Picture
from risk.intent import Cancel, Refused
from risk.invariants import Checks
from supervisor.mailbox import latest
from supervisor.messages import ChildCrashed
from tests.fakes import EPOCH_NS, Note, Poison, Quote, child, endure, notebook, play, say, tree
from tests.risk.given import BTC, fill

STARTED = RunStarted(
    number=2,
    run_id="synthetic-7-2",
    mode="synthetic",
    seed=7,
    version="0.1",
    engines=("perps",),
    instruments=(BTC,),
    at_ns=EPOCH_NS,
)


def picture_of(tmp_path, script, *children):
    """What a script sees of a house with these children."""
    board = Board({"perps": {"BTC": BTC}}, {"perps": "hyperliquid (simulated)"})
    digest, streams = Digest(), {"perps": {"BTC": Stream()}}
    streams["perps"]["BTC"].books = 12
    options = RunOptions(mode=Mode.SYNTHETIC, engines=("perps",), data_dir=tmp_path)

    async def main(house, task):
        return await script(house, Picture(STARTED, options, board, house, digest, streams, Checks()), board)

    return play(tree(*children), main, outside=(Note, Poison, Quote))


def test_it_shows_the_run_and_every_actor_with_its_mailbox(tmp_path):
    async def script(house, picture, board):
        say(house, Note(1))
        await house.clock.sleep(1)
        return picture.snapshot()

    shown = picture_of(tmp_path, script, notebook("a", [], Note, Poison))
    status = shown.status
    assert (status.run_id, status.speed, status.virtual, status.books) == ("synthetic-7-2", "max", True, 12)
    assert (status.healthy, status.reason) == (True, "")
    assert [(row.name, row.state, row.heard, row.restarts) for row in shown.actors] == [("a", "running", 1, 0)]


def test_an_actor_that_hangs_is_named(tmp_path):
    async def stuck(post):
        post.ready()
        post.in_hand_ns = post.clock.now_ns()
        await endure(post)

    async def script(house, picture, board):
        await house.clock.sleep(60)
        return picture.snapshot().status

    status = picture_of(tmp_path, script, child("a"), child("b", stuck, shutdown_s=0.1))
    assert (status.healthy, status.reason) == (False, "late or down: b")


def test_the_summary_counts_what_was_said_restarted_and_conflated(tmp_path):
    wish = Cancel(engine="perps", intent_id="i", order_id="o", symbol="BTC", reason="x", at_ns=1)

    async def script(house, picture, board):
        say(house, Poison())
        say(house, Quote("BTC", 1), Quote("BTC", 2), Quote("BTC", 3))
        await house.clock.sleep(1)
        for _ in range(2):
            board.write(fill(BTC, 5, 600_000))
        for fill_id in ("f1", "adopted-BTC-1-5-6", ""):
            board.write(PositionChanged("perps", "BTC", 5, 600_000.0, 0, 1, 2, 3, fill_id))
        board.write(Refused("perps", wish, "net_cap", "", "", 5))
        board.write(ChildCrashed("a", "", "Poisoned", 5))
        return picture.summary("SIGTERM"), picture.snapshot()

    latest_quotes = notebook("q", [])
    latest_quotes = type(latest_quotes)(name="q", start=latest_quotes.start, hears=(latest(Quote),))
    summary, shown = picture_of(tmp_path, script, notebook("a", [], Note, Poison), latest_quotes)
    assert (summary.reason, summary.refused) == ("SIGTERM", {"net_cap": 1})
    assert (summary.fills, summary.fills_told, summary.adopted) == (1, 2, 1)
    assert (summary.restarts, summary.conflated) == ({"a": 1}, {"q": 2})
    assert summary.books_by_symbol == {"BTC": 12}
    assert summary.ended_ns == EPOCH_NS + 10**9
    assert shown.actors[0].error == "Poisoned"
