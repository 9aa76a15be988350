"""Subtitles and signing: when each subtitle of a signed video is signed.

Sign-subtitle alignment (SSA) of "Lost in Translation, Found in Embeddings: Sign Language
Translation and Alignment". The network that reads a window of video and writes start and end is in
``trainer/models``.
"""
