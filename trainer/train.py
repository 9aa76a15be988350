"""The training loop: any task of ``TASKS`` by a recipe, on one processor or many machines.

``train`` reads from top to bottom. What it can be relied on for:

- the order of clips and their augmentation depend on the seed alone (``feed.py``);
- a training that was killed goes on from its last state, bit for bit on a CPU;
- a step is the same step on one process or on many: its loss is the mean over all labels of the
  whole step, wherever they were computed.

``torchrun --nproc-per-node N`` or ``accelerate launch`` start more processes (DDP, FSDP).
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, gather_object
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from transformers import get_scheduler

from fingerpost.trainer.checkpoint import CONFIG, resolve_checkpoint
from fingerpost.trainer.evaluate import predict
from fingerpost.trainer.evaluation import evaluate_predictions
from fingerpost.trainer.feed import Clips, Order, PreparedClips, training_batches
from fingerpost.trainer.keeper import Keeper
from fingerpost.trainer.network import Scaffold, new_network, to_learn
from fingerpost.trainer.recipe import Data, Recipe, Training
from fingerpost.trainer.tasks import find_task
from fingerpost.trainer.tasks.task import Batch, Task
from fingerpost.trainer.train_state import Log, claim

Report = Callable[[int, int, dict[str, float]], None]  # step, steps in all, figures


def say_nothing(step: int, n_steps: int, figures: dict[str, float]) -> None:
    """A ``Report``."""


class Around(Protocol):
    """What a training has around its task and its network, as a teacher's lessons are."""

    def task(self, task: Task) -> Any: ...

    def network(self, network: nn.Module) -> Scaffold: ...


def train(
    recipe: Recipe, out: Path, report: Report = say_nothing, around: Around | None = None
) -> dict[str, float]:
    """Trains to the end, or goes on from where the folder ``out`` stands.

    report : is told of every step, and of every validation, by the main process
    around : what else there is to learn from; None = the clips alone

    Returns the figures of the best validation; without one, of the last step. ValueError for
    whatever a user can put right.
    """
    accelerator = start(recipe)
    task, clips, val = load_data(recipe)
    task = task if around is None else around.task(task)
    model, optimizer, schedule, order = build(recipe, task, clips, accelerator, around)
    n_steps = steps_of(recipe.training, order)
    with accelerator.main_process_first():
        claim(out, recipe)
    mean = running_mean(accelerator, model, recipe.training.ema)
    keeper = Keeper(recipe, out, task, _hashes(clips, val), accelerator, mean or model)
    done = keeper.resume()
    log = Log(out, done) if accelerator.is_main_process else None
    validate_at, save_at = _moments(recipe.training, order)

    prepared = PreparedClips(clips, task, recipe.data.cache)
    unseen = PreparedClips(val, task, cache=True) if val is not None else None
    batches = training_batches(prepared, order, done + 1, n_steps, recipe.data.workers)
    for step in range(done + 1, n_steps + 1):
        of_step = [next(batches) for _ in range(order.accumulation)]
        figures = take_step(accelerator, task, model, optimizer, recipe.training, of_step)
        figures["lr"] = schedule.get_last_lr()[0]
        schedule.step()
        if mean is not None:
            mean.update_parameters(accelerator.unwrap_model(model))
        _check_finite(figures["loss"], step)
        if unseen is not None and (step % validate_at == 0 or step == n_steps):
            measured = validate(accelerator, task, keeper.weights, unseen, recipe)
            keeper.keep_best(step, measured)
            figures |= {f"val.{name}": value for name, value in measured.items()}
        if log is not None:
            log.write(step, figures)
            report(step, n_steps, figures)
        if step % save_at == 0 or step == n_steps:
            keeper.save_state(step)
    if log is not None:
        log.close()
    if unseen is None:
        keeper.keep_last(n_steps, {"steps": n_steps})
    accelerator.end_training()
    return keeper.best


