"""Where obid keeps its state when nobody says where: the platform's own place for it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "obid"


def default_data_dir(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The state directory: XDG_STATE_HOME/obid, ~/Library/Application Support/obid or %LOCALAPPDATA%\\obid."""
    home = Path.home()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / NAME
    if platform == "darwin":
        return home / "Library" / "Application Support" / NAME
    state = Path(environ.get("XDG_STATE_HOME") or "")
    return (state if state.is_absolute() else home / ".local" / "state") / NAME  # XDG: ignore what is relative
