"""Stands in for pyobjus.dylib_manager."""

LOADED = []


def load_framework(path):
    LOADED.append(path)
