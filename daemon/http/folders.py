"""Where the service keeps what it keeps: one folder of the data directory, readable by its owner alone."""

from pathlib import Path

from msgspec import Struct

NAME = "aleatoric"
OWNER_ONLY = 0o700


class Folders(Struct, frozen=True):
    """The service's folders; all are there."""

    keys: Path
    artifacts: Path
    jobs: Path
    cache: Path


def folders_in(data_dir: Path) -> Folders:
    """The folders of a data directory, made where they are missing. Raises OSError."""
    root = data_dir / NAME
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(OWNER_ONLY)
    folders = Folders(*(root / name for name in Folders.__struct_fields__))
    for name in Folders.__struct_fields__:
        folder: Path = getattr(folders, name)
        folder.mkdir(exist_ok=True)
        folder.chmod(OWNER_ONLY)
    return folders
