"""The control socket over real sockets: what it answers, and what hostile clients cannot do to it."""

import asyncio
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import ConfigError
from daemon import control_listen
from daemon.control_client import SOCKET_NAME, TOKEN_NAME, ControlClient
from daemon.control_protocol import read_args, read_request
from daemon.control_socket import ControlSocket, Limits, Verb
from daemon.errors import BadInput, DaemonAbsent, Failed
from daemon.lock import DataDirLock
from daemon.verbs import Explain, NoArgs, Ordered, Restart
from tests.patience import PATIENCE_S
from venues.market import Fill, Side

FILL = Fill("perps", "f1", "0xabc", "xyz:TSLA", Side.BUY, 12, 640_001, -3, True, 7)
QUICK = Limits(read_s=0.2, answer_s=0.3, connections=3, request_bytes=1_000, answer_bytes=2_000, backlog_bytes=20_000)


class Handler:
    """A daemon made of paper."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.verbs = {
            "status": Verb(NoArgs, self.status),
            "halt": Verb(Ordered, self.halt),
            "restart": Verb(Restart, self.restart),
            "explain": Verb(Explain, self.explain),
            "flatten": Verb(Ordered, self.hang),
            "snapshot": Verb(NoArgs, self.huge),
            "orders": Verb(NoArgs, self.no_json),
        }

    async def status(self, args: NoArgs) -> object:
        self.asked.append(args)
        return {"zero": 0, "nan": float("nan"), "fill": FILL}

    async def halt(self, args: Ordered) -> object:
        self.asked.append(args)
        return {"lines": [args.symbol]}

    async def restart(self, args: Restart) -> object:
        raise BadInput("actor", args.actor, "one of feed, signal")

    async def explain(self, args: Explain) -> object:
        if args.id == "config":
            raise ConfigError("perps.signal.bar_s", "must be positive", 0)
        if args.id == "failed":
            raise Failed("the journal is locked")
        raise ZeroDivisionError("a bug")

    async def hang(self, _args: Ordered) -> object:
        return await asyncio.get_running_loop().create_future()

    async def huge(self, _args: NoArgs) -> object:
        return "x" * 5_000

    async def no_json(self, _args: NoArgs) -> object:
        return object()


class Server(ControlSocket):
    """A server that remembers what went wrong."""

    def __init__(self, data_dir: Path, limits: Limits | None = None, *, loopback: bool = False):
        self.errors: list[tuple[str, Exception]] = []
        self.paper = Handler()
        lock = DataDirLock(data_dir)
        lock.acquire()
        super().__init__(lock, self.paper, lambda *what: self.errors.append(what), limits, loopback=loopback)


@asynccontextmanager
async def served(data_dir: Path, limits: Limits | None = None, *, loopback: bool = False) -> AsyncIterator[Server]:
    server, ready = Server(data_dir, limits, loopback=loopback), asyncio.Event()
    task = asyncio.create_task(server.serve(ready.set))
    try:
        await asyncio.wait_for(ready.wait(), 5)
        yield server
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        server.lock.release()
        assert not (data_dir / SOCKET_NAME).exists()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another task brings about."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110, because what is tested has no event to wait for
            await asyncio.sleep(0.01)


async def raw(data_dir: Path, *lines: bytes, close: bool = True) -> list[dict]:
    """Send bytes as they are, return every line that comes back until the server hangs up."""
    reader, writer = await asyncio.open_unix_connection(str(data_dir / SOCKET_NAME))
    for line in lines:
        writer.write(line)
    if close:
        writer.write_eof()
    answers = [json.loads(line) async for line in reader]
    writer.close()
    await writer.wait_closed()
    return answers


def request(verb: str, **args: object) -> bytes:
    return json.dumps({"id": 1, "verb": verb, "args": args}).encode() + b"\n"


async def ask(data_dir: Path, verb: str, **args: object) -> object:
    """Ask as the command line does."""

    def work() -> object:
        with ControlClient(data_dir, 5) as client:
            return client.ask(verb, args)

    return await asyncio.to_thread(work)


async def test_the_socket_is_the_owners_alone_and_goes_with_the_server(tmp_path: Path):
    before = os.umask(0)
    try:
        async with served(tmp_path):
            assert mode(tmp_path / SOCKET_NAME) == 0o600
            assert mode(tmp_path) == 0o700
    finally:
        os.umask(before)


async def test_answers(tmp_path: Path):
    async with served(tmp_path) as server:
        answer = await ask(tmp_path, "status")
        assert answer["zero"] == 0
        assert answer["nan"] is None
        assert answer["fill"]["symbol"] == "xyz:TSLA"
        assert await ask(tmp_path, "halt", symbol="kSHIB") == {"lines": ["kSHIB"]}
        assert server.paper.asked[-1] == Ordered(symbol="kSHIB")
        assert not server.errors


async def test_several_requests_over_one_connection(tmp_path: Path):
    async with served(tmp_path):
        answers = await raw(tmp_path, request("status"), b'{"id":"b","verb":"status"}\n')
        assert [(answer["id"], answer["ok"]) for answer in answers] == [(1, True), ("b", True)]


@pytest.mark.parametrize(
    ("line", "field", "value", "right"),
    [
        (b'{"verb":"sell"}\n', "verb", "sell", "one of status, halt"),
        (b'{"verb":"status","args":{"engin":"x"}}\n', "engin", "x", "unknown field"),
        (b'{"verb":"halt","args":{"engine":3}}\n', "engine", "3", "Expected `str`"),
        (b'{"verb":"restart","args":{}}\n', "actor", "", "missing required"),
        (b'{"verb":"restart","args":{"actor":"fed"}}\n', "actor", "fed", "one of feed, signal"),
        (b'{"verb":"halt","args":[1]}\n', "args", "[1]", "Expected `object`"),
        (b'{"verb":"explain","args":{"id":"config"}}\n', "perps.signal.bar_s", "0", "must be positive"),
        (b"{}\n", "verb", "", "missing required"),
        (b'{"verb":"status","x":1}\n', "x", "1", "unknown field"),
        (b"[]\n", "request", "[]", "Expected `object`"),
        (b"\n", "request", "", "not JSON"),
        (b"hello\n", "request", "hello", "not JSON"),
        (b"\x00\xff\xfe\n", "request", "\x00\ufffd\ufffd", "not JSON"),
        (b"[" * 900 + b"\n", "request", "[" * 77 + "...", ""),
        (b'{"verb":"status","id":' + b"9" * 400 + b"}\n", "id", "9" * 77 + "...", ""),
        (b'{"verb":"status","id":"' + b"i" * 65 + b'"}\n', "id", "i" * 65, "length <= 64"),
    ],
)
async def test_bad_requests_are_told_what_would_be_right(tmp_path: Path, line, field, value, right):
    async with served(tmp_path, Limits(request_bytes=1_000)) as server:
        (answer,) = await raw(tmp_path, line)
        assert answer["ok"] is False
        error = answer["error"]
        assert (error["field"], error["value"]) == (field, value)
        assert right in error["right"]
        assert not server.errors
        assert (await ask(tmp_path, "status"))["zero"] == 0


async def test_the_client_tells_bad_input_from_failure(tmp_path: Path):
    async with served(tmp_path) as server:
        with pytest.raises(BadInput, match="one of feed, signal"):
            await ask(tmp_path, "restart", actor="fed")
        with pytest.raises(Failed, match="journal is locked"):
            await ask(tmp_path, "explain", id="failed")
        assert not server.errors


async def test_a_fault_of_a_verb_is_told_and_the_server_lives(tmp_path: Path):
    async with served(tmp_path) as server:
        with pytest.raises(Failed, match="ZeroDivisionError: a bug"):
            await ask(tmp_path, "explain", id="x")
        with pytest.raises(Failed, match="TypeError"):
            await ask(tmp_path, "orders")
        assert [(verb, type(error)) for verb, error in server.errors] == [
            ("explain", ZeroDivisionError),
            ("orders", TypeError),
        ]


async def test_a_verb_that_hangs_and_an_answer_that_is_too_long(tmp_path: Path):
    async with served(tmp_path, QUICK):
        with pytest.raises(Failed, match=r"flatten is not done after 0.3 s"):
            await ask(tmp_path, "flatten")
        with pytest.raises(Failed, match="ask for less"):
            await ask(tmp_path, "snapshot")


@pytest.mark.parametrize("size", [1_001, 5_000, 300_000])
@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_an_endless_line_is_answered_and_cut_off(tmp_path: Path, size, end):
    async with served(tmp_path, QUICK):
        (answer,) = await raw(tmp_path, b"x" * size + end, close=bool(end))
        assert "at most 1000 bytes" in answer["error"]["right"]
        assert (await ask(tmp_path, "status"))["zero"] == 0


async def test_a_slow_client_is_hung_up_on(tmp_path: Path):
    async with served(tmp_path, QUICK):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
        writer.write(b'{"verb":')
        answer = json.loads(await reader.readline())
        assert "within 0.2 s" in answer["error"]["right"]
        assert await reader.read() == b""
        writer.close()


async def test_a_line_without_an_end_is_no_request(tmp_path: Path):
    async with served(tmp_path) as server:
        (answer,) = await raw(tmp_path, b'{"verb":"status"}')
        assert "newline" in answer["error"]["right"]
        assert not server.paper.asked


async def test_connections_are_bounded_and_given_back(tmp_path: Path):
    async with served(tmp_path, QUICK) as server:
        idle = [await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME)) for _ in range(3)]
        with pytest.raises(Failed, match="busy: 3 connections"):
            await ask(tmp_path, "status")
        crowd = [await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME)) for _ in range(10)]
        for _, writer in (*idle, *crowd):
            writer.close()
        await until(lambda: not server.connections)
        assert (await ask(tmp_path, "status"))["zero"] == 0


async def test_trading_can_be_stopped_though_every_place_is_taken(tmp_path: Path):
    """Control: `status` is told that there is no place; `halt` was too, and 16 scripts that hung held it off."""
    async with served(tmp_path, QUICK) as server:
        mute = [await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME)) for _ in range(3)]
        await until(lambda: len(server.connections) == 3)
        assert await ask(tmp_path, "halt", symbol="BTC") == {"lines": ["BTC"]}
        with pytest.raises(Failed, match="busy: 3 connections"):
            await ask(tmp_path, "status")
        (answer,) = await raw(tmp_path, b"x" * 400_000)
        assert answer["ok"] is False
        for _, writer in mute:
            writer.close()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_refused_by_the_directory_and_by_the_kernels_word(tmp_path: Path):
    """The real thing: a process of another uid; first kept out by the modes, then, with these away, by SO_PEERCRED."""
    knock = (
        "import os,socket,sys\nos.setgid(65534); os.setuid(65534)\ns=socket.socket(socket.AF_UNIX)\n"
        's.connect(sys.argv[1]); s.sendall(b\'{"verb":"halt"}\\n\'); print(s.makefile().readline())\n'
    )
    data = tmp_path / "data"

    async def knocked() -> tuple[bytes, bytes]:
        command = [sys.executable, "-c", knock, str(data / SOCKET_NAME)]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return await process.communicate()

    async def main() -> None:
        data.mkdir(mode=0o700)
        async with served(data) as server:
            out, error = await knocked()
            assert (out, error.splitlines()[-1]) == (b"", b"PermissionError: [Errno 13] Permission denied")
            for folder in (data, *data.parents):
                if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & stat.S_IXOTH:
                    folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
            (data / SOCKET_NAME).chmod(0o666)
            out, error = await knocked()
            assert b"only the daemon's own user and root" in out
            assert not server.paper.asked
            assert "uid 65534" in str(server.errors[0][1])

    asyncio.run(main())


def test_ten_thousand_who_hang_up_leave_nothing(tmp_path: Path):
    """And who asks meanwhile is answered; on uvloop, as in production."""

    async def main() -> None:
        async with served(tmp_path) as server:
            for number in range(10_000):
                with suppress(BlockingIOError), socket.socket(socket.AF_UNIX) as knocker:
                    knocker.setblocking(False)
                    knocker.connect(str(tmp_path / SOCKET_NAME))
                    if number % 3 == 0:
                        knocker.send(b'{"verb":')
                if number % 100 == 0:
                    await asyncio.sleep(0)
                if number % 2_500 == 0:
                    assert await ask(tmp_path, "halt") == {"lines": [""]}
            await until(lambda: not server.connections)
            assert not server.errors
            assert (await ask(tmp_path, "status"))["zero"] == 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_hanging_up_in_the_middle_of_a_verb_leaves_nothing(tmp_path: Path):
    async with served(tmp_path) as server:
        _, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
        writer.write(request("status") * 50)
        writer.transport.abort()
        await asyncio.sleep(0.05)
        assert not server.connections
        assert not server.errors


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=80), max_size=6))
def test_no_bytes_crash_it(tmp_path: Path, chunks: list[bytes]):
    async def main() -> None:
        async with served(tmp_path, QUICK) as server:
            await raw(tmp_path, *(chunk + b"\n" for chunk in chunks))
            assert not server.errors
            assert (await ask(tmp_path, "status"))["zero"] == 0

    asyncio.run(main())


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode(errors="surrogatepass")))
def test_no_bytes_are_misread(line: bytes):
    for read in (lambda: read_request(line), lambda: read_args(Restart, line)):
        with suppress(BadInput):
            read()


async def test_subscribers_hear_what_they_asked_for(tmp_path: Path):
    async with served(tmp_path) as server:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
        server.publish("fill", FILL)
        writer.write(request("subscribe", events=["fill", "refused"]))
        assert json.loads(await reader.readline())["data"] == {"events": ["fill", "refused"]}
        server.publish("bar", FILL)
        server.publish("fill", FILL)
        event = json.loads(await reader.readline())
        assert event["event"] == "fill"
        assert event["data"]["order_id"] == "0xabc"
        writer.write(request("status"))
        assert json.loads(await reader.readline())["ok"] is True
        writer.close()


async def test_an_idle_subscriber_is_not_hung_up_on(tmp_path: Path):
    async with served(tmp_path, QUICK) as server:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
        writer.write(request("subscribe"))
        await reader.readline()
        await asyncio.sleep(2 * QUICK.read_s)
        server.publish("fill", FILL)
        assert json.loads(await reader.readline())["event"] == "fill"
        writer.close()


async def test_a_slow_subscriber_loses_events_and_is_told_how_many(tmp_path: Path):
    async with served(tmp_path, QUICK) as server:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME), limit=1_000)
        writer.write(request("subscribe"))
        await reader.readuntil(b"\n")
        (connection,) = server.connections.values()
        for _ in range(10_000):
            server.publish("fill", FILL)
        assert connection.writer.transport.get_write_buffer_size() <= QUICK.backlog_bytes
        dropped, heard = connection.dropped, 0
        assert dropped > 0
        while heard < 10_000 - dropped:
            assert json.loads(await reader.readuntil(b"\n"))["event"] == "fill"
            heard += 1
        server.publish("fill", FILL)
        assert json.loads(await reader.readuntil(b"\n")) == {"event": "dropped", "data": {"count": dropped}}
        assert json.loads(await reader.readuntil(b"\n"))["event"] == "fill"
        writer.close()


async def test_the_client_streams(tmp_path: Path):
    async with served(tmp_path) as server:

        def listen() -> list[tuple[str, object]]:
            with ControlClient(tmp_path, 5) as client:
                return [event for event, _ in zip(client.subscribe(("fill",)), range(3), strict=False)]

        listening = asyncio.create_task(asyncio.to_thread(listen))
        while not listening.done():
            server.publish("fill", FILL)
            await asyncio.sleep(0.01)
        assert [event for event, _ in await listening] == ["fill"] * 3


async def test_a_stale_socket_is_replaced_by_the_locks_owner_only(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / SOCKET_NAME))
    async with served(tmp_path):
        assert (await ask(tmp_path, "status"))["zero"] == 0
        other = DataDirLock(tmp_path)
        with pytest.raises(RuntimeError, match="not locked"):
            await control_listen.listen_unix(other, None, 100)
        assert (tmp_path / SOCKET_NAME).exists()
        assert (await ask(tmp_path, "status"))["zero"] == 0


async def test_other_users_are_turned_away(tmp_path: Path, monkeypatch):
    real = os.geteuid()
    monkeypatch.setattr(control_listen, "ROOT", -1)
    async with served(tmp_path) as server:
        monkeypatch.setattr(os, "geteuid", lambda: real + 1)
        with pytest.raises(Failed, match="only the daemon's own user"):
            await ask(tmp_path, "status")
        assert f"uid {real}" in str(server.errors[0][1])
        monkeypatch.setattr(os, "geteuid", lambda: real)
        assert (await ask(tmp_path, "status"))["zero"] == 0


async def test_a_long_path_is_reached_through_its_directory(tmp_path: Path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    async with served(deep):
        assert (await ask(deep, "status"))["zero"] == 0


async def test_no_daemon_is_a_clear_error(tmp_path: Path):
    with pytest.raises(DaemonAbsent, match=r"control\.sock; start one with `obid run --data-dir"):
        ControlClient(tmp_path)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / SOCKET_NAME))
    with pytest.raises(DaemonAbsent):
        ControlClient(tmp_path)


def test_a_queue_that_others_fill_is_no_refusal(tmp_path: Path):
    """The kernel says EAGAIN at once where the queue is full; `obid ctl halt` failed of it under a flood."""
    with socket.socket(socket.AF_UNIX) as door, contextlib.ExitStack() as held:
        door.bind(str(tmp_path / SOCKET_NAME))
        door.listen(1)
        while True:
            other = held.enter_context(socket.socket(socket.AF_UNIX))
            other.setblocking(False)
            try:
                other.connect(str(tmp_path / SOCKET_NAME))
            except BlockingIOError:
                break
        with pytest.raises(Failed, match="cannot reach"):
            ControlClient(tmp_path, 0.05)
        later = threading.Timer(0.1, lambda: held.enter_context(door.accept()[0]))
        later.start()
        ControlClient(tmp_path, 5).close()
        later.join()


async def test_a_mute_daemon_is_a_clear_error(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / SOCKET_NAME))
        mute.listen()
        with ControlClient(tmp_path, 0.1) as client, pytest.raises(Failed, match=r"no answer within 0.1 s"):
            client.ask("status")


async def test_loopback_asks_for_the_token(tmp_path: Path):
    async with served(tmp_path, QUICK, loopback=True) as server:
        where = json.loads((tmp_path / TOKEN_NAME).read_bytes())
        assert mode(tmp_path / TOKEN_NAME) == 0o600
        assert where["host"] == "127.0.0.1"
        assert (await ask(tmp_path, "status"))["zero"] == 0
        for token in (None, "", where["token"][:-1], "\ud800", "x" * 43):
            reader, writer = await asyncio.open_connection(where["host"], where["port"])
            guess = {"verb": "status"} if token is None else {"verb": "status", "token": token}
            writer.write(json.dumps(guess).encode() + b"\n")
            answer = json.loads(await reader.readline())
            assert answer["ok"] is False
            assert where["token"] not in json.dumps(answer)
            writer.close()
        assert len(server.paper.asked) == 1
    assert not (tmp_path / TOKEN_NAME).exists()


def test_it_serves_on_uvloop_too(tmp_path: Path):
    async def main() -> None:
        async with served(tmp_path, QUICK) as server:
            assert (await ask(tmp_path, "status"))["zero"] == 0
            (answer,) = await raw(tmp_path, b"x" * 5_000)
            assert answer["ok"] is False
            assert not server.errors

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_stopping_does_not_wait_for_clients(tmp_path: Path):
    async with served(tmp_path) as server:
        _, idle = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
        _, busy = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
        busy.write(request("flatten"))
        await until(lambda: len(server.connections) == 2)
    assert not server.connections
    idle.close()
    busy.close()
