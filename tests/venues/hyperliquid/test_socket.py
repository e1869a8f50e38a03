"""One socket against a server that misbehaves: every end is named, every frame is handed on whole and in order."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from supervisor.clock import Clock
from supervisor.wall import run_wall
from tests.patience import PATIENCE_S
from tests.venues.hyperliquid.fake_venue import FakeVenue, book, fake_venue, raw_server, until
from venues.hyperliquid.socket import NotConnected, Socket, SocketLimits, Why, socket_url
from venues.venue import VenueUnreachable

QUICK = SocketLimits(connect_s=0.3, close_s=0.2)


class Held:
    """A socket and the event its wake-ups set."""

    def __init__(self, limits: SocketLimits):
        self.woken = asyncio.Event()
        self.socket = Socket(Clock.wall(asyncio.get_running_loop()), limits, self.woken.set)

    async def frames(self, count: int) -> list[bytes]:
        """So many frames."""
        taken: list[bytes] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(taken) < count:
                taken += [frame for frame, _ in self.socket.take(count - len(taken))]
                if len(taken) < count:
                    self.woken.clear()
                    await self.woken.wait()
        return taken

    async def end(self) -> Why:
        """Why it ended."""
        async with asyncio.timeout(PATIENCE_S):
            while self.socket.ended is None:
                self.woken.clear()
                await self.woken.wait()
        return self.socket.ended.why


@pytest.fixture
async def venue() -> AsyncIterator[FakeVenue]:
    async with fake_venue() as one:
        yield one


async def held(venue: FakeVenue, limits: SocketLimits = QUICK) -> Held:
    one = Held(limits)
    await one.socket.open(socket_url(venue.url))
    await until(lambda: venue.sockets)
    return one


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.hyperliquid.xyz", "wss://api.hyperliquid.xyz/ws"),
        ("https://api.hyperliquid.xyz/", "wss://api.hyperliquid.xyz/ws"),
        ("http://127.0.0.1:3001/a/b/", "ws://127.0.0.1:3001/a/b/ws"),
    ],
)
def test_the_socket_is_beside_the_base_url(base, url):
    assert socket_url(base) == url


@pytest.mark.parametrize("base", ["api.hyperliquid.xyz", "ftp://x", "", "http://"])
def test_what_is_no_url_is_refused(base):
    with pytest.raises(ValueError, match="base_url must be http"):
        socket_url(base)


async def test_frames_come_whole_in_order_and_stamped(venue):
    one = await held(venue)
    sent = [book("BTC", number) for number in range(300)]
    before_ns = one.socket.clock.now_ns()
    await venue.push(*sent)
    await until(lambda: len(one.socket.frames) == 300)
    taken = one.socket.take(1000)
    assert [frame.decode() for frame, _ in taken] == sent
    stamps = [at_ns for _, at_ns in taken]
    assert stamps == sorted(stamps)
    assert before_ns <= stamps[0] <= stamps[-1] <= one.socket.clock.now_ns()
    await one.socket.close()
    assert one.socket.ended.why is Why.ASKED


def framed(data: bytes, *, fin: bool = True, opcode: Opcode = Opcode.TEXT) -> bytes:
    """A server's frame."""
    return Frame(opcode, data, fin).serialize(mask=False)


@pytest.mark.parametrize("seed", range(6))
async def test_any_cut_of_the_bytes_gives_the_same_frames(seed):
    """Frames of every length form, fragments, pings between them, in pieces of any size: as one would send them."""
    rng = random.Random(seed)
    messages = [bytes(rng.choices(b"abc {}", k=rng.choice([0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_001])))
                for _ in range(30)]  # fmt: skip
    stream = b""
    for message in messages:
        kind = rng.random()
        if kind < 0.6 or len(message) < 3:
            stream += framed(message)
        else:
            cut = rng.randrange(1, len(message) - 1)
            stream += framed(message[:cut], fin=False)
            if kind < 0.8:
                stream += framed(b"are you there", opcode=Opcode.PING)
            stream += framed(message[cut:], opcode=Opcode.CONT)
        if kind > 0.9:
            stream += framed(b"", opcode=Opcode.PING)

    async def send(connection: ServerConnection) -> None:
        rest = stream
        while rest:
            size = rng.choice([1, 2, 3, 9, 100, 1000, 65_536, 200_000])
            connection.transport.write(rest[:size])
            rest = rest[size:]
            await asyncio.sleep(0)

    async with fake_venue() as venue:
        venue.greeting = send
        one = await held(venue)
        assert await one.frames(len(messages)) == messages
        assert one.socket.ended is None
        await one.socket.close()


