"""Whether a patient's words or numbers stand in a file, as text, packed, or as numbers of a table."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd


def texts(content: bytes, depth: int = 0) -> Iterator[str]:
    """The content as text, and what is packed within it: base64, deflated streams."""
    yield content.decode("utf-8", errors="ignore")
    if depth == 2:
        return
    for packed in re.findall(rb"[A-Za-z0-9+/]{60,}={0,2}", content):
        yield from texts(base64.b64decode(packed + b"=" * (-len(packed) % 4)), depth + 1)
    for start in [found.start() for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08", content)]:
        try:
            yield from texts(zlib.decompressobj(wbits=47).decompress(content[start:]), depth + 1)
        except zlib.error:
            continue


def search(files: Iterable[Path], words: Collection[str], numbers: Collection[float], *, folder: Path) -> set[str]:
    """Where one of them stands, as "file: what"; file names are relative to the folder."""
    pattern, found = re.compile("|".join(re.escape(word) for word in sorted(words))), set()
    for path in files:
        name = path.relative_to(folder).as_posix()
        found |= {f"{name}: {hit}" for text in texts(path.read_bytes()) for hit in pattern.findall(text)}
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            of_numbers = table.select_dtypes("number").to_numpy(dtype=np.float64, na_value=np.nan)
            found |= {f"{name}: {value}" for value in set(numbers) & set(of_numbers.ravel())}
            words_of = table.select_dtypes(exclude="number").astype(str).to_numpy().ravel()
            found |= {f"{name}: {hit}" for value in words_of for hit in pattern.findall(value)}
    return found
