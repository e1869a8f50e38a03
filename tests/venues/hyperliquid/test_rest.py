"""REST against a server that misbehaves: each failure is typed, and says whether the request may have been done."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from tests.venues.hyperliquid.fake_venue import raw_server
from venues.hyperliquid.answers import RateLimited
from venues.hyperliquid.rest import NotAnswered, Rest, RestLimits, TooLarge, TooMany, rest_url
from venues.venue import VenueMisspoke, VenueUnreachable

QUICK = RestLimits(connect_s=0.2, read_s=0.2, total_s=0.4, request_bytes_max=1000, answer_bytes_max=2000)
SECRET = b'{"action":{"type":"noop"},"signature":"0xdeadbeef"}'
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """One request: its path and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
    assert "accept-encoding: identity" in head.lower()
    return head.split()[1], await reader.readexactly(length)


def reply(status: str, body: bytes = b"", *more: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Server:
    """Answers each request with the next of its answers, the last for ever; None hangs, b"" resets."""

    def __init__(self, *answers: bytes | None):
        self.answers = list(answers)
        self.heard: list[tuple[str, bytes]] = []
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            self.heard.append(await request(reader))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                await reader.read()
                return
            writer.write(answer)
            await writer.drain()
            if not answer or answer.endswith(b"half"):
                return


async def asked(server: Server, *, path: str = "", door: str = "exchange", limits: RestLimits = QUICK, times: int = 1):
    """What a door gives, the last of so many times."""
    async with raw_server(server.talk) as port:
        rest = Rest(f"http://user:hunter2@127.0.0.1:{port}{path}", limits)
        try:
            for _ in range(times):
                answer = await getattr(rest, door)(SECRET)
            return answer
        finally:
            await rest.close()


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.hyperliquid.xyz", "https://api.hyperliquid.xyz"),
        ("https://api.hyperliquid.xyz//", "https://api.hyperliquid.xyz"),
        ("http://127.0.0.1:1/a/b/", "http://127.0.0.1:1/a/b"),
    ],
)
def test_a_base_url_ends_without_a_slash(base, url):
    assert rest_url(base) == url


@pytest.mark.parametrize("base", ["api.hyperliquid.xyz", "ws://x", "", "https://x?key=1"])
def test_what_is_no_url_is_refused_and_not_shown(base):
    with pytest.raises(ValueError, match="base_url must be http") as caught:
        rest_url(base)
    assert "key" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "/", "/prefix", "/prefix/"])
async def test_an_answer_is_handed_on_as_it_is(path):
    server = Server(reply("200 OK", b'{"status":"ok"}'))
    answer = await asked(server, path=path)
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
    assert server.heard == [(f"{path.rstrip('/')}/exchange", SECRET)]


async def test_connections_are_used_again():
    server = Server(reply("200 OK", b"{}"))
    await asked(server, times=5)
    assert (server.connections, len(server.heard)) == (1, 5)


async def test_a_refusal_to_read_it_is_an_answer():
    """answers.read_response knows that 422 proves that nothing was done."""
    answer = await asked(Server(reply("422 Unprocessable Entity", b"Failed to deserialize")))
    assert answer.status == 422


FAILURES: list[tuple[bytes | None, int]] = [
    (reply("500 Internal Server Error", b"oops"), 500),
    (reply("502 Bad Gateway", b"<html>"), 502),
    (reply("504 Gateway Timeout"), 504),
    (reply("429 Too Many Requests", b"null"), 429),
    (None, 0),  # hangs
    (b"", 0),  # hangs up
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 0),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf", 0),
    (b"HTTP/1.1 200 OK\r\nContent-Le", 0),  # and hangs
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", 0),  # and hangs
    (b"garbage, not HTTP half", 0),
]


@pytest.mark.parametrize(("answer", "status"), FAILURES)
@pytest.mark.parametrize("door", ["exchange", "info"])
async def test_an_answer_that_says_nothing_leaves_doubt_and_is_asked_once(answer, status, door):
    server = Server(answer)
    with pytest.raises(NotAnswered) as caught:
        await asked(server, door=door)
    assert isinstance(caught.value, VenueUnreachable)
    assert (caught.value.sent, caught.value.status, caught.value.path) == (True, status, f"/{door}")
    assert isinstance(caught.value, RateLimited) == isinstance(caught.value, TooMany) == (status == 429)
    assert len(server.heard) == 1


