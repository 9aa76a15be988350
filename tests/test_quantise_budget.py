"""The search for the cheapest scheme within a budget, against figures that are made up."""

import math
from collections.abc import Callable, Mapping, Sequence

import pytest

from fingerpost.distill.budget import Budget, Try, budget_of, choose, describe, losses_of
from fingerpost.distill.scheme import Built, Scheme

REFERENCE = {"text.bleu4": 40.0, "text.chrf": 60.0, "glosses.wer": 10.0}
LAYERS = ["e", "d", "c", "b", "a", "f"]  # the worst first


def build(scheme: Scheme) -> Built:
    """Its one file says by what it was built, a byte for each letter."""
    return Built({"model": f"{scheme.kind}:{''.join(sorted(scheme.keep))}".encode()}, {})


def measure_by(bleu: Mapping[str, float]) -> Callable[[Built], dict[str, float]]:
    """Of each file its BLEU-4; all others have none."""

    def measure(built: Built) -> dict[str, float]:
        return {**REFERENCE, "text.bleu4": bleu.get(built.files["model"].decode(), 0.0)}

    return measure


def ranked(kind: str) -> Sequence[str]:
    return LAYERS


def not_asked(kind: str) -> Sequence[str]:
    raise AssertionError("nothing was missed")


def tries_of(bleu: Mapping[str, float], kinds: Sequence[str] = ("int4", "int8")) -> list[str]:
    tried: list[Try] = []
    choose(build, measure_by(bleu), REFERENCE, kinds, ranked, report=tried.append)
    return [f"{one.scheme.kind}:{''.join(sorted(one.scheme.keep))}" for one in tried]


def test_the_cheapest_that_keeps_the_budget_is_taken_as_it_is() -> None:
    bleu = {"int4:": 39.6, "int8:": 40.0}  # 1 % of 40 is 0.4
    chosen = choose(build, measure_by(bleu), REFERENCE, ("int4", "int8"), not_asked)
    assert chosen.scheme == Scheme("int4") and chosen.kept == ()
    assert chosen.built.files == {"model": b"int4:"} and chosen.tried[-1].size == 5
    assert chosen.figures["text.bleu4"] == 39.6 and len(chosen.tried) == 1
    assert str(chosen) == (
        "int4, 0.00 MB: text.bleu4 39.60 for 40.00 (1.00 % worse, 1 allowed); "
        "glosses.wer 10.00 for 10.00 (0.00 points worse, 1 allowed)"
    )


def test_where_it_misses_the_worst_layers_stay_float_one_two_four() -> None:
    assert tries_of({"int4:bcde": 39.7}) == ["int4:", "int4:e", "int4:de", "int4:bcde"]


def test_then_comes_the_next_kind_and_never_are_all_layers_kept() -> None:
    assert tries_of({"int8:de": 40.0}) == [
        *("int4:", "int4:e", "int4:de", "int4:bcde"),  # 8 would be all six
        *("int8:", "int8:e", "int8:de"),
    ]
    assert tries_of({"none:": 40.0}, ("int4", "none"))[-1] == "none:"


def test_what_was_kept_is_said() -> None:
    chosen = choose(build, measure_by({"int8:de": 40.5}), REFERENCE, ["int8"], ranked)
    assert chosen.kept == ("d", "e")
    assert str(chosen).startswith("int8 with 2 in float32 (d, e), 0.00 MB: text.bleu4 40.50 for ")
    assert "(1.25 % better, 1 allowed)" in str(chosen)
    many = Scheme("int8", frozenset(LAYERS))
    assert describe(many) == "int8 with 6 in float32 (a, b, c, d and 2 more)"


@pytest.mark.parametrize(("n_clips", "said"), [(30, "3.3 %: give more"), (200, ""), (0, "")])
def test_few_clips_are_told_in_the_refusal(n_clips: int, said: str) -> None:
    with pytest.raises(ValueError) as error:
        choose(build, measure_by({}), REFERENCE, ["int8"], ranked, n_clips=n_clips)
    assert str(error.value).endswith(said or "(docs/quantise.md)")
    assert "\n" not in str(error.value)


def test_where_all_miss_one_line_has_the_best_figures() -> None:
    bleu = {"int4:": 20.0, "int4:e": 30.0, "int8:": 38.0, "int8:e": 37.0}
    with pytest.raises(ValueError) as error:
        choose(build, measure_by(bleu), REFERENCE, ("int4", "int8"), ranked)
    said = str(error.value)
    assert "no scheme of 8 keeps the budget; the best is int8, 0.00 MB: text.bleu4 38.00" in said
    assert "5.00 % worse, 1 allowed" in said and "\n" not in said


def test_the_budget_itself_decides() -> None:
    bleu = {"int4:": 38.0}
    loose = Budget(bleu4=5.0)
    assert len(choose(build, measure_by(bleu), REFERENCE, ["int4"], not_asked, loose).tried) == 1
    with pytest.raises(ValueError, match="the best is int4"):
        choose(build, measure_by(bleu), REFERENCE, ["int4"], lambda kind: [], Budget(bleu4=4.9))


def lost(name: str, was: float, found: float, budget: Budget | None = None) -> tuple[float, bool]:
    (loss,) = losses_of({name: was}, {name: found}, budget or Budget())
    return loss.lost, loss.share <= 1


