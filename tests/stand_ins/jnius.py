"""Stands in for pyjnius, and for the Java libraries that the Android app calls.

Every method has the name and the arguments that its Java sources give it; what is not here is an
AttributeError. ``COMPUTE`` is what a LiteRT graph gives: by default zeros.
"""

import os

CALLS = []  # what was called, for tests
POINTS = {"poseLandmarks": 33, "leftHandLandmarks": 21, "rightHandLandmarks": 0}
POINTS["faceLandmarks"] = 478  # MediaPipe gives the irises too


class JavaException(Exception):
    pass


def zeros(model, key, inputs, sizes):
    """Outputs as bytes, by name. sizes : bytes of each"""
    return {name: bytes(size) for name, size in sizes.items()}


COMPUTE = zeros
SIGNATURES = ["ctc", "decode_step", "encode", "encode_clip", "read"]


class JavaArray:
    def __init__(self, content):
        self._content = content

    def tostring(self):
        return bytes(self._content)


class ByteBuffer:
    def __init__(self, content, direct):
        self.content, self.direct, self.at = content, direct, 0

    @staticmethod
    def wrap(content):
        return ByteBuffer(bytearray(content), False)

    @staticmethod
    def allocate(size):
        return ByteBuffer(bytearray(size), False)

    @staticmethod
    def allocateDirect(size):
        return ByteBuffer(bytearray(size), True)

    def order(self, order):
        assert order == "native"
        return self

    def put(self, content):
        assert self.at + len(content) <= len(self.content), "BufferOverflowException"
        self.content[self.at : self.at + len(content)] = content
        self.at += len(content)

    def rewind(self):
        self.at = 0

    def array(self):
        assert not self.direct, "UnsupportedOperationException"
        return JavaArray(self.content)


class ByteOrder:
    @staticmethod
    def nativeOrder():
        return "native"


class HashMap:
    def __init__(self):
        self.items = {}

    def put(self, key, value):
        self.items[key] = value


class Options:
    def setNumThreads(self, number):
        CALLS.append(("threads", number))


class Interpreter:
    def __init__(self, content, options):
        assert content.direct and content.at == 0  # else the Java interpreter refuses it
        self.content = bytes(content.content)
        if self.content[4:8] != b"TFL3":
            raise JavaException("ByteBuffer is not a valid TensorFlow Lite model flatbuffer")

    def getSignatureKeys(self):
        return list(SIGNATURES)

    def runSignature(self, inputs, outputs, key):
        given = {name: bytes(buffer.content) for name, buffer in inputs.items.items()}
        sizes = {name: len(buffer.content) for name, buffer in outputs.items.items()}
        for name, content in COMPUTE(self.content, key, given, sizes).items():
            outputs.items[name].put(content)


class Numbers:
    """FloatBuffer, IntBuffer, LongBuffer."""

    def __init__(self, dtype, size):
        self.dtype, self.size, self.numbers = dtype, size, []

    def put(self, numbers):
        self.numbers = numbers


class Tensor:
    def __init__(self, dtype, numbers, shape):
        self.dtype, self.numbers, self.shape = dtype, numbers, shape

    @staticmethod
    def allocateFloatBuffer(size):
        return Numbers("float32", size)

    @staticmethod
    def allocateIntBuffer(size):
        return Numbers("int32", size)

    @staticmethod
    def allocateLongBuffer(size):
        return Numbers("int64", size)

    @staticmethod
    def fromBlob(buffer, shape):
        assert len(buffer.numbers) == buffer.size
        return Tensor(buffer.dtype, buffer.numbers, shape)

    def getDataAsFloatArray(self):
        assert self.dtype == "float32", "IllegalStateException"
        return self.numbers


class EValue:
    def __init__(self, tensor):
        self.tensor = tensor

    def toTensor(self):
        return self.tensor


setattr(EValue, "from", staticmethod(EValue))


class Module:
    """Gives each input plus one."""

    LOAD_MODE_FILE = 0

    @staticmethod
    def load(path, mode, threads):
        with open(path, "rb") as file:
            if file.read()[4:8] != b"ET12":
                raise JavaException("ExecutorchInvalidArgumentException")
        return Module()

    def getMethods(self):
        return ["forward"]

    def execute(self, method, *values):
        tensors = [value.toTensor() for value in values]
        return [EValue(Tensor(t.dtype, [n + 1 for n in t.numbers], t.shape)) for t in tensors]


