"""How sure one can be of each moment of a subtitle whose start and end are all that is known.

"Lost in Translation, Found in Embeddings", appendix A.6. A language model writes a start and an end
and no confidence for frames between them. So: 1 in the central ``PLATEAU`` of the span, from there
down to 0 at both ends along a cosine. The formulas are missing in the text that we have; taken is
the raised cosine, (1 - cos x) / 2 with x from 0 to pi on the rising side, and its mirror image on
the falling one: it starts and ends level.
"""

import numpy as np

PLATEAU = 0.2  # share of the span that has confidence 1 (table A.4: between 0 and 0.5 it is best)


def confidence_curve(
    moments: np.ndarray, start: float, end: float, plateau: float = PLATEAU
) -> np.ndarray:
    """Confidence, 0 to 1, that a subtitle from ``start`` to ``end`` is signed at each moment.

    moments : shape (T,), in the unit of start and end
    plateau : 0 to 1
    ValueError for a span without length, and for another plateau.
    """
    if not start < end:
        raise ValueError(f"a subtitle from {start:g} to {end:g} has no length")
    if not 0 <= plateau <= 1:
        raise ValueError(f"the plateau is a share from 0 to 1, got {plateau:g}")
    from_middle = np.abs(np.asarray(moments, float) - (start + end) / 2) / ((end - start) / 2)
    # 0 at the plateau's edge, 1 at the end of the span
    way = np.clip((from_middle - plateau) / max(1 - plateau, 1e-12), 0, 1)
    return np.where(from_middle <= plateau, 1.0, (1 + np.cos(np.pi * way)) / 2)
