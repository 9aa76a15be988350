"""Converters write their progress to stdout and stderr, past all logging. Not here."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import torch

from fingerpost.edge_runtime.quiet import quiet_stderr


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, nothing that Python or native code writes is shown; torch records no gradients."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            quiet_stderr(),
            torch.no_grad(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
