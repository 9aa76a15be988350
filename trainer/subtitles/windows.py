"""The window of video that is looked at to place one subtitle, and frames of it as times.

"Lost in Translation, Found in Embeddings", section 4.2 (inference): 20 seconds at 25 frames a
second, centred on the middle of the time that the subtitle has had so far. The paper does not say
what happens at the ends of a video: here the window moves inwards, and a video that is shorter than
a window is a shorter window.
"""

from dataclasses import dataclass

FPS = 25.0
WINDOW_MS = 20_000  # 500 frames
WINDOW_FRAMES = 500


@dataclass(frozen=True)
class Window:
    """start_ms : of the video; n_frames : at ``FPS``, 1 to ``WINDOW_FRAMES``"""

    start_ms: int
    n_frames: int

    @property
    def end_ms(self) -> int:
        return self.start_ms + round(self.n_frames * 1000 / FPS)

    def frames_of(self, start_ms: int, end_ms: int) -> tuple[int, int] | None:
        """A time span as (first frame, the one after its last), cut to the window.

        None where less than half a frame of it is inside.
        """
        first, end = (
            min(max(round((ms - self.start_ms) * FPS / 1000), 0), self.n_frames)
            for ms in (start_ms, end_ms)
        )
        return (first, end) if first < end else None

    def span_ms(self, first: float, end: float) -> tuple[int, int]:
        """(first frame, the one after the last) as times of the video; fractions are allowed."""
        start_ms, end_ms = (
            self.start_ms + round(min(max(frame, 0), self.n_frames) * 1000 / FPS)
            for frame in (first, end)
        )
        return start_ms, end_ms


def window_around(start_ms: int, end_ms: int, video_start_ms: int, video_end_ms: int) -> Window:
    """The window for a subtitle that was shown from start_ms to end_ms so far.

    ValueError for a video that lasts less than one frame.
    """
    frames = int((video_end_ms - video_start_ms) * FPS / 1000)
    if frames < 1:
        raise ValueError(f"a video of {video_end_ms - video_start_ms} ms has nothing to look at")
    latest = video_end_ms - WINDOW_MS
    start = (start_ms + end_ms - WINDOW_MS) // 2
    return Window(max(min(start, latest), video_start_ms), min(frames, WINDOW_FRAMES))
