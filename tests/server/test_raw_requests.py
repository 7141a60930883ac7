"""Requests as an attacker writes them, byte by byte, to a real port."""

import contextlib
import http.client
import socket

import pytest
from fake_engine import FakeEngine

from ondevice.chat import Assistant
from ondevice.settings import Settings

from .conftest import TOKEN, live_servers

AUTHORIZED = f"Authorization: Bearer {TOKEN}\r\n"
JSON = "Content-Type: application/json\r\n"
BODY = '{"messages": [{"role": "user", "content": "Hello"}], "ondevice": {"memory": "off"}}'


@pytest.fixture(scope="module")
def served():
    """Port, app and engine of a server without a profile."""
    engine = FakeEngine(["All right, I see."])
    with Assistant(engine, None, Settings()) as assistant, live_servers() as start:
        yield (*start(assistant), engine)


@pytest.fixture
def send(served):
    """Send bytes; return status, head and body of the first answer, or None if there is none."""
    port, _, engine = served
    engine.calls.chats.clear()

    def request(text):
        content = text.replace("HOST", f"127.0.0.1:{port}").replace("PORT", str(port))
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            received = b""
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(content.encode("latin-1"))
                while piece := connection.recv(1 << 16):
                    received += piece
        if not received:
            return None
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode("latin-1").lower(), body

    return request


def get(path, *headers, host="Host: HOST\r\n", method="GET", version="1.1"):
    close = "Connection: close\r\n"
    return f"{method} {path} HTTP/{version}\r\n{host}{close}{''.join(headers)}\r\n"


def test_the_plain_request_that_the_others_are_variations_of_succeeds(send):
    assert send(get("/v1/models", AUTHORIZED))[0] == 200
    length = f"Content-Length: {len(BODY)}\r\n"
    request = get("/v1/chat/completions", AUTHORIZED, JSON, length, method="POST")
    assert send(request + BODY)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "Host: \r\n",
        "Host: evil.example\r\n",
        "Host: 127.0.0.1\r\n",
        "Host: 127.0.0.1:1\r\n",
        "Host: user@127.0.0.1:PORT\r\n",
        "Host: evil.example@127.0.0.1:PORT\r\n",
        "Host: 127.0.0.1:PORT@evil.example\r\n",
        "Host: http://127.0.0.1:PORT\r\n",
        "Host: 127.0.0.1:PORT, evil.example\r\n",
        "Host: 127.0.0.1:PORT/\r\n",
        "Host: 127.0.0.1.:PORT\r\n",
        "Host: localhost.:PORT\r\n",
        "Host: 127.1:PORT\r\n",
        "Host: 2130706433:PORT\r\n",
        "Host: 0x7f000001:PORT\r\n",
        "Host: 127.0.0.1:0PORT\r\n",
        "Host: [::ffff:127.0.0.1]:PORT\r\n",
        "Host: HOST\r\nHost: HOST\r\n",
        "Host: HOST\r\nHost: evil.example\r\n",
        "Host: evil.example\r\nX-Forwarded-Host: HOST\r\n",
        "Host: evil.example\r\nForwarded: host=HOST\r\n",
        "Host: evil.example\r\nX-Original-Host: HOST\r\n",
    ],
)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_another_host_is_refused_however_it_is_written(send, host, version):
    answer = send(get("/v1/models", AUTHORIZED, host=host, version=version))
    assert answer is None or 400 <= answer[0] < 500
    assert answer is None or (b"smollm" not in answer[2] and b'"data"' not in answer[2])


@pytest.mark.parametrize(
    "target",
    ["http://evil.example/v1/models", "http://HOST/v1/models", "//evil.example/v1/models",
     "*", "/v1/models/../../etc/passwd", "/V1/models"],
)  # fmt: skip
def test_strange_targets_reach_nothing(send, target):
    answer = send(get(target))  # without a token, whatever path it is taken for
    assert answer is not None
    assert 400 <= answer[0] < 500
    assert b'"data"' not in answer[2]


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/....//....//etc/passwd",
        "/..\\..\\etc\\passwd",
        "/%5c..%5c..%5cetc%5cpasswd",
        "//etc/passwd",
        "/static/../../app.py",
        "/%00",
        "/index.html%00.js",
        "/__pycache__/",
        "/../security.py",
        "/api.js/../../run.py",
    ],
)
def test_no_path_leads_out_of_the_pages_folder(send, path):
    answer = send(get(path))
    assert answer is not None
    assert answer[0] in (400, 401, 404, 405), answer[1]
    assert b"root:" not in answer[2]
    assert b"import" not in answer[2]


