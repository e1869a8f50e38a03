"""The simulated network: late bytes in order, ends that break, lives that are killed."""

import asyncio

import pytest

from supervisor.lives import Life, LivesLoop, run_lives
from supervisor.network import Listener, Network, Weather

PORT = 80
EPOCH_NS = 1_767_571_200_000_000_000


class Echo(asyncio.Protocol):
    def __init__(self, heard):
        self.heard = heard

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.heard.append(data)
        self.transport.write(data)

    def connection_lost(self, error):
        self.heard.append(error)


class Client(asyncio.Protocol):
    def __init__(self):
        self.told = []

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.told.append(data)

    def pause_writing(self):
        self.told.append("wait")

    def resume_writing(self):
        self.told.append("go on")

    def eof_received(self):
        self.told.append("eof")

    def connection_lost(self, error):
        self.told.append(type(error).__name__)


def play(scene, seed=1, shuffle=None, **weather):
    network = Network(seed, Weather(**weather))

    async def main(clock):
        heard = []
        await clock.loop.create_server(lambda: Echo(heard), sock=Listener(PORT).as_socket())
        return await scene(clock, network, heard)

    return run_lives(main, network, EPOCH_NS, shuffle)


async def joined(clock):
    _, client = await clock.loop.create_connection(Client, "127.0.0.1", PORT)
    return client


def test_bytes_come_late_and_in_order():
    async def scene(clock, network, heard):
        client = await joined(clock)
        connected_s = clock.loop.time()
        for byte in range(100):
            client.transport.write(bytes([byte]))
            if byte % 7 == 0:
                await clock.sleep(0.001)
        await clock.sleep(10)
        return connected_s, b"".join(client.told)

    connected_s, told = play(scene, delay_s=0.02, jitter_s=0.05, loss=0.3)
    assert connected_s >= 0.04
    assert told == bytes(range(100))


def test_nobody_listens_refused_and_unreachable():
    async def scene(clock, network, heard):
        with pytest.raises(ConnectionRefusedError):
            await clock.loop.create_connection(Client, "127.0.0.1", PORT + 1)
        network.refuse(PORT, 5)
        with pytest.raises(ConnectionRefusedError):
            await joined(clock)
        network.partition(PORT, 10)
        begun_s = clock.loop.time()
        await clock.sleep(6)
        await joined(clock)
        return clock.loop.time() - begun_s

    assert 10 <= play(scene) < 15


def test_a_connect_that_is_given_up_leaves_nothing():
    async def scene(clock, network, heard):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await joined(clock)
        await clock.sleep(1)
        return heard, network.of_port(PORT)

    heard, left = play(scene, delay_s=0.02, jitter_s=0.0)
    assert [type(one) for one in heard] == [ConnectionResetError]
    assert not left


def test_reset_half_open_and_stall():
    async def scene(clock, network, heard):
        first, second, third = [await joined(clock) for _ in range(3)]
        connections = network.of_port(PORT)
        network.reset(connections[0])
        network.half_open(connections[1], back_only=True)
        network.stall(connections[2], 5)
        for one in (second, third):
            one.transport.write(b"x")
        await clock.sleep(1)
        early = (list(first.told), list(second.told), list(third.told), heard.count(b"x"))
        await clock.sleep(5)
        network.heal()
        await clock.sleep(1)
        return early, second.told, third.told

    early, second, third = play(scene)
    assert early == (["ConnectionResetError"], [], [], 1)
    assert second == ["ConnectionResetError"]  # the network is well again, and it finds out
    assert third == [b"x"]


def test_a_reader_that_does_not_read_holds_up_the_writer():
    async def scene(clock, network, heard):
        client = await joined(clock)
        client.transport.pause_reading()
        (connection,) = network.of_port(PORT)
        connection.server.set_protocol(writer := Client())
        connection.server.write(bytes(2_000_000))
        connection.server.close()
        await clock.sleep(1)
        before = list(client.told)
        client.transport.resume_reading()
        await clock.sleep(1)
        return before, writer.told, client.told

    before, writer, told = play(scene)
    assert before == []
    assert writer == ["wait", "NoneType"]
    assert [len(one) if isinstance(one, bytes) else one for one in told] == [2_000_000, "eof", "NoneType"]


def test_a_killed_life_does_nothing_any_more_and_its_connections_are_reset():
    async def scene(clock, network, heard):
        life, left = Life("victim"), []

        async def helper():
            try:
                await clock.sleep(3)
            finally:
                await clock.sleep(0)
                left.append("a finally that waits")

        async def victim():
            client = await joined(clock)
            clock.call_at(clock.now_ns() + 2 * 10**9, lambda: left.append("a timer"))
            asyncio.get_running_loop().create_task(helper())
            while True:
                client.transport.write(b"x")
                await clock.sleep(0.3)

        assert isinstance(clock.loop, LivesLoop)
        clock.loop.begin(life, victim())
        await clock.sleep(1)
        clock.loop.kill(life)
        written = heard.count(b"x")
        await clock.sleep(10)
        names = [task.get_name() for task in asyncio.all_tasks()]
        return left, written, heard.count(b"x"), heard[-1], "victim" in names

    left, before, after, end, alive = play(scene)
    assert left == []
    assert 3 <= before <= after <= before + 1  # what was under way still arrived
    assert isinstance(end, ConnectionResetError)
    assert not alive


def test_the_same_seed_is_the_same_run_and_another_is_not():
    async def scene(clock, network, heard):
        told = []
        for _ in range(5):
            client = await joined(clock)
            client.transport.write(b"x")
            await clock.sleep(0.2)
            told.append((clock.loop.time(), list(client.told)))
        return told

    assert play(scene, 1, 1) == play(scene, 1, 1)
    assert play(scene, 1, 1) != play(scene, 2, 1)
