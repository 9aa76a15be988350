"""How large a pocket translator is: nano, small or base, and every number behind the word."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STEP = 8  # frames that are pushed at once, on a device
MAX_AHEAD = 8  # frames: 320 ms at 25 frames a second
WINDOW, STRIDE = 8, 4  # frames that the Sliding Perceiver reads at once, and is moved by


@dataclass(frozen=True)
class PocketTranslatorConfig:
    """What is needed to build the network, without a network connection.

    n_pieces : of the tokenizer, whose padding is 0 and whose end of a text is 1
    n_glosses : that frames are asked for; without the blank
    questions : what can be asked of a sentence, such as English, glosses
    width, n_blocks, kernel, n_heads, expansion : of the pose encoder
    n_attentions : of the pose encoder, spread evenly between its blocks
    past, ahead : frames that each of these sees before and after its own
    d_model, d_ff, d_kv, n_reader_heads, n_layers, n_decoder_layers : of the language model
    n_perceiver_layers : of the temporal reduction
    label_smoothing : share of the language model's loss that asks for all tokens alike
    """

    n_pieces: int
    n_glosses: int
    questions: tuple[str, ...] = ("English",)
    width: int = 192
    n_blocks: int = 5
    kernel: int = 9
    n_heads: int = 4
    expansion: int = 2
    n_attentions: int = 2
    past: int = 64
    ahead: int = 4
    d_model: int = 128
    d_ff: int = 256
    d_kv: int = 32
    n_reader_heads: int = 4
    n_layers: int = 2
    n_decoder_layers: int = 2
    n_perceiver_layers: int = 2
    dropout: float = 0.1
    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "questions", tuple(self.questions))  # JSON gives a list
        if not self.questions:
            raise ValueError("[model] questions: a translator must be asked something")
        if not 1 <= self.ahead or self.look_ahead not in (STRIDE, MAX_AHEAD):
            raise ValueError(
                f"[model] n_attentions {self.n_attentions} x ahead {self.ahead} is a look-ahead of "
                f"{self.look_ahead} frames; make it {STRIDE} or {MAX_AHEAD}"
            )
        if not 1 <= self.n_attentions <= self.n_blocks or self.past < STRIDE:
            raise ValueError(
                f"[model] expected 1 to n_blocks {self.n_blocks} attentions with a past of "
                f"{STRIDE} frames or more, got {self.n_attentions} with {self.past}"
            )
        for width, heads in ((self.width, self.n_heads), (self.d_model, self.n_reader_heads)):
            if width % heads:
                raise ValueError(f"[model] {heads} heads cannot share a width of {width}")

    @property
    def look_ahead(self) -> int:
        """Frames after its own that the state of a frame depends on."""
        return self.n_attentions * self.ahead

    @property
    def n_tokens(self) -> int:
        """Rows of the language model's embeddings: the pieces, then the questions."""
        return self.n_pieces + len(self.questions)

    @classmethod
    def of_size(
        cls, size: str, changes: Mapping[str, Any] | None = None, **data: Any
    ) -> "PocketTranslatorConfig":
        """One of ``SIZES``, with fields changed.

        data : n_pieces, n_glosses, questions. ValueError lists the known sizes, or fields.
        """
        if size not in SIZES:
            raise ValueError(f"[model] size {size!r}; known: {', '.join(SIZES)}")
        changes = changes or {}
        known = [name for name in cls.__dataclass_fields__ if name not in data]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise ValueError(f"[model] has no {', '.join(unknown)}; known: {', '.join(known)}")
        return cls(**data, **{**SIZES[size], **changes})


SIZES: dict[str, dict[str, int]] = {
    "nano": {},  # the defaults: at most 3 M parameters
    "small": {  # at most 12 M
        **{"width": 320, "n_blocks": 6, "n_heads": 4},
        **{"d_model": 256, "d_ff": 512, "d_kv": 64, "n_layers": 3, "n_decoder_layers": 3},
    },
    "base": {  # at most 40 M
        **{"width": 384, "n_blocks": 8, "n_heads": 6},
        **{"d_model": 512, "d_ff": 1024, "d_kv": 64, "n_reader_heads": 8},
        **{"n_layers": 4, "n_decoder_layers": 4},
    },
}
