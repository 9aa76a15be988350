"""Stands in for pyobjus, MediaPipe's Objective-C library and Core ML. An iPhone has the real ones.

Every method has the name that its header gives it; what is not here is an AttributeError. A Core ML
graph gives each input plus one, under the name that ``GIVES`` has for it.
"""

import ctypes
import math
import struct
from types import SimpleNamespace

CALLS = []
GIVES = {"x": "y", "memory": "memory_next"}
POINTS = {"poseLandmarks": 33, "leftHandLandmarks": 21, "rightHandLandmarks": 0}
POINTS["faceLandmarks"] = 478


class NSArray:
    def __init__(self, items=()):
        self.items = list(items)

    @classmethod
    def array(cls):
        return cls()

    def addObject_(self, item):
        self.items.append(item)

    def count(self):
        return len(self.items)

    def objectAtIndex_(self, i):
        return self.items[i]


class NSNumber:
    def __init__(self, value):
        self.value = value

    @classmethod
    def numberWithInt_(cls, value):
        return cls(value)

    def intValue(self):
        return self.value

    def floatValue(self):
        return float(self.value)


class NSString:
    @staticmethod
    def stringWithUTF8String_(text):
        return ("NSString", text)


class NSURL:
    @staticmethod
    def fileURLWithPath_(text):
        assert text[0] == "NSString"
        return ("NSURL", text[1])


class NSMutableDictionary:
    def __init__(self):
        self.items = {}

    @classmethod
    def dictionary(cls):
        return cls()

    def setObject_forKey_(self, value, key):
        self.items[key[1]] = value


class NSData:
    @staticmethod
    def dataWithBytes_length_(content, length):
        return content[:length]


class UIImage:
    @staticmethod
    def imageWithData_(data):
        """Reads a BMP of 32 bits as its specification says: the first pixel, and the size."""
        assert data[:2] == b"BM"
        size, start = struct.unpack("<I4xI", data[2:14])
        width, height = struct.unpack("<ii", data[18:26])
        bits = struct.unpack("<H", data[28:30])[0]
        assert size == len(data) and bits == 32 and height < 0
        blue, green, red, alpha = data[start : start + 4]
        return SimpleNamespace(size=(width, -height), first=(red, green, blue, alpha))


class Allocated:
    @classmethod
    def alloc(cls):
        return cls()


class MPPImage(Allocated):
    def initWithUIImage_error_(self, picture, error):
        self.picture = picture
        return self


class Options(Allocated):
    def init(self):
        self.baseOptions = SimpleNamespace(modelAssetPath="")
        self.runningMode = 0
        return self


class Holistic(Allocated):
    def initWithOptions_error_(self, options, error):
        with open(options.baseOptions.modelAssetPath[1], "rb") as file:
            whole = file.read(2) == b"PK"
        return self if whole and options.runningMode == 1 else None

    def detectVideoFrame_timestampInMilliseconds_error_(self, image, time_ms, error):
        CALLS.append((image.picture.size, image.picture.first, time_ms))
        return SimpleNamespace(
            **{name: NSArray(point(i) for i in range(n)) for name, n in POINTS.items()}
        )


def point(i):
    return SimpleNamespace(x=i / 1000, y=0.5, z=-i / 1000, visibility=NSNumber(0.8), presence=None)


class MLMultiArray(Allocated):
    def initWithShape_dataType_error_(self, shape, data_type, error):
        sizes = [item.value for item in shape.items]
        self.shape, self.dataType = NSArray(map(NSNumber, sizes)), data_type
        strides = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
        self.strides = NSArray(map(NSNumber, strides))
        kind = {65568: ctypes.c_float, 131104: ctypes.c_int32}[data_type]
        self.memory = (kind * math.prod(sizes))()
        self.dataPointer = SimpleNamespace(arg_ref=ctypes.addressof(self.memory))
        return self


class Provider(Allocated):
    def initWithDictionary_error_(self, values, error):
        self.values = values.items
        return self

    def featureValueForName_(self, name):
        value = self.values.get(name[1])
        return None if value is None else SimpleNamespace(multiArrayValue=value)


class AVCaptureDevice:
    STATUS = 3  # AVAuthorizationStatusAuthorized

    @staticmethod
    def authorizationStatusForMediaType_(kind):
        assert kind == ("NSString", "vide")
        return AVCaptureDevice.STATUS


class MLModel:
    @staticmethod
    def compileModelAtURL_error_(url, error):
        return None if "broken" in url[1] else url

    @staticmethod
    def modelWithContentsOfURL_error_(url, error):
        return MLModel()

    def predictionFromFeatures_error_(self, given, error):
        answer = Provider()
        answer.values = {}
        for name, array in given.values.items():
            new = MLMultiArray().initWithShape_dataType_error_(array.shape, array.dataType, None)
            for i, number in enumerate(array.memory):
                new.memory[i] = number + 1
            answer.values[GIVES[name]] = new
        return answer


CLASSES = {
    "AVCaptureDevice": AVCaptureDevice,
    "NSData": NSData,
    "NSMutableArray": NSArray,
    "NSMutableDictionary": NSMutableDictionary,
    "NSNumber": NSNumber,
    "NSString": NSString,
    "NSURL": NSURL,
    "UIImage": UIImage,
    "MPPImage": MPPImage,
    "MPPHolisticLandmarkerOptions": Options,
    "MPPHolisticLandmarker": Holistic,
    "MLDictionaryFeatureProvider": Provider,
    "MLModel": MLModel,
    "MLMultiArray": MLMultiArray,
}


def autoclass(name):
    return CLASSES[name]
