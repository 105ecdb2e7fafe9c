"""Parallax: the same study on real and on synthetic patients, and whether the two agree."""

__version__ = "0.1.0"
