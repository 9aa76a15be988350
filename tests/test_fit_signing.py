"""What tells signing from idle hands, fitted: on made-up states, and on streams with a pack."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

from fingerpost.distill import fit_signing as fitting  # noqa: E402
from fingerpost.distill.fit_signing import (  # noqa: E402
    SIGNING_FILE,
    Watched,
    fit_signing,
    in_pieces,
    joined,
    main,
    of_hands,
    shares_right,
    watch,
    write_judged,
)
from fingerpost.edge_runtime.live_translator import LiveTranslator  # noqa: E402
from fingerpost.edge_runtime.pack import bundled_pack, open_pack  # noqa: E402
from fingerpost.edge_runtime.signing_judge import SigningJudge, read_signing_judge  # noqa: E402
from fingerpost.trainer.streams import make_streams  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(fitting, "STEPS", 800)


def made_up(n, seed):
    """Signing is where the first two numbers of a state have one sign: neither alone tells it."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(n, 5)) * (3, 2, 1, 1, 1)
    return Watched(states.astype(np.float16), states[:, 0] * states[:, 1] > 0, rng.random(n) < 0.5)


def test_a_judge_tells_what_no_number_tells_alone():
    judge = fit_signing(made_up(6000, 0))
    signing, idle = shares_right(judge, made_up(4000, 1))
    assert signing > 85 and idle > 85, (signing, idle)
    assert fit_signing(made_up(6000, 0)).to_bytes() == judge.to_bytes()


def test_frames_that_show_a_gloss_count_more():
    """The same states are signing in one frame of two; where a gloss is shown, in each."""
    states = np.zeros((8000, 3), np.float16)
    n = np.arange(8000)
    judge = fit_signing(Watched(states, n % 2 == 0, n % 2 == 0))
    chance = 1 / (1 + np.exp(-judge.logits(states[:1])[0]))
    assert chance == pytest.approx(0.75, abs=0.03)  # three to one


def test_shares_are_of_the_frames_that_show_a_gloss():
    states = np.array([[1.0], [-1.0], [1.0], [1.0], [-1.0], [-1.0]], np.float16)
    signing = np.array([True, True, False, False, False, True])
    gloss = np.array([True, True, True, True, True, False])
    one = np.ones(1)
    judge = SigningJudge(0 * one, one, np.eye(1), 0 * one, one, np.array(-0.5))  # 1 is signing
    assert shares_right(judge, Watched(states, signing, gloss)) == pytest.approx((50, 100 / 3))


def test_too_little_to_learn_from_is_said():
    with pytest.raises(ValueError, match="more minutes"):
        fit_signing(made_up(900, 0))


def test_hands_alone_and_idle_parts_in_pieces():
    stream = next(s for s in make_streams(4, seed=5, split="val", idle=0.6) if len(s.idle) > 1)
    hands = of_hands(stream)
    assert len(hands.frames) == len(stream.frames) and hands.idle == stream.idle
    body = hands.schema.groups["body"]
    assert not any(frame.confidence[body].any() for frame in hands.frames)
    assert any(frame.confidence[hands.schema.groups["right_hand"]].any() for frame in hands.frames)

    idle = [f for f in stream.frames if any(a <= f.time_ms < b for a, b in stream.idle)]
    pieces = in_pieces(stream, np.random.default_rng(0))
    before, after = ([frame.xyz.tobytes() for frame in frames] for frames in (idle, pieces.frames))
    assert before != after and sorted(before) == sorted(after)
    assert pieces.sentences == () and pieces.idle == ((0, 40 * len(idle)),)
    assert [frame.time_ms for frame in pieces.frames] == list(range(0, 40 * len(idle), 40))


def test_a_pack_watches_streams_and_begins_lines_as_its_judge_says(tmp_path):
    pack = open_pack(bundled_pack())
    (stream,) = make_streams(0.3, seed=5)
    (watched,) = watch(pack, [stream])  # seen twice, with a body and without
    n_states = pack.manifest.graphs["ctc"].inputs[0].shape[-1]
    assert watched.states.shape == (len(watched.signing), n_states)
    assert watched.signing.any() and watched.gloss[watched.signing].mean() > 0.3
    twice = joined([watched, watched])
    assert len(twice.states) == 2 * len(watched.states) == len(twice.gloss)

    def judged(logit):
        nothing = np.zeros(n_states)
        one = np.zeros(1)
        judge = SigningJudge(
            nothing, nothing + 1, np.zeros((n_states, 1)), one, one, np.array(logit)
        )
        written = write_judged(pack, tmp_path / f"{logit:g}.fpk", judge)
        assert written.manifest.translation.signing == SIGNING_FILE
        assert read_signing_judge(written.read(SIGNING_FILE)).bias == logit
        return written

    n_frames = {}  # until the first line
    for logit in (-9.0, 9.0):
        live = LiveTranslator(judged(logit), stream.schema, stream.aspect)
        begun = [i for i, frame in enumerate(stream.frames) if live.push(frame)]
        live.close()
        n_frames[logit] = begun[:1]
    assert n_frames[-9.0] == [] and n_frames[9.0]


def test_a_pack_of_single_signs_has_no_lines_to_begin(tmp_path):
    pack = open_pack(bundled_pack("signs"))
    with pytest.raises(ValueError, match="cannot translate"):
        list(watch(pack, []))
    one = np.ones(1)
    with pytest.raises(ValueError, match="no line begins in it"):
        write_judged(pack, tmp_path / "no.fpk", SigningJudge(one, one, np.eye(1), one, one, one[0]))
    with pytest.raises(ValueError, match="a judge of states 1 wide"):
        write_judged(
            *(open_pack(bundled_pack()), tmp_path / "no.fpk"),
            SigningJudge(one, one, np.eye(1), one, one, one[0]),
        )


def test_the_command(tmp_path, capsys):
    out = tmp_path / "judged.fpk"
    main([str(bundled_pack()), "-o", str(out), "--minutes", "3", "--seed", "4"])
    assert "% of idle hands are told for what they are" in capsys.readouterr().out
    judge = read_signing_judge(open_pack(out).read(SIGNING_FILE))
    assert len(judge.hidden_bias) == fitting.N_NETWORKS * fitting.N_HIDDEN

    again = tmp_path / "again.fpk"
    main([str(bundled_pack()), "-o", str(again), "--judge-of", str(out)])
    assert open_pack(again).read(SIGNING_FILE) == open_pack(out).read(SIGNING_FILE)


@pytest.mark.parametrize(
    ("pack", "given", "said"),
    [
        ("demo", ["--workers", "0"], "one worker or more"),
        ("demo", ["--minutes", "-1"], "minutes of stream"),
        ("signs", [], "a pack that writes sentences"),
        ("demo", ["--judge-of", str(bundled_pack("signs"))], "has no judge of signing"),
    ],
)
def test_what_the_command_refuses(tmp_path, capsys, pack, given, said):
    out = tmp_path / "judged.fpk"
    with pytest.raises(SystemExit) as refused:
        main([str(bundled_pack(pack)), "-o", str(out), *given])
    error = capsys.readouterr().err
    assert refused.value.code == 2 and said in error and "Traceback" not in error
    assert not out.exists()
