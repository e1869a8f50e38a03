"""`obid generate`: files that a manifest makes again, a picture, a cache, and one line for everything wrong."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from daemon.cli import app
from venues.aleatoric.batch import Batch
from venues.aleatoric.manifest import SimulationManifest
from venues.aleatoric.presets import preset_names

SOL = ("--preset", "hyperliquid_perp_sol", "--seconds", "900")


def generate(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["generate", *map(str, args)])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def test_files_and_what_is_said_of_them(tmp_path: Path):
    said = generate(*SOL, "--out", tmp_path / "x.parquet")
    events = pl.read_parquet(tmp_path / "x.parquet")
    assert f"{len(events):,} rows: 1,636 books" in said
    beside = json.loads((tmp_path / "x.json").read_text())
    assert said.strip().endswith(beside["digest"])
    assert beside["row_count"] == len(events)
    assert beside["seconds"] == 900
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("x.book.parquet", "x.json", "x.parquet", "x.trades.parquet"),
    ]


def test_the_same_again_from_what_lies_beside_the_files(tmp_path: Path):
    generate(*SOL, "--seed", 9, "--set", "facade_dial=1.5", "--scenario", "gap@5m", "--out", tmp_path / "x.parquet")
    said = generate("--manifest", tmp_path / "x.json", "--out", tmp_path / "y.parquet", "--workers", 2)
    assert said.endswith("the same rows as before\n")
    for kind in ("", ".book", ".trades"):
        assert (tmp_path / f"x{kind}.parquet").read_bytes() == (tmp_path / f"y{kind}.parquet").read_bytes()


def test_rows_that_are_not_those_of_the_file_are_exit_1(tmp_path: Path):
    generate(*SOL, "--out", tmp_path / "x.parquet")
    told = (tmp_path / "x.json").read_text()
    (tmp_path / "z.json").write_text(told.replace('"volatility_annual": 0.75', '"volatility_annual": 0.76'))
    said = generate("--manifest", tmp_path / "z.json", "--out", tmp_path / "y.parquet", code=1)
    assert "NOT the rows" in said


def test_an_earlier_run_is_not_overwritten_by_its_own_repetition(tmp_path: Path):
    generate(*SOL, "--out", tmp_path / "x.parquet")
    before = (tmp_path / "x.parquet").read_bytes()
    again = ("--manifest", tmp_path / "x.json", "--out", tmp_path / "x.parquet")
    assert "would overwrite the run that --manifest names" in generate(*again, code=2)
    (tmp_path / "x.parquet").unlink()
    assert generate(*again).endswith("the same rows as before\n")
    assert (tmp_path / "x.parquet").read_bytes() == before


def test_a_manifest_as_toml(tmp_path: Path):
    (tmp_path / "m.toml").write_text(
        'symbol = "ETH"\ninitial_mid = 4000\nvolatility = 0.7\nscenarios = [{kind = "trend", at_s = 60}]\n'
    )
    said = json.loads(
        generate("--manifest", tmp_path / "m.toml", "--seconds", 60, "--out", tmp_path / "x.parquet", "--json")
    )
    assert said["manifest"]["initial_price"] == 4000
    assert said["manifest"]["scenarios"][0]["for_s"] == 3600


def test_a_picture(tmp_path: Path):
    generate(*SOL, "--plot", tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 800
        assert len(image.convert("RGB").getcolors(1 << 24) or []) > 100


@pytest.mark.parametrize("befalls", [("asks",), ("asks", "bids@10m"), ("bids",)])
def test_a_picture_of_books_with_empty_sides(befalls, tmp_path: Path):
    scenarios = [f"one_sided@{at or '0s'},for=1d,side={side}" for side, _, at in (x.partition("@") for x in befalls)]
    asked = [word for text in scenarios for word in ("--scenario", text)]
    generate(*SOL, *asked, "--set", "num_levels=1", "--plot", tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.format == "PNG"
    assert len(list(tmp_path.iterdir())) == 1


def test_names_of_older_clients_and_lists_are_set(tmp_path: Path):
    sets = ("--set", "volatility=0.9", "--set", 'scenarios=[{"kind":"frozen","at_s":5}]', "--scenario", "gap@9s")
    said = json.loads(generate(*SOL, *sets, "--out", tmp_path / "x.parquet", "--json"))
    assert said["manifest"]["volatility_annual"] == 0.9
    assert [one["kind"] for one in said["manifest"]["scenarios"]] == ["frozen", "gap"]


@pytest.mark.parametrize("name", ["x[1]", "x*", "x?", "größe"])
def test_names_with_signs_in_them_are_names(name, tmp_path: Path):
    generate(*SOL, "--out", tmp_path / f"{name}.parquet")
    assert pl.read_parquet(tmp_path / f"{name}.book.parquet", glob=False).height == 1_636


@pytest.mark.parametrize("way", [("--cache", "c"), ("--out", "x.parquet"), ("--plot", "x.png")])
def test_ctrl_c_is_exit_130_and_leaves_no_file(way, tmp_path: Path, monkeypatch):
    first, made = Batch.rows, []

    def interrupted(batch):
        for rows in first(batch):
            made.append(rows)
            yield rows
            raise KeyboardInterrupt

    monkeypatch.setattr(Batch, "rows", interrupted)
    said = generate(*SOL, way[0], tmp_path / way[1], code=130)
    assert made
    assert "was interrupted" in said
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing(tmp_path: Path):
    resource = pytest.importorskip("resource", reason="only POSIX limits the size of files")
    args = [sys.executable, "-m", "daemon", "generate", *SOL, "--out", str(tmp_path / "x.parquet")]
    done = subprocess.run(
        args,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("obid: generate failed: cannot be written")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_cannot_be_written_is_one_line():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    args = [sys.executable, "-m", "daemon", "generate", *SOL, "--stream", "wire"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(args, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "the stream ends" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"manifest": 3, "seconds": 5}', "manifest = 3: must be a table of fields"),
        ('{"manifest": {}, "seconds": "x"}', "seconds = 'x': must be a number"),
        ('{"manifest": {}, "seconds": true}', "seconds = True: must be a number"),
        ("[]", "must hold one manifest"),
    ],
)
def test_a_file_that_is_no_manifest_is_one_line(text, says, tmp_path: Path):
    (tmp_path / "m.json").write_text(text)
    said = generate("--manifest", tmp_path / "m.json", "--out", tmp_path / "x.parquet", code=2)
    assert says in said
    assert len(said.strip().splitlines()) == 1


def test_a_cache_is_found_again(tmp_path: Path):
    first = json.loads(generate(*SOL, "--cache", tmp_path / "c", "--json"))
    again = json.loads(generate(*SOL, "--cache", tmp_path / "c", "--json"))
    assert (first["cache_hit"], again["cache_hit"]) == (False, True)
    assert first["digest"] == again["digest"]
    assert first["compression_ratio"] > 3
    assert "found in the cache as" in generate(*SOL, "--cache", tmp_path / "c")


def test_the_list_names_everything():
    said = generate("--list")
    told = json.loads(generate("--list", "--json"))
    assert tuple(told["presets"]) == preset_names()
    for name in told["presets"]:
        assert name.rpartition(":")[2] in said
    for kind in told["scenarios"]:
        assert f"  {kind['kind']}, for" in said


def test_a_preset_is_described_field_by_field(tmp_path: Path):
    said = generate("--describe", "hyperliquid_perp_wlfi")
    for name in SimulationManifest.__struct_fields__:
        assert any(line.startswith(f"{name} ") for line in said.splitlines())
    (tmp_path / "m.json").write_text(generate("--describe", "hyperliquid_perp_wlfi", "--json"))
    out = ("--seconds", 60, "--out", tmp_path / "x.parquet", "--json")
    from_file = json.loads(generate("--manifest", tmp_path / "m.json", *out))
    from_name = json.loads(generate("--preset", "hyperliquid_perp_wlfi", *out))
    assert from_file["digest"] == from_name["digest"]
    assert from_file["manifest_hash"] == from_name["manifest_hash"]


def test_the_schema_is_one():
    schema = json.loads(generate("--schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(generate("--describe", "perps:xyz:TSLA", "--json")), schema)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "--preset '': give a preset"),
        (("--preset", "hyperliquid_perp_bt", "--seconds", 1), "did you mean hyperliquid_perp_btc?"),
        (("--preset", "hyperliquid_perp_btc"), "--seconds '0.0': say how many"),
        (("--preset", "hyperliquid_perp_btc", "--seconds", 0.1), "seconds = 0.1: must be at least 0.55"),
        ((*SOL,), "--out '': say what to make"),
        ((*SOL, "--out", "no/x.parquet"), "there is no folder no"),
        ((*SOL, "--out", "x.csv"), "must be NAME.parquet"),
        ((*SOL, "--plot", "no/x.png"), "there is no folder no"),
        ((*SOL, "--set", "foo=3", "--out", "x.parquet"), "foo = 3: the manifest has no such field"),
        ((*SOL, "--set", "seed", "--out", "x.parquet"), "must be FIELD=VALUE"),
        ((*SOL, "--set", "exchange=alpaca", "--out", "x.parquet"), "exchange = 'alpaca': has no perpetuals"),
        ((*SOL, "--scenario", "foo@3m", "--out", "x.parquet"), "kind 'foo': one of flash_crash"),
        ((*SOL, "--scenario", "frozen@15m", "--out", "x.parquet"), "must begin before the run ends, after 900 s"),
        ((*SOL, "--workers", 0, "--out", "x.parquet"), "--workers = 0: must be from 1 to 64"),
        ((*SOL, "--stream", "wire", "--out", "x.parquet"), "--out 'x.parquet': a --stream is printed and not kept"),
        ((*SOL, "--paced", "--out", "x.parquet"), "--paced 'yes': is for a --stream"),
        ((*SOL, "--set", "drift=1", "--set", "drift_annual=2", "--out", "x.parquet"), "drift_annual is given twice"),
        (
            (
                *SOL,
                "--scenario",
                "one_sided@0s,for=1d",
                "--scenario",
                "one_sided@0s,for=1d,side=bids",
                "--plot",
                "x.png",
            ),
            "there is no price to draw",
        ),
        (("--manifest", "absent.json", "--seconds", 5), "--manifest 'absent.json': cannot be read"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_2(args, says, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = generate(*args, code=2)
    assert says in said
    assert len(said.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
