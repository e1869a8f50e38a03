"""A guard against a venue that answers late, lies, refuses or is gone: it believes what is shown, and goes on."""

import asyncio
import io
import json

import pytest

from daemon import deadman_guard, heartbeat
from daemon.deadman_guard import Guard
from daemon.deadman_log import LOG_NAME, Notes
from daemon.heartbeat import Beat, Link, Watch
from supervisor.clock import NS_PER_S
from supervisor.virtual import run_virtual
from venues.sweep import Resting
from venues.venue import VenueMisspoke, VenueUnreachable

EPOCH_NS = 1_767_571_200_000_000_000
AGE_S = 8.0
PLAIN, STOP = Resting("1", "BTC", False), Resting("2", "BTC", True)


class Book:
    """A venue with a book; `script` says what each look comes to, in order, before the book itself is shown."""

    name, account, signer = "hyperliquid", "0xa", "0x2"

    def __init__(self, *orders, script=()):
        self.orders, self.script = list(orders), list(script)
        self.near, self.looks, self.asked, self.proofs = (), [], [], []
        self.deaf = False  # says that it cancels, and does not
        self.proof = ""

    async def prove(self):
        self.proofs.append(self.clock.now_ns())
        if isinstance(self.proof, Exception):
            raise self.proof
        return self.proof

    async def reach(self):
        if isinstance(self.proof, Exception):
            raise self.proof

    async def look(self, *, everywhere):
        self.looks.append((self.at_s(), everywhere))
        if self.script:
            step = self.script.pop(0)
            if step == "mute":
                await self.clock.loop.create_future()
            if isinstance(step, Exception):
                raise step
        return list(self.orders)

    async def cancel(self, orders, *, every):
        self.asked.append((self.at_s(), [order.id for order in orders], every))
        if not self.deaf:
            self.orders = [order for order in self.orders if order not in orders]
        return []

    def at_s(self):
        return round((self.clock.now_ns() - EPOCH_NS) / NS_PER_S, 2)

    def pause_s(self):
        return 2.0

    async def close(self):
        return


class Stage:
    """A guard over a book, and a heartbeat that the test lets beat."""

    def __init__(self, tmp_path, monkeypatch, book, *, keeps=False):
        self.data, self.book, self.keeps, self.monkeypatch = tmp_path, book, keeps, monkeypatch
        self.said = io.StringIO()

    def play(self, script):
        """Run a script beside the guard."""

        async def main(clock):
            self.clock = self.book.clock = clock
            for module in (deadman_guard, heartbeat):
                self.monkeypatch.setattr(module, "since_boot_ns", clock.now_ns)
            self.file = heartbeat.heartbeat(self.data)
            self.watch = Watch(self.file)
            notes = Notes(self.data, "t", clock, ["0xCANARY-SECRET"], self.said)
            self.guard = Guard(self.book, self.watch, clock, notes, keeps_protection=self.keeps)
            standing = asyncio.ensure_future(self.guard.stand())
            try:
                await script(self)
            finally:
                standing.cancel()
                await asyncio.wait([standing])
                notes.close()

        run_virtual(main, EPOCH_NS)

    def beat(self, *, stopped=False):
        """One beat."""
        now_ns = self.clock.now_ns()
        links = (Link(venue="hyperliquid", account="0xa", places=("", "xyz"), heard_ns=now_ns),)
        told = Beat(
            boot=self.watch.boot, place=self.file.place, at_ns=now_ns, pid=1, run="r", age_s=AGE_S,
            stopped=stopped, links=links,
        )  # fmt: skip
        self.file.write(told)
        self.watch.look()

    async def beats(self, seconds):
        """A healthy daemon for so long."""
        for _ in range(seconds):
            self.beat()
            await self.clock.sleep(1.0)

    def events(self):
        """Names of the lines in its log."""
        lines = (self.data / "log" / LOG_NAME).read_text().splitlines()
        return [json.loads(line)["event"] for line in lines]


@pytest.fixture
def staged(tmp_path, monkeypatch):
    def make(book, **options):
        return Stage(tmp_path, monkeypatch, book, **options)

    return make


def test_an_hour_of_healthy_beats_is_never_swept(staged):
    stage = staged(Book(PLAIN))

    async def script(stage):
        await stage.beats(3_600)

    stage.play(script)
    assert stage.book.looks == stage.book.asked == []


def test_it_sweeps_when_the_beat_is_old_until_the_book_is_seen_empty_and_looks_on(staged):
    stage = staged(Book(PLAIN, STOP))

    async def script(stage):
        await stage.beats(3)
        await stage.clock.sleep(60)

    stage.play(script)
    (at_s, ids, every), *_ = stage.book.asked
    assert AGE_S + 2 < at_s < AGE_S + 3, "a quarter of a second after the last beat was old"
    assert (ids, every) == (["1", "2"], True), "what protects goes as well, unless it is asked to stay"
    assert len(stage.book.asked) == 1
    assert len(stage.book.looks) > 20, "what was under way may still come"
    assert stage.book.near == ("", "xyz")
    assert [at_s for at_s, everywhere in stage.book.looks if everywhere][:2] == [at_s, stage.book.looks[1][0]]
    assert stage.events()[:3] == ["sweep_begun", "cancels_sent", "clear"]


