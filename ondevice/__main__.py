"""The program `ondevice`, and `python -m ondevice`."""

import signal


def main() -> None:
    """Run the command line; Ctrl-C ends the program without a word until that is there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ondevice.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
