"""Host × Origin × token × method × content type: only the intended cells succeed."""

import asyncio
import itertools
import os
import stat

import pytest
from starlette.testclient import TestClient

from ondevice.errors import SettingsError
from ondevice.server.access import Access, load_token
from ondevice.server.app import create_app

from .conftest import PORT, TOKEN

OWN = f"http://127.0.0.1:{PORT}"
HOSTS = {
    f"127.0.0.1:{PORT}": True,
    f"localhost:{PORT}": True,
    f"LOCALHOST:{PORT}": True,
    "127.0.0.1": False,
    f"127.0.0.1:{PORT + 1}": False,
    f"evil.example:{PORT}": False,
    f"127.0.0.1.evil.example:{PORT}": False,
    f"0.0.0.0:{PORT}": False,
    "": False,
}
ORIGINS = {
    None: True,
    OWN: True,
    f"http://localhost:{PORT}": True,
    "null": False,
    "https://evil.example": False,
    f"https://127.0.0.1:{PORT}": False,
    f"http://127.0.0.1:{PORT + 1}": False,
    f"{OWN}.evil.example": False,
}
TOKENS = {
    f"Bearer {TOKEN}": True,
    None: False,
    f"Bearer {TOKEN}x": False,
    f"Bearer {TOKEN[:-1]}": False,
    "Bearer": False,
    f"Basic {TOKEN}": False,
    TOKEN: False,
}
METHODS = {"POST": True, "GET": False, "PUT": False, "DELETE": False, "OPTIONS": False,
           "TRACE": False, "PROPFIND": False}  # fmt: skip
KINDS = {
    "application/json": True,
    "application/json; charset=utf-8": True,
    None: False,
    "text/plain": False,
    "application/x-www-form-urlencoded": False,
    "multipart/form-data; boundary=x": False,
    "application/octet-stream": False,
}
BODY = b'{"messages": [{"role": "user", "content": "Hello"}], "ondevice": {"memory": "off"}}'


async def _status(app, method, headers):
    """Return status and headers of one request, without a client that corrects it."""
    sent = []
    body = iter([{"type": "http.request", "body": BODY, "more_body": False}])
    gone = asyncio.Event()

    async def receive():
        if (message := next(body, None)) is not None:
            return message
        await gone.wait()

    async def send(message):
        sent.append(message)

    await app(
        {
            "type": "http",
            "method": method,
            "path": "/v1/chat/completions",
            "raw_path": b"/v1/chat/completions",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "headers": headers,
        },
        receive,
        send,
    )
    return sent[0]["status"], dict(sent[0]["headers"])


def test_only_the_intended_cells_succeed(app, engine):
    wrong, succeeded = [], 0

    async def every_cell():
        nonlocal succeeded
        for cell in itertools.product(HOSTS, ORIGINS, TOKENS, METHODS, KINDS):
            host, origin, token, method, kind = cell
            named = {"host": host, "origin": origin, "authorization": token, "content-type": kind}
            raw = [(k.encode(), v.encode()) for k, v in named.items() if v is not None]
            status, headers = await _status(app, method, raw)
            intended = all(
                (HOSTS[host], ORIGINS[origin], TOKENS[token], METHODS[method], KINDS[kind])
            )
            if (status == 200) is not intended or (not intended and not 400 <= status < 500):
                wrong.append((cell, status))
            assert b"access-control-allow-origin" not in headers
            assert b"default-src 'none'" in headers[b"content-security-policy"]
            succeeded += status == 200

    asyncio.run(every_cell())
    assert wrong == []
    assert succeeded == len(engine.calls.chats) == 3 * 3 * 2  # hosts, origins, kinds


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_comes_from_another_site_is_refused(client, site):
    assert client.get("/v1/models", headers={"sec-fetch-site": site}).status_code == 403


def test_two_hosts_are_refused(client):
    headers = [("host", f"127.0.0.1:{PORT}"), ("host", "evil.example")]
    assert client.get("/health", headers=headers).status_code == 421


