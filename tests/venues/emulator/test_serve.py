"""The emulator's server on real sockets: each kind of fault does what it says, and nothing else is harmed."""

import asyncio
import json

import aiohttp
import pytest

from tests.patience import PATIENCE_S
from tests.venues.emulator.toy import heard, served
from venues.emulator import line
from venues.emulator.serve import PortTaken, listen

FILLS = "hold fills"


def numbers(said):
    return [json.loads(text)["fill"] for text in said if text is not None]


async def test_a_request_is_done_and_what_it_sets_off_is_told_at_once():
    async with served() as venue:
        ws = await venue.socket(FILLS)
        assert (await venue.order())[1]["done"] == 1
        assert numbers(await heard(ws)) == [1]


async def test_unreadable_requests_are_answered_and_counted():
    async with served() as venue, venue.client.post(venue.base + "/info", data=b"{") as answer:
        assert answer.status == 400
        assert (await venue.post("/emulator/statistics"))[1]["requests"] == 1


async def test_429_is_not_done_unless_it_is_said_to_be():
    async with served() as venue:
        await venue.fault(kind="http_429", requests=["order"])
        assert (await venue.post("/info", {"type": "meta"}))[0] == 200
        assert await venue.order() == (429, None)
        assert venue.doors.done == 0
        await venue.fault(kind="http_429", done=True)
        assert await venue.order() == (429, None)
        assert venue.doors.done == 1


async def test_a_window_of_429_befalls_all_in_it_and_is_one_firing():
    async with served([{"kind": "http_429", "at_s": [5], "for_s": 10}]) as venue:
        assert (await venue.order())[0] == 200
        await venue.advance(5)
        assert [(await venue.order())[0] for _ in range(3)] == [429] * 3
        await venue.advance(10)
        assert (await venue.order())[0] == 200
        told = (await venue.post("/emulator/statistics"))[1]
        assert (told["faults"], told["befallen"]) == ({"http_429": 1}, {"http_429": 3})


async def test_timeout_after_accept_is_done_and_never_answered():
    async with served() as venue:
        await venue.fault(kind="timeout_after_accept")
        with pytest.raises(asyncio.TimeoutError):
            await venue.order(timeout_s=0.2)
        assert venue.doors.done == 1
        assert (await venue.order())[1]["done"] == 2


async def test_timeout_after_accept_with_a_delay_is_answered_late():
    async with served() as venue:
        await venue.fault(kind="timeout_after_accept", delay_s=8)
        waiting = asyncio.create_task(venue.order())
        await asyncio.wait([waiting], timeout=0.1)
        assert venue.doors.done == 1 and not waiting.done()
        await venue.advance(7.9)
        assert not waiting.done()
        await venue.advance(0.1)
        assert (await waiting)[1]["done"] == 1


async def test_lost_before_is_not_done_and_ends_the_connection():
    async with served() as venue:
        await venue.fault(kind="lost_before")
        with pytest.raises(aiohttp.ClientConnectionError):
            await venue.order()
        assert venue.doors.done == 0
        assert (await venue.order())[0] == 200


async def test_inner_error_says_ok_and_does_nothing():
    async with served() as venue:
        await venue.fault(kind="inner_error", text="No.")
        assert (await venue.post("/info", {"type": "meta"}))[1]["done"] == 0  # a question has no verdict inside
        assert await venue.order() == (200, {"status": "ok", "error": "No."})
        assert venue.doors.done == 0


async def test_garbled_is_done_and_no_json():
    async with served() as venue:
        await venue.fault(kind="garbled", status=502)
        status, text = await venue.order()
        assert status == 502 and "<html>" in text and venue.doors.done == 1


async def test_slow_answer_comes_later():
    async with served() as venue:
        await venue.fault(kind="slow_answer", delay_s=2, requests=["info"])
        waiting = asyncio.create_task(venue.post("/info", {"type": "meta"}))
        assert (await venue.order())[0] == 200
        assert not waiting.done()
        await venue.advance(2)
        assert (await waiting)[0] == 200