@pytest.mark.parametrize(("answer", "status"), FAILURES)
async def test_no_error_holds_what_was_signed_or_a_password(answer, status):
    with pytest.raises(NotAnswered) as caught:
        await asked(Server(answer))
    told = "".join(traceback.format_exception(caught.value))
    assert "deadbeef" not in told
    assert "hunter2" not in told


async def test_a_connection_that_was_dropped_between_requests_is_doubt_not_a_second_try():
    server = Server(reply("200 OK", b"{}"), b"")
    with pytest.raises(NotAnswered) as caught:
        await asked(server, times=2)
    assert caught.value.sent
    assert len(server.heard) == 2


async def test_nobody_there_is_proof_that_it_was_not_sent():
    async with raw_server(Server(None).talk) as port:
        pass
    rest = Rest(f"http://127.0.0.1:{port}", QUICK)
    with pytest.raises(NotAnswered, match="it was not sent") as caught:
        await rest.exchange(SECRET)
    assert not caught.value.sent
    await rest.close()


async def test_a_full_pool_is_proof_that_it_was_not_sent():
    limits = msgspec.structs.replace(QUICK, connections_max=1, connect_s=0.1)
    server = Server(None)
    async with raw_server(server.talk) as port:
        rest = Rest(f"http://127.0.0.1:{port}", limits)
        first, second = await asyncio.gather(rest.exchange(b"1"), rest.exchange(b"2"), return_exceptions=True)
        await rest.close()
    assert [isinstance(one, NotAnswered) and one.sent for one in (first, second)] == [True, False]
    assert [body for _, body in server.heard] == [b"1"]


async def test_a_drip_is_over_at_the_total_deadline():
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_server(drip) as port:
        rest = Rest(f"http://127.0.0.1:{port}", QUICK)
        async with asyncio.timeout(2):
            with pytest.raises(NotAnswered, match=r"no answer within 0.4 s"):
                await rest.exchange(SECRET)
        await rest.close()


@pytest.mark.parametrize("status", ["301 Moved", "307 Temporary Redirect"])
async def test_a_redirect_is_not_followed(status):
    server = Server(reply(status, b"", "Location: /exchange"))
    with pytest.raises(VenueMisspoke, match="HTTP 30"):
        await asked(server)
    assert len(server.heard) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', b"\xff\xfe", b"[" * 1500])
async def test_info_that_cannot_be_read_is_misspoken(body):
    with pytest.raises(VenueMisspoke, match="/info"):
        await asked(Server(reply("200 OK", body)), door="info")


async def test_info_is_read_by_who_asks():
    async with raw_server(Server(reply("200 OK", b'{"a":"1"}')).talk) as port:
        rest = Rest(f"http://127.0.0.1:{port}", QUICK)
        assert await rest.info(b"{}") == {"a": "1"}
        assert await rest.info(b"{}", msgspec.json.Decoder(dict[str, str]).decode) == {"a": "1"}
        with pytest.raises(VenueMisspoke, match="Expected `int`"):
            await rest.info(b"{}", msgspec.json.Decoder(dict[str, int]).decode)
        await rest.close()


async def test_info_is_asked_again_only_by_its_callers_leave():
    server = Server(reply("502 Bad Gateway"), reply("429 Too Many"), reply("200 OK", b"[1]"))
    seen: list[int] = []

    async def again(error: NotAnswered) -> bool:
        seen.append(error.status)
        return True

    async with raw_server(server.talk) as port:
        rest = Rest(f"http://127.0.0.1:{port}", QUICK)
        assert await rest.info(b"{}", again=again) == [1]
        await rest.close()
    assert seen == [502, 429]


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_answer_that_is_too_long_is_not_held(chunked):
    long = b"x" * 5000
    body = b"1388\r\n" + long + b"\r\n0\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body if chunked else reply("200 OK", long)
    with pytest.raises(VenueMisspoke, match="over 2000 bytes"):
        await asked(Server(answer))


async def test_a_request_that_is_too_long_is_not_sent():
    server = Server(reply("200 OK"))
    async with raw_server(server.talk) as port:
        rest = Rest(f"http://127.0.0.1:{port}", QUICK)
        with pytest.raises(TooLarge, match="1001 bytes, 1000 are allowed"):
            await rest.exchange(b"x" * 1001)
        await rest.close()
    assert not server.heard