def test_a_proxy_that_speaks_tls_reaches_page_and_api_under_its_name(me):
    app = create_app(me, token=TOKEN, port=PORT, names=["My.Box"])
    key = app.state.ondevice.access.new_link_key()
    with TestClient(app, base_url="https://my.box") as client:
        entered = client.get(
            f"/enter?key={key}", headers={"host": "my.box"}, follow_redirects=False
        )
        assert entered.status_code == 303
        cookie = {"cookie": entered.headers["set-cookie"].partition(";")[0], "host": "my.box"}
        for origin, status in (
            ("https://my.box", 200),
            ("http://my.box", 200),
            ("https://evil.example", 403),
            ("https://my.box.evil.example", 403),
            ("https://127.0.0.1", 403),
        ):
            headers = {**cookie, "origin": origin}
            assert client.post("/api/links", json={}, headers=headers).status_code == status
        assert client.post("/api/links", json={}, headers=cookie).status_code == 401
        for host, status in ((f"my.box:{PORT}", 200), ("box", 421), ("my.box:443", 421)):
            assert client.get("/health", headers={"host": host}).status_code == status


def test_health_needs_no_token_and_the_rest_does(client):
    client.headers.clear()
    assert client.get("/health").json()["status"] == "ok"
    for path in ("/v1/models", "/openapi.json", "/api/links", "/v1", "/api/unknown"):
        response = client.get(path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_a_link_works_once_and_its_cookie_only_with_the_pages_origin(client):
    path = client.post("/api/links", json={}).json()["path"]
    client.headers.clear()
    assert client.head(path).status_code == 204  # looking at it does not use it up
    entered = client.get(path, follow_redirects=False)
    assert entered.status_code == 303
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get(path, follow_redirects=False).status_code == 403
    assert client.get("/v1/models").status_code == 200
    assert client.post("/v1/chat/completions", content=BODY).status_code == 401  # no origin
    headers = {"origin": OWN, "content-type": "application/json"}
    assert client.post("/v1/chat/completions", content=BODY, headers=headers).status_code == 200
    kept = dict(client.cookies)
    assert client.post("/api/leave", headers=headers).status_code == 200
    client.cookies.update(kept)
    assert client.get("/v1/models").status_code == 401


def test_links_and_sessions_are_bounded_and_wrong_ones_do_not_work():
    access = Access(TOKEN)
    keys = [access.new_link_key() for _ in range(40)]
    assert access.enter("") is None
    assert access.enter("nöt") is None
    assert access.enter(keys[0]) is None  # pushed out
    sessions = [access.enter(access.new_link_key()) for _ in range(40)]
    assert not access.session_fits(sessions[0])
    assert access.session_fits(sessions[-1])


def test_a_configured_origin_gets_cors_and_still_needs_the_token(me):
    origin = "http://localhost:3000"
    app = create_app(me, token=TOKEN, port=PORT, origins=[origin])
    with TestClient(app, base_url=OWN) as client:
        headers = {"origin": origin, "sec-fetch-site": "same-site"}
        asked = client.options("/v1/models", headers=headers)
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == origin
        assert "access-control-allow-credentials" not in asked.headers
        assert client.get("/v1/models", headers=headers).status_code == 401
        headers["authorization"] = f"Bearer {TOKEN}"
        assert client.get("/v1/models", headers=headers).status_code == 200
        assert (
            client.get("/v1/models", headers={"origin": "http://localhost:3001"}).status_code == 403
        )


def test_a_body_too_long_is_refused_before_it_is_read(client):
    for content in (b" " * (5 << 20), iter([b" " * (1 << 20)] * 5)):
        response = client.post(
            "/v1/chat/completions", content=content, headers={"content-type": "application/json"}
        )
        assert response.status_code == 413


def test_the_token_file_is_made_private_and_a_readable_one_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "token"
    token = load_token(path)
    assert len(token) >= 32
    assert load_token(path) == token
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        with pytest.raises(SettingsError, match="Others can read"):
            load_token(path)
        path.chmod(0o600)
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
        with pytest.raises(SettingsError, match="another user"):
            load_token(path)
        monkeypatch.undo()
    with pytest.raises(SettingsError, match="not a regular file"):
        load_token(path.parent)
    path.write_text("short")
    with pytest.raises(SettingsError, match="no token"):
        load_token(path)
