"""A translation pack on streams of the rendered signer, as a live translator runs it.

replays = list(replay_pack(pack, make_streams(minutes=10)))
figures_of(score_replays(replays))
"""

import math
from collections.abc import Iterable, Iterator

from fingerpost.edge_runtime.live_translator import LiveTranslator
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.replay import Replay, replay_stream
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.language_names import language_name
from fingerpost.trainer.live_scores import LiveScores, Spread
from fingerpost.trainer.streams import Stream


def replay_pack(pack: Pack, streams: Iterable[Stream]) -> Iterator[tuple[Stream, Replay]]:
    """Each stream, and what a translator made of it that knew nothing of the others.

    ValueError where the pack does not translate, not into a stream's language, or where a stream
    that is replayed once more gives other events.
    """
    translator = Translator(pack)
    try:
        for stream in streams:
            language = language_name(stream.text_language) if stream.sentences else ""
            given = (pack, stream.schema, stream.aspect, language, translator)
            replay, again = (replay_stream(LiveTranslator(*given), stream.frames) for _ in range(2))
            if replay.log() != again.log():
                raise ValueError(
                    f"pack {pack.manifest.name} said something else when a stream was replayed: "
                    "its figures would be worth nothing; verify the pack"
                )
            yield stream, replay
    finally:
        translator.close()


def figures_of(scores: LiveScores) -> dict[str, float | int | None]:
    """Plain data, units in the names; None where there is nothing to measure."""
    figures = {
        "streaming_wer_percent": scores.streaming_wer,
        "final_wer_percent": scores.final_wer,
        "bleu4_percent": scores.bleu4,
        "exact_percent": scores.exact,
        "false_lines_per_idle_minute": scores.false_lines_per_minute,
        **_spread("sign_delay", scores.sign_delay_ms),
        **_spread("final_delay", scores.final_delay_ms),
        **_spread("final_computing", scores.final_computing_ms),
        **_spread("answer_delay", scores.answer_delay_ms),
        "flicker_percent": scores.flicker,
        "real_time_factor": scores.real_time_factor,
        "stream_minutes": scores.stream_minutes,
        "idle_minutes": scores.idle_minutes,
        "streams": scores.n_streams,
        "sentences": scores.n_sentences,
        "signs": scores.n_signs,
        "lines": scores.n_lines,
        "false_lines": scores.false_lines,
    }
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


def _spread(name: str, spread: Spread) -> dict[str, float]:
    return {f"{name}_p50_ms": spread.p50, f"{name}_p95_ms": spread.p95}
