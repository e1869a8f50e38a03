"""The one error of this package: a setting that cannot be used, said in one line."""

VALUE_LENGTH_MAX = 80
"""Characters of a bad value that are shown: enough to recognise it, short enough to keep the line one line."""


class ConfigError(Exception):
    """The operator's to mend: names the setting, the value it has, and what would be right.

    The text is one line, `perps.risk.drawdown_max = nan: must be ... (FILE line N)`.
    Whoever raises it for a secret passes no value.
    """

    def __init__(self, field: str, right: str, value: object = None, source: str = "") -> None:
        self.field, self.right, self.source = field, right, source
        self.value = "" if value is None else str(value)
        shown = "" if value is None else f" = {_short(value)}"
        origin = f" ({source})" if source else ""
        super().__init__(" ".join(f"{field}{shown}: {right}{origin}".split()))


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= VALUE_LENGTH_MAX else text[: VALUE_LENGTH_MAX - 1] + "…"
