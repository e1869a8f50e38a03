"""The view: a picture that fits its terminal and says what matters, lines elsewhere, and output that never blocks."""

import io
import os
import pty
import re
import termios
from decimal import Decimal
from select import select

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.console import Console

from daemon import out as out_module
from daemon.out import Out
from daemon.snapshot import ActorRow, DecisionRow, EngineRow, OrderRow, PositionRow, Snapshot, Status
from daemon.summary import Summary, summary_json, summary_text
from daemon.view import LiveView, PlainView, allot, frame, open_view, painted, status_line

NS = 1_000_000_000
AT_NS = 1_767_225_600 * NS  # 2026-01-01
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STATUS = Status(
    version="0.1.0", run_id="r1", mode="synthetic", pid=1, seed=7, speed="max", virtual=True,
    started_ns=AT_NS - 90 * NS, at_ns=AT_NS, healthy=True, books=1_234, decisions=5, digest="sha256:" + "ab" * 32,
)  # fmt: skip


def engine(name: str, trading: str = "active", reason: str = "") -> EngineRow:
    return EngineRow(
        engine=name, venue="aleatoric", trading=trading, reason=reason, reconciled=True, symbols=28,
        symbols_fresh=28, symbols_unlearnt=0,
        cash_minor=10_000_000_000, equity_minor=10_012_330_000, realised_minor=12_000_000, unrealised_minor=-330_000,
        fees_minor=1_200_000, funding_minor=50_000,
    )  # fmt: skip


def actor(name: str, **fields: object) -> ActorRow:
    row = ActorRow(
        name=name, engine="", state="running", healthy=True, restarts=0, waiting=0, age_ms=0.0, heard=9, conflated=1,
        high_water=2, size_max=64,
    )  # fmt: skip
    return replace(row, **fields)


def decision(number: int) -> DecisionRow:
    return DecisionRow(
        at_ns=AT_NS + number * NS, engine="perps", symbol="BTC", event="refused", text=f"net_cap {number}"
    )


POSITION = PositionRow(
    engine="perps", symbol="xyz:TSLA", lots=-12, size=Decimal("-0.12"), entry=Decimal("401.25"), mark=Decimal("400.1"),
    notional_minor=48_012_000, unrealised_minor=138_000, realised_minor=0, opened_ns=AT_NS,
)  # fmt: skip
ORDER = OrderRow(
    engine="perps", order_id="0xabcdef0123456789", intent_id="i", symbol="kSHIB", side="buy", state="unknown",
    purpose="entry", size=Decimal("100"), size_filled=Decimal("40"), price=Decimal("0.01234"), time_in_force="alo",
    reason="z_entry", at_ns=AT_NS,
)  # fmt: skip
SNAPSHOT = Snapshot(
    status=STATUS,
    engines=(engine("perps"), engine("crypto", "halted", "drawdown 2.1 % over 2 %")),
    actors=tuple(actor(f"perps.actor{number}") for number in range(30)),
    positions=(POSITION,),
    orders=(ORDER,),
    decisions=tuple(decision(number) for number in range(20)),
)


def text(snapshot: Snapshot, width: int = 80, height: int = 23) -> str:
    return "\n".join(painted(line, width, False) for line in frame(snapshot, height))


def test_the_picture_says_what_matters():
    shown = text(SNAPSHOT)
    for part in ("obid synthetic", "2026-01-01 00:00:00", "virtual xmax", "up 1m 30s", "seed 7", "ok"):
        assert part in shown
    for part in ("halted", "drawdown 2.1 % over 2 %", "xyz:TSLA", "-0.12", "+0.14", "kSHIB", "unknown", "net_cap 19"):
        assert part in shown


def test_decisions_stand_newest_first():
    shown = text(SNAPSHOT)
    assert shown.index("net_cap 19") < shown.index("net_cap 18")


def test_what_ails_stands_first():
    ill = actor("perps.executor", healthy=False, state="backoff", restarts=3)
    shown = text(replace(SNAPSHOT, actors=(*SNAPSHOT.actors, ill)))
    assert shown.index("perps.executor") < shown.index("perps.actor0")
    assert "backoff" in shown
    bad = replace(SNAPSHOT, status=replace(STATUS, healthy=False, reason="perps.feed is past its deadline"))
    assert "NOT OK perps.feed is past its deadline" in text(bad)


def test_empty_sections_say_so():
    shown = text(replace(SNAPSHOT, positions=(), orders=(), decisions=()))
    assert "positions  flat" in shown
    assert "orders  none" in shown
    assert "last decisions  none yet" in shown


@given(st.integers(20, 200), st.integers(1, 60), st.integers(0, 40), st.integers(0, 40))
def test_it_always_fits(width, height, positions, orders):
    snapshot = replace(SNAPSHOT, positions=(POSITION,) * positions, orders=(ORDER,) * orders)
    lines = text(snapshot, width, height).split("\n")
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_a_section_that_is_cut_says_how_much():
    assert re.search(r"actors \(\+\d+\)", text(SNAPSHOT))
    assert "(+" not in text(SNAPSHOT, 80, 100)


