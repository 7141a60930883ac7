"""Which addresses may be asked, and what is said of them."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse

from ondevice.errors import DownloadError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")  # how this machine is called by itself


def check_url(url: str) -> None:
    """Check that `url` may be asked.

    Raises:
        DownloadError: it is not https and not this machine, or it holds a password.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise DownloadError(f"'{url}' is not a web address; check it.") from error
    if not host or re.search(r"[\x00-\x20\x7f]", url):
        raise DownloadError(f"'{url}' is not a web address; check it.")
    if parts.username is not None or parts.password is not None:
        raise DownloadError(
            f"The address at {host} holds a name or a password, and ondevice sends none; "
            "give it without."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise DownloadError(
            f"{parts.scheme}://{host} is not encrypted, so anybody on the way could change "
            "the file; use an https address."
        )


def is_loopback(url: str) -> bool:
    """Whether `url` is of this machine itself."""
    return is_loopback_host(urllib.parse.urlsplit(url).hostname or "")


def is_loopback_host(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_redirect(here: str, there: str) -> str:
    """Return the address `there`, which the server at `here` sends us to.

    Raises:
        DownloadError: it may not be asked.
    """
    check_url(there)
    if is_loopback(there) and not is_loopback(here):
        raise contradiction(here, "redirects to this machine itself")
    return there


def at_commit(url: str, commit: str | None) -> str:
    """Return the address of the same file as of `commit`, if the hub told one."""
    if commit is None:
        return url
    return re.sub(r"(/resolve/)[^/]+/", lambda match: f"{match[1]}{commit}/", url, count=1)


def host_of(url: str) -> str:
    """Return the host, and its port, for messages."""
    return urllib.parse.urlsplit(url).netloc


def contradiction(url: str, what: str) -> DownloadError:
    """Return the error that a server does not keep to what it said."""
    return DownloadError(
        f"{host_of(url)} {what}; nothing of it is used: try again later, or use another source."
    )
