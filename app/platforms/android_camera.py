"""A phone's camera on Android: CameraX, called through pyjnius. Not yet run on a phone.

Classes and methods are those of androidx.camera 1.5 and androidx.lifecycle 2. Camera2 is out of
reach of pyjnius: its callbacks are abstract classes, and Python can fill in interfaces alone.
Kivy's own camera for Android takes the API from before Camera2, and gives pictures as the sensor
lies in the phone; CameraX turns them upright.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from fingerpost.app.platforms.phone_camera import FRONT, PhoneCamera
from fingerpost.app.session import Channel, Filling

CORE, LIFECYCLE = "androidx.camera.core", "androidx.lifecycle"
PROVIDER = "androidx.camera.lifecycle.ProcessCameraProvider"
# Java finds an app's classes only from its own threads and from Python's first one: loaded there
# by ``here.load_java_classes``, they are known to pyjnius everywhere.
JAVA_CLASSES = (
    "org.jnius.NativeInvocationHandler",
    "org.kivy.android.PythonActivity",
    PROVIDER,
    "com.google.common.util.concurrent.ListenableFuture",
    f"{CORE}.Camera",
    f"{CORE}.CameraSelector",
    f"{CORE}.ImageAnalysis",
    f"{CORE}.ImageAnalysis$Builder",
    f"{CORE}.ImageProxy",
    f"{CORE}.UseCaseGroup",
    f"{CORE}.UseCaseGroup$Builder",
    f"{LIFECYCLE}.Lifecycle$State",
    f"{LIFECYCLE}.LifecycleRegistry",
)

T = TypeVar("T")


class Camera(PhoneCamera):
    """Pictures of 640x480 or so, upright as the phone is held when it begins."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._jnius = _jnius()
        self._registry: Any = None
        self._executor: Any = None
        self._kept: tuple[Any, ...] = ()  # what Java calls must not be freed by Python

    def begin(self) -> None:
        allow_camera()
        activity = self._jnius.autoclass("org.kivy.android.PythonActivity").mActivity
        try:
            provider = self._jnius.autoclass(PROVIDER).getInstance(activity).get()
            on_ui_thread(lambda: self._bind(provider))
        except self._jnius.JavaException as error:
            raise ValueError(
                f"{self.name} does not open: {' '.join(str(error).split())}"
            ) from error

    def end(self) -> None:
        registry, self._registry = self._registry, None
        if registry is not None:
            state = self._jnius.autoclass(f"{LIFECYCLE}.Lifecycle$State")
            on_ui_thread(lambda: registry.setCurrentState(state.DESTROYED))  # CameraX lets go
        if self._executor is not None:
            self._executor.shutdown()
        self._executor, self._kept = None, ()

    # ---- the thread of Android's interface ---------------------------------------------------

    def _bind(self, provider: Any) -> None:
        autoclass = self._jnius.autoclass
        selectors = autoclass(f"{CORE}.CameraSelector")
        front = self.number == FRONT
        selector = selectors.DEFAULT_FRONT_CAMERA if front else selectors.DEFAULT_BACK_CAMERA
        if not provider.hasCamera(selector):
            raise ValueError(f"this phone has no {self.name}; take the other one, 0 or 1")
        analyses = autoclass(f"{CORE}.ImageAnalysis")
        analysis = (
            autoclass(f"{CORE}.ImageAnalysis$Builder")()
            .setBackpressureStrategy(analyses.STRATEGY_KEEP_ONLY_LATEST)
            .setOutputImageFormat(analyses.OUTPUT_IMAGE_FORMAT_RGBA_8888)
            .setOutputImageRotationEnabled(True)
            .build()
        )
        self._executor = autoclass("java.util.concurrent.Executors").newSingleThreadExecutor()
        analyzer = _new_analyzer(self._jnius, self._look)
        analysis.setAnalyzer(self._executor, analyzer)
        owner = _new_owner(self._jnius)
        states = autoclass(f"{LIFECYCLE}.Lifecycle$State")
        self._registry = owner.registry = autoclass(f"{LIFECYCLE}.LifecycleRegistry")(owner)
        self._registry.setCurrentState(states.CREATED)  # what never was cannot be destroyed
        self._kept = (owner, analyzer)
        # A group, for of bindToLifecycle's other forms pyjnius cannot tell which is meant.
        group = autoclass(f"{CORE}.UseCaseGroup$Builder")().addUseCase(analysis).build()
        provider.bindToLifecycle(owner, selector, group)
        self._registry.setCurrentState(states.RESUMED)

    # ---- CameraX's thread --------------------------------------------------------------------

    def _look(self, image: Any) -> None:
        """An androidx.camera.core.ImageProxy; the next one comes once it is closed."""
        try:
            self.take(self._picture(image.toBitmap()))
        except (ValueError, self._jnius.JavaException) as error:
            self.fail(ValueError(f"{self.name}: {' '.join(str(error).split())}"))
        finally:
            image.close()

    def _picture(self, bitmap: Any) -> np.ndarray:
        """Of an android.graphics.Bitmap of ARGB_8888, whose bytes are red, green, blue, alpha."""
        width, height = bitmap.getWidth(), bitmap.getHeight()
        buffer = self._jnius.autoclass("java.nio.ByteBuffer").allocate(4 * width * height)
        bitmap.copyPixelsToBuffer(buffer)
        rgba = np.frombuffer(buffer.array().tostring(), np.uint8).reshape(height, width, 4)
        return np.ascontiguousarray(rgba[..., :3])


