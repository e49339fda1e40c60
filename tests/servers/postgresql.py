"""A real PostgreSQL cluster that is thrown away, run as an ordinary user on a socket in its own folder."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

START_SECONDS = 20
USER = "tester"

# Nothing here has to survive a power cut. The clock of another zone shows who relies on the server's.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "20",
    "timezone": "Europe/Stockholm",
    "log_min_messages": "fatal",
}


def why_missing() -> str | None:
    """Give the reason why no PostgreSQL can be started here, or None."""
    if _binaries() is None:
        return "PostgreSQL is not installed (Debian: postgresql)"
    if os.geteuid() == 0 and _ordinary_user() is None:
        return "PostgreSQL does not run as root, and there is no user postgres or nobody"
    return None


def _binaries() -> Path | None:
    """Give the folder of the newest version's programs."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: float(path.parent.name), default=None)


def _ordinary_user() -> str | None:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


class PostgreSQL:
    """One cluster with any number of databases; a context manager."""

    def __init__(self, *, settings: Mapping[str, str] | None = None) -> None:
        self._settings = {**_SETTINGS, **(settings or {})}
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PostgreSQL:
        try:
            self._own(self.folder)
            self._run("initdb", "--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server, on the databases that are there, and wait until it answers."""
        settings = [f"--{key}={value}" for key, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program("postgres"), *self._where(), "-k", str(self.folder), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._as_user(),
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        said = (self.folder / "log").read_text(errors="replace")
        self.stop()
        raise RuntimeError(f"PostgreSQL did not start: {said}")

    @property
    def pid(self) -> int:
        """The first process of the running server."""
        if self._process is None:
            raise RuntimeError("PostgreSQL is not running")
        return self._process.pid

    def stop(self) -> None:
        """Stop the server: every connection is closed, and no new one is taken."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)  # "fast shutdown" of postgres(1)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(15)
        self._process = None

    def url(self, database: str) -> str:
        """Give the URL of a database, by way of the socket."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def new_database(self, *, template: str | None = None) -> str:
        """Make an empty database, or a copy of another one, and give its URL."""
        self._count += 1
        name = f"test_{self._count}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return self.url(name)

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the owner of the cluster, outside of any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def _where(self) -> list[str]:
        return ["-D", str(self.folder / "data")]

    def _program(self, name: str) -> str:
        folder = _binaries()
        if folder is None:
            raise RuntimeError(str(why_missing()))
        return str(folder / name)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._program(program), *self._where(), *arguments],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._as_user(),
        )

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(_ordinary_user() or "nobody")
            shutil.chown(path, entry.pw_uid, entry.pw_gid)

    def _as_user(self) -> dict[str, Any]:
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
        if os.geteuid() != 0:
            return {"env": environment}
        entry = pwd.getpwnam(_ordinary_user() or "nobody")
        group = grp.getgrgid(entry.pw_gid).gr_gid
        return {"env": environment, "user": entry.pw_uid, "group": group, "extra_groups": []}