@given(st.integers(-5, 100), st.lists(st.integers(0, 50), max_size=5))
def test_room_is_shared_and_never_exceeded(room, wanted):
    given_ = allot(room, wanted)
    assert sum(given_) == min(max(room, 0), sum(wanted))
    assert all(got <= want for got, want in zip(given_, wanted, strict=True))
    full = [got for got, want in zip(given_, wanted, strict=True) if got < want]
    assert all(max(full, default=0) + 1 >= got or got == want for got, want in zip(given_, wanted, strict=True))


def test_the_live_view_draws_over_itself():
    stream = io.StringIO()
    view = LiveView(Console(file=stream, force_terminal=True, width=80, height=24), Out(stream, patient=False))
    view.show(SNAPSHOT)
    first = stream.getvalue()
    view.show(replace(SNAPSHOT, positions=()))
    view.close()
    second = stream.getvalue()[len(first) :]
    assert second.startswith(f"\x1b[{first.count(chr(10))}F")
    assert stream.getvalue().endswith("\x1b[?25h")
    assert "flat" in ESCAPE.sub("", second)


def test_plain_lines():
    stream = io.StringIO()
    view = open_view(stream, plain=False, virtual=False)
    assert isinstance(view, PlainView)
    view.decision(decision(3))
    view.show(SNAPSHOT)
    view.close()
    first, second = stream.getvalue().splitlines()
    assert first == "2026-01-01 00:00:03  perps BTC        refused    net_cap 3"
    assert second == status_line(SNAPSHOT)
    assert "crypto halted pnl +10.52" in second


def read_until(terminal, wanted):
    """What a terminal was sent, which it may hand out in pieces; gives up when nothing more comes for a while."""
    got = b""
    while wanted not in ESCAPE.sub("", got.decode(errors="replace")).encode() and select([terminal], [], [], 5)[0]:
        got += os.read(terminal, 65536)
    return got


def test_a_terminal_gets_the_picture_and_plain_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    main, side = pty.openpty()
    try:
        termios.tcsetwinsize(side, (24, 80))
        with os.fdopen(side, "w", closefd=False) as stream:
            assert isinstance(open_view(stream, plain=True, virtual=False), PlainView)
            view = open_view(stream, plain=False, virtual=False)
            assert isinstance(view, LiveView)
            view.show(SNAPSHOT)
            assert "obid synthetic" in ESCAPE.sub("", read_until(main, b"obid synthetic").decode())
            view.close()
            monkeypatch.setenv("TERM", "dumb")
            assert isinstance(open_view(stream, plain=False, virtual=False), PlainView)
            termios.tcsetwinsize(side, (5, 20))
            monkeypatch.setenv("TERM", "xterm")
            assert isinstance(open_view(stream, plain=False, virtual=False), PlainView)
    finally:
        os.close(main)
        os.close(side)


def test_a_full_pipe_waits_and_does_not_block(monkeypatch):
    monkeypatch.setattr(out_module, "WAITING_BYTES_MAX", 10_000)
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "w") as stream:
        out = Out(stream, patient=False)
        for number in range(10_000):
            out.line(f"line {number}")
        assert out.skipped > 0
        assert not out.idle
        os.set_blocking(read, False)
        got = b""
        while chunk := reader.read(65536):
            got += chunk
            out.pump()
        skipped = out.skipped
        out.line("last")
        out.close()
        got += reader.read(65536)
        lines = got.decode().splitlines()
        assert lines[-2:] == [f"... {skipped} lines skipped: nobody read them", "last"]
        assert lines[:-2] == [f"line {number}" for number in range(10_000 - skipped)]


def test_a_reader_that_left_is_no_error():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        out = Out(stream, patient=True)
        out.line("one")
        out.line("two")
        out.close()


SUMMARY = Summary(
    mode="synthetic", engines=SNAPSHOT.engines, seed=7, started_ns=AT_NS, ended_ns=AT_NS + 86_400 * NS,
    reason="time is up", books=123_456, books_by_symbol={}, bars=1_440, intents=30, approved=20,
    refused={"sector_cap": 2, "net_cap": 8}, orders=21, fills=19, fills_told=23, adopted=1, positions=1,
    restarts={"perps.feed": 1}, conflated={"perps.obi_pump": 12}, dropped={},
    checked={"order_move": 3, "sequence": 4}, broken={"sequence": "9, 8 is due"},
    digest="sha256:" + "ab" * 32,
)  # fmt: skip


def test_the_summary_ends_with_the_digest():
    lines = summary_text(SUMMARY).splitlines()
    assert lines[-1] == "digest sha256:" + "ab" * 32
    shown = "\n".join(lines)
    for part in (
        "123,456",
        "refused      10  (net_cap 8, sector_cap 2)",
        "perps.feed 1",
        "perps.obi_pump 12",
        "1d 0h",
        "time is up",
        "invariants   2 checked 7 times",
        "  BROKEN     sequence: 9, 8 is due",
    ):
        assert part in shown
    assert re.search(r"^all +24\.00 +0\.10 +2\.40 +-0\.66 +21\.04 +20,000\.00 +20,024\.66$", shown, re.MULTILINE)
    assert summary_json(SUMMARY).splitlines()[-1] == lines[-1]


@pytest.mark.parametrize("engines", [(), SNAPSHOT.engines[:1]])
def test_a_summary_of_few_engines(engines):
    assert "\nall " not in summary_text(replace(SUMMARY, engines=engines))
