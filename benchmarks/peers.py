"""Other programs that take in a mailbox, each with its own habits left as they are where that is possible."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

from benchmarks import environment, way
from benchmarks.account import FOLDERS, Account
from benchmarks.way import Job, Kept, Way

_MBSYNC = """
IMAPAccount server
Host {account.host}
Port {account.port}
User {account.user}
Pass {account.password}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account server

MaildirStore near
Path {folder}/
Inbox {folder}/mail

Channel inbox
Far :far:INBOX
Near :near:INBOX
Sync Pull
Create Near
Expunge None
SyncState *
"""

_NOTMUCH = """
[database]
path={folder}/mail
[user]
name=Support
primary_email=support@example.org
[new]
tags=new
ignore=.mbsyncstate;.mbsyncstate.journal;.mbsyncstate.lock;.mbsyncstate.new;.uidvalidity
"""

_GETMAIL = """
[retriever]
type = SimpleIMAPRetriever
server = {account.host}
port = {account.port}
username = {account.user}
password = {account.password}
[destination]
type = Maildir
path = {folder}/mail/
{user}
[options]
read_all = true
delete = false
verbose = 0
"""

_HELPDESK_SETTINGS = """
from pathlib import Path

HERE = Path(__file__).parent
SECRET_KEY = "benchmark"
INSTALLED_APPS = [
    *(f"django.contrib.{name}" for name in
      ("auth", "contenttypes", "sessions", "sites", "admin", "messages", "humanize")),
    "rest_framework", "helpdesk",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "helpdesk.db"}}
MEDIA_ROOT = HERE / "media"
# Nothing is sent: what it writes to customers is made ready and then dropped.
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
SITE_ID = 1
USE_TZ = True
ROOT_URLCONF = "site_urls"
HELPDESK_TEAMS_MODE_ENABLED = False
"""

_HELPDESK_URLS = """
from django.urls import include, path

urlpatterns = [path("", include("helpdesk.urls", namespace="helpdesk"))]
"""

_HELPDESK_QUEUE = """
from helpdesk.models import Queue
Queue.objects.create(
    title="Support", slug="support", email_address="support@example.org", allow_email_submission=True,
    email_box_type="imap", email_box_host={account.host!r}, email_box_port={account.port},
    email_box_ssl=False, email_box_user={account.user!r}, email_box_pass={account.password!r},
    email_box_imap_folder="INBOX", email_box_interval=0, logging_type="warn",
)
"""

# The program knows port 143 only, so the port that the library takes by default is another one.
_ROUNDUP = (
    "import imaplib, sys; imaplib.IMAP4.__init__.__defaults__ = ('', {port}, None); "
    "from roundup.scripts.roundup_mailgw import run; run()"
)
_ROUNDUP_CONFIG = {
    "password_pbkdf2_default_rounds": "1000",  # it gives every new sender a password, and hashes it
    "subject_prefix_parsing": "loose",
    "subject_suffix_parsing": "none",
    "debug": "sent.txt",  # in place of sending
}


def mbsync() -> Way:
    """Give mbsync of isync into a Maildir, synced to disk as it does by itself."""

    def prepare(account: Account, folder: Path) -> Job:
        program = environment.need_debian("isync", program="mbsync")
        (folder / "mbsyncrc").write_text(_MBSYNC.format(account=account, folder=folder))
        mail = folder / "mail"
        return Job(
            [program, "--config", str(folder / "mbsyncrc"), "--quiet", "inbox"],
            kept=lambda _: Kept(way.files(mail)),
            has_arrived=lambda: way.has_file(mail),
        )

    return Way("mbsync", "fetch, store in a Maildir", prepare)


def mbsync_notmuch() -> Way:
    """Give mbsync, and notmuch after it, which reads, threads and indexes the text."""

    def prepare(account: Account, folder: Path) -> Job:
        program = environment.need_debian("notmuch", program="notmuch")
        first = mbsync().prepare(account, folder)
        config = folder / "notmuch.ini"
        config.write_text(_NOTMUCH.format(folder=folder))
        environ = {"NOTMUCH_CONFIG": str(config), "HOME": str(folder)}

        def kept(_: str) -> Kept:
            counts = (
                environment.do(
                    [program, "count", "--exclude=false", f"--output={what}", "*"],
                    folder=folder,
                    environ=environ,
                )
                for what in ("messages", "threads")
            )
            return Kept(*map(int, counts))

        script = f'"$@" && exec {program} new --quiet'
        return Job(
            ["sh", "-c", script, "sh", *first.command],
            kept=kept,
            environ=environ,
            has_arrived=first.has_arrived,
        )

    return Way("mbsync, then notmuch new", "fetch, store, read, thread, index the text", prepare)


def getmail() -> Way:
    """Give getmail6 into a Maildir."""

    def prepare(account: Account, folder: Path) -> Job:
        program = environment.need_python("getmail6") / "python"
        mail = folder / "mail"
        parts = (mail, *(mail / name for name in FOLDERS))
        for part in parts:
            part.mkdir()
        user = ""
        if os.geteuid() == 0:  # it does not deliver as root, and takes another user for that alone
            user, entry = "user = nobody", pwd.getpwnam("nobody")
            for part in parts:
                os.chown(part, entry.pw_uid, entry.pw_gid)
        (folder / "getmailrc").write_text(_GETMAIL.format(account=account, folder=folder, user=user))
        return Job(
            [str(program), str(program.with_name("getmail")), f"--getmaildir={folder}", "--quiet"],
            kept=lambda _: Kept(way.files(mail)),
            environ={"HOME": str(folder)},
            has_arrived=lambda: way.has_file(mail),
        )

    return Way("getmail6", "fetch, store in a Maildir", prepare, most=3000)


def helpdesk() -> Way:
    """Give django-helpdesk's get_email into SQLite."""

    def prepare(account: Account, folder: Path) -> Job:
        admin = str(environment.need_python("django-helpdesk") / "django-admin")
        (folder / "site_settings.py").write_text(_HELPDESK_SETTINGS)
        (folder / "site_urls.py").write_text(_HELPDESK_URLS)
        environ = {"DJANGO_SETTINGS_MODULE": "site_settings", "PYTHONPATH": str(folder)}
        environment.do([admin, "migrate"], folder=folder, environ=environ)
        queue = _HELPDESK_QUEUE.format(account=account)
        environment.do([admin, "shell", "-c", queue], folder=folder, environ=environ)
        database = folder / "helpdesk.db"
        return Job(
            [admin, "get_email", "--quiet"],
            kept=lambda _: Kept(*way.rows(database, "helpdesk_followup", "helpdesk_ticket")),
            environ=environ,
            folder=folder,
            has_arrived=lambda: way.has_row(database, "helpdesk_followup"),
        )

    return Way(
        "django-helpdesk get_email",
        "fetch, read, join to a ticket, store",
        prepare,
        most=400,
        is_destructive=True,
    )


