"""Language models that read features and write text: any sequence-to-sequence one of transformers.

model = new_language_model({"model_type": "mt5", "d_model": 256, ...})  # random weights
model = pretrained_language_model("google/mt5-base")
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.trainer.models.fast_embedding import read_tokens

IGNORED = -100  # a label that is no token
OF_UNIT_LENGTH = ("t5", "mt5")  # kinds whose embeddings start with a deviation of 1


def new_language_model(fields: Mapping[str, Any], tied: bool = True) -> Any:
    """With random weights, without network.

    fields : of the ``transformers`` configuration, with ``model_type``. ValueError where they are
        not those of a sequence-to-sequence model.
    tied : False gives a T5 or mT5 that writes tokens by another matrix than it reads them by;
        transformers ties every T5's
    """
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    if "model_type" not in fields:
        raise ValueError("language_model needs model_type, such as mt5 or mbart")
    model: Any = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(**fields))
    if fields["model_type"] in OF_UNIT_LENGTH:
        # Fit for T5's scaled output; mT5's is not scaled, and would be sure of nonsense.
        with torch.no_grad():
            model.get_input_embeddings().weight.mul_(model.config.d_model**-0.5)
    if not tied:
        model.config.tie_word_embeddings = False
        model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    return model


def pretrained_language_model(
    name_or_path: str, check_kind: Callable[[str], None] = lambda model_type: None
) -> Any:
    """By its name at Hugging Face or the folder it is in; ValueError where there is none.

    check_kind : is told the model's type before its weights are fetched, and may refuse it
    """
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    try:
        check_kind(AutoConfig.from_pretrained(name_or_path).model_type)
        return AutoModelForSeq2SeqLM.from_pretrained(name_or_path)
    except OSError as error:
        raise ValueError(
            f"no language model {name_or_path!r}: give a folder with config.json and weights, "
            f"or a name at huggingface.co such as google/mt5-base ({str(error).splitlines()[0]})"
        ) from error


def answered(model: Any, read: Tensor, mask: Tensor, labels: Tensor) -> Any:
    """What it makes of answers (R, L), with its decoder's states.

    read : shape (R, N, D), of its encoder; mask : shape (R, N), 1 for what counts
    """
    answers = model.prepare_decoder_input_ids_from_labels(labels)
    return model(
        encoder_outputs=(read,),
        attention_mask=mask,
        decoder_inputs_embeds=read_tokens(model, answers),
        output_hidden_states=True,
        use_cache=False,
    )


def answers_loss(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """The mean over all tokens of (B, L, V) against (B, L); ``IGNORED`` ones do not count."""
    return F.cross_entropy(
        logits.flatten(0, 1),
        labels.flatten(),
        ignore_index=IGNORED,
        label_smoothing=label_smoothing,
    )


def keep_shared_once(module: nn.Module) -> None:
    """Checkpoints will hold each matrix once: safetensors refuses those that share memory."""
    module.register_state_dict_post_hook(_drop_shared)
    module.register_load_state_dict_pre_hook(_add_shared)


def _shared_names(module: nn.Module) -> dict[str, str]:
    """The names of parameters that are another one again, to the name of the first."""
    first: dict[int, str] = {}
    names = module.named_parameters(remove_duplicate=False)
    pairs = [(name, first.setdefault(id(parameter), name)) for name, parameter in names]
    return {name: original for name, original in pairs if name != original}


def _drop_shared(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    for name in _shared_names(module):
        state.pop(prefix + name, None)


def _add_shared(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, original in _shared_names(module).items():
        if prefix + original in state:
            state.setdefault(prefix + name, state[prefix + original])
