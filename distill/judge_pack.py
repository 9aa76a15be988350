"""How right a pack is about clips of a corpus, asked as a device asks it: through edge_runtime."""

from collections.abc import Sequence

from fingerpost.distill.compare_pack import pack_answers
from fingerpost.edge_runtime.experts import open_translator
from fingerpost.edge_runtime.manifest import GLOSSES
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.evaluate import Answers, main_figures
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.language_names import language_name
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.shards import Clip


def judge_pack(pack: Pack, clips: Clips, n_clips: int = 0) -> dict[str, float]:
    """The main figure of each kind of answer, in percent, such as "text.bleu4".

    n_clips : so many, evenly chosen; 0 = all

    ValueError where the clips say nothing that the pack could be right or wrong about.
    """
    chosen: Sequence[Clip] = clips
    if 0 < n_clips < len(clips):
        chosen = [clips[i * len(clips) // n_clips] for i in range(n_clips)]
    if pack.manifest.translation is None:
        answers = {"isolated": pack_answers(pack, chosen)}
    else:
        translator = open_translator(pack)
        try:
            answers = translator_answers(translator, chosen)
        finally:
            translator.close()
    if not answers:
        raise ValueError(
            f"no clip has a text or glosses that pack {pack.manifest.name} can be asked for"
        )
    return main_figures(answers, clips.text_language)


def translator_answers(translator: Translator, clips: Sequence[Clip]) -> Answers:
    """What a translation pack says of each clip, to each question that the clip has a truth for."""
    answers: Answers = {}
    for clip in clips:
        row = " ".join(clip.glosses)
        language = language_name(clip.text_language)
        truths = {language: ("text", clip.text.strip()), GLOSSES: ("glosses", row)}
        asked = [q for q in translator.questions if truths.get(q, ("", ""))[1]]
        found = translator.translate(clip.sequence, asked)
        said = [(*truths[q], found.answers[q].text) for q in asked]
        if row and translator.glosses:
            said.append(("live_glosses", row, " ".join(found.glosses)))
        for kind, truth, text in said:
            one = Prediction(clip.id, clip.signer, truth, text, ())
            answers.setdefault(kind, []).append(one)
    return answers