class File:
    def __init__(self, path):
        self.path = path


class ParcelFileDescriptor:
    MODE_READ_ONLY = 0x10000000

    def __init__(self, path):
        self.number = os.open(path, os.O_RDONLY)

    @staticmethod
    def open(file, mode):
        return ParcelFileDescriptor(file.path)

    def getFd(self):
        return self.number

    def close(self):
        os.close(self.number)


class Built:
    """A builder of Java: keeps what it is given, and gives itself."""

    def __init__(self):
        self.kept = {}

    @classmethod
    def builder(cls):
        return cls()

    def build(self):
        return self


class BaseOptions(Built):
    def setModelAssetFileDescriptor(self, number):
        self.kept["head"] = os.pread(number, 2, 0)
        return self


class HolisticOptions(Built):
    def setBaseOptions(self, options):
        self.kept["base"] = options
        return self

    def setRunningMode(self, mode):
        self.kept["mode"] = mode
        return self


class RunningMode:
    VIDEO = "video"


class HolisticLandmarker:
    @staticmethod
    def createFromOptions(context, options):
        assert context == "activity" and options.kept["mode"] == "video"
        if options.kept["base"].kept["head"] != b"PK":  # a bundle is a zip
            raise JavaException("Unable to open\nzip archive")
        return HolisticLandmarker()

    def detectForVideo(self, image, time_ms):
        CALLS.append(("picture", bytes(image.kept["bitmap"].pixels[:4]), time_ms))
        return Result()

    def close(self):
        CALLS.append(("closed",))


class Result:
    def __getattr__(self, name):
        return lambda: Points(POINTS[name])


class Points:
    def __init__(self, number):
        self.number = number

    def size(self):
        return self.number

    def get(self, i):
        return Point(i)


class Point:
    """The i-th : x = i / 1000, y = 0.5, z = -i / 1000, seen for sure in half of its parts."""

    def __init__(self, i):
        self.i = i

    def x(self):
        return self.i / 1000

    def y(self):
        return 0.5

    def z(self):
        return -self.i / 1000

    def visibility(self):
        return Maybe(0.8)

    def presence(self):
        return Maybe(None)


class Maybe:
    def __init__(self, value):
        self.value = value

    def isPresent(self):
        return self.value is not None

    def get(self):
        assert self.value is not None, "NoSuchElementException"
        return self.value


class Bitmap:
    def __init__(self, width, height):
        self.size = width, height

    @staticmethod
    def createBitmap(width, height, config):
        assert config == "argb"
        return Bitmap(width, height)

    def getWidth(self):
        return self.size[0]

    def getHeight(self):
        return self.size[1]

    def copyPixelsToBuffer(self, buffer):
        buffer.put(self.pixels)

    def copyPixelsFromBuffer(self, buffer):
        assert len(buffer.content) == 4 * self.size[0] * self.size[1]
        self.pixels = buffer.content


class Config:
    ARGB_8888 = "argb"


class BitmapImageBuilder(Built):
    def __init__(self, bitmap):
        super().__init__()
        self.kept["bitmap"] = bitmap


class PythonActivity:
    mActivity = "activity"


# ---- CameraX -----------------------------------------------------------------------------------

PICTURES = []  # (H, W, 4) uint8 arrays that the camera gives, once somebody analyses them
HAS = {"front", "back"}
OPEN = []  # lifecycle owners that a camera is bound to


def java_method(signature):
    def kept(method):
        method.signature = signature
        return method

    return kept


class PythonJavaClass:
    """A proxy: Java calls what has a signature, and nothing else."""

    def call(self, name, signature, *arguments):
        method = getattr(self, name)
        assert method.signature == signature, f"{name} has no {signature}"
        return method(*arguments)


class CameraSelector:
    DEFAULT_FRONT_CAMERA, DEFAULT_BACK_CAMERA = "front", "back"


class ImageAnalysis:
    STRATEGY_KEEP_ONLY_LATEST, OUTPUT_IMAGE_FORMAT_RGBA_8888 = 0, 2

    def setAnalyzer(self, executor, analyzer):
        assert executor == "executor"
        # CameraX asks for both before it begins; each has a default in Java.
        assert analyzer.call("getDefaultTargetResolution", "()Landroid/util/Size;") is None
        assert analyzer.call("getTargetCoordinateSystem", "()I") == 0
        self.analyzer = analyzer


