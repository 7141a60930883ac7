"""The program `ondevice`, and `python -m ondevice`."""

import contextlib
import signal


def main() -> None:
    """Run the command line; until it is loaded, Ctrl-C ends the program silently."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _dump_no_core()
    from ondevice.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _dump_no_core() -> None:
    """Let no crash write the memory, with keys and memories in clear, to the disk."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


if __name__ == "__main__":
    main()
