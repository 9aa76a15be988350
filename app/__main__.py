"""``python -m fingerpost.app``: the command, where its script is not on the PATH."""

from fingerpost.app.cli import main

main()