def start(recipe: Recipe) -> Accelerator:
    """Seeds everything, and joins the other processes."""
    precision = recipe.training.precision
    if precision == "fp16" and not torch.cuda.is_available():
        raise ValueError("training.precision: fp16 needs CUDA; use bf16 or fp32")
    AcceleratorState._reset_state()  # of another training in this process
    no_gpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    # Unless told so, accelerate starts processes on CPUs that know nothing of each other.
    accelerator = Accelerator(
        mixed_precision="no" if precision == "fp32" else precision, cpu=no_gpu
    )
    on_cpu = accelerator.device.type == "cpu"
    torch.manual_seed(recipe.seed)  # the same first weights everywhere; ``build`` seeds once more
    # On CUDA some operations have no deterministic form, and those that have are slower.
    torch.use_deterministic_algorithms(on_cpu, warn_only=True)
    # Nothing here reads memory before it writes it; to fill it was 7 % of a step of MS-MAE.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return accelerator


def load_data(recipe: Recipe) -> tuple[Task, Clips, Clips | None]:
    """The task, and the clips for training and validation."""
    data = recipe.data
    clips = Clips(data.train, data.train_split, data.longest)
    val = _clips_of_validation(data) if data.val_split else None
    start = resolve_checkpoint(Path(recipe.start_from)) if recipe.start_from else None
    if start is not None and not (start / CONFIG).is_file():
        raise ValueError(f"start_from: {start} is no checkpoint; train it first, or name another")
    return find_task(recipe.task).from_data(recipe.settings, clips, start), clips, val


def build(
    recipe: Recipe,
    task: Task,
    clips: Clips,
    accelerator: Accelerator,
    around: Around | None = None,
) -> tuple[nn.Module, Any, Any, Order]:
    """Network, optimiser, learning rates and the order of clips, ready for this process."""
    training = recipe.training
    order = Order(
        clips.n_frames,
        training.batch,
        training.accumulation,
        recipe.seed,
        recipe.data.buckets,
        accelerator.num_processes,
        accelerator.process_index,
    )
    network = new_network(recipe, task)
    if around is not None:
        network = around.network(network)
    torch.manual_seed(recipe.seed + accelerator.process_index)  # each its own dropout
    n_steps = steps_of(training, order)
    optimizer: Any = torch.optim.AdamW(
        parameter_groups(network, training), lr=training.lr, betas=training.betas, eps=training.eps
    )
    schedule = schedule_of(optimizer, training, n_steps)
    model: Any = torch.compile(network) if training.compile else network
    model, optimizer = accelerator.prepare(model, optimizer)
    accelerator.register_for_checkpointing(schedule)
    return model, optimizer, schedule, order


def schedule_of(optimizer: Any, training: Training, n_steps: int) -> Any:
    """How the learning rate goes, step by step."""
    if training.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            [group["lr"] for group in optimizer.param_groups],
            total_steps=n_steps + 1,  # it is asked once more, after the last step
            pct_start=training.warmup,
            cycle_momentum=False,
        )
    warmup = round(training.warmup * n_steps)
    name = "constant_with_warmup" if training.schedule == "constant" else training.schedule
    return get_scheduler(name, optimizer, warmup, n_steps)


def take_step(
    accelerator: Accelerator,
    task: Task,
    model: nn.Module,
    optimizer: Any,
    training: Training,
    batches: list[Batch],
) -> dict[str, float]:
    """Forward, backward and one step of the optimiser; the terms of the loss, over all processes.

    A batch with more labels weighs more, so the gradient is that of the mean over all labels of
    the step. DDP means over processes, hence the factor.
    """
    to_learn(model)
    weight = sum(batch.weight for batch in batches)
    everywhere = accelerator.reduce(torch.tensor(float(weight), device=accelerator.device))
    figures: dict[str, Tensor] = {}
    for i, batch in enumerate(batches):
        share = batch.weight / everywhere
        more = i + 1 < len(batches)
        with accelerator.no_sync(model) if more else contextlib.nullcontext():
            on_device = batch.to(accelerator.device)
            terms = task.losses(model, on_device)
            loss = torch.stack(list(terms.values())).sum()
            accelerator.backward(loss * share * accelerator.num_processes)
        for name, value in ({"loss": loss} | terms | on_device.figures).items():
            figures[name] = figures.get(name, 0) + value.detach() * share
    if training.clip_norm:
        norm = accelerator.clip_grad_norm_(model.parameters(), training.clip_norm)
        figures["grad_norm"] = norm / accelerator.num_processes  # reduced below, as the rest is
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    names = list(figures)
    values = accelerator.reduce(torch.stack([figures[name].to(everywhere) for name in names]))
    return dict(zip(names, values.tolist(), strict=True))