class ImageAnalysisBuilder(Built):
    def setBackpressureStrategy(self, strategy):
        assert strategy == 0
        return self

    def setOutputImageFormat(self, number):
        assert number == 2
        return self

    def setOutputImageRotationEnabled(self, enabled):
        assert enabled is True
        return self

    def build(self):
        return ImageAnalysis()


class UseCaseGroupBuilder(Built):
    def addUseCase(self, case):
        self.kept["case"] = case
        return self


class ImageProxy:
    def __init__(self, rgba):
        self.rgba = rgba

    def toBitmap(self):
        height, width = self.rgba.shape[:2]
        bitmap = Bitmap(width, height)
        bitmap.pixels = self.rgba.tobytes()
        return bitmap

    def close(self):
        CALLS.append(("image closed",))


class ProcessCameraProvider:
    @staticmethod
    def getInstance(context):
        assert context == "activity"
        return ProcessCameraProvider()

    def get(self):
        return self

    def hasCamera(self, selector):
        return selector in HAS

    def bindToLifecycle(self, owner, selector, group):
        assert owner.call("getLifecycle", "()Landroidx/lifecycle/Lifecycle;").owner is owner
        OPEN.append(owner)
        CALLS.append(("camera", selector))
        owner.registry.analyzer = group.kept["case"].analyzer


class LifecycleRegistry:
    def __init__(self, owner):
        self.owner, self.state = owner, "initialized"

    def setCurrentState(self, state):
        before, self.state = self.state, state
        if state == "destroyed":
            assert before != "initialized", "IllegalStateException"
            OPEN[:] = [owner for owner in OPEN if owner is not self.owner]
        elif state == "resumed":
            for rgba in PICTURES:
                look = self.analyzer.call
                look("analyze", "(Landroidx/camera/core/ImageProxy;)V", ImageProxy(rgba))


class LifecycleState:
    CREATED, RESUMED, DESTROYED = "created", "resumed", "destroyed"


class Executors:
    @staticmethod
    def newSingleThreadExecutor():
        return Executor("executor")


class Executor(str):
    def shutdown(self):
        CALLS.append(("shut down",))


CLASSES = {
    "java.nio.ByteBuffer": ByteBuffer,
    "java.nio.ByteOrder": ByteOrder,
    "java.util.HashMap": HashMap,
    "java.io.File": File,
    "org.tensorflow.lite.Interpreter": Interpreter,
    "org.tensorflow.lite.Interpreter$Options": Options,
    "org.pytorch.executorch.Module": Module,
    "org.pytorch.executorch.Tensor": Tensor,
    "org.pytorch.executorch.EValue": EValue,
    "org.kivy.android.PythonActivity": PythonActivity,
    "androidx.camera.lifecycle.ProcessCameraProvider": ProcessCameraProvider,
    "androidx.camera.core.CameraSelector": CameraSelector,
    "androidx.camera.core.ImageAnalysis": ImageAnalysis,
    "androidx.camera.core.ImageAnalysis$Builder": ImageAnalysisBuilder,
    "androidx.camera.core.UseCaseGroup$Builder": UseCaseGroupBuilder,
    "androidx.lifecycle.LifecycleRegistry": LifecycleRegistry,
    "androidx.lifecycle.Lifecycle$State": LifecycleState,
    "java.util.concurrent.Executors": Executors,
    "android.os.ParcelFileDescriptor": ParcelFileDescriptor,
    "android.graphics.Bitmap": Bitmap,
    "android.graphics.Bitmap$Config": Config,
    "com.google.mediapipe.framework.image.BitmapImageBuilder": BitmapImageBuilder,
    "com.google.mediapipe.tasks.core.BaseOptions": BaseOptions,
    "com.google.mediapipe.tasks.vision.core.RunningMode": RunningMode,
    "com.google.mediapipe.tasks.vision.holisticlandmarker.HolisticLandmarker": HolisticLandmarker,
    "com.google.mediapipe.tasks.vision.holisticlandmarker.HolisticLandmarker"
    "$HolisticLandmarkerOptions": HolisticOptions,
}


FOUND = []  # in order of time


def autoclass(name):
    """Classes that are only named for others to find are any class."""
    FOUND.append(name)
    if name in MISSING:
        raise JavaException(f"Class not found {name}")
    return CLASSES.get(name, Built)


MISSING = set()  # of libraries that were left out
