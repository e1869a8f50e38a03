"""Settings: who wins, what is refused before anything starts, and that no secret is ever said."""

import json
import os
import pickle
import traceback
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import daemon_tables
from config.places import default_data_dir
from config.settings import CONFIRMATION, CREDENTIALS, SECRETS, Settings, load_settings

CANARY = "canary-0xdeadbeef"
AGENT_KEY, ADDRESS = "0x" + "ab" * 32, "0x" + "cd" * 20
HOOK = "https://hooks.example/from-a-file"
ENGINES = ("perps", "crypto", "equities")


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """An empty folder and an environment that says nothing."""
    for name in list(os.environ):
        if name.upper().startswith(("OBID_", "ALPACA_", "CREDENTIALS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def refusal(**asked) -> str:
    """The one line that load_settings refuses with."""
    with pytest.raises(ConfigError) as caught:
        load_settings(**asked)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def table(text: str, tmp_path: Path) -> dict:
    (tmp_path / "my.toml").write_text(text)
    return {"tables": daemon_tables([Path("my.toml")])}


# --- who wins ---------------------------------------------------------------------------------------------------------


def test_the_order_of_sources(tmp_path, monkeypatch):
    asked = table("[daemon]\nlog_level = 'error'\nmode = 'shadow'", tmp_path)
    assert load_settings(**asked).log_level == "error"
    private(tmp_path / ".env", "OBID_LOG_LEVEL=warning\nOTHER_PROGRAM=1\n")
    assert load_settings(**asked).log_level == "warning"
    monkeypatch.setenv("OBID_LOG_LEVEL", "debug")
    assert load_settings(**asked).log_level == "debug"
    assert load_settings({"log_level": "info"}, **asked).log_level == "info"
    assert load_settings({"log_level": None}, **asked).mode == "shadow", "what nobody else says comes from the file"


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_credential_comes_from_its_file_and_the_environment_beats_it(name, tmp_path, monkeypatch):
    keys = dict.fromkeys((f"hyperliquid_{whose}_key" for whose in ("agent", "deadman", "master")), AGENT_KEY)
    keys |= {"hyperliquid_master_address": ADDRESS, "alert_url": HOOK}
    secret = keys.get(name, "from a file")
    private(tmp_path / "keys" / name, secret + "\n")
    shown = getattr(load_settings(credentials=tmp_path / "keys"), name)
    assert getattr(shown, "get_secret_value", lambda: shown)() == secret
    other = secret.replace("a", "b")
    monkeypatch.setenv("OBID_" + name.upper(), other)
    shown = getattr(load_settings(credentials=tmp_path / "keys"), name)
    assert getattr(shown, "get_secret_value", lambda: shown)() == other


def test_systemd_names_the_directory(tmp_path, monkeypatch):
    private(tmp_path / "keys" / "fmp_key", "from systemd", mode=0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "keys"))
    assert load_settings().fmp_key.get_secret_value() == "from systemd"


def test_the_platform_has_a_place_for_state(tmp_path):
    assert default_data_dir({"XDG_STATE_HOME": str(tmp_path)}, "linux") == tmp_path / "obid"
    assert default_data_dir({"XDG_STATE_HOME": "not/absolute"}, "linux") == Path.home() / ".local/state/obid"
    assert default_data_dir({}, "darwin") == Path.home() / "Library/Application Support/obid"
    assert default_data_dir({"LOCALAPPDATA": str(tmp_path)}, "win32") == tmp_path / "obid"


# --- what is refused --------------------------------------------------------------------------------------------------


def test_live_needs_its_second_switch(monkeypatch):
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", AGENT_KEY)
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_ADDRESS", ADDRESS)
    line = refusal(cli={"mode": "live"}, engines=["perps"])
    assert line == "mode = 'live': real money needs the second switch too: OBID_LIVE=yes-real-money"
    monkeypatch.setenv("OBID_LIVE", "yes")
    assert "second switch" in refusal(cli={"mode": "live"}, engines=["perps"]), "any other word leaves it open"
    monkeypatch.setenv("OBID_LIVE", CONFIRMATION)
    assert load_settings({"mode": "live"}, engines=["perps"]).mode == "live"


def test_alpaca_must_say_live_too(monkeypatch):
    monkeypatch.setenv("OBID_LIVE", CONFIRMATION)
    asked = {"cli": {"mode": "live"}, "engines": ["crypto"]}
    assert "must be live for crypto in live mode: ALPACA_TRADING_MODE=live" in refusal(**asked)
    monkeypatch.setenv("ALPACA_TRADING_MODE", "live")
    assert "alpaca_live_key_id: is missing" in refusal(**asked)
    assert "must be paper" in refusal(cli={"mode": "paper"}, engines=["equities"]), "no paper run on the live account"


@pytest.mark.parametrize(
    ("mode", "engine", "said"),
    [
        ("live", "perps", "hyperliquid_agent_key: is missing"),
        ("paper", "perps", "Hyperliquid has no paper account"),
        ("paper", "crypto", "alpaca_paper_key_id: is missing"),
        ("shadow", "equities", "OBID_ALPACA_PAPER_KEY_ID"),
    ],
)
def test_a_mode_without_its_credentials(mode, engine, said):
    assert said in refusal(cli={"mode": mode, "live": CONFIRMATION}, engines=[engine])


@pytest.mark.parametrize("mode", ["synthetic", "replay"])
def test_no_key_is_needed_where_nothing_leaves_the_machine(mode):
    assert load_settings({"mode": mode}, engines=ENGINES).mode == mode
    assert load_settings({"mode": "shadow"}, engines=["perps"]).mode == "shadow"


def test_wrong_values_name_their_source(tmp_path, monkeypatch):
    choices = "must be one of live, paper, shadow, synthetic, replay"
    assert refusal(cli={"mode": "liv"}) == f"mode = 'liv': {choices} (command line)"
    line = refusal(**table("[daemon]\n\nmode = 'liv'", tmp_path))
    assert line == f"mode = 'liv': {choices} (my.toml line 3)"
    assert "no such setting; did you mean log_level?" in refusal(**table("[daemon]\nlog_levl = 'info'", tmp_path))
    monkeypatch.setenv("OBID_MODE", "liv")
    assert refusal() == f"mode = 'liv': {choices} (environment, OBID_MODE)"


def test_misspelt_names_are_not_ignored(tmp_path, monkeypatch):
    private(tmp_path / ".env", f"OBID_ALPACA_LIVE_SECRT={CANARY}\n")
    line = refusal()
    assert line == "OBID_ALPACA_LIVE_SECRT: no such setting; did you mean OBID_ALPACA_LIVE_SECRET? (.env)"
    (tmp_path / ".env").unlink()
    monkeypatch.setenv("OBID_LVIE", CONFIRMATION)
    assert "did you mean OBID_LIVE?" in refusal()


posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows keeps access lists instead of modes")


@posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_file_that_others_can_use(mode, tmp_path):
    path = private(tmp_path / "keys" / "fmp_key", CANARY, mode)
    line = refusal(credentials=tmp_path / "keys")
    assert line == f"{path}: has mode {mode:04o}, so others than its owner can use it; run: chmod 600 {path}"


@posix_only
def test_an_env_file_with_a_secret_is_a_key_file(tmp_path):
    private(tmp_path / ".env", "OBID_MODE=shadow\n", mode=0o644)
    assert load_settings().mode == "shadow"
    private(tmp_path / ".env", f"export OBID_FMP_KEY={CANARY}\n", mode=0o644)
    assert "run: chmod 600 .env" in refusal()
    private(tmp_path / ".env", f"export OBID_FMP_KEY={CANARY}\n")
    assert load_settings().fmp_key.get_secret_value() == CANARY


@posix_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_file_of_somebody_else(tmp_path, monkeypatch):
    path = private(tmp_path / "keys" / "fmp_key", CANARY)
    os.chown(path, 12345, 12345)
    assert "belongs to user 12345" in refusal(credentials=tmp_path / "keys")
    os.chown(path, 0, 0)
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "keys"))
    assert load_settings().fmp_key.get_secret_value() == CANARY, "as systemd shows an access list"
    path.chmod(0o444)
    assert "has mode 0444" in refusal()


