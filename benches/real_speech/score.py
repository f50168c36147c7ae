"""Word errors, after Whisper's own normalisation of text."""

import functools
from dataclasses import dataclass

import jiwer
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from real_speech.audio_file import AudioFile


@dataclass
class Errors:
    """Counts of words, or of characters where words are not separated."""

    spoken: int = 0
    substituted: int = 0
    deleted: int = 0
    inserted: int = 0

    def add(self, other: "Errors") -> None:
        for name in ("spoken", "substituted", "deleted", "inserted"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def rate(self) -> float:
        """In percent; without speech, 100 times the number of words."""
        return 100 * (self.substituted + self.deleted + self.inserted) / max(self.spoken, 1)

    def __str__(self) -> str:
        return f"{self.rate:6.2f} % (-{self.deleted} +{self.inserted} ~{self.substituted})"


@functools.cache
def normalizer(language: str):
    return EnglishTextNormalizer() if language == "en" else BasicTextNormalizer(split_letters=True)


def errors(audio_file: AudioFile, transcript: str) -> Errors:
    spoken, written = (normalizer(audio_file.language)(text).strip() for text in (audio_file.text, transcript))
    if not spoken:
        return Errors(inserted=len(written.split()))
    found = jiwer.process_words(spoken, written)
    return Errors(len(spoken.split()), found.substitutions, found.deletions, found.insertions)
