"""Stands in for android.permissions: what is allowed, and what whoever is asked answers."""

ALLOWED = set()
ANSWERS = []  # lists of bool, in order; [] is a question that was broken off


class Permission:
    CAMERA = "android.permission.CAMERA"


def check_permission(name):
    return name in ALLOWED


def request_permissions(names, callback):
    callback(names, ANSWERS.pop(0))
