"""What a phone's source tree does; a program for test_phone, run by ``python -S`` with stand-ins.

    python -S tests/phone_smoke.py TREE android|ios

Prints a line of JSON. Only the tree, numpy and the stand-ins can be imported.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np


def main(tree: Path, system: str) -> None:
    os.environ["KIVY_BUILD"] = system
    from fingerpost.app.phone import prepare
    from fingerpost.app.platforms.here import landmarker_class
    from fingerpost.edge_runtime.backends import BACKENDS, runs_here
    from fingerpost.edge_runtime.pack import bundled_pack, open_pack

    prepare(tree)
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[..., 0] = 200  # red
    with landmarker_class()(64, 48) as landmarker:
        frame = landmarker.detect(picture, 40)
    pack = open_pack(bundled_pack())
    said = ""
    if system == "android":
        from fingerpost.edge_runtime.translator import Translator

        sentence = Translator(pack).begin()
        sentence.push_keypoints(np.zeros((30, 69, 4), np.float32))
        said = sentence.answer("English").text
    print(
        json.dumps(
            {
                "backends": {name: module for name, module in BACKENDS.items() if runs_here(name)},
                "seen": int((frame.confidence > 0).sum()),
                "pack": pack.manifest.name,
                "said": said,
                "loaded": sorted({name.partition(".")[0] for name in sys.modules}),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