def allow_camera() -> None:
    """Asks whoever holds the phone, once, and waits. ValueError where they would rather not."""
    from android.permissions import Permission, check_permission, request_permissions

    if check_permission(Permission.CAMERA):
        return
    answers: Channel[bool] = Channel(1)

    def answered(_names: list[str], granted: list[bool]) -> None:
        answers.put(bool(granted) and all(granted))  # an empty list: the question was broken off

    request_permissions([Permission.CAMERA], answered)
    if not answers.get():
        raise ValueError(
            "Fingerpost may not use the camera: allow it in the phone's settings, under Apps"
        )


def on_ui_thread(work: Callable[[], T]) -> T:
    """Has Android's own thread do something, and waits for it; raises what it raised."""
    from android.runnable import run_on_ui_thread

    done: Channel[tuple[T]] = Channel(1)

    def run() -> None:
        with Filling(done):
            done.put((work(),))

    run_on_ui_thread(run)()
    answer = done.get()
    assert answer is not None, "a channel that ended without a word"
    return answer[0]


def _new_analyzer(jnius: Any, look: Callable[[Any], None]) -> Any:
    """An ImageAnalysis.Analyzer. All methods of the interface are filled in: through a proxy Java
    calls those with a default of its own too."""

    class Analyzer(jnius.PythonJavaClass):
        __javainterfaces__ = ["androidx/camera/core/ImageAnalysis$Analyzer"]  # noqa: RUF012
        __javacontext__ = "app"

        @jnius.java_method("(Landroidx/camera/core/ImageProxy;)V")
        def analyze(self, image: Any) -> None:
            look(image)

        @jnius.java_method("()Landroid/util/Size;")
        def getDefaultTargetResolution(self) -> None:
            return None

        @jnius.java_method("()I")
        def getTargetCoordinateSystem(self) -> int:
            return 0  # that of the picture itself

        @jnius.java_method("(Landroid/graphics/Matrix;)V")
        def updateTransform(self, matrix: Any) -> None:
            """Nothing is drawn with it."""

    return Analyzer()


def _new_owner(jnius: Any) -> Any:
    """A LifecycleOwner: Kivy's activity is none, and CameraX asks one whether to go on."""

    class Owner(jnius.PythonJavaClass):
        __javainterfaces__ = ["androidx/lifecycle/LifecycleOwner"]  # noqa: RUF012
        __javacontext__ = "app"
        registry: Any = None

        @jnius.java_method("()Landroidx/lifecycle/Lifecycle;")
        def getLifecycle(self) -> Any:
            return self.registry

    return Owner()


def _jnius() -> Any:
    try:
        import jnius
    except ImportError as error:
        raise ValueError("this camera needs pyjnius, on Android") from error
    return jnius
