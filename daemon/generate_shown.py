"""What `obid generate` can show: presets, scenarios, the fields of a manifest, its schema."""

from collections.abc import Iterable

from config.universe import load_universe
from daemon.tables import table
from daemon.terminal import json_text
from venues.aleatoric.manifest import about, field_types, manifest_hash, manifest_schema
from venues.aleatoric.manifest_model import resolved
from venues.aleatoric.presets import ENGINES, PRESETS, get_preset, preset_names
from venues.aleatoric.scenarios import describe

LINE_LENGTH = 100
"""Where a line of symbols is broken."""

PRESET_HEADS = "preset symbol exchange class price_usd spread_bps volatility book_each trades_per_s"
FIELD_HEADS = "field value unit from what_it_is"


def presets(as_json: bool) -> str:
    """All presets and all kinds of scenarios."""
    if as_json:
        kinds = [dict(zip(("kind", "what", "for", "size", "side"), row, strict=True)) for row in describe()]
        return json_text({"presets": preset_names(), "scenarios": kinds})
    rows = []
    for name, manifest in PRESETS.items():
        now = resolved(manifest)
        spread, each = f"{now.base_spread_bps:.2g}", f"{now.book_update_interval_ms}ms"
        facts = (now.symbol, now.exchange, now.asset_class, f"{now.initial_price:g}", spread)
        rows.append((name, *facts, f"{now.volatility_annual:.0%}", each, f"{now.trade_intensity_base:g}"))
    parts = [table(PRESET_HEADS, rows, "")]
    for engine in ENGINES:
        parts += ["", f"{engine}:SYMBOL, where SYMBOL is one of", *_lines(load_universe(engine))]
    parts += ["", "scenarios, as --scenario KIND@TIME,for=TIME,size=NUMBER,side=WORD"]
    return "\n".join([*parts, *_scenarios()])


def _lines(names: Iterable[str]) -> list[str]:
    lines = [" "]
    for name in names:
        if len(lines[-1]) + len(name) > LINE_LENGTH:
            lines.append(" ")
        lines[-1] += f" {name}"
    return lines


def _scenarios() -> list[str]:
    lines = []
    for kind, what, length, size, side in describe():
        lines.append(f"  {kind}, for {length}: {what}")
        lines += [f"      {word}: {said}" for word, said in (("size", size), ("side", side)) if said != "-"]
    return lines


def described(name: str, as_json: bool) -> str:
    """Every field of a preset: as the manifest has it, or as measured for its microstructure."""
    manifest = get_preset(name)
    if as_json:
        return json_text(manifest)
    now, rows = resolved(manifest), []
    for field in field_types():
        value, said = getattr(now, field), about(field)
        given = getattr(manifest, field)
        origin = "measured" if given is None else "default" if given == said["default"] else "preset"
        shown = f"{value:g}" if isinstance(value, float) else "-" if value in (None, "", ()) else str(value)
        rows.append((field, shown, said["unit"].replace(" ", "_"), origin, said["description"]))
    return f"{name}: {manifest_hash(manifest)}\n\n{table(FIELD_HEADS, rows, '')}"


def schema() -> str:
    """The JSON Schema."""
    return json_text(manifest_schema())