@pytest.mark.parametrize(
    ("name", "was", "found", "loss", "passes"),
    [
        ("text.bleu4", 50.0, 49.5, 1.0, True),  # percent of what it was
        ("text.bleu4", 50.0, 49.4, 1.2, False),
        ("text.bleu4", 50.0, 60.0, -20.0, True),
        ("isolated.top1", 80.0, 79.0, 1.0, True),  # points
        ("isolated.top1", 80.0, 78.9, 1.1, False),
        ("live_glosses.wer", 12.0, 13.0, 1.0, True),  # lower is better
        ("glosses.wer", 12.0, 13.1, 1.1, False),
        ("glosses.wer", 12.0, 2.0, -10.0, True),
        ("text.bleu4", 0.0, 0.0, 0.0, True),  # of nothing, nothing can be lost
    ],
)
def test_which_way_is_worse(name: str, was: float, found: float, loss: float, passes: bool) -> None:
    got, kept = lost(name, was, found)
    assert got == pytest.approx(loss) and kept == passes


def test_a_budget_of_nothing_and_a_figure_that_is_no_number() -> None:
    exact = Budget(wer=0.0)
    assert lost("glosses.wer", 12.0, 12.0, exact) == (0.0, True)
    assert lost("glosses.wer", 12.0, 12.01, exact)[1] is False
    assert lost("glosses.wer", 12.0, 11.0, exact)[1] is True
    assert lost("glosses.wer", 12.0, math.nan)[1] is False


def test_figures_that_the_budget_is_not_about_do_not_count() -> None:
    (loss,) = losses_of({"text.chrf": 60.0, "a.top1": 1.0}, {"text.chrf": 0, "a.top1": 1}, Budget())
    assert loss.of == "a.top1"


@pytest.mark.parametrize(
    ("reference", "figures", "says"),
    [
        ({"text.chrf": 60.0}, {}, "about bleu4, top1, wer, and there are text.chrf"),
        ({}, {}, "there are none"),
        ({"a.wer": 1.0}, {"b.wer": 1.0}, "a.wer was not measured; there are b.wer"),
    ],
)
def test_figures_that_are_missing(reference: dict, figures: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        losses_of(reference, figures, Budget())


def test_nothing_is_built_where_nothing_can_be_judged() -> None:
    def never(scheme: Scheme) -> Built:
        raise AssertionError

    with pytest.raises(ValueError, match="no figure for the budget"):
        choose(never, measure_by({}), {}, ["int8"], ranked)
    with pytest.raises(ValueError, match="no kind of quantisation to try"):
        choose(never, measure_by({}), REFERENCE, [], ranked)


def test_a_budget_from_a_recipe() -> None:
    assert budget_of({}, "r.toml") == Budget(bleu4=1.0, top1=1.0, wer=1.0)
    assert budget_of({"budget": {"wer": 2}, "task": "x"}, "r.toml").wer == 2
    with pytest.raises(ValueError, match=r"r.toml: \[budget\].*known: bleu4, top1, wer"):
        budget_of({"budget": {"blue4": 1}}, "r.toml")
    for nonsense in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="budget.wer cannot be"):
            budget_of({"budget": {"wer": nonsense}}, "r.toml")


def test_what_a_simulation_rules_out_is_not_built():
    built = []

    def build(scheme):
        built.append(scheme.kind)
        return Built({"a": b"x" * 10}, {})

    def simulate(scheme):
        return {"isolated.top1": 50.0 if scheme.kind == "int4" else 80.0}

    chosen = choose(
        build,
        lambda files: {"isolated.top1": 80.0},
        {"isolated.top1": 80.0},
        ["int4", "int8", "none"],
        lambda kind: [],
        simulate=simulate,
    )
    assert built == ["int8"] and chosen.scheme.kind == "int8"
    assert [(one.scheme.kind, one.size) for one in chosen.tried] == [
        ("int4", 0),
        ("int8", 0),
        ("int8", 10),
    ]
    assert "simulated" in str(chosen.tried[0])


def test_layers_are_kept_only_while_the_next_kind_is_dearer():
    """Four layers of 8 bytes in float32, 2 in int8, 1 in int4: three of them kept cost 25."""
    layers = ["a", "b", "c", "d"]

    def weigh(scheme):
        each = {"int4": 1, "int8-static": 2, "int8": 2, "none": 8}[scheme.kind]
        return each * (4 - len(scheme.keep)) + 8 * len(scheme.keep)

    tried = []
    chosen = choose(
        lambda scheme: Built({"a": b"x"}, {}),
        lambda built: {"isolated.top1": 0.0},
        {"isolated.top1": 0.0},
        ["int4", "int8-static", "int8", "none"],
        lambda kind: layers,
        simulate=lambda scheme: tried.append(scheme) or {"isolated.top1": -50.0},
        weigh=weigh,
    )
    # int4 with a layer kept is 11, more than all in int8
    assert [(s.kind, len(s.keep)) for s in tried] == [
        ("int4", 0),
        ("int8-static", 0),
        ("int8", 0),
        ("int8", 1),
        ("int8", 2),
    ]
    assert chosen.scheme.kind == "none"


def test_a_simulation_that_kept_the_budget_is_not_called_the_best_of_those_that_missed() -> None:
    built = measure_by({"int4:": 30.0})
    with pytest.raises(ValueError, match=r"the best is int4, 0.00 MB: text.bleu4 30.00"):
        choose(
            build,
            built,
            REFERENCE,
            ["int4"],
            lambda kind: [],
            simulate=lambda scheme: REFERENCE,
        )
