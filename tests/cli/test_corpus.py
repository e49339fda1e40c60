"""The corpus of real mail, imported as an admin imports history: all of it is accounted for."""

from __future__ import annotations

import pytest

from tests import corpus
from tests.cli.conftest import Inside
from tests.program import Program


@pytest.mark.corpus
@pytest.mark.timeout(120)
def test_every_message_of_the_corpus_is_filed_known_or_set_aside(program: Program, inside: Inside) -> None:
    folders = [folder for folder in sorted(corpus.folder().iterdir()) if folder.is_dir()]
    assert folders
    messages = 0
    for folder in folders:
        outcome = inside(program, "mailbox", "import", "support", folder, "--json")
        assert outcome.code == 0, f"{folder.name}: {outcome.err}"
        found = outcome.json()
        assert found["given"] == found["filed"] + found["known"] + found["quarantined"], folder.name
        assert found["quarantined"] == 0, folder.name
        messages += found["given"]
    assert messages > 400
    whole = inside(program, "mailbox", "import", "support", corpus.folder(), "--json").json()
    assert (whole["given"], whole["filed"], whole["known"]) == (messages, 0, messages)