async def test_a_fault_of_one_symbol_spares_the_others():
    async with served() as venue:
        await venue.fault(kind="http_429", symbols=["ETH"])
        assert (await venue.order(symbols=["BTC"]))[0] == 200
        assert (await venue.order(symbols=["BTC", "ETH"]))[0] == 429


async def test_fills_come_late_twice_or_in_another_order():
    async with served() as venue:
        ws = await venue.socket(FILLS)
        await venue.fault(kind="late_fills", delay_s=3)
        await venue.order()
        await venue.order()
        assert numbers(await heard(ws)) == [2]
        await venue.advance(3)
        assert numbers(await heard(ws)) == [1]
        await venue.fault(kind="duplicate_fills")
        await venue.order()
        assert numbers(await heard(ws)) == [3, 3]
        await venue.fault(kind="reordered_fills")
        await venue.order()
        assert not await heard(ws)
        await venue.order()
        assert numbers(await heard(ws)) == [5, 4]
        await venue.fault(kind="reordered_fills", delay_s=5)
        await venue.order()
        await venue.advance(5)
        assert numbers(await heard(ws)) == [6]


async def test_a_mute_socket_stays_open_hears_and_says_nothing():
    async with served() as venue:
        ws = await venue.socket(FILLS)
        await venue.fault(kind="mute", for_s=45)
        await ws.send_str("are you there?")
        await venue.order()
        assert await heard(ws) == [] and not ws.closed
        await venue.advance(45)
        await venue.order()
        assert numbers(await heard(ws)) == [2]
        assert (await venue.post("/emulator/statistics"))[1]["frames_unsaid"] == 2


async def test_close_befalls_one_socket_without_a_frame_or_with_its_code():
    async with served() as venue:
        sockets = [await venue.socket(FILLS), await venue.socket(FILLS)]
        await venue.fault(kind="close")
        said = [await heard(ws) for ws in sockets]
        assert sorted(said, key=bool) == [[], [None]]
        left, gone = sorted(sockets, key=lambda ws: ws.closed)
        assert gone.close_code == 1006
        await venue.fault(kind="close", code=1001)
        assert await heard(left) == [None] and left.close_code == 1001


async def test_idle_close_ends_a_socket_whatever_it_sends():
    async with served() as venue:
        ws = await venue.socket(FILLS)
        await venue.fault(kind="idle_close")
        assert await heard(ws) == [None] and ws.close_code == 1000


async def test_restart_ends_sockets_answers_502_and_then_the_venue_is_told():
    async with served() as venue:
        ws = await venue.socket(FILLS)
        await venue.fault(kind="restart", for_s=20, post_only_s=7)
        assert await heard(ws) == [None] and ws.close_code == 1006
        assert (await venue.order())[0] == 502
        with pytest.raises(aiohttp.WSServerHandshakeError, match="502"):
            await venue.socket()
        await venue.advance(20)
        assert (await venue.order())[1]["done"] == 1
        assert [(fault.kind, fault.for_s, fault.post_only_s) for fault in venue.doors.befallen] == [("restart", 20, 7)]


async def test_delist_and_partial_fills_are_the_venues_own():
    async with served() as venue:
        await venue.fault(kind="delist", symbols=["ETH"])
        await venue.fault(kind="partial_fills", share=0.25)
        assert [(fault.kind, fault.symbols, fault.share) for fault in venue.doors.befallen] == [
            ("delist", ("ETH",), 1.0),
            ("partial_fills", (), 0.25),
        ]


async def test_clock_skew_puts_the_venues_clock_off_for_a_while():
    async with served() as venue:
        now_ns = venue.emulator.time.now_ns()
        await venue.fault(kind="clock_skew", skew_ms=-1500, for_s=60)
        assert (await venue.order())[1]["now_ns"] == now_ns - 1_500_000_000
        await venue.advance(60)
        assert (await venue.order())[1]["now_ns"] == now_ns + 60_000_000_000


