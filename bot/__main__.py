"""`python -m bot` is `antirelou`."""

from bot import cli

if __name__ == "__main__":
    cli.main()
