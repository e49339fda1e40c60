"""A real Dovecot on free loopback ports, run as an ordinary user, in the dialect of the installed version."""

from __future__ import annotations

import contextlib
import grp
import imaplib
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

PASSWORD = "correct-horse"
START_SECONDS = 20

_COMMON = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_uid = {user}
mail_gid = {group}
auth_mechanisms = plain login
auth_failure_delay = 0
mail_fsync = never
mail_max_userip_connections = {connections}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    {ssl_word} = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    {address_word} = 127.0.0.1
    port = {lmtp_port}
  }}
  unix_listener lmtp {{
    mode = 0600
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
  mailbox Archive {{
    special_use = \\Archive
    auto = create
  }}
  mailbox Junk {{
    special_use = \\Junk
  }}
}}
"""

_OLD = """
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u allow_all_users=yes
}}
"""

_NEW = """
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = {folder}/mail/%{{user}}
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {user}
    gid = {group}
    home = {folder}/mail/%{{user}}
  }}
  userdb_static_allow_all_users = yes
}}
"""


def why_missing() -> str | None:
    """Give the reason why no Dovecot can be started here, or None."""
    if shutil.which("dovecot", path=_path()) is None:
        return "Dovecot is not installed (Debian: dovecot-imapd dovecot-lmtpd)"
    return None


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


class Dovecot:
    """One server for any user names, all with the password `PASSWORD`; a context manager."""

    def __init__(
        self, *, certificate: str | None = None, key: str | None = None, connections: int = 200
    ) -> None:
        self.host = "127.0.0.1"
        self.password = PASSWORD
        self.imap_port = free_port()
        self.imaps_port = free_port() if certificate else 0
        self.lmtp_port = free_port()
        self._certificate, self._key = certificate, key
        self._connections = connections
        self._process: subprocess.Popen[bytes] | None = None
        self._user, self._group = _ordinary_user()
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))

    def __enter__(self) -> Dovecot:
        self._write_configuration()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """What the server wrote into its log so far."""
        file = self.folder / "dovecot.log"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def pid(self) -> int:
        """The first process of the running server."""
        if self._process is None:
            raise RuntimeError("Dovecot is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the server, on the mail that is there, and wait until it answers."""
        with (self.folder / "stderr").open("wb") as errors:
            self._process = subprocess.Popen(
                ["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self.folder,
                env={"PATH": _path(), "HOME": str(self.folder)},
                start_new_session=True,
                **self._as_user(),  # type: ignore[call-overload]  # keywords differ by who runs the tests
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((self.host, self.imap_port), 5) as probe,
            ):
                if probe.recv(4) == b"* OK":
                    return
            time.sleep(0.02)
        said = (self.folder / "stderr").read_text(errors="replace")
        self.kill()
        raise RuntimeError(f"Dovecot did not start: {said}{self.log}")

    def stop(self) -> None:
        """Stop the server in order; the mail stays for the next `start`."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash would; the mail stays."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        self._own(self.folder / "run")

    def deliver(
        self,
        user: str,
        content: bytes,
        folder: str = "INBOX",
        *,
        received_at: datetime | None = None,
        flags: str = "",
    ) -> None:
        """Put a message into a user's folder: by LMTP into INBOX, else by APPEND, which keeps every byte."""
        if folder == "INBOX" and received_at is None and not flags:
            with smtplib.LMTP(self.host, self.lmtp_port) as lmtp:
                lmtp.sendmail("sender@example.org", [user], content)
            return
        with self.client(user) as client:
            self.append(client, content, folder, received_at=received_at, flags=flags)

    def deliver_many(self, user: str, contents: list[bytes], folder: str = "INBOX") -> None:
        """Put many messages into a folder over one connection; every byte is kept."""
        with self.client(user) as client:
            for content in contents:
                self.append(client, content, folder)

    def append(
        self,
        client: imaplib.IMAP4,
        content: bytes,
        folder: str,
        *,
        received_at: datetime | None = None,
        flags: str = "",
    ) -> None:
        """Put a message into a folder with a client that is logged in."""
        moment = imaplib.Time2Internaldate(received_at) if received_at is not None else ""
        answer, words = client.append(f'"{folder}"', flags, moment, content)
        if answer != "OK":
            raise RuntimeError(f"APPEND failed: {words!r}")

    @contextlib.contextmanager
    def client(self, user: str, folder: str | None = None) -> Iterator[imaplib.IMAP4]:
        """Give a second client, logged in, with a folder selected where one is named."""
        client = imaplib.IMAP4(self.host, self.imap_port)
        try:
            client.login(user, self.password)
            if folder is not None:
                client.select(f'"{folder}"')
            yield client
        finally:
            client.logout()

    def maildir(self, user: str) -> Path:
        """Give the folder in which a user's mail lies."""
        return self.folder / "mail" / user

    def _write_configuration(self) -> None:
        version = subprocess.run(
            ["dovecot", "--version"], check=True, capture_output=True, text=True, env={"PATH": _path()}
        ).stdout.split()[0]
        is_new = tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= (2, 4)
        head = f"dovecot_config_version = {version}\ndovecot_storage_version = {version}\n" if is_new else ""
        body = _COMMON + (_NEW if is_new else _OLD)
        text = body.format(
            folder=self.folder,
            user=self._user,
            group=self._group,
            password=f'"{self.password}"' if is_new else self.password,
            imap_port=self.imap_port,
            imaps_port=self.imaps_port,
            lmtp_port=self.lmtp_port,
            connections=self._connections,
            ssl_word="ssl",
            address_word="listen" if is_new else "address",
        )
        self._own(self.folder)
        for name in ("run", "mail"):
            self._own(self.folder / name)
        (self.folder / "dovecot.conf").write_text(head + text + self._tls(is_new=is_new))

    def _tls(self, *, is_new: bool) -> str:
        if self._certificate is None or self._key is None:
            return "ssl = no\n"
        words = []
        for name, pem in (("cert", self._certificate), ("key", self._key)):
            file = self.folder / f"{name}.pem"
            file.write_text(pem)
            self._own(file)
            words.append(f"ssl_server_{name}_file = {file}\n" if is_new else f"ssl_{name} = <{file}\n")
        return "ssl = yes\n" + "".join(words)

    def _own(self, path: Path) -> None:
        if not path.exists():
            path.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(path, self._user, self._group)

    def _as_user(self) -> dict[str, object]:
        if os.geteuid() != 0:
            return {}
        return {"user": self._user, "group": self._group, "extra_groups": []}


def _ordinary_user() -> tuple[str, str]:
    """Give the user and group to run as: ourselves, or nobody when we are root."""
    name = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() != 0 else "nobody"
    return name, grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name
