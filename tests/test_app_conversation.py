"""The conversation, the caption band, the settings: all that the app decides without a window."""

import json
from dataclasses import replace

import pytest

from fingerpost.app.caption_band import lay_out
from fingerpost.app.caption_board import ShownLine
from fingerpost.app.conversation import Conversation, readings_of
from fingerpost.app.settings import Settings, SettingsFile
from fingerpost.app.ui.theme import THEMES, contrast
from fingerpost.edge_runtime.captions import Line, LineChanged, LineCompleted, LineStarted


def line(text, score=0.9, alternatives=()):
    return Line(text, tuple(text.split()), alternatives, 100, 900, score, unsure=score < 0.5)


class Keeper:
    """Writes down what it is told, as text."""

    def __init__(self):
        self.told = []

    def begin(self, now_ms):
        self.told.append(f"begin {now_ms}")
        return len(self.told)

    def write(self, conversation, entry):
        self.told.append(f"{conversation}: {entry.key} {entry.how} {entry.text}")

    def erase(self, conversation, key):
        self.told.append(f"{conversation}: {key} erased")


# ---- conversation -------------------------------------------------------------------------------


def test_a_line_is_written_down_when_it_is_complete_and_not_before():
    keeper = Keeper()
    talk = Conversation(keeper)
    talk.push([LineStarted(0, line("HOW")), LineChanged(0, line("HOW YOU"))], 1000)
    assert talk.open_line.text == "HOW YOU" and talk.entries == () and keeper.told == []
    assert talk.shown() == (ShownLine("HOW YOU", partial=True, unsure=False),)
    talk.push([LineCompleted(0, line("HOW YOU", 0.2))], 2000)
    talk.reply("  fine,\nthanks ", 3000)
    assert keeper.told == ["begin 2000", "1: 0 signed HOW YOU", "1: 1 typed fine, thanks"]
    assert [(e.text, e.unsure, e.said_ms) for e in talk.entries] == [
        ("HOW YOU", True, 2000),
        ("fine, thanks", False, 3000),
    ]
    assert talk.shown() == (ShownLine("HOW YOU", partial=False, unsure=True),)  # typed: no caption


def test_a_line_without_words_is_none():
    talk = Conversation(Keeper())
    talk.push([LineCompleted(0, line(" "))], 0)
    assert talk.entries == () and talk.open_line is None
    with pytest.raises(ValueError, match="type something"):
        talk.reply("  ", 0)


def test_the_last_line_is_taken_back_and_put_back_where_it_was():
    keeper = Keeper()
    talk = Conversation(keeper)
    for key, text in enumerate(("A", "B", "C")):
        talk.push([LineCompleted(key, line(text))], key)
    assert talk.take_back().text == "C" and talk.take_back().text == "B"
    assert talk.put_back().text == "B" and [e.text for e in talk.entries] == ["A", "B"]
    assert keeper.told[-3:] == ["1: 2 erased", "1: 1 erased", "1: 1 signed B"]
    talk.reply("D", 9)  # what was taken back before something new stays away
    assert not talk.can_put_back and talk.put_back() is None
    talk.begin_anew()
    assert talk.take_back() is None


def test_after_a_pause_somebody_else_reads_nothing_of_before():
    keeper = Keeper()
    talk = Conversation(keeper, pause_ms=60_000)
    talk.reply("a secret", 0)
    assert not talk.tick(60_000) and talk.tick(60_001) and talk.entries == ()
    talk.reply("hello", 70_000)
    talk.reply("much later", 200_000)  # without a tick in between
    assert [e.text for e in talk.entries] == ["much later"]
    assert [told for told in keeper.told if told.startswith("begin")] == [
        "begin 0",
        "begin 70000",
        "begin 200000",
    ]


def test_a_line_that_is_being_signed_is_no_pause():
    talk = Conversation(pause_ms=1000)
    talk.reply("hello", 0)
    talk.push([LineStarted(0, line("HOW"))], 500)
    assert not talk.tick(5000) and len(talk.entries) == 1


def test_a_reader_chooses_what_an_unsure_line_was():
    keeper = Keeper()
    talk = Conversation(keeper)
    unsure = line("HOW YOU", 0.3, ((("who", 0.3), ("where", 0.1)), (("we", 0.4),)))
    talk.push([LineCompleted(0, unsure)], 0)
    (entry,) = talk.entries
    assert entry.readings == ("HOW WE", "WHO YOU", "WHERE YOU")  # the likeliest first
    talk.choose(entry.key, "WHO YOU")
    assert (talk.entries[0].text, talk.entries[0].unsure, talk.entries[0].chosen) == (
        "WHO YOU",
        False,
        True,
    )
    assert keeper.told[-1] == "1: 0 signed WHO YOU"
    with pytest.raises(ValueError, match="no line 7"):
        talk.choose(7, "X")


def test_a_sentence_is_not_put_together_from_glosses():
    sentence = Line("How are you?", ("how", "you"), ((("who", 0.4),), ()), 0, 1, 0.3)
    assert readings_of(sentence) == ()
    others = (("How are you?", 0.3), ("Who are you?", 0.2), ("A", 0.1), ("B", 0.1), ("C", 0.1))
    assert readings_of(replace(sentence, others=others)) == ("Who are you?", "A", "B")