async def test_a_session_may_hang_up_a_moment_later():
    async with served() as venue:
        ws = await venue.socket()
        await ws.send_str("die")
        assert await heard(ws, 0.1) == []
        await venue.advance(0.1)
        assert await heard(ws) == [None] and ws.close_code == 1006


async def test_one_socket_too_many_is_refused():
    async with served() as venue:
        sockets = [await venue.socket() for _ in range(3)]
        with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
            await venue.socket()
        await sockets[0].close()
        await venue.socket()


async def test_a_reader_that_does_not_read_is_cut_off(monkeypatch):
    monkeypatch.setattr(line, "QUEUE_BYTES_MAX", 100_000)
    async with served() as venue:
        slow, ws = await venue.socket("hold ticks"), await venue.socket(FILLS)
        slow._reader._protocol.pause_reading()
        venue.doors.tick = b'"%b"' % (b"x" * 50_000)
        for _ in range(400):  # what the kernel's buffers take, and more
            venue.emulator.tell()
            await asyncio.sleep(0)
            if not venue.doors.sessions[0].link.queued_bytes and venue.doors.sessions[0].link.over:
                break
        assert venue.doors.sessions[0].link.over
        venue.doors.tick = b""
        await venue.order()
        assert numbers(await heard(ws)) == [1]


async def test_a_crash_in_the_core_costs_one_request(caplog):
    async with served() as venue:
        ws = await venue.socket(FILLS)
        assert (await venue.post("/exchange", {"type": "crash"}))[0] == 500
        await venue.order()
        assert numbers(await heard(ws)) == [1]
        assert "a bug of the venue's core" in caplog.text
        assert (await venue.post("/emulator/statistics"))[1]["crashes"] == 1


async def test_time_flows_where_it_is_not_stepped_and_cannot_be_moved():
    async with served(stepped=False) as venue:
        status, said = await venue.post("/emulator/advance", {"seconds": 1})
        assert status == 409 and "flows" in said["error"]
        venue.doors.tick = b"tick"
        ws = await venue.socket("hold ticks")
        assert [await ws.receive_str(timeout=PATIENCE_S) for _ in range(2)] == ["tick", "tick"]
        assert venue.doors.advanced_ns == sorted(venue.doors.advanced_ns)


@pytest.mark.parametrize(
    ("door", "asked", "right"),
    [
        ("advance", {"seconds": -1}, "seconds -1: a number from 0 to 86400"),
        ("fault", {"kind": "meteor"}, "one of mute, close"),
        ("fault", {"kind": "mute", "every_s": 3}, "it fires now, once"),
        ("fault", {"kind": "mute", "delay_s": 3}, "mute has no such field"),
        ("fault", [], "Expected `object`"),
    ],
)
async def test_the_control_door_says_what_is_wrong(door, asked, right):
    async with served() as venue, venue.client.post(f"{venue.base}/emulator/{door}", json=asked) as answer:
        assert answer.status == 400
        assert right in (await answer.json())["error"]


async def test_the_control_door_tells_time_and_truth():
    async with served() as venue:
        await venue.advance(1.5)
        await venue.order()
        told = (await venue.post("/emulator/time"))[1]
        assert told["now_ns"] - told["start_ns"] == 1_500_000_000 and told["stepped"]
        assert (await venue.post("/emulator/truth"))[1] == {"done": 1}


async def test_a_server_that_crashed_comes_back_with_the_same_venue():
    async with served(stepped=False) as venue:
        await venue.order()
        ws = await venue.socket()
        venue.doors.advance = crash_once(venue.doors.advance)
        assert await heard(ws, 5) == [None]
        await venue.socket(FILLS)
        assert (await venue.order())[1]["done"] == 2


def crash_once(works):
    crashes = iter([True])

    def advance(now_ns):
        if next(crashes, False):
            raise RuntimeError("once")
        return works(now_ns)

    return advance


def test_a_taken_port_is_one_clear_error():
    first = listen("127.0.0.1", 0)
    with first, pytest.raises(PortTaken, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])
