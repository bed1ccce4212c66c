"""`python -m ostcli` is `ost`."""

from ostcli.cli.main import run

if __name__ == "__main__":
    run()
