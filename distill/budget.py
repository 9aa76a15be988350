"""What quantisation may cost, and the cheapest scheme that costs no more.

    [budget]        # of a recipe; these are the defaults
    bleu4 = 1.0     # percent of the float network's
    top1 = 1.0      # points
    wer = 1.0       # points

``choose`` tries the kinds in the order given, the cheapest first. Where one misses the budget, the
layers that it costs most stay in float32: one, two, four, and so on, while that is cheaper than the
next kind. Then comes the next kind.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fingerpost.distill.scheme import Built, Scheme
from fingerpost.trainer.evaluation import LOWER_IS_BETTER
from fingerpost.trainer.recipe import convert, read_tables

RELATIVE = ("bleu4",)  # figures whose loss is a share of the float network's; of others, points
MOST_KEPT = 32  # layers that stay in float32 at most
MOST_NAMED = 4  # of them, in a line
ROUNDING = 1e-6  # points
FEW_CLIPS = 200  # of one of these, half a percent of the figures hangs: half the default budget


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The most that may be lost, by the last part of a figure's name: ``text.bleu4`` is of bleu4.

    bleu4 : percent of the float network's
    top1, wer : points
    """

    bleu4: float = 1.0
    top1: float = 1.0
    wer: float = 1.0


@dataclass(frozen=True)
class Loss:
    """of : a figure's name; was, found : in float32, and now; lost : in percent or points
    allowed : the budget's
    """

    of: str
    was: float
    found: float
    lost: float
    allowed: float

    @property
    def share(self) -> float:
        """Of the budget; above 1 it is missed."""
        if math.isnan(self.lost):
            return math.inf
        if self.allowed:
            return self.lost / self.allowed
        return math.inf if self.lost > ROUNDING else 0.0

    def __str__(self) -> str:
        unit = "%" if _measure(self.of) in RELATIVE else "points"
        change = f"{abs(self.lost):.2f} {unit} {'better' if self.lost < 0 else 'worse'}"
        return f"{self.of} {self.found:.2f} for {self.was:.2f} ({change}, {self.allowed:g} allowed)"


@dataclass(frozen=True)
class Try:
    """size : bytes of the files, 0 where none were built, for a simulation had missed the budget
    losses : of the figures that the budget is about
    """

    scheme: Scheme
    size: int
    figures: dict[str, float]
    losses: tuple[Loss, ...]

    @property
    def share(self) -> float:
        """The greatest of its losses, as a share of the budget."""
        return max(loss.share for loss in self.losses)

    @property
    def passed(self) -> bool:
        return self.share <= 1 + ROUNDING

    def __str__(self) -> str:
        losses = "; ".join(map(str, self.losses))
        size = f"{self.size / 1e6:.2f} MB" if self.size else "simulated"
        return f"{describe(self.scheme)}, {size}: {losses}"


@dataclass(frozen=True)
class Chosen:
    """The scheme that keeps the budget, what was built by it, and what was measured of that.

    tried : all that was, in order; the last is this one
    """

    scheme: Scheme
    built: Built
    figures: dict[str, float]
    tried: tuple[Try, ...]

    @property
    def kept(self) -> tuple[str, ...]:
        """The layers that stay in float32."""
        return tuple(sorted(self.scheme.keep))

    def __str__(self) -> str:
        return str(self.tried[-1])


def choose(
    build: Callable[[Scheme], Built],
    measure: Callable[[Built], Mapping[str, float]],
    reference: Mapping[str, float],
    kinds: Sequence[str],
    ranked: Callable[[str], Sequence[str]],
    budget: Budget | None = None,
    report: Callable[[Try], None] = lambda tried: None,
    simulate: Callable[[Scheme], Mapping[str, float]] | None = None,
    weigh: Callable[[Scheme], float] | None = None,
    n_clips: int = 0,
) -> Chosen:
    """The first scheme that keeps the budget. ValueError where none does, with the best figures.

    measure : figures of what was built, named as those of ``reference``
    reference : of the float network, such as {"text.bleu4": 21.4, "glosses.wer": 12.0}
    kinds : the cheapest first
    ranked : the layers by what it costs to quantise them so, the worst first; asked only where a
        kind misses
    budget : None = the defaults
    report : is told of each try
    simulate : figures as ``measure`` gives them, found without building anything; a scheme that
        misses the budget by these is not built, which saves minutes each time
    weigh : about how many bytes a scheme takes; layers are kept only as long as the next kind is
        dearer
    n_clips : that the figures are of, 0 for who knows; with few of them the refusal says so
    """
    if not kinds:
        raise ValueError("no kind of quantisation to try: give one or more")
    budget = budget or Budget()
    losses_of(reference, reference, budget)  # refused now rather than after the first build
    tried: list[Try] = []
    for scheme in _schemes(kinds, ranked, weigh):
        if simulate is not None and scheme.kind != "none":
            figures = dict(simulate(scheme))
            tried.append(Try(scheme, 0, figures, losses_of(reference, figures, budget)))
            report(tried[-1])
            if not tried[-1].passed:
                continue
        built = build(scheme)
        figures = dict(measure(built))
        size = sum(map(len, built.files.values()))
        tried.append(Try(scheme, size, figures, losses_of(reference, figures, budget)))
        report(tried[-1])
        if tried[-1].passed:
            return Chosen(scheme, built, figures, tuple(tried))
    # A simulation that kept the budget was built, and missed it: what counts is what was built.
    best = min((one for one in tried if not one.passed), key=lambda one: one.share)
    raise ValueError(
        f"no scheme of {len(tried)} keeps the budget; the best is {best}. Raise [budget], or "
        f"fine-tune the network for its scheme (docs/quantise.md){_few(n_clips)}"
    )