@pytest.mark.parametrize("content", ["", "two\nlines", "x" * 5000, "bell\a"])
def test_a_key_file_that_holds_no_key(content, tmp_path):
    private(tmp_path / "keys" / "fmp_key", content)
    assert "fmp_key" in refusal(credentials=tmp_path / "keys")


# --- what is never said -----------------------------------------------------------------------------------------------


def failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    """Every way to fail with a secret at hand: what to ask, after the canary was put where it is read."""
    keys = tmp_path / "keys"
    live = {"cli": {"mode": "live"}, "engines": ENGINES}
    monkeypatch.setenv("OBID_" + name.upper(), CANARY)
    yield live
    yield {"cli": {"mode": "live", "live": CONFIRMATION}, "engines": ENGINES}
    yield {"cli": {"mode": "nonsense"}}
    yield {"cli": {"alpaca_trading_mode": "live", "mode": "paper"}, "engines": ["crypto"]}
    monkeypatch.delenv("OBID_" + name.upper())
    private(tmp_path / ".env", f"OBID_{name.upper()}={CANARY}\nOBID_MODE=nonsense\n")
    yield {}
    (tmp_path / ".env").write_bytes(f"OBID_{name.upper()}={CANARY}\n".encode() + b"\xff")
    yield {}
    (tmp_path / ".env").unlink()
    private(keys / name, CANARY)
    yield {"cli": {"mode": "nonsense"}, "credentials": keys}
    yield live | {"credentials": keys}
    (keys / name).write_bytes(CANARY.encode() + b"\xff")
    yield {"credentials": keys}
    (keys / name).write_text(CANARY + "\nsecond line")
    yield {"credentials": keys}
    (keys / name).unlink()
    yield table(f"[daemon]\n{name} = '{CANARY}'", tmp_path)
    yield {"cli": {name: [CANARY]}}