# ---- the band: one letter is 10 wide ------------------------------------------------------------


def band(*lines, width=100, rows=2):
    return lay_out(lines, width, rows, lambda text: 10 * len(text))


def shown(text, partial=False, unsure=False):
    return ShownLine(text, partial, unsure)


def test_a_band_shows_whole_lines_and_the_newest_for_sure():
    both = band(shown("how are"), shown("fine", partial=True))
    assert [(row.text, row.partial) for row in both.rows] == [("how are", False), ("fine", True)]
    long = band(shown("how are"), shown("one two three four"))
    assert [row.text for row in long.rows] == ["one two", "three four"]  # no half of the old one
    assert band().rows == ()


def test_of_a_growing_line_the_end_is_shown():
    text = "one two three four five six"  # in rows of ten: one two / three four / five six
    assert [r.text for r in band(shown(text, partial=True)).rows] == ["three four", "five six"]


def test_a_finished_line_becomes_smaller_until_it_fits():
    three_rows = shown("one two three four five six")
    fitted = band(three_rows, width=110)  # at 0.85: one two / three four / five six; at 0.7 two
    assert fitted.scale == 0.7 and [r.text for r in fitted.rows] == [
        "one two three",
        "four five six",
    ]
    endless = band(shown("one two " * 20, unsure=True))
    assert endless.scale == 0.55 and len(endless.rows) == 3
    assert endless.rows[-1].text.endswith(" …") and endless.rows[-1].unsure


def test_no_word_is_broken_while_a_smaller_size_helps():
    word = shown("interpreters", partial=True)  # 120 wide
    assert band(word).scale == 0.7 and [r.text for r in band(word).rows] == ["interpreters"]
    assert [r.text for r in band(word, width=50).rows] == ["interpret", "ers"]  # 90 wide at 0.55


def test_a_line_of_large_text_becomes_as_small_as_is_still_read_before_a_word_is_left_out():
    long = shown("a bee sees the old tree")  # 23 letters; on one row of 80, 14 of them at 0.55
    assert [row.text for row in band(long, width=80, rows=1).rows] == ["a bee sees the …"]
    whole = lay_out([long], 80, 1, lambda text: 10 * len(text), smallest=0.25)  # 17 at 0.45, twice
    assert (whole.scale, [row.text for row in whole.rows]) == (0.45, ["a bee sees the", "old tree"])


def test_an_unsure_line_leaves_room_for_its_mark():
    sure, unsure = shown("one two"), shown("one two", unsure=True)
    rows = [lay_out([line], 100, 2, lambda t: 10 * len(t), 40).rows for line in (sure, unsure)]
    assert [[row.text for row in one] for one in rows] == [["one two"], ["one", "two"]]


def test_unsure_stands_at_the_end_of_a_finished_line_only():
    rows = band(shown("one two three four", unsure=True)).rows
    assert [row.unsure for row in rows] == [False, True]
    assert not band(shown("one", partial=True, unsure=True)).rows[0].unsure
    with pytest.raises(ValueError, match="at least one row"):
        band(rows=0)


# ---- settings -----------------------------------------------------------------------------------


def test_settings_are_kept_and_wrong_ones_change_nothing(tmp_path):
    path = tmp_path / "app" / "settings.json"
    file = SettingsFile(path)
    assert file.settings == Settings() and not path.exists()
    file.change(text_pt=72, theme="yellow")
    for wrong in ({"text_pt": 73}, {"theme": "pink"}, {"colour": 1}, {"skeleton": "yes"}):
        with pytest.raises(ValueError, match="set"):
            file.change(**wrong)
    again = SettingsFile(path)
    assert again.settings == Settings(text_pt=72, theme="yellow") and again.problem == ""
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]


def test_a_newer_settings_file_is_read_and_a_broken_one_is_put_aside(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"theme": "light", "of_next_year": 1}))
    assert SettingsFile(path).settings == Settings(theme="light")
    for broken in ("{", '{"text_pt": 5000}', "", "\xff"):
        path.write_bytes(broken.encode("latin-1"))
        file = SettingsFile(path)
        assert file.settings == Settings() and "settings.json.broken" in file.problem
        assert not path.exists()


# ---- colours ------------------------------------------------------------------------------------


def test_the_contrast_of_black_and_white_is_21():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)  # WCAG's


@pytest.mark.parametrize("name", THEMES)
def test_every_text_can_be_read_on_every_ground(name):
    theme = THEMES[name]
    grounds = (theme.ground, theme.raised, theme.pressed, theme.band)
    for ground in grounds:
        for ink in (theme.text, theme.dim):
            assert contrast(ink, ground) >= 7, (ink, ground)
    for ground in (theme.ground, theme.raised, theme.band):
        for ink in (theme.warn, theme.danger, theme.live):
            assert contrast(ink, ground) >= 7, (ink, ground)
    assert contrast(theme.final, theme.band) >= 15
    assert 7 <= contrast(theme.partial, theme.band) < 0.75 * contrast(theme.final, theme.band)
    assert contrast(theme.on_accent, theme.accent) >= 7
    for ground in (theme.ground, theme.raised):
        assert contrast(theme.line, ground) >= 3 and contrast(theme.ring, ground) >= 3
