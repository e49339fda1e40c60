"""Clients that only fetch, run as processes of their own: the floor below which nobody comes."""

from __future__ import annotations

import sys


def bare_socket(host: str, port: int, user: str, password: str, messages: int) -> None:
    """Ask for all bodies by one command, count bytes until the answer is whole, and understand nothing."""
    import socket

    with socket.create_connection((host, port)) as channel:
        channel.sendall(f"a LOGIN {user} {password}\r\nb EXAMINE INBOX\r\n".encode())
        said = b""
        while b"\r\nb OK" not in said:
            said += _some(channel.recv(65536))
        channel.sendall(f"c UID FETCH 1:{messages} (UID INTERNALDATE BODY.PEEK[])\r\n".encode())
        buffer = bytearray(1 << 18)
        view, tail, is_first = memoryview(buffer), b"", True
        while b"\r\nc OK" not in tail:
            size = channel.recv_into(buffer)
            tail = (tail + _some(bytes(view[max(0, size - 200) : size])))[-200:]
            if is_first:
                is_first = False
                print("first", flush=True)


def _some(received: bytes) -> bytes:
    if not received:
        raise ConnectionError("the server closed the connection")
    return received


def with_imaplib(host: str, port: int, user: str, password: str, messages: int) -> None:
    """Fetch 200 messages a command with the standard library's client."""
    import imaplib

    found = 0
    client = imaplib.IMAP4(host, port)
    client.login(user, password)
    client.select("INBOX", readonly=True)
    for low in range(1, messages + 1, 200):
        _, data = client.uid("FETCH", f"{low}:{min(low + 199, messages)}", "(UID INTERNALDATE BODY.PEEK[])")
        if low == 1:
            print("first", flush=True)
        found += sum(isinstance(part, tuple) for part in data)
    client.logout()
    print("fetched", found)


if __name__ == "__main__":
    _, way, host, port, user, password, messages = sys.argv
    {"socket": bare_socket, "imaplib": with_imaplib}[way](host, int(port), user, password, int(messages))