def test_a_beat_that_comes_while_a_sweep_begins_ends_it_before_anything_is_cancelled(staged):
    """The daemon beats, then looks whether we sweep; we say that we sweep, then look whether it beats."""
    stage = staged(Book(PLAIN))

    async def script(stage):
        await stage.beats(1)
        stage.guard.tell = stage.beat  # at the very moment
        await stage.clock.sleep(AGE_S + 3)
        assert not stage.guard.sweeping

    stage.play(script)
    assert stage.book.asked == stage.book.looks == []


def test_what_arrives_after_the_book_was_empty_goes_too(staged):
    stage = staged(Book(PLAIN))

    async def script(stage):
        await stage.beats(1)
        await stage.clock.sleep(25)
        stage.book.orders.append(STOP)  # sent before, fenced at fifteen seconds
        await stage.clock.sleep(3)
        assert not stage.book.orders
        await stage.clock.sleep(600)
        stage.book.orders.append(PLAIN)
        await stage.clock.sleep(16)
        assert not stage.book.orders, "the heartbeat is still old: a quarter of a minute, ten minutes later"

    stage.play(script)
    assert "late_orders" in stage.events()


def test_an_answer_is_no_proof_only_the_book_is(staged):
    book = Book(PLAIN)
    book.deaf = True
    stage = staged(book)

    async def script(stage):
        await stage.beats(1)
        await stage.clock.sleep(30)
        assert not stage.guard.clear
        assert len(book.asked) > 5, "asked again, ever less often"
        book.deaf = False
        await stage.clock.sleep(6)
        assert stage.guard.clear

    stage.play(script)


@pytest.mark.parametrize(
    "step", [VenueUnreachable("down"), VenueMisspoke("?"), "mute", OSError("no route"), KeyError(1)]
)
def test_whatever_a_look_comes_to_the_next_one_is_tried(staged, step):
    stage = staged(Book(PLAIN, script=[step] * 3))

    async def script(stage):
        await stage.beats(1)
        await stage.clock.sleep(AGE_S + 3 * 10 + 5)
        assert not stage.book.orders

    stage.play(script)
    assert len(stage.book.asked) == 1


def test_it_stands_down_for_a_daemon_that_beats_again_or_stopped(staged):
    stage = staged(Book(script=[VenueUnreachable("down")] * 99))

    async def script(stage):
        for stopped in (False, True):
            await stage.beats(1)
            await stage.clock.sleep(AGE_S + 1)
            assert stage.guard.sweeping
            stage.beat(stopped=stopped)
            await stage.clock.sleep(11)
            assert not stage.guard.sweeping or not stopped
            looks = len(stage.book.looks)
            stage.beat(stopped=stopped)
            await stage.clock.sleep(AGE_S - 1)
            assert len(stage.book.looks) <= looks + 1

    stage.play(script)
    assert stage.events().count("stands_down") >= 1


def test_stops_are_kept_where_asked(staged):
    stage = staged(Book(PLAIN, STOP), keeps=True)

    async def script(stage):
        await stage.beats(1)
        await stage.clock.sleep(20)
        assert stage.book.orders == [STOP]
        assert stage.guard.clear

    stage.play(script)
    assert [(ids, every) for _, ids, every in stage.book.asked] == [(["1"], False)]


def test_its_proof_is_asked_for_again_while_it_fails_and_a_venue_that_is_gone_is_noticed(staged):
    book = Book()
    book.proof = "the key is refused 0xCANARY-SECRET"
    stage = staged(book)

    async def script(stage):
        proving = asyncio.ensure_future(stage.guard.prove_on())
        await stage.clock.sleep(12)
        assert stage.guard.unable.startswith("hyperliquid: the key is refused")
        assert len(book.proofs) == 3
        book.proof = ""
        await stage.clock.sleep(6)
        assert stage.guard.unable == ""
        book.proof = VenueUnreachable("no route")
        await stage.clock.sleep(21)
        assert "no route" in stage.guard.unable
        proving.cancel()
        await asyncio.wait([proving])

    stage.play(script)
    told = stage.said.getvalue() + (stage.data / "log" / LOG_NAME).read_text()
    assert "the key is refused ***" in told
    assert "CANARY" not in told


def test_a_log_that_cannot_be_opened_stops_nobody(staged):
    stage = staged(Book(PLAIN))
    (stage.data / "log").write_text("in the way")

    async def script(stage):
        await stage.beats(1)
        await stage.clock.sleep(20)
        assert not stage.book.orders

    stage.play(script)
    assert "log_missing" in stage.said.getvalue()
