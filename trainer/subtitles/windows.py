"""The window of video that is looked at to place one subtitle, and frames of it as times.

"Lost in Translation, Found in Embeddings", section 4.2 (inference): 20 seconds at 25 frames a
second, centred on the middle of the time that the subtitle has had so far. The paper does not say
what happens at the ends of a video: here the window moves inwards, and a video that is shorter than
a window is a shorter window.
"""

from dataclasses import dataclass, replace

from fingerpost.edge_runtime.keypoints import PoseSequence

FPS = 25.0
WINDOW_FRAMES = 500  # 20 s


@dataclass(frozen=True)
class Window:
    """start_ms : of the video; n_frames : 1 or more, at ``fps``"""

    start_ms: int
    n_frames: int
    fps: float = FPS

    @property
    def end_ms(self) -> int:
        return self.start_ms + round(self.n_frames * 1000 / self.fps)

    def frames_of(self, start_ms: int, end_ms: int) -> tuple[int, int] | None:
        """A time span as (first frame, the one after its last), cut to the window.

        None where less than half a frame of it is inside.
        """
        first, end = (
            min(max(round((ms - self.start_ms) * self.fps / 1000), 0), self.n_frames)
            for ms in (start_ms, end_ms)
        )
        return (first, end) if first < end else None

    def span_ms(self, first: float, end: float) -> tuple[int, int]:
        """(first frame, the one after the last) as times of the video; fractions are allowed."""
        start_ms, end_ms = (
            self.start_ms + round(min(max(frame, 0), self.n_frames) * 1000 / self.fps)
            for frame in (first, end)
        )
        return start_ms, end_ms


def window_around(
    start_ms: int,
    end_ms: int,
    video_start_ms: int,
    video_end_ms: int,
    n_frames: int = WINDOW_FRAMES,
    fps: float = FPS,
) -> Window:
    """The window for a subtitle that was shown from start_ms to end_ms so far.

    n_frames : of a whole window, at ``fps``
    ValueError for a video that lasts less than one frame.
    """
    frames = int((video_end_ms - video_start_ms) * fps / 1000)
    if frames < 1:
        raise ValueError(f"a video of {video_end_ms - video_start_ms} ms has nothing to look at")
    window_ms = round(n_frames * 1000 / fps)
    start = (start_ms + end_ms - window_ms) // 2
    inside = max(min(start, video_end_ms - window_ms), video_start_ms)
    return Window(inside, min(frames, n_frames), fps)


def part(sequence: PoseSequence, first: int, end: int) -> PoseSequence:
    """The frames from first until end, or the sequence's end, with their times."""
    return replace(
        sequence,
        xyz=sequence.xyz[first:end],
        confidence=sequence.confidence[first:end],
        start_ms=sequence.time_ms(first),
    )
