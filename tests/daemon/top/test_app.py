"""The program on textual's own test terminal, with a scripted daemon."""

from msgspec.structs import replace

from daemon.errors import DaemonAbsent, Failed
from daemon.top.app import Outcome, Top
from tests.daemon.runs import obid
from tests.daemon.top.given import AT_NS, HALTED, SNAPSHOT, STATUS, VERSION, Script, StillPoller


def program(tmp_path, script, **options):
    return Top(lambda hear: StillPoller(tmp_path, hear, script.connect), VERSION, clock=lambda: AT_NS, **options)


async def settled(pilot):
    """The screen as text, once all that was said has been heard and drawn."""
    await pilot.pause()
    await pilot.pause()
    picture = pilot.app.picture
    return "\n".join("".join(part.text for part in picture.render_line(y)) for y in range(picture.size.height))


async def test_it_shows_what_the_daemon_says_and_halts_it_when_told_twice(tmp_path):
    script = Script(SNAPSHOT, HALTED)
    async with program(tmp_path, script).run_test(size=(80, 24)) as pilot:
        screen = await settled(pilot)
        assert screen.startswith(" TRADING ")
        assert "-0.0123" in screen
        await pilot.press("H")
        assert "HALT ALL ENGINES" in await settled(pilot)
        await pilot.press("enter")
        assert script.orders == []
        await pilot.press("H", "y")
        assert "halt is on its way" in await settled(pilot)
        assert script.orders == [("halt", {"engine": "", "symbol": "", "reason": "obid top: halt"})]
        pilot.app.poller.step()
        assert (await settled(pilot)).startswith(" HALTED ")


async def test_an_order_that_is_lost_is_said(tmp_path):
    async with program(tmp_path, Script(SNAPSHOT)).run_test(size=(80, 24)) as pilot:
        await pilot.press("P", "y")
        assert "pause was NOT taken: no answer within 10 s" in await settled(pilot)


async def test_a_restart_of_the_daemon_is_lived_through(tmp_path):
    script = Script(SNAPSHOT, Failed("the daemon hung up"), DaemonAbsent("none"), DaemonAbsent("none"),
                    replace(SNAPSHOT, status=replace(STATUS, run_id="live-7-2")))  # fmt: skip
    async with program(tmp_path, script).run_test(size=(80, 24)) as pilot:
        seen = []
        for _ in range(4):
            seen.append((await settled(pilot)).split()[0:2])
            pilot.app.poller.step()
        assert seen == [["TRADING", "all"], ["NO", "ANSWER"], ["NOT", "RUNNING"], ["NOT", "RUNNING"]]
        assert "run live-7-2" in await settled(pilot)


async def test_every_size_is_drawn_whole(tmp_path):
    async with program(tmp_path, Script(SNAPSHOT)).run_test(size=(80, 24)) as pilot:
        for width, height in ((160, 45), (40, 10), (15, 4), (80, 24)):
            await pilot.resize_terminal(width, height)
            screen = await settled(pilot)
            assert ("TRADING" in screen) == (width >= 40)
            assert len(screen.split("\n")) == height


async def test_it_leaves_at_q_and_asks_no_more(tmp_path):
    top = program(tmp_path, Script(SNAPSHOT), read_only=True)
    async with top.run_test(size=(80, 24)) as pilot:
        await pilot.press("H")
        assert "--read-only" in await settled(pilot)
        await pilot.press("q")
    assert top.poller.stopped.is_set()
    assert top._post(Outcome("late", True)) is False


def test_without_a_terminal_it_says_what_to_use_instead(tmp_path):
    result = obid("top", "--data-dir", tmp_path, code=2)
    assert result.stderr.startswith("obid: stdin 'no terminal': ")
    assert "obid ctl status" in result.stderr
    assert len(result.stderr.splitlines()) == 1