async def test_a_first_frame_in_the_same_packet_as_the_handshake_is_heard():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        reply = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key.decode())}\r\n\r\n"
        ).encode()
        whole = reply + framed(b"Websocket connection established.") + framed(b"second")
        writer.write(whole[:50])
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(whole[50:])
        await reader.read()

    async with raw_server(answer) as port:
        one = Held(QUICK)
        await one.socket.open(f"ws://127.0.0.1:{port}/ws")
        assert await one.frames(2) == [b"Websocket connection established.", b"second"]
        one.socket.abort(Why.ASKED, "done")
        assert await one.end() is Why.ASKED


async def test_a_goodbye_has_its_code(venue):
    one = await held(venue)
    await venue.push(book("BTC"))
    await venue.sockets[0].close(1001, "restart")
    assert await one.end() is Why.CLOSED
    assert (one.socket.ended.code, one.socket.ended.text) == (1001, "restart")
    assert len(one.socket.take(9)) == 1  # what came before the end is not lost
    assert not one.socket.send(b"{}")
    await one.socket.close()


async def test_an_end_without_a_word_is_1006(venue):
    one = await held(venue)
    venue.sockets[0].transport.abort()
    assert await one.end() is Why.ABORTED
    assert one.socket.ended.code == 1006


async def test_a_venue_that_answers_pings_is_kept(venue):
    one = await held(venue, SocketLimits(ping_s=0.02, pong_s=1.0))
    await until(lambda: len(venue.said) >= 4)
    assert [said for _, said in venue.said[:4]] == [{"method": "ping"}] * 4
    assert one.socket.ended is None
    assert one.socket.take(9) == []  # a pong is nobody's frame
    await one.socket.close()


async def test_a_venue_that_answers_no_ping_is_mute(venue):
    venue.pongs = False
    one = await held(venue, SocketLimits(ping_s=0.02, pong_s=0.05))
    assert await one.end() is Why.MUTE
    assert "no pong" in one.socket.ended.text


async def test_pongs_alone_are_no_data(venue):
    """alpaca-740: the socket stands, pings are answered, and no book comes for hours."""
    one = await held(venue, SocketLimits(ping_s=0.02, quiet_s=0.2))
    heard_ns = one.socket.opened_ns
    await venue.push(book("BTC"))
    await one.frames(1)
    assert await one.end() is Why.MUTE
    assert "no frame" in one.socket.ended.text
    assert one.socket.pings >= 2
    assert one.socket.ended.at_ns - heard_ns >= 0.2e9


async def test_frames_that_wait_are_not_silence(venue):
    """Who does not read is not told that the venue is mute."""
    one = await held(venue, SocketLimits(quiet_s=0.05))
    await venue.push(book("BTC"))
    await asyncio.sleep(0.2)
    assert one.socket.ended is None
    await one.socket.close()


async def test_a_huge_frame_ends_it_before_it_is_held(venue):
    one = await held(venue, SocketLimits(frame_bytes_max=1000, close_s=0.2))
    await venue.push("x" * 1000)
    assert await one.frames(1) == [b"x" * 1000]
    await venue.push("x" * 1001)
    assert await one.end() is Why.MISSPOKE
    assert one.socket.ended.code == 1009
    assert one.socket.take(9) == []


@pytest.mark.parametrize(
    "bad",
    [
        struct.pack("!BB", 0x81, 0x85) + b"\0\0\0\0hello",  # masked, by a server
        b"\x83\x00",  # an opcode that nobody knows
        b"\xc1\x05hello",  # a compressed bit that was not agreed on
        b"\x80\x05hello",  # a continuation of nothing
        b"\x89\x7e\x00\x7e" + b"x" * 126,  # a ping that is too long
    ],
)
async def test_what_breaks_the_protocol_ends_it(venue, bad):
    one = await held(venue)
    venue.sockets[0].transport.write(framed(b"good") + bad + framed(b"never"))
    assert await one.end() is Why.MISSPOKE
    assert one.socket.ended.code == 1002
    assert [frame for frame, _ in one.socket.take(9)] == [b"good"]


async def test_a_slow_reader_holds_the_venue_back_and_loses_nothing(venue):
    one = await held(venue, SocketLimits(frames_max=8))
    sent = [str(number) * 5000 for number in range(400)]  # more than the kernel's buffers take
    pushing = asyncio.ensure_future(venue.push(*sent))
    await asyncio.sleep(0.1)
    waiting = len(one.socket.frames)
    assert waiting < 400
    assert await one.frames(400) == [frame.encode() for frame in sent]
    await pushing
    await one.socket.close()


