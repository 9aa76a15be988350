"""Pictures of the signer: slow (about half a second a frame at 640x480), for tests and the demo.

Needs numba and OpenCV: `pip install "fingerpost[dev]"`. Nothing of the kinematics knows of it.
"""

from collections.abc import Iterator

import numpy as np

from fingerpost.trainer.signer.motion import Motion, Skeleton
from fingerpost.trainer.signer.scene import build_scene
from fingerpost.trainer.signer.variation import Camera, Signer


def render_motion(
    motion: Motion,
    fps: float = 25,
    height: int = 480,
    camera: Camera | None = None,
    grain: float = 1.0,
) -> Iterator[np.ndarray]:
    """The frames (height, height * aspect, 3), uint8 RGB, one by one."""
    frames = max(int(motion.duration_ms * fps / 1000), 1)
    skeleton = motion.skeleton(np.arange(frames) * 1000 / fps)
    for t in range(frames):
        yield render_frame(skeleton, t, motion.signer, height, camera, grain, seed=t)


def render_frame(
    skeleton: Skeleton,
    t: int,
    signer: Signer,
    height: int = 480,
    camera: Camera | None = None,
    grain: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """Frame t of a skeleton, (height, height * aspect, 3), uint8 RGB.

    camera : None is the signer's own
    grain : of the camera's sensor, 0 to 1; it costs bytes in a video
    """
    import cv2

    from fingerpost.trainer.signer.sdf import march

    camera = camera or signer.camera
    look, axes = signer.look, camera.rotation()
    prims, groups, head = build_scene(skeleton, t, signer)
    image = march(
        prims,
        groups,
        np.array([look.skin, look.shirt, look.hair]),
        head,
        np.array([camera.x, camera.y, 0]) + camera.distance * axes[2],
        axes,
        height * camera.distance / camera.view,
        round(height * camera.aspect),
        height,
        np.array(look.wall),
        grain,
        seed,
    )
    image = cv2.GaussianBlur(image, (0, 0), 0.75 * height / 480)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)