@pytest.mark.parametrize(
    "path",
    ["/%761/models", "/v1%2fmodels", "/v1//models", "//v1/models", "/./v1/models", "/v1/models/",
     "/v1/./models", "/x/../v1/models", "/api/memories%20", "/api;x/memories", "/openapi.json/",
     "/%61pi/memories"],
)  # fmt: skip
def test_no_spelling_of_a_path_goes_around_the_token(send, path):
    answer = send(get(path))
    assert answer is not None
    assert answer[0] in (400, 401, 404), answer[1]


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "PATCH"])
@pytest.mark.parametrize("path", ["/v1/models", "/", "/health"])
def test_other_methods_change_and_echo_nothing(send, method, path):
    answer = send(get(path, AUTHORIZED, "X-Secret: echo-me\r\n", method=method))
    assert answer is not None
    assert 400 <= answer[0] < 500
    assert "access-control" not in answer[1]
    assert b"echo-me" not in answer[2]


def test_head_needs_the_token_too_and_has_no_body(send):
    assert send(get("/v1/models", method="HEAD"))[0] == 401
    status, _, body = send(get("/v1/models", AUTHORIZED, method="HEAD"))
    assert (status, body) == (200, b"")


SMUGGLED = "GET /v1/models HTTP/1.1\r\nHost: HOST\r\n" + AUTHORIZED + "\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length: 4\r\n folded: yes\r\n",
        "X: a\x00b\r\nContent-Length: 0\r\n",
    ],
)
def test_ambiguous_lengths_are_refused_and_smuggle_nothing(send, served, framing):
    request = get("/v1/chat/completions", AUTHORIZED, JSON, framing, method="POST")
    answer = send(request + "0\r\n\r\n" + SMUGGLED)
    assert answer is not None
    assert 400 <= answer[0] < 500
    assert served[2].calls.chats == []


@pytest.mark.parametrize(
    "headers",
    [
        f"X: {'a' * (1 << 17)}\r\n",
        "".join(f"X-{number}: {'a' * 60}\r\n" for number in range(1000)),
        f"Cookie: {'a=b; ' * 20_000}\r\n",
        f"Authorization: Bearer {'a' * 50_000}\r\n",
    ],
)
def test_headers_are_bounded(send, headers):
    answer = send(get("/v1/models", headers))
    assert answer is None or answer[0] in (400, 431)


def test_a_long_target_is_refused(send):
    answer = send(get("/" + "a" * (1 << 17)))
    assert answer is None or answer[0] in (400, 414, 431)


@pytest.mark.parametrize(
    "chunk", ["fffffffffffffffffffffffffffff\r\n", "-1\r\n", "5\r\nabcdefgh", "g\r\n"]
)
def test_bad_chunks_are_refused(send, served, chunk):
    framing = "Transfer-Encoding: chunked\r\n"
    answer = send(get("/v1/chat/completions", AUTHORIZED, JSON, framing, method="POST") + chunk)
    assert answer is None or 400 <= answer[0] < 500
    assert served[2].calls.chats == []


@pytest.fixture
def cookie(served):
    """Return the port and the cookie of a page that came in by a link."""
    port, app, _ = served
    key = app.state.ondevice.access.new_link_key()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/enter?key={key}")
    header = connection.getresponse().getheader("set-cookie")
    connection.close()
    return port, header.split(";")[0]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "own"}, 200),
        ({"origin": "own", "sec-fetch-site": "same-origin"}, 200),
        ({}, 401),
        ({"sec-fetch-site": "same-origin"}, 401),  # no browser posts without an origin
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://evil.example", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "own", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "own", "sec-fetch-site": "same-site"}, 403),
        ({"referer": "own"}, 401),
        ({"origin": "own", "content-type": "text/plain"}, 415),
        ({"origin": "own", "content-type": "application/x-www-form-urlencoded"}, 415),
        ({"origin": "own", "content-type": "application/json, text/plain"}, 415),
        ({"origin": "own", "cookie": "none"}, 401),
        ({"origin": "own", "authorization": "Bearer wrong"}, 401),
    ],
)
def test_only_the_own_page_may_post_with_the_cookie(cookie, headers, status):
    port, value = cookie
    sent = {"cookie": value, "content-type": "application/json", **headers}
    sent = {k: v.replace("own", f"http://127.0.0.1:{port}") for k, v in sent.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/api/chat/stop", body="{}", headers=sent)
    assert connection.getresponse().status == status
    connection.close()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_cannot_open_the_page_or_use_up_a_link(cookie, site):
    port, value = cookie
    for path in ("/", "/enter?key=x", "/v1/models", "/health"):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path, headers={"cookie": value, "sec-fetch-site": site})
        assert connection.getresponse().status == 403
        connection.close()
