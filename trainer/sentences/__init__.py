"""Sentences to learn from and to be tested on: of the rendered signer, and of real signs."""
