"""Where pictures come from on this machine: the one place that knows what devices differ in.

A source is named by a text, as in the settings:

==========  ====================================================================
``0``       a camera by its number (a webcam, by OpenCV; on a phone 0 is at its back, 1 in front)
``csi``     the ribbon-cable camera of a Jetson, by GStreamer; ``csi1`` the second
``demo``    the bundled clip, over and over
a path      a video, or a file of keypoints
==========  ====================================================================
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from fingerpost.app.observer import Observer
from fingerpost.app.platforms.here import open_phone_camera, phone
from fingerpost.app.session import Session, VideoObserver, observe

if TYPE_CHECKING:
    from fingerpost.edge_runtime.video import Video, VideoInfo

DEMO = "demo"
CSI = re.compile(r"csi(\d?)")
MOST_CAMERAS = 10  # that are looked for
CSI_PIPELINE = (  # NVIDIA's, of JetPack 6: the sensor's picture, scaled in hardware, newest only
    "nvarguscamerasrc sensor-id={sensor} ! "
    "video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 ! "
    "nvvidconv ! video/x-raw,width=640,height=360,format=BGRx ! "
    "videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1"
)


@contextmanager
def live_session(
    source: str,
    pack_name: str,
    mirrored: bool = False,
    landmarker: Path | None = None,
    dominant_hand: str = "auto",
) -> Iterator[Session]:
    """Opens a source and a pack, joined. ValueError or OSError says in one line what is wrong.

    dominant_hand : auto, left, right; a pack of single signs finds it by itself
    """
    from fingerpost.app.commands_caption import load_pack, make_captioner

    pack = load_pack(pack_name)
    with watch(source, mirrored, landmarker) as observer:
        told = dominant_hand if pack.manifest.translation is not None else "auto"
        captioner = make_captioner(pack, observer, told)
        try:
            yield Session(observer, captioner)
        finally:
            if hasattr(captioner, "close"):  # a translator holds graphs
                captioner.close()


def watch(source: str, mirrored: bool = False, landmarker: Path | None = None) -> Observer:
    """What watches a source, with its pictures."""
    from fingerpost.app.demo import demo_clip

    if source == DEMO:
        clip = demo_clip()
        # A video to whoever iterates it; cast, for its type is another.
        looped = partial(cast("type[Video]", LoopedVideo), clip)
        return VideoObserver(DEMO, looped, landmarker, keep_pictures=True)
    if (csi := CSI.fullmatch(source)) is not None:
        sensor = int(csi[1] or 0)
        return VideoObserver(
            source, partial(open_csi, sensor), landmarker, mirrored, keep_pictures=True, live=True
        )
    if source.isdecimal() and phone():
        opening = partial(open_phone_camera, int(source))
        return VideoObserver(
            f"camera {source}", opening, landmarker, mirrored, keep_pictures=True, live=True
        )
    if Path(source).suffix.lower() in (".npz", ".pose"):
        mirrored = False  # the keypoints in a file are as they are
    return observe(source, landmarker, mirrored, keep_pictures=True)


def known_sources() -> list[str]:
    """The sources that can be tried on this machine, without opening any."""
    found = []
    if phone():
        return ["0", "1"]  # the bundled clip stays behind: a phone's OpenCV reads no such video
    if sys.platform == "linux":
        found = [str(n) for n in range(MOST_CAMERAS) if Path(f"/dev/video{n}").exists()]
    else:
        found = ["0", "1"]
    if Path("/etc/nv_tegra_release").exists():
        found.append("csi")
    return [*found, DEMO]


def open_csi(sensor: int) -> "Video":
    """The ribbon-cable camera of a Jetson. Written to NVIDIA's documentation, not yet tried."""
    from fingerpost.edge_runtime.video import Video, import_cv2

    cv2 = import_cv2()
    capture = cv2.VideoCapture(CSI_PIPELINE.format(sensor=sensor), cv2.CAP_GSTREAMER)
    if not capture.isOpened():
        raise ValueError(
            f"the camera csi{sensor} does not open: it needs a Jetson, and an OpenCV with GStreamer"
        )
    return Video(capture, f"csi{sensor}", live=True)


class LoopedVideo:
    """A video file that begins again at its end, its time going on. Used as ``open_video`` is."""

    def __init__(self, path: Path) -> None:
        from fingerpost.edge_runtime.video import open_video

        self._path = path
        self._video = open_video(path)
        self.info: VideoInfo = self._video.info
        self.problem = ""

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        from fingerpost.edge_runtime.video import open_video

        step_ms, begun_ms = round(1000 / self.info.fps), 0
        while True:
            last_ms = 0
            for time_ms, rgb in self._video:
                last_ms = time_ms
                yield begun_ms + time_ms, rgb
            begun_ms += last_ms + step_ms
            self._video.close()
            self._video = open_video(self._path)

    def __enter__(self) -> "LoopedVideo":
        return self

    def __exit__(self, *error: object) -> None:
        self._video.close()
