"""History: what is kept, found, renamed, deleted, exported; and what is there after kill -9."""

import json
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from fingerpost.app.conversation import SIGNED, TYPED, Conversation, Entry
from fingerpost.app.history import History
from fingerpost.app.history_export import FORMATS, export, file_stem, save
from fingerpost.edge_runtime.captions import Line, LineCompleted, LineStarted

DAY_MS = 86_400_000


def completed(text, number=0, score=0.9):
    return LineCompleted(number, Line(text, (), (), 100, 900, score, unsure=score < 0.5))


@pytest.fixture
def history(tmp_path):
    history = History(tmp_path / "app" / "history.db", pack="demo 1.0")
    yield history
    history.close()


def talk(history, *texts, at_ms=1000):
    conversation = Conversation(history)
    for i, text in enumerate(texts):
        conversation.push([completed(text)], at_ms + i)
    return conversation


def all_bytes(path):
    return b"".join(p.read_bytes() for p in path.parent.iterdir() if p.is_file())


def test_a_conversation_is_there_again_as_it_was(history):
    conversation = talk(history, "HOW YOU", "ÇA VA [?]")
    conversation.push([completed("EAT", score=0.2)], 3000)
    conversation.reply("fine", 4000)
    again = History(history.path)
    (summary,) = again.conversations()
    assert (summary.n_lines, summary.first, summary.began_ms) == (4, "HOW YOU", 1000)
    assert summary.pack == "demo 1.0" and summary.title == ""
    assert again.lines(summary.id) == conversation.entries
    again.close()


def test_what_was_undone_is_not_kept_and_put_back_it_is(history):
    conversation = talk(history, "ONE", "TWO")
    conversation.take_back()
    assert [e.text for e in history.lines(1)] == ["ONE"]
    conversation.put_back()
    assert [e.text for e in history.lines(1)] == ["ONE", "TWO"]
    conversation.take_back()
    conversation.take_back()
    assert history.conversations() == ()


def test_search_finds_words_in_any_case_and_in_any_script(history):
    talk(history, "GRÖSSE WO")
    talk(history, "你好 朋友")
    talk(history, "50% OFF_SALE")

    def found(search):
        return [summary.first for summary in history.conversations(search)]

    assert found("größe") == found("grösse wo ") == ["GRÖSSE WO"]
    assert found("朋友") == ["你好 朋友"]
    assert found("0% off_") == ["50% OFF_SALE"] and found("%") == ["50% OFF_SALE"]  # no wildcards
    assert found("nobody") == [] and len(found("")) == 3
    history.rename(2, "  Frau\nMÜLLER ")
    assert found("müller") == ["你好 朋友"]
    assert history.conversations("müller")[0].title == "Frau MÜLLER"


def test_the_newest_comes_first(history):
    for at_ms in (2000, 9000, 5000):
        talk(history, f"AT {at_ms}", at_ms=at_ms)
    assert [s.began_ms for s in history.conversations()] == [9000, 5000, 2000]


def test_what_is_deleted_is_gone_from_the_disk(history):
    talk(history, "VERY SECRET WORDS")
    kept = talk(history, "PLAIN WORDS")
    assert b"SECRET" in all_bytes(history.path)
    history.delete(1)
    assert b"SECRET" not in all_bytes(history.path)
    assert [s.first for s in history.conversations()] == ["PLAIN WORDS"]
    history.delete_all()
    assert b"PLAIN" not in all_bytes(history.path) and history.conversations() == ()
    kept.push([completed("SPOKEN AFTER")], 5000)  # into a conversation that is not there any more
    assert history.conversations() == ()


def test_retention_counts_from_the_last_line(history):
    old = talk(history, "OLD")
    talk(history, "OLD BUT NOT OVER")
    old.begin_anew()
    history.write(2, Entry(9, TYPED, "later", 30 * DAY_MS))
    assert history.forget_before(20 * DAY_MS) == 1
    assert [s.first for s in history.conversations()] == ["OLD BUT NOT OVER"]


