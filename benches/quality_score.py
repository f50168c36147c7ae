"""The scores of `quality.py`: word errors, errors of timestamps, and hallucinated words."""

import statistics
from dataclasses import dataclass, field

from quality_audio import AudioFile, Word
from sentences import words_of

# A wrong word at a greater distance than this from all speech counts as hallucinated, in seconds.
NEAR_SPEECH = 0.5


@dataclass(frozen=True)
class Segment:
    """A segment of a transcript; times in seconds."""

    start: float
    end: float
    words: list[Word]


@dataclass
class Score:
    """Counts and errors, of one file or added up; errors in seconds."""

    wrong: int = 0
    words: int = 0
    hallucinated: list[str] = field(default_factory=list)
    segment_starts: list[float] = field(default_factory=list)
    segment_ends: list[float] = field(default_factory=list)
    word_starts: list[float] = field(default_factory=list)
    word_ends: list[float] = field(default_factory=list)

    def add(self, other: "Score") -> None:
        self.wrong += other.wrong
        self.words += other.words
        for name in ("hallucinated", "segment_starts", "segment_ends", "word_starts", "word_ends"):
            getattr(self, name).extend(getattr(other, name))

    @property
    def wer(self) -> float:
        """The word error rate in percent; without speech, 100 times the number of words."""
        return 100 * self.wrong / max(self.words, 1)

    @staticmethod
    def mean_ms(errors: list[float]) -> float:
        return 1000 * statistics.fmean(errors) if errors else float("nan")


def normalized(segments: list[dict]) -> list[Segment]:
    """Segments with normalized words: one word of a system may be several, or only punctuation.

    If the words have no times of their own, they get those of the segment.
    """
    return [
        Segment(
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


def align(spoken: list[str], transcribed: list[str]) -> tuple[int, list[tuple[int, int]]]:
    """The edit distance between two lists of words, and the pairs of indexes of the words that match."""
    costs = [list(range(len(transcribed) + 1))]
    for i, word in enumerate(spoken, start=1):
        row = [i]
        for j, other in enumerate(transcribed, start=1):
            row.append(min(costs[-1][j] + 1, row[-1] + 1, costs[-1][j - 1] + (word != other)))
        costs.append(row)
    pairs, i, j = [], len(spoken), len(transcribed)
    while i and j:
        if costs[i][j] == costs[i - 1][j - 1] + (spoken[i - 1] != transcribed[j - 1]):
            i, j = i - 1, j - 1
            if spoken[i] == transcribed[j]:
                pairs.append((i, j))
        elif costs[i][j] == costs[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return costs[-1][-1], pairs[::-1]


def score(audio_file: AudioFile, with_words: list[dict], without: list[dict]) -> Score:
    """Scores the transcript with word timestamps; segment boundaries are scored by the transcript without."""
    spoken = [word for sentence in audio_file.spoken for word in sentence.words]
    found = [word for segment in normalized(with_words) for word in segment.words]
    wrong, pairs = align([word.text for word in spoken], [word.text for word in found])
    result = Score(wrong=wrong, words=len(spoken))
    matched = {j for _, j in pairs}
    result.hallucinated = [
        f"{word.text} {word.start:.2f}" for j, word in enumerate(found)
        if j not in matched and not near_speech(audio_file, word)
    ]
    for i, j in pairs:
        result.word_starts.append(abs(found[j].start - spoken[i].start))
        result.word_ends.append(abs(found[j].end - spoken[i].end))
    add_boundaries(result, audio_file, normalized(without))
    return result


def add_boundaries(result: Score, audio_file: AudioFile, segments: list[Segment]) -> None:
    """The error of a boundary is known if the first or last word of the segment begins or ends a sentence."""
    spoken = [word for sentence in audio_file.spoken for word in sentence.words]
    _, pairs = align([word.text for word in spoken], [word.text for segment in segments for word in segment.words])
    matched = {j: spoken[i] for i, j in pairs}
    starts = {sentence.words[0]: sentence.start for sentence in audio_file.spoken}
    ends = {sentence.words[-1]: sentence.end for sentence in audio_file.spoken}
    first = 0
    for segment in segments:
        last = first + len(segment.words) - 1
        if (start := starts.get(matched.get(first))) is not None and segment.words:
            result.segment_starts.append(abs(segment.start - start))
        if (end := ends.get(matched.get(last))) is not None and segment.words:
            result.segment_ends.append(abs(segment.end - end))
        first = last + 1


def near_speech(audio_file: AudioFile, word: Word) -> bool:
    middle = (word.start + word.end) / 2
    return any(spoken.start - NEAR_SPEECH <= middle <= spoken.end + NEAR_SPEECH for spoken in audio_file.spoken)
