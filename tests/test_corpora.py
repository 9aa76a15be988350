"""Every corpus in its published format: small files made here, good rows and bad ones."""

import csv
import json
import pickle
from pathlib import Path

import pytest

from fingerpost.trainer.corpora import CORPORA, read_corpus
from fingerpost.trainer.corpora.sample import SPLITS, Sample


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_json(path: Path, content: object) -> Path:
    return write(path, json.dumps(content))


def write_labels(path: Path, *entries: tuple[str, str, object]) -> Path:
    """A label pickle as Uni-Sign's; entries are (name, text, gloss)."""
    labels = {
        name: {"name": name, "gloss": gloss, "text": text, "video_path": f"{name}.mp4"}
        for name, text, gloss in entries
    }
    path.write_bytes(pickle.dumps(labels))
    return path


def read(name: str, folder: Path) -> list[Sample]:
    return list(read_corpus(name, folder))


def expect_error(name: str, folder: Path, *words: str) -> None:
    """One line that names what is in words: the file, the place, the mistake."""
    with pytest.raises(ValueError) as caught:
        read(name, folder)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"


def test_unknown_corpus_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="no corpus 'wlsl'; known are .*wlasl"):
        read_corpus("wlsl", tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder .*give the folder of the corpus"):
        read_corpus("wlasl", tmp_path / "nowhere")


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_folder_without_annotations_is_one_line(name, tmp_path):
    with pytest.raises(FileNotFoundError, match="^no annotations") as caught:
        read(name, tmp_path)
    assert "\n" not in str(caught.value)


def test_splits_have_three_names():
    assert set(SPLITS.values()) == {"train", "val", "test", ""}


# --- isolated signs ---


def wlasl_instance(video: str, **changes: object) -> dict[str, object]:
    youtube = "https://www.youtube.com/watch?v=abcdefghijk"
    fields = {"video_id": video, "url": youtube, "split": "train", "signer_id": 3}
    return {**fields, "frame_start": 1, "frame_end": -1, **changes}


def test_wlasl(tmp_path):
    book = [wlasl_instance("00001"), wlasl_instance("00002", frame_start=26, frame_end=50)]
    content = [
        {"gloss": "book", "instances": book},
        {"gloss": "all day", "instances": [wlasl_instance("00003", split="val")]},
    ]
    write_json(tmp_path / "WLASL_v0.3.json", content)
    first, second, third = read("wlasl", tmp_path)
    assert first.media == tmp_path / "videos" / "00001.mp4"
    assert (second.glosses, second.signer, second.start_ms) == (("book",), "3", None)
    assert (third.glosses, third.split, third.language) == (("all day",), "val", "ase")

    (tmp_path / "raw_videos").mkdir()  # now the videos are the whole ones
    first, second, third = read("wlasl", tmp_path)
    assert second.media == tmp_path / "raw_videos" / "abcdefghijk.mp4"
    assert (first.start_ms, first.end_ms) == (None, None)
    assert (second.start_ms, second.end_ms) == (1000, 2000)


def test_wlasl_bad_records(tmp_path):
    path = tmp_path / "WLASL_v0.3.json"
    write_json(path, [{"gloss": "book", "instances": [wlasl_instance("1", split="tset")]}])
    expect_error("wlasl", tmp_path, "WLASL_v0.3.json, record 1, instance 1", "'tset'")
    write_json(path, [{"gloss": "book", "instances": [wlasl_instance("1", frame_end=-7)]}])
    expect_error("wlasl", tmp_path, "instance 1", "frames 1 to -7")
    write_json(path, [{"gloss": "book"}])
    expect_error("wlasl", tmp_path, "record 1", "no list of instances")
    write(path, "[", '{"gloss": }]')
    expect_error("wlasl", tmp_path, "WLASL_v0.3.json, line 2", "not JSON")


def test_ms_asl(tmp_path):
    record = {"url": "www.youtube.com/watch?v=l31UXgChCS4", "text": "help", "clean_text": "helps"}
    record |= {"label": 50, "start": 30, "end": 60, "signer_id": 76}
    timed = {**record, "start_time": 1.001, "end_time": 2.002, "label": 100}
    write_json(tmp_path / "MSASL_train.json", [timed])
    write_json(tmp_path / "MSASL_val.json", [record])
    train, val = read("ms_asl", tmp_path)
    assert (train.start_ms, train.end_ms) == (1001, 2002)
    assert train.media == tmp_path / "videos" / "l31UXgChCS4.mp4"
    assert val.media == tmp_path / "clips" / "l31UXgChCS4_30_60.mp4"
    assert (val.id, val.glosses, val.signer, val.split) == (
        "l31UXgChCS4_30_60",
        ("help",),
        "76",
        "val",
    )
    write_json(tmp_path / "MSASL_val.json", [record, {**record, "url": "https://vimeo.com/1"}])
    expect_error("ms_asl", tmp_path, "MSASL_val.json, record 2", "no YouTube id")
    write_json(tmp_path / "MSASL_val.json", [{**timed, "end_time": "soon"}])
    expect_error("ms_asl", tmp_path, "record 1", "end_time is 'soon', not a number")


def test_autsl(tmp_path):
    signs = write(tmp_path / "SignList_ClassId_TR_EN.csv", "ClassId,TR,EN", "0,abla,sister")
    write(tmp_path / "train_labels.csv", "signer7_sample12,0")
    write(tmp_path / "validation_labels.csv", "signer1_sample1,0")
    train, val = read("autsl", tmp_path)
    assert train.media == tmp_path / "train" / "signer7_sample12_color.mp4"
    assert (train.signer, train.glosses, train.language) == ("signer7", ("abla",), "tsm")
    assert val.split == "val"
    write(tmp_path / "train_labels.csv", "signer7_sample12,0", "signer7_sample13,226")
    expect_error("autsl", tmp_path, "train_labels.csv, line 2", "class 226")
    write(tmp_path / "train_labels.csv", "signer7_sample12,0", "signer7_sample13")
    expect_error("autsl", tmp_path, "train_labels.csv, line 2", "1 columns, expected 2")
    write(signs, "ClassId,TR")
    expect_error("autsl", tmp_path, "SignList_ClassId_TR_EN.csv, line 1", "no column EN")


def test_asl_citizen(tmp_path):
    head = "Participant ID,Video file,Gloss,ASL-LEX Code"
    write(tmp_path / "splits/test.csv", head, "P18,47299-APPLE.mp4,APPLE1,A_02_014")
    (sample,) = read("asl_citizen", tmp_path)
    assert sample == Sample(
        "47299-APPLE",
        tmp_path / "videos" / "47299-APPLE.mp4",
        "P18",
        "test",
        ("APPLE1",),
        "",
        "ase",
    )
    write(tmp_path / "splits/test.csv", head, "P18,,APPLE1,A_02_014")
    expect_error("asl_citizen", tmp_path, "test.csv, line 2", "Video file is '', not a name")
    write(tmp_path / "test.csv", head)
    expect_error("asl_citizen", tmp_path, "leave one for test")


def test_slovo(tmp_path):
    head = "attachment_id\tuser_id\twidth\theight\tlength\ttext\ttrain\tbegin\tend"
    row = "de81cc1c\t1b\t1440\t1920\t14\tпривет\tTrue\t30\t45"
    path = write(tmp_path / "annotations.csv", head, row, row.replace("True", "False"))
    train, test = read("slovo", tmp_path)
    assert train.media == tmp_path / "train" / "de81cc1c.mp4"
    assert (train.glosses, train.signer, train.split, test.split) == (
        ("привет",),
        "1b",
        "train",
        "test",
    )
    write(path, *(line.replace("\t", ",") for line in (head, row)))
    assert read("slovo", tmp_path) == [train]
    write(path, head, row, row.replace("True", "maybe"))
    expect_error("slovo", tmp_path, "annotations.csv, line 3", "'maybe'")


# --- sentences ---


def test_csl_daily_labels(tmp_path):
    write_labels(tmp_path / "labels.dev", ("S000020_P0008_T00", "他今年四岁。", ["他", "今天"]))
    (sample,) = read("csl_daily", tmp_path)
    assert (sample.signer, sample.split, sample.glosses) == ("P0008", "val", ("他", "今天"))
    assert sample.text == "他今年四岁。"
    assert sample.media == tmp_path / "sentence-crop" / "S000020_P0008_T00.mp4"


def test_csl_daily_release(tmp_path):
    folder = tmp_path / "sentence_label"
    write(folder / "split_1.txt", "name|split", "S000007_P0003_T00|train", "S000005_P0004_T00|dev")
    info = {"name": "S000007_P0003_T00", "label_gloss": ["你", "好"], "label_char": ["你", "好"]}
    (folder / "csl2020ct_v2.pkl").write_bytes(pickle.dumps({"info": [info], "gloss_map": ["你"]}))
    labelled, without = read("csl_daily", tmp_path)
    assert (labelled.glosses, labelled.text, labelled.split) == (("你", "好"), "你好", "train")
    assert (without.glosses, without.text, without.split) == ((), "", "val")
    assert labelled.media.parent.name == "frames_512x512"
    (folder / "csl2020ct_v2.pkl").write_bytes(pickle.dumps([info]))
    expect_error("csl_daily", tmp_path, "csl2020ct_v2.pkl", "a list 'info'")


def test_csl_news(tmp_path):
    record = {"video": "Common-Concerns_1.mp4", "pose": "Common-Concerns_1.pkl", "text": "你好。"}
    path = write_json(tmp_path / "CSL_News_Labels.json", [record])
    (sample,) = read("csl_news", tmp_path)
    assert (sample.id, sample.text, sample.split) == ("Common-Concerns_1", "你好。", "train")
    write_json(path, [record, {"video": "2.mp4"}])
    expect_error("csl_news", tmp_path, "CSL_News_Labels.json, record 2", "no field 'text'")
    write_json(path, {"video": "2.mp4"})
    expect_error("csl_news", tmp_path, "expected a list, got dict")


def test_how2sign(tmp_path):
    head = "VIDEO_ID\tVIDEO_NAME\tSENTENCE_ID\tSENTENCE_NAME\tSTART_REALIGNED\tEND_REALIGNED"
    head += "\tSENTENCE"
    row = "-a\t-a-8-rgb_front\t-a_0\t-a_0-8-rgb_front\t1.5\t2.25\t" + 'He said "hi, there.'
    path = write(tmp_path / "how2sign_realigned_val.csv", head, row)
    (sample,) = read("how2sign", tmp_path)
    assert (sample.id, sample.signer, sample.split) == ("-a_0-8-rgb_front", "8", "val")
    assert sample.text == 'He said "hi, there.'  # a quotation mark alone, and no row is lost
    assert sample.media.parts[-3:-1] == ("val_rgb_front_clips", "raw_videos")
    assert sample.start_ms is None  # the clip is the sentence
    write(path, head, row.rsplit("\t", 1)[0] + '\t"He said ""hi"", there."')
    assert read("how2sign", tmp_path)[0].text == 'He said "hi", there.'
    write(path, head, row, row.replace("\t1.5", ""))
    expect_error("how2sign", tmp_path, "how2sign_realigned_val.csv, line 3", "6 columns")

    (tmp_path / "val_raw_videos").mkdir()  # no clips: the whole videos
    write(path, head, row)
    (sample,) = read("how2sign", tmp_path)
    assert (sample.start_ms, sample.end_ms) == (1500, 2250)
    assert sample.media == tmp_path / "val_raw_videos" / "-a-8-rgb_front.mp4"
    write(path, head, row, row.replace("2.25", "1.25"))
    expect_error("how2sign", tmp_path, "how2sign_realigned_val.csv, line 3", "no time span")
    write(path, head, row.replace("1.5", "nan"))
    expect_error("how2sign", tmp_path, "line 2", "START_REALIGNED is 'nan', not a number")


def test_how2sign_other_files(tmp_path):
    write_labels(tmp_path / "labels.train", ("-b_3-5-rgb_front", "One.", ""))
    lines = [",id,translation,simplify", '624,-c_9-1-rgb_front,"Two, too.",2']
    write(tmp_path / "val_tranlation_simplify.csv", *lines)
    val, train = read("how2sign", tmp_path)
    assert (val.id, val.text, val.signer, val.split) == (
        "-c_9-1-rgb_front",
        "Two, too.",
        "1",
        "val",
    )
    assert (train.text, train.signer, train.glosses) == ("One.", "5", ())


def test_openasl(tmp_path):
    head = "vid\tyid\tstart\tend\traw-text\ttokenized-text\tgloss\tsplit"
    row = 'v1\t1nFdgokPwBw\t00:00:14.100\t01:00:17.26\tAre "you\tare you\tARE YOU\tvalid'
    path = write(tmp_path / "openasl-v1.0.tsv", head, row)
    (sample,) = read("openasl", tmp_path)
    assert (sample.start_ms, sample.end_ms) == (14_100, 3_617_260)
    assert (sample.text, sample.split) == ('Are "you', "val")
    assert sample.media == tmp_path / "raw-video" / "1nFdgokPwBw.mp4"
    write(path, head, row, row.replace("14.100", "14,1"))
    expect_error("openasl", tmp_path, "openasl-v1.0.tsv, line 3", "'00:00:14,1'")
    write(path, head, row.replace("01:00:17.26", "00:00:14.1"))
    expect_error("openasl", tmp_path, "line 2", "no time span")


def test_phoenix_tables(tmp_path):
    head = "name|video|start|end|speaker|orth|translation"
    row = '01April|01April/1/*.png|-1|-1|Signer08|__ON__ LIEB ZUSCHAUER|liebe "zuschauer .'
    write(tmp_path / "annotations/manual/PHOENIX-2014-T.dev.corpus.csv", head, row)
    (sample,) = read("phoenix14t", tmp_path)
    assert sample.media == tmp_path / "features/fullFrame-210x260px/dev/01April"
    assert (sample.signer, sample.split, sample.language) == ("Signer08", "val", "gsg")
    assert sample.glosses == ("__ON__", "LIEB", "ZUSCHAUER")
    assert sample.text == 'liebe "zuschauer .'


def test_phoenix_lines(tmp_path):
    write(tmp_path / "phoenix2014T.train.sign", "<PATH>/train/a/", "<PATH>/train/b/")
    write(tmp_path / "phoenix2014T.train.gloss", "WETTER MORGEN", "")
    write(tmp_path / "phoenix2014T.train.de", "das wetter morgen .", "")
    first, second = read("phoenix14t", tmp_path)
    assert (first.id, first.glosses) == ("a", ("WETTER", "MORGEN"))
    assert (second.id, second.glosses, second.text) == ("b", (), "")
    write(tmp_path / "phoenix2014T.train.de", "das wetter morgen .")
    expect_error("phoenix14t", tmp_path, "phoenix2014T.train.de, line 2", "has 1 lines")
    (tmp_path / "phoenix2014T.train.de").write_bytes(b"gut\nsch\xf6n\n")
    expect_error("phoenix14t", tmp_path, "phoenix2014T.train.de, line 2", "not UTF-8")


# --- captions ---


def vtt(*cues: tuple[str, str, str]) -> list[str]:
    lines = ["WEBVTT", ""]
    for start, end, text in cues:
        lines += [f"{start} --> {end}", text, ""]
    return lines


def test_youtube_asl(tmp_path):
    path = write(tmp_path / "youtube_asl_video_ids.txt", "abcdefghijk", "no_captions")
    cues = vtt(("00:01.000", "00:02.500", "Hello"), ("00:03.000", "00:04.000", "you"))
    write(tmp_path / "captions/abcdefghijk.en.vtt", *cues)
    write(tmp_path / "captions/abcdefghijk.en-GB.vtt", *cues)
    first, second, without = read("youtube_asl", tmp_path)
    assert (first.id, first.text) == ("abcdefghijk.en.0000", "Hello")
    assert (first.start_ms, first.end_ms, first.text_language) == (1000, 2500, "en")
    assert first.media == second.media == tmp_path / "videos" / "abcdefghijk.mp4"
    assert (without.id, without.text) == ("no_captions", "")
    write(path, "abcdefghijk", "https://youtu.be/abcdefghijk")
    expect_error("youtube_asl", tmp_path, "youtube_asl_video_ids.txt, line 2", "not a YouTube id")


def test_youtube_sl25(tmp_path):
    path = write(tmp_path / "youtube-sl-25-metadata.csv", "abcdefghijk,gsg")
    for track in ("de", "en"):
        write(tmp_path / f"captions/abcdefghijk.{track}.vtt", *vtt(("00:01.000", "00:02.000", "x")))
    german, english = read("youtube_sl25", tmp_path)
    assert (german.language, german.text_language) == ("gsg", "de")
    assert (english.language, english.text_language) == ("gsg", "en")
    write(path, "abcdefghijk,gsg", "lmnopqrstuv,German")
    expect_error("youtube_sl25", tmp_path, "youtube-sl-25-metadata.csv, line 2", "'German'")


@pytest.mark.parametrize("release", ["1.2", "1.4"])
def test_bobsl(tmp_path, release):
    old = release == "1.2"
    subsets = "subset2episode.json" if old else "original_data/metadata/subset2episode.json"
    manual = (
        "subtitles/manually-aligned" if old else ("manual_annotations/signing_aligned_subtitles")
    )
    automatic = (
        "subtitles/audio-aligned-heuristic-correction"
        if old
        else ("automatic_annotations/signing_aligned_subtitles/audio_aligned_heuristic_correction")
    )
    spottings = "spottings" if old else "automatic_annotations/isolated_signs/mouthing"
    episodes = {"train": ["11", "12"], "val": ["13"], "public_test": ["14"], "challenge": ["15"]}
    write_json(tmp_path / subsets, episodes)
    write(tmp_path / automatic / "11.vtt", *vtt(("00:00:01.000", "00:00:02.000", "by machine")))
    write(tmp_path / automatic / "12.vtt", *vtt(("00:00:01.000", "00:00:02.000", "as it is")))
    write(tmp_path / manual / "11.vtt", *vtt(("00:00:01.500", "00:00:02.000", "by people")))
    by_people, by_machine, *without = read("bobsl", tmp_path)
    assert (by_people.id, by_people.text, by_people.start_ms) == ("11.00000", "by people", 1500)
    assert (by_machine.text, by_machine.language) == ("as it is", "bfi")
    assert [(s.id, s.split, s.text) for s in without] == [("13", "val", ""), ("14", "test", "")]

    words = {"tree": {"names": ["11", "12"], "global_times": [10.0, 0.2], "probs": [0.9, 0.5]}}
    path = write_json(tmp_path / spottings / "mouthing_spottings.json", {"train": words})
    (sign,) = read("bobsl_signs", tmp_path)  # the other one is too unsure
    assert (sign.glosses, sign.split, sign.start_ms, sign.end_ms) == (
        ("tree",),
        "train",
        9400,
        10160,
    )
    write_json(path, {"train": {"tree": {**words["tree"], "probs": [0.9]}}})
    expect_error("bobsl_signs", tmp_path, "mouthing_spottings.json, train, 'tree'", "one length")
    write_json(path, {"train": {"tree": {**words["tree"], "names": ["99", "12"]}}})
    expect_error("bobsl_signs", tmp_path, "'tree', spotting 1", "episode 99")
    write_json(tmp_path / subsets, {"train": ["11"], "val": ["11"]})
    expect_error("bobsl", tmp_path, "subset2episode.json", "episode 11 is in train and in val")


# --- your own clips ---


def test_own_folder(tmp_path):
    table = tmp_path / "labels.csv"
    rows = [
        ["file", "gloss", "text", "signer", "split", "start", "end"],
        ["a.mp4", "HELLO", "", "Ann", "train", "", ""],
        ["b.mp4", "", "Good morning, you.", "", "dev", "0", "1.5"],
        ["b.mp4", "", "And you?", "", "dev", "1.5", "3"],
    ]
    with table.open("w", encoding="utf-8-sig", newline="") as file:  # as spreadsheets write it
        csv.writer(file).writerows(rows)
    (tmp_path / "clips").mkdir()
    for name in ("a.mp4", "b.mp4", "forgotten.MP4", "notes.txt", "._a.mp4"):
        (tmp_path / "clips" / name).touch()
    hello, first, second, forgotten = read("own_folder", tmp_path)
    assert (hello.id, hello.glosses, hello.signer) == ("a.mp4", ("HELLO",), "Ann")
    assert (first.id, first.text, first.split) == ("b.mp4.0000", "Good morning, you.", "val")
    assert (second.id, second.start_ms, second.end_ms) == ("b.mp4.0001", 1500, 3000)
    assert (forgotten.id, forgotten.text, forgotten.glosses) == ("forgotten.MP4", "", ())


def test_own_folder_bad_rows(tmp_path):
    table = tmp_path / "labels.csv"
    write(table, "file;gloss", "a.mp4;HELLO")
    expect_error("own_folder", tmp_path, "labels.csv, line 1", "no column file")
    write(table, "file,split", "a.mp4,train", "../b.mp4,train")
    expect_error("own_folder", tmp_path, "labels.csv, line 3", "not inside clips/")
    write(table, "file,split", "a.mp4,traning")
    expect_error("own_folder", tmp_path, "labels.csv, line 2", "'traning' is none of train, val")
    write(table, "file,text", 'a.mp4,"Hello', "b.mp4,Bye")
    expect_error("own_folder", tmp_path, "labels.csv, line 2", "quotation mark")
    write(table, "file,split", f"a.mp4,{'x' * 10_000}")
    expect_error("own_folder", tmp_path, "labels.csv, line 2", "...")
    write(table, "file,start,end", "a.mp4,2,")
    expect_error("own_folder", tmp_path, "labels.csv, line 2", "end is '', not a number")
    table.write_text("")
    expect_error("own_folder", tmp_path, "labels.csv, line 1", "empty")