def everything_said(error: BaseException) -> str:
    """An error as any log would print it, with all that hangs on it, arguments and contexts included."""
    said = ["".join(traceback.format_exception(error))]
    while error is not None:
        said += [str(error), repr(error), repr(error.args), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return "\n".join(said)


@pytest.mark.parametrize("name", SECRETS)
def test_no_failure_says_a_secret(name, tmp_path, monkeypatch):
    for asked in failures(tmp_path, monkeypatch, name):
        with pytest.raises(ConfigError) as caught:
            load_settings(**asked)
        assert CANARY not in everything_said(caught.value), asked


def test_no_picture_of_the_settings_shows_a_secret(monkeypatch):
    for name in SECRETS:
        secret = AGENT_KEY if name.startswith("hyperliquid_") and name.endswith("_key") else CANARY
        secret = f"https://hooks.example/{CANARY}" if name == "alert_url" else secret
        monkeypatch.setenv("OBID_" + name.upper(), secret)
    settings = load_settings()
    pictures = [repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()]
    pictures += [json.dumps(settings.model_dump(mode="json")), repr(vars(settings)), f"{settings}"]
    assert not [picture for picture in pictures if CANARY in picture or AGENT_KEY in picture]
    assert settings.fred_key.get_secret_value() == CANARY
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(settings)


def test_every_secret_has_a_safe_type():
    hidden = {name for name in Settings.model_fields if name.endswith(("_key", "_secret", "_key_id", "alert_url"))}
    assert hidden == set(SECRETS)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"ALERT_URL": "http://hooks.example/x"}, "alert_url: must begin with https://"),
        ({"ALERT_URL": "nonsense"}, "alert_url: must begin with https://"),
        ({"ALERT_URL": HOOK, "ALERT_FORMAT": "telegram"}, "alert_chat_id: is missing"),
        ({"ALERT_FORMAT": "pager"}, "alert_format"),
        ({"METRICS_PORT": "70000"}, "metrics_port"),
        ({"LOG_FILE_MIB_MAX": "0"}, "log_file_mib_max"),
    ],
)
def test_what_tells_the_outside_is_checked(monkeypatch, given, complaint):
    for name, value in given.items():
        monkeypatch.setenv(f"OBID_{name}", value)
    assert complaint in refusal()
    assert "hooks.example" not in refusal()
