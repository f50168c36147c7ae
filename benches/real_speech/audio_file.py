"""What is transcribed."""

import pathlib
from dataclasses import dataclass


@dataclass(frozen=True)
class AudioFile:
    """An audio file and what is said in it."""

    part: str
    language: str
    path: pathlib.Path
    text: str
    seconds: float
