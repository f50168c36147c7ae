"""What `quality.py` counts: word errors, errors of times, and words that nobody said."""

import statistics
from dataclasses import dataclass, field

from quality_audio import Recording, Word
from sentences import words_of

# A word heard further from all speech than this was invented. (seconds)
NEAR_SPEECH = 0.5


@dataclass(frozen=True)
class Heard:
    """A segment as a system wrote it; times in seconds."""

    start: float
    end: float
    words: list[Word]


@dataclass
class Score:
    """Sums over recordings; errors in seconds."""

    wrong: int = 0
    words: int = 0
    invented: list[str] = field(default_factory=list)
    segment_starts: list[float] = field(default_factory=list)
    segment_ends: list[float] = field(default_factory=list)
    word_starts: list[float] = field(default_factory=list)
    word_ends: list[float] = field(default_factory=list)

    def add(self, other: "Score") -> None:
        self.wrong += other.wrong
        self.words += other.words
        for name in ("invented", "segment_starts", "segment_ends", "word_starts", "word_ends"):
            getattr(self, name).extend(getattr(other, name))

    @property
    def wer(self) -> float:
        """Word errors of a hundred words; where nothing is said, every word is one error of one word."""
        return 100 * self.wrong / max(self.words, 1)

    @staticmethod
    def mean_ms(errors: list[float]) -> float:
        return 1000 * statistics.fmean(errors) if errors else float("nan")


def heard_words(segments: list[dict]) -> list[Heard]:
    """Segments with their words as they count: what a system calls a word may be several, or punctuation.

    Where words have no times of their own, those of the segment stand in.
    """
    return [
        Heard(
            segment["start"],
            segment["end"],
            [
                Word(text, timed["start"], timed["end"])
                for timed in segment["words"] or [segment]
                for text in words_of(timed["text"])
            ],
        )
        for segment in segments
    ]


def align(said: list[str], heard: list[str]) -> tuple[int, list[tuple[int, int]]]:
    """The fewest edits that make `heard` of `said`, and which words stayed, by their places in both."""
    costs = [list(range(len(heard) + 1))]
    for i, word in enumerate(said, start=1):
        row = [i]
        for j, other in enumerate(heard, start=1):
            row.append(min(costs[-1][j] + 1, row[-1] + 1, costs[-1][j - 1] + (word != other)))
        costs.append(row)
    pairs, i, j = [], len(said), len(heard)
    while i and j:
        if costs[i][j] == costs[i - 1][j - 1] + (said[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            if said[i] == heard[j]:
                pairs.append((i, j))
        elif costs[i][j] == costs[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return costs[-1][-1], pairs[::-1]


def score(recording: Recording, with_words: list[dict], without: list[dict]) -> Score:
    """Counts what was written with word times; the edges of segments are those of `without`."""
    said = [word for spoken in recording.spoken for word in spoken.words]
    found = [word for segment in heard_words(with_words) for word in segment.words]
    wrong, pairs = align([word.text for word in said], [word.text for word in found])
    result = Score(wrong=wrong, words=len(said))
    stayed = {j for _, j in pairs}
    result.invented = [
        f"{word.text} {word.start:.2f}" for j, word in enumerate(found)
        if j not in stayed and not near_speech(recording, word)
    ]
    for i, j in pairs:
        result.word_starts.append(abs(found[j].start - said[i].start))
        result.word_ends.append(abs(found[j].end - said[i].end))
    add_edges(result, recording, heard_words(without))
    return result


def add_edges(result: Score, recording: Recording, heard: list[Heard]) -> None:
    """An edge's error is known where a segment's first or last word is one that begins or ends a sentence."""
    said = [word for spoken in recording.spoken for word in spoken.words]
    _, pairs = align([word.text for word in said], [word.text for segment in heard for word in segment.words])
    stayed = {j: said[i] for i, j in pairs}
    starts = {spoken.words[0]: spoken.start for spoken in recording.spoken}
    ends = {spoken.words[-1]: spoken.end for spoken in recording.spoken}
    first = 0
    for segment in heard:
        last = first + len(segment.words) - 1
        if (start := starts.get(stayed.get(first))) is not None and segment.words:
            result.segment_starts.append(abs(segment.start - start))
        if (end := ends.get(stayed.get(last))) is not None and segment.words:
            result.segment_ends.append(abs(segment.end - end))
        first = last + 1


def near_speech(recording: Recording, word: Word) -> bool:
    middle = (word.start + word.end) / 2
    return any(spoken.start - NEAR_SPEECH <= middle <= spoken.end + NEAR_SPEECH for spoken in recording.spoken)