async def test_who_does_not_read_does_not_call_the_venue_mute(venue):
    one = await held(venue, SocketLimits(frames_max=2, ping_s=0.02, pong_s=0.05, quiet_s=0.1))
    await venue.push(*["x" * 1000] * 10)
    await until(lambda: one.socket.pings)
    await asyncio.sleep(0.3)
    assert one.socket.ended is None
    assert len(await one.frames(10)) == 10
    await until(lambda: one.socket.pings >= 2)  # the pongs were there
    await one.socket.close()


def quiet(head: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()
        await reader.read()

    return answer


@pytest.mark.parametrize(
    ("head", "why", "code"),
    [
        (b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nnull", Why.REFUSED, 429),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", Why.REFUSED, 502),
        (b"HTTP/1.1 301 Moved\r\nLocation: ws://127.0.0.1:1/ws\r\nContent-Length: 0\r\n\r\n", Why.REFUSED, 301),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Why.REFUSED, 200),
        (b"garbage\r\n\r\n", Why.REFUSED, 0),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", Why.REFUSED, 0),
        (b"x" * 100_000, Why.REFUSED, 0),
        (b"", Why.TIMEOUT, 0),
        (b"HTTP/1.1 101 Swi", Why.TIMEOUT, 0),
    ],
)
async def test_a_handshake_that_fails_is_named(head, why, code):
    async with raw_server(quiet(head)) as port:
        one = Held(QUICK)
        with pytest.raises(NotConnected) as caught:
            await one.socket.open(f"ws://127.0.0.1:{port}/ws")
    assert isinstance(caught.value, VenueUnreachable)
    assert (caught.value.ended.why, caught.value.ended.code) == (why, code)
    assert one.socket.ended == caught.value.ended
    await one.socket.close()


async def test_nobody_there_is_unreachable():
    async with raw_server(quiet(b"")) as port:
        pass
    one = Held(QUICK)
    with pytest.raises(NotConnected, match="unreachable"):
        await one.socket.open(f"ws://127.0.0.1:{port}/ws")


async def test_a_half_open_socket_is_closed_in_time(venue):
    """The venue reads nothing and answers no goodbye."""
    one = await held(venue)
    venue.sockets[0].transport.pause_reading()
    async with asyncio.timeout(2):
        await one.socket.close()
        assert await one.end() is Why.ASKED


def test_all_of_it_on_the_loop_that_runs():
    """The tests above are on asyncio's own loop; the daemon's is uvloop, whose transports are its own."""

    async def main(clock: Clock) -> list[object]:
        async with fake_venue() as venue:
            one = await held(
                venue, SocketLimits(frames_max=8, frame_bytes_max=100_000, close_s=0.2, ping_s=0.02, pong_s=0.3)
            )
            sent = [str(number) * 9000 for number in range(300)]
            pushing = asyncio.ensure_future(venue.push(*sent))
            await asyncio.sleep(0.1)
            held_back = one.socket.wire is not None and one.socket.wire.reads_held
            whole = await one.frames(300) == [frame.encode() for frame in sent]
            await pushing
            await until(lambda: one.socket.pings > 1)
            await venue.push("x" * 100_001)
            huge = await one.end()
            other = await held(venue)
            venue.sockets[-1].transport.abort()
            cut = await other.end()
            third = await held(venue)
            await third.socket.close()
            return [held_back, whole, huge, cut, await third.end()]

    assert run_wall(main) == [True, True, Why.MISSPOKE, Why.ABORTED, Why.ASKED]


@pytest.mark.parametrize("turns", range(12))
def test_one_that_is_given_up_while_it_opens_is_closed_at_once(turns):
    """Cancelled between TCP's answer and the handshake, uvloop never says that the connection is lost."""

    async def live(clock: Clock) -> Why:
        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(deaf, "127.0.0.1", 0)
        socket = Socket(clock, QUICK, lambda: None)
        opening = clock.loop.create_task(socket.open(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"))
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        async with asyncio.timeout(2):
            await socket.close()
        server.close()
        return socket.ended.why if socket.ended else Why.ASKED

    assert run_wall(live) in (Why.ASKED, Why.ABORTED)


async def test_an_end_that_is_never_told_is_not_waited_for(venue, monkeypatch):
    one = await held(venue, SocketLimits(close_s=0.1))
    never = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(one.socket.wire, "connection_lost_waiter", never)
    monkeypatch.setattr("venues.socket.LOST_S", 0.1)
    async with asyncio.timeout(2):
        await one.socket.close()
    assert one.socket.ended is not None and one.socket.ended.why is Why.ASKED
    never.cancel()
