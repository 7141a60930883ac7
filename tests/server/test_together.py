"""What is written in one round of the event loop goes to the client at once."""

import asyncio

from ondevice.server.run import TogetherTransport


class Connection:
    def __init__(self):
        self.sent, self.closed = [], False

    def write(self, data):
        self.sent.append(data)

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    def get_extra_info(self, name):
        return f"{name} of the connection"


def _with_transport(work):
    async def run():
        connection = Connection()
        await work(connection, TogetherTransport(connection, asyncio.get_running_loop()))
        return connection

    return asyncio.run(run())


def test_writes_of_one_round_are_one_packet():
    async def work(connection, transport):
        transport.write(b"head ")
        transport.write(b"first")
        assert connection.sent == [] and transport.get_write_buffer_size() == 10
        await asyncio.sleep(0)
        transport.write(b"second")
        await asyncio.sleep(0)
        assert transport.get_write_buffer_size() == 0

    assert _with_transport(work).sent == [b"head first", b"second"]


def test_closing_sends_what_is_held_first_and_nothing_after():
    async def work(connection, transport):
        transport.write(b"last words")
        transport.close()
        transport.write(b"too late")
        await asyncio.sleep(0)
        assert transport.get_extra_info("peername") == "peername of the connection"

    connection = _with_transport(work)
    assert connection.sent == [b"last words"] and connection.closed