def validate(
    accelerator: Accelerator, task: Task, weights: nn.Module, val: PreparedClips, recipe: Recipe
) -> dict[str, float]:
    """The task's figures on the clips of validation, shared out among the processes."""
    n_clips = min(len(val), recipe.data.max_val_clips or len(val))
    mine = range(accelerator.process_index, n_clips, accelerator.num_processes)
    answers = predict(
        task,
        weights,
        val,
        mine,
        recipe.training.batch,
        accelerator.device,
        accelerator.autocast,
    )
    if accelerator.num_processes > 1:
        together = gather_object(list(answers.items()))
        answers = {kind: [] for kind, _ in together}
        for kind, predictions in together:
            answers[kind] += predictions
    return {
        f"{kind}.{name}": figure.value
        for kind, predictions in answers.items()
        for name, figure in evaluate_predictions(
            kind, predictions, val.clips.text_language, n_resamples=0
        ).figures.items()
    }


def parameter_groups(network: nn.Module, training: Training) -> list[dict[str, Any]]:
    """Parameters by learning rate and decay; ValueError where ``lr_of`` names none."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    used = set()
    own = "inner." if isinstance(network, Scaffold) else ""
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        name = name.removeprefix(own)
        prefix = next((p for p in training.lr_of if name.startswith(p)), "")
        used.add(prefix)
        decays = training.decay_vectors or parameter.ndim > 1
        key = (training.lr_of.get(prefix, 1.0), training.weight_decay if decays else 0.0)
        groups.setdefault(key, []).append(parameter)
    unused = [prefix for prefix in training.lr_of if prefix not in used]
    if unused:
        raise ValueError(f"training.lr_of: no parameter that learns starts with {unused[0]!r}")
    return [
        {"params": parameters, "lr": training.lr * factor, "weight_decay": decay}
        for (factor, decay), parameters in groups.items()
    ]


def steps_of(training: Training, order: Order) -> int:
    return training.steps or max(1, round(training.epochs * order.steps_per_epoch))


def running_mean(accelerator: Accelerator, model: nn.Module, decay: float) -> AveragedModel | None:
    """The weights' running mean; of the first steps a shorter one, for they are soon forgotten."""
    if not decay:
        return None
    if accelerator.distributed_type is DistributedType.FSDP:
        raise ValueError("training.ema does not work with FSDP; set it to 0, or use DDP")

    def average(old: Tensor, new: Tensor, n: Any) -> Tensor:
        if not old.is_floating_point():
            return new
        step = float(n)
        return old.lerp(new, 1 - min(decay, (step + 1) / (step + 10)))

    mean = AveragedModel(accelerator.unwrap_model(model), avg_fn=average, use_buffers=True)
    accelerator.register_for_checkpointing(mean)
    return mean


def _clips_of_validation(data: Data) -> Clips:
    try:
        return Clips(data.val or data.train, data.val_split)
    except ValueError as error:
        raise ValueError(f"{error}. To train without validation: data.val_split=''") from error


def _moments(training: Training, order: Order) -> tuple[int, int]:
    """Every how many steps to validate, and to save."""
    epoch = order.steps_per_epoch
    return training.validate_every or epoch, training.save_every or epoch


def _hashes(clips: Clips, val: Clips | None) -> dict[str, str]:
    return {**(val.hashes if val is not None else {}), **clips.hashes}


def _check_finite(loss: float, step: int) -> None:
    if not np.isfinite(loss):
        raise ValueError(
            f"the loss of step {step} is {loss}: lower training.lr, lengthen training.warmup, or "
            "train in fp32"
        )