def roundup() -> Way:
    """Give Roundup's mail gateway into SQLite, with anybody allowed to write to it."""

    def prepare(account: Account, folder: Path) -> Job:
        programs = environment.need_python("roundup")
        admin = [str(programs / "roundup-admin"), "-i", str(folder / "tracker")]
        told = "mail_domain=example.org,mail_host=localhost,tracker_web=http://localhost/,admin_email=a@example.org"
        environment.do([*admin, "install", "classic", "sqlite", told], folder=folder)
        _set(folder / "tracker" / "config.ini", _ROUNDUP_CONFIG)
        schema = folder / "tracker" / "schema.py"
        line = "db.security.addPermissionToRole('Anonymous', 'Email Access')"
        schema.write_text(schema.read_text().replace(f"#{line}", line))
        environment.do([*admin, "initialise", "benchmark"], folder=folder)
        database = folder / "tracker" / "db" / "db"
        script = _ROUNDUP.format(port=account.port)
        source = f"{account.user}:{account.password}@{account.host}"
        return Job(
            [str(programs / "python"), "-c", script, str(folder / "tracker"), "imap", source],
            kept=lambda _: Kept(*way.rows(database, "_msg", "_issue")),
            folder=folder,
            has_arrived=lambda: way.has_row(database, "_msg"),
        )

    return Way(
        "Roundup mail gateway", "fetch, read, join to an issue, store", prepare, most=400, is_destructive=True
    )


def _set(path: Path, settings: dict[str, str]) -> None:
    """Set options of an ini file; only the last section with an option of that name is meant."""
    text = path.read_text()
    for key, value in settings.items():
        places = list(re.finditer(rf"(?m)^#?{key} =.*$", text))
        if not places:
            raise way.Missing(f"{path.name} has no option {key}")
        text = text[: places[-1].start()] + f"{key} = {value}" + text[places[-1].end() :]
    path.write_text(text)
