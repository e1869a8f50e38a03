"""Alerts over a real socket: each format as its receiver wants it, refusals borne, the address never shown."""

import asyncio
import json
from collections.abc import Callable

import pytest
from aiohttp import web
from pydantic import SecretStr

from daemon.alerts.alert import Alert, Level
from daemon.alerts.formats import DISCORD_CHARS_MAX, TELEGRAM_CHARS_MAX, body
from daemon.alerts.sender import QUEUE_MAX, TRIES_MAX, Sender
from supervisor.clock import Clock

AT = 1_800_000_000_000_000_000
ALERT = Alert(key="drift:BTC", level=Level.WARNING, title="drift in <BTC> & co", text="5 lots @everyone", at_ns=AT)
PATH = "/hooks/s3cret-token"


class Quick(Clock):
    """The wall's clock, but nobody waits for it."""

    async def sleep(self, seconds: float) -> None:
        self.slept = [*getattr(self, "slept", []), seconds]
        await asyncio.sleep(0)


async def until(done: Callable[[], bool]) -> None:
    for _ in range(4_000):
        if done():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not within 20 s")


async def posted(bodies: list[dict], statuses: Callable[[int], web.Response]) -> tuple[list[dict], list[str], Sender]:
    """What a webhook got, what was lost, and the sender."""
    got: list[dict] = []
    lost: list[str] = []

    async def hook(request: web.Request) -> web.Response:
        got.append(json.loads(await request.text()))
        return statuses(len(got))

    app = web.Application()
    app.add_routes([web.post(PATH, hook)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    clock = Quick(asyncio.get_running_loop(), AT)
    sender = Sender(clock, SecretStr(f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"), lost.append)
    work = asyncio.create_task(sender.run())
    for one in bodies:
        sender.put(one)
    await until(lambda: sender.idle)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await runner.cleanup()
    return got, lost, sender


def ok(_: int) -> web.Response:
    return web.Response(status=204)


async def test_alerts_arrive_in_order():
    got, lost, sender = await posted([{"n": 1}, {"n": 2}, {"n": 3}], ok)
    assert (got, lost, sender.sent) == ([{"n": 1}, {"n": 2}, {"n": 3}], [], 3)


async def test_a_webhook_that_is_busy_is_asked_again_when_it_says():
    def busy(number: int) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"}) if number == 1 else ok(number)

    got, lost, sender = await posted([{"n": 1}], busy)
    assert (len(got), lost, sender.sent) == (2, [], 1)
    assert sender.clock.slept == [7.0]


async def test_a_webhook_that_breaks_is_given_up_in_time():
    got, lost, sender = await posted([{"n": 1}], lambda _: web.Response(status=500))
    assert (len(got), lost, sender.sent) == (TRIES_MAX, ["the webhook did not take it: HTTP 500"], 0)
    assert sender.clock.slept == [2.0, 4.0, 8.0, 16.0, 32.0]


async def test_a_webhook_that_refuses_is_not_asked_again():
    got, lost, _ = await posted([{"n": 1}, {"n": 2}], lambda _: web.Response(status=404))
    assert (len(got), lost) == (2, ["the webhook did not take it: HTTP 404"] * 2)


async def test_nobody_there_is_told_without_the_address():
    lost: list[str] = []
    sender = Sender(Quick(asyncio.get_running_loop(), AT), SecretStr(f"http://127.0.0.1:9{PATH}"), lost.append)
    for number in range(QUEUE_MAX + 1):
        sender.put({"n": number})
    assert lost == ["too many wait: the oldest was dropped"]
    sender._waiting.clear()
    sender.put({"n": 1})
    work = asyncio.create_task(sender.run())
    await until(lambda: len(lost) == 2)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert lost[1] == "the webhook did not take it: ConnectError"
    assert "s3cret" not in repr(sender) + "".join(lost)


def test_plain_is_all_of_it():
    assert body(ALERT, "plain", "obid r1 on box") == {
        "source": "obid",
        "who": "obid r1 on box",
        "key": "drift:BTC",
        "level": "warning",
        "over": False,
        "title": "drift in <BTC> & co",
        "text": "5 lots @everyone",
        "at": "2027-01-15T08:00:00.000000000Z",
    }


def test_others_take_words_as_they_can_bear_them():
    long = Alert(key="k", level=Level.CRITICAL, title="t", text="x" * 10_000, at_ns=AT)
    slack = body(ALERT, "slack", "w")
    assert slack["text"].startswith("⚠️ drift in &lt;BTC&gt; &amp; co\nw, 2027-01-15T08:00:00 UTC\n5 lots")
    discord = body(ALERT, "discord", "w")
    assert discord["allowed_mentions"] == {"parse": []}, "a venue's words call nobody"
    assert len(body(long, "discord", "w")["content"]) == DISCORD_CHARS_MAX
    telegram = body(long, "telegram", "w", "-100")
    assert telegram["chat_id"] == "-100" and len(telegram["text"]) == TELEGRAM_CHARS_MAX
    over = Alert(key="k", level=Level.WARNING, title="t", over=True, at_ns=AT)
    assert body(over, "slack", "w")["text"].startswith("✅ t")


@pytest.mark.parametrize("kind", ["plain", "slack", "discord", "telegram"])
def test_every_format_is_json(kind):
    assert json.loads(json.dumps(body(ALERT, kind, "w", "1")))
