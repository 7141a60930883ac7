"""Who may come in: the bearer token in its file, one-time links, and the sessions they open."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
import time
from pathlib import Path

from ondevice.errors import SettingsError, explain
from ondevice.ground.files import write_atomic

SHORTEST_TOKEN = 24  # characters
LINK_SECONDS = 600.0
SESSION_SECONDS = 30 * 86400.0
MOST_SESSIONS = 32


def load_token(path: Path) -> str:
    """Return the token in the file `path`, which is made (0600) if it is not there.

    Raises:
        SettingsError: others may read the file, or what it holds is no token.
    """
    try:
        described = path.stat()
    except FileNotFoundError:
        token = secrets.token_urlsafe(32)
        write_atomic(path, token.encode("ascii") + b"\n")
        return token
    if not stat.S_ISREG(described.st_mode):
        raise SettingsError(f"{path} is not a regular file; name one for the token.")
    if os.name != "nt" and described.st_mode & 0o077:
        raise SettingsError(
            f"Others can read the token file {path}; make it yours alone (chmod 600) after "
            "writing a new token, or delete it and a new one is made."
        )
    if os.name != "nt" and described.st_uid != os.geteuid():
        raise SettingsError(f"{path} belongs to another user; name a file of your own.")
    if described.st_size > 4096:
        raise SettingsError(f"{path} is too long for a token file; name another one.")
    try:
        token = path.read_bytes().decode("ascii", "replace").strip()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {explain(error)}.") from error
    if len(token) < SHORTEST_TOKEN or not token.isprintable() or " " in token or "\ufffd" in token:
        raise SettingsError(
            f"{path} holds no token of at least {SHORTEST_TOKEN} printable characters; "
            "delete it and a new one is made."
        )
    return token


class Access:
    """Compares tokens in constant time; hands out links that work once, and sessions for them."""

    def __init__(self, token: str | None) -> None:
        """Let in who knows `token`; None lets everybody in who reaches the server."""
        self._token = token.encode() if token is not None else None
        self._links: dict[str, float] = {}
        self._sessions: dict[str, float] = {}

    @property
    def open(self) -> bool:
        """Whether no token is asked for."""
        return self._token is None

    def token_fits(self, given: bytes) -> bool:
        """Whether `given` is the token."""
        return self._token is not None and hmac.compare_digest(given, self._token)

    def new_link_key(self) -> str:
        """Return the key of a link that works once, within ten minutes."""
        key = secrets.token_urlsafe(32)
        now = time.monotonic()
        self._links = {k: end for k, end in self._links.items() if end > now}
        while len(self._links) >= MOST_SESSIONS:
            del self._links[next(iter(self._links))]
        self._links[key] = now + LINK_SECONDS
        return key

    def enter(self, key: str) -> str | None:
        """Use up the link `key` and return a new session's secret, or None if it is no good."""
        found = next((k for k in self._links if hmac.compare_digest(k.encode(), key.encode())), "")
        if self._links.pop(found, 0.0) <= time.monotonic():
            return None
        session = secrets.token_urlsafe(32)
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]  # the oldest
        self._sessions[session] = time.monotonic() + SESSION_SECONDS
        return session

    def session_fits(self, given: str) -> bool:
        """Whether `given` is an open session's secret."""
        content = given.encode()
        ends = [e for s, e in self._sessions.items() if hmac.compare_digest(s.encode(), content)]
        return bool(ends) and ends[0] > time.monotonic()

    def leave(self, given: str) -> None:
        """End a session."""
        self._sessions.pop(given, None)