def test_a_private_session_stores_nothing(history):
    talk(history, "BEFORE")
    before = all_bytes(history.path)
    private = Conversation(keeper=None)
    private.push([completed("NOT FOR THE DISK")], 5000)
    private.reply("nor this", 6000)
    private.take_back()
    assert len(private.entries) == 1 and all_bytes(history.path) == before


WRITER = """
import sys
from pathlib import Path
from fingerpost.app.conversation import Conversation
from fingerpost.app.history import History
from fingerpost.edge_runtime.captions import Line, LineChanged, LineCompleted
conversation = Conversation(History(Path(sys.argv[1])))
for i in range(10**6):
    line = Line(f"LINE {i}", (), (), 0, 0, 1.0)
    conversation.push([LineChanged(i, line)], i)
    conversation.push([LineCompleted(i, line)], i)
    print(i, flush=True)
"""


def test_kill_9_loses_at_most_the_line_that_was_not_complete(tmp_path):
    path = tmp_path / "history.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    told = [int(writer.stdout.readline()) for _ in range(40)]
    os.kill(writer.pid, signal.SIGKILL)
    told += [int(line) for line in writer.stdout if line.endswith("\n")]
    writer.wait()
    history = History(path)
    kept = [entry.text for entry in history.lines(1)]
    assert kept[: len(told)] == [f"LINE {i}" for i in told]
    assert len(kept) <= len(told) + 1  # killed between the disk and the word of it
    history.close()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_is_no_history_is_said_to_be_none(tmp_path):
    path = tmp_path / "history.db"
    path.write_bytes(b"this is no database, and long enough to be looked at " * 100)
    with pytest.raises(OSError, match="cannot be used: file is not a database"):
        History(path)
    newer = tmp_path / "newer.db"
    connection = sqlite3.connect(newer)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(ValueError, match="newer Fingerpost"):
        History(newer)


# ---- export: two lines, a pause of the camera between them --------------------------------------

ENTRIES = (
    Entry(0, SIGNED, "HOW <YOU>", 1_000_000, 100, 2100, 0.25, True, ("HOW WE",)),
    Entry(1, TYPED, "Fine, thanks.", 1_005_000),
)


def test_subtitles_count_from_the_beginning_of_the_conversation():
    assert export(ENTRIES, "srt") == (
        "1\n00:00:00,000 --> 00:00:02,000\nHOW <YOU>\n\n"
        "2\n00:00:07,000 --> 00:00:08,200\nFine, thanks.\n"
    )
    assert "HOW &lt;YOU&gt;" in export(ENTRIES, "vtt") and "NOTE Captions can" in export((), "vtt")


def test_text_and_json_say_who_and_how_sure():
    first, second, _, caution = export(ENTRIES, "txt").splitlines()
    assert first.endswith("signed  HOW <YOU>  (unsure)")
    assert second.endswith("typed   Fine, thanks.") and "can be wrong" in caution
    record = json.loads(export(ENTRIES, "json"))[0]
    assert record["other_readings"] == ["HOW WE"] and record["signed_for_ms"] == 2000
    with pytest.raises(ValueError, match="unknown format 'doc'"):
        export(ENTRIES, "doc")


@pytest.mark.parametrize("kind", FORMATS)
def test_an_empty_conversation_is_a_file_too(kind):
    assert isinstance(export((), kind), str)


def test_files_are_named_as_every_system_lets_them_and_none_is_overwritten(tmp_path):
    assert file_stem('a/b: "c"?') == "a-b- -c" and file_stem("../..") == "conversation"
    assert len(file_stem("x" * 300)) == 60
    first, second = (save(tmp_path / "new", "Talk", ENTRIES, "txt") for _ in range(2))
    assert (first.name, second.name) == ("Talk.txt", "Talk (2).txt")
    assert first.read_text() == export(ENTRIES, "txt")


def test_a_line_in_the_making_is_on_no_disk(history):
    conversation = Conversation(history)
    conversation.push([LineStarted(0, Line("HALF", (), (), 0, 0, 1.0))], 0)
    assert history.conversations() == () and b"HALF" not in all_bytes(history.path)