def losses_of(
    reference: Mapping[str, float], figures: Mapping[str, float], budget: Budget
) -> tuple[Loss, ...]:
    """What each figure lost that the budget is about, in the order of the reference.

    ValueError where there is no such figure, or one of them was not measured.
    """
    limits = msgspec.structs.asdict(budget)
    named = [name for name in reference if _measure(name) in limits]
    if not named:
        raise ValueError(
            f"no figure for the budget: it is about {', '.join(limits)}, and there are "
            f"{', '.join(reference) or 'none'}"
        )
    missing = [name for name in named if name not in figures]
    if missing:
        raise ValueError(f"{missing[0]} was not measured; there are {', '.join(figures) or 'none'}")
    losses = []
    for name in named:
        was, found, measure = reference[name], figures[name], _measure(name)
        lost = found - was if measure in LOWER_IS_BETTER else was - found
        if measure in RELATIVE and was:  # of nothing, nothing can be lost
            lost = 100 * lost / was
        losses.append(Loss(name, was, found, lost, limits[measure]))
    return tuple(losses)


def budget_of(tables: Mapping[str, Any], where: str) -> Budget:
    """The table [budget] of a recipe; the defaults where it has none. ValueError in one line.

    where : the recipe's name
    """
    budget = convert(tables.get("budget", {}), Budget, f"{where}: [budget]")
    for name, most in msgspec.structs.asdict(budget).items():
        if not 0 <= most < math.inf:
            raise ValueError(f"{where}: budget.{name} cannot be {most}; give what may be lost")
    return budget


def budget_in(recipe: Path) -> Budget:
    """The same of a recipe's file."""
    return budget_of(read_tables(recipe), str(recipe))


def describe(scheme: Scheme) -> str:
    """A scheme, and what stays in higher precision for it."""
    kept = sorted(scheme.keep)
    if not kept:
        return scheme.kind
    names = ", ".join(kept[:MOST_NAMED])
    more = f" and {len(kept) - MOST_NAMED} more" if len(kept) > MOST_NAMED else ""
    return f"{scheme.kind} with {len(kept)} in float32 ({names}{more})"


def _schemes(
    kinds: Sequence[str],
    ranked: Callable[[str], Sequence[str]],
    weigh: Callable[[Scheme], float] | None,
) -> Iterator[Scheme]:
    """Each kind, then with more and more layers in float32, but never with all of them.

    Not with so many that the next kind, with none, would be as cheap.
    """
    for kind, dearer in zip(kinds, [*kinds[1:], None], strict=True):
        yield Scheme(kind)
        most = weigh(Scheme(dearer)) if weigh and dearer else math.inf
        if kind == "none" or (weigh and weigh(Scheme(kind)) >= most):
            continue
        layers = list(ranked(kind))
        n_kept = 1
        while n_kept < min(len(layers), MOST_KEPT + 1):
            scheme = Scheme(kind, frozenset(layers[:n_kept]))
            if weigh and weigh(scheme) >= most:
                break
            yield scheme
            n_kept *= 2


def _few(n_clips: int) -> str:
    """Of 30 clips one that is read otherwise costs more than the whole budget."""
    if not 0 < n_clips < FEW_CLIPS:
        return ""
    return (
        f"; {n_clips} clips tell such losses badly, one of them is {100 / n_clips:.1f} %: give more"
    )


def _measure(figure: str) -> str:
    return figure.rpartition(".")[2]
