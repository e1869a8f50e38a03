"""The way in: `obid` and `python -m daemon` are the same thing."""

from daemon.cli import app


def main() -> None:
    """Run the command line."""
    app(prog_name="obid")


if __name__ == "__main__":
    main()
