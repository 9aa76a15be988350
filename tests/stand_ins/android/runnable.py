"""Stands in for android.runnable: Android's own thread does it, some time later."""

import threading


def run_on_ui_thread(work):
    return lambda: threading.Thread(target=work).start()
