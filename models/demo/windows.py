"""Training windows: several spoken sentences, silence and noise, with all labels.

A window's *active part* is the interval that is computed; the rest of Whisper's
fixed 30 s is padding, of which the model computes a sample (see model.py).
"""

import pickle
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

import sentences
from features import HOP, log_mel
from sentences import ENGLISH, PORTUGUESE, Sentence, words_of
from speech import SAMPLE_RATE, Synthesizer, Utterance, random_voice
from vocabulary import (
    END, NO_SPEECH, NO_TIMESTAMPS, PREVIOUS, START, TRANSCRIBE, TRANSLATE, Vocabulary,
)

WINDOW_SECONDS = 30.0
POSITION_SAMPLES = 2 * HOP  # one encoder position is 20 ms
POSITIONS_PER_SECOND = SAMPLE_RATE // POSITION_SAMPLES
POSITIONS = int(WINDOW_SECONDS * POSITIONS_PER_SECOND)
MAX_FIRST_TIMESTAMP = 1.0  # seconds; decoders do not allow a later one

PORTUGUESE_SHARE = 0.5
TRANSLATE_SHARE = 0.08  # of Portuguese windows
EMPTY_SHARE = 0.07  # windows without speech
NO_TIMESTAMPS_SHARE = 0.3
PROMPT_SHARE = 0.15  # batches with unrelated previous text
PROMPT_SENTENCES = (1, 12)
ONE_SENTENCE_SHARE = 0.3
LATE_START_SHARE = 0.08
CUT_SHARE = 0.5  # audio ends soon after the last sentence
NOISE_SHARE = 0.8
SNR_DB = (14.0, 45.0)
GAIN = (0.2, 1.2)
ZERO_FEATURE_PADDING_SHARE = 0.5
TAIL_SECONDS = 0.2  # always padding at the end of the active part

IGNORE = -1
SPAN_MARGIN = 0.06  # seconds either side of a word
EDGE_MARGIN = 0.25  # seconds either side of a sentence's start or end


@dataclass(frozen=True)
class Spoken:
    """A sentence of the training set, with its audio."""

    sentence: Sentence
    utterance: Utterance


@dataclass
class Targets:
    """The decoder sequence of one window; spans in seconds, NaN if there is no target."""

    inputs: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    previous: list[tuple[float, float]] = field(default_factory=list)  # frames of the input word
    expected: list[tuple[float, float]] = field(default_factory=list)  # frames of the next word
    sentence: list[tuple[float, float]] = field(default_factory=list)


NOWHERE = (float("nan"), float("nan"))


@dataclass
class Batch:
    """Tensors of one training step; B windows, P active positions, L tokens."""

    features: torch.Tensor  # (B, MELS, 2 P) of the active part
    padding: torch.Tensor  # (B, MELS): the constant frame outside of it
    first_position: int  # position in the 30 s window at which the active part starts
    inputs: torch.Tensor  # (B, L)
    labels: torch.Tensor  # (B, L), IGNORE where there is no label
    spans: torch.Tensor  # (B, 3, L, 2) in positions of the active part: previous, expected, sentence
    phones: torch.Tensor  # (B, P)
    words: torch.Tensor  # (B, P)


class SpeechSet:
    """Utterances of random training sentences, stored on disk between runs."""

    def __init__(self, directory: Path, per_language: int, seed: int) -> None:
        path = directory / f"speech-{per_language}-{seed}.pickle"
        if not path.exists():
            directory.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pickle.dumps(self._synthesize(per_language, seed)))
        self.by_language: dict[str, list[Spoken]] = pickle.loads(path.read_bytes())
        all_spoken = [spoken for group in self.by_language.values() for spoken in group]
        phones = sorted({phone for spoken in all_spoken for _, phone in spoken.utterance.phones})
        words = sorted({(s.sentence.language, word) for s in all_spoken for word in words_of(s.sentence.text)})
        self.phone_ids = {phone: index for index, phone in enumerate(phones)}  # "" sorts first: silence is 0
        self.word_ids = {word: index for index, word in enumerate(words, start=1)}

    @staticmethod
    def _synthesize(per_language: int, seed: int) -> dict[str, list[Spoken]]:
        rng = random.Random(seed)
        held_out = {sentence.text for sentence in sentences.held_out()}
        synthesizer = Synthesizer()
        spoken: dict[str, list[Spoken]] = {}
        for language in (ENGLISH, PORTUGUESE):
            group = spoken[language] = []
            while len(group) < per_language:
                sentence = sentences.draw(language, rng)
                if sentence.text not in held_out:
                    utterance = synthesizer.speak(sentence.text, random_voice(language, rng))
                    group.append(Spoken(sentence, utterance))
        return spoken


class WindowMaker:
    """Draws random batches from a speech set."""

    def __init__(self, speech: SpeechSet, vocabulary: Vocabulary, seed: int) -> None:
        self.speech, self.vocabulary = speech, vocabulary
        self.rng = random.Random(seed)
        self.noise_rng = np.random.default_rng(seed)

    def batch(self, seconds: float, size: int, anywhere: bool) -> Batch:
        """`size` windows with active parts of `seconds`, at the start of the window or `anywhere` in it."""
        rng = self.rng
        samples = int(seconds * SAMPLE_RATE)
        positions = samples // POSITION_SAMPLES
        first_position = rng.randrange(POSITIONS - positions) if anywhere else 0
        with_prompt = rng.random() < PROMPT_SHARE
        audio = np.zeros((size, samples), np.float32)
        phones, words = np.zeros((2, size, positions), np.int64)
        targets, ends = [], []
        for row in range(size):
            placed, end = self._place(seconds)
            for start, spoken in placed:
                self._add(audio[row], phones[row], words[row], start, spoken)
            audio[row, :end] += self._noise(end, audio[row], bool(placed))
            targets.append(self._targets(placed, first_position / POSITIONS_PER_SECOND, with_prompt))
            ends.append(end)
        features = log_mel(torch.from_numpy(audio))
        padding = features.amin(dim=2)
        for row, end in enumerate(ends):
            if rng.random() < ZERO_FEATURE_PADDING_SHARE:
                features[row, :, end // HOP :] = 0.0
                padding[row] = 0.0
        return Batch(
            features, padding, first_position, *self._collate(targets),
            phones=torch.from_numpy(phones), words=torch.from_numpy(words),
        )

    def _place(self, seconds: float) -> tuple[list[tuple[int, Spoken]], int]:
        """Sentences with their start samples, and the sample at which the audio ends."""
        rng = self.rng
        limit = seconds - TAIL_SECONDS
        placed: list[tuple[int, Spoken]] = []
        clock = rng.uniform(1.0, 0.5 * seconds) if rng.random() < LATE_START_SHARE else rng.random() ** 1.5
        if rng.random() < EMPTY_SHARE:
            return placed, int(rng.uniform(0.1, limit) * SAMPLE_RATE)
        language = PORTUGUESE if rng.random() < PORTUGUESE_SHARE else ENGLISH
        single = rng.random() < ONE_SENTENCE_SHARE
        stop = 0.0
        for _ in range(int(2 * seconds)):
            spoken = rng.choice(self.speech.by_language[language])
            length = len(spoken.utterance.samples) / SAMPLE_RATE
            if clock + length > limit:
                if placed:
                    break
                clock = rng.uniform(0.0, 0.1)
                continue
            placed.append((int(clock * SAMPLE_RATE), spoken))
            stop = clock + length
            clock = stop + (rng.uniform(1.0, 4.0) if rng.random() < 0.2 else rng.uniform(0.08, 1.0))
            if single:
                break
        if rng.random() < CUT_SHARE:
            limit = min(limit, stop + rng.uniform(0.02, 0.6))
        return placed, int(limit * SAMPLE_RATE)

    def _add(self, audio: np.ndarray, phones: np.ndarray, words: np.ndarray, start: int, spoken: Spoken) -> None:
        """Mix one utterance into the audio and label its positions."""
        utterance = spoken.utterance
        gain = self.rng.uniform(*GAIN) / 32768
        audio[start : start + len(utterance.samples)] += gain * utterance.samples

        def position(sample: int) -> int:
            return (start + sample) // POSITION_SAMPLES

        ends = [at for at, _ in utterance.phones[1:]] + [len(utterance.samples)]
        for (at, phone), end in zip(utterance.phones, ends):
            phones[position(at) : position(end)] = self.speech.phone_ids[phone]
        for (at, end), word in zip(utterance.words, words_of(spoken.sentence.text)):
            words[position(at) : position(end)] = self.speech.word_ids[spoken.sentence.language, word]

    def _noise(self, count: int, audio: np.ndarray, speech: bool) -> np.ndarray:
        """White noise, low-pass noise or hum at a random level below the speech."""
        rng = self.rng
        if rng.random() > NOISE_SHARE or not count:
            return np.zeros(count, np.float32)
        kind = rng.choice(("white", "dull", "hum"))
        if kind == "hum":
            time = np.arange(count, dtype=np.float32) / SAMPLE_RATE
            noise = sum(np.sin(2 * np.pi * rng.uniform(40, 900) * time) for _ in range(rng.randint(1, 4)))
        else:
            noise = self.noise_rng.standard_normal(count, np.float32)
            if kind == "dull":
                width = rng.randint(2, 24)
                sums = np.cumsum(np.concatenate((np.zeros(width, np.float32), noise)))
                noise = sums[width:] - sums[:-width]
        level = np.sqrt(np.mean(np.square(audio))) if speech else rng.uniform(0.01, 0.2)
        wanted = level * 10 ** (-rng.uniform(*SNR_DB) / 20) if speech else level * rng.choice((0.02, 1.0))
        return (wanted / (np.sqrt(np.mean(np.square(noise))) + 1e-9) * noise).astype(np.float32)

    def _targets(self, placed: list[tuple[int, Spoken]], clock: float, with_prompt: bool) -> Targets:
        """The decoder sequence for the sentences of an active part that starts at `clock` seconds."""
        rng, vocabulary = self.rng, self.vocabulary
        target = Targets()

        def put(token: int, label: int, previous=NOWHERE, expected=NOWHERE, sentence=NOWHERE) -> None:
            target.inputs.append(token)
            target.labels.append(label)
            target.previous.append(previous)
            target.expected.append(expected)
            target.sentence.append(sentence)

        language = placed[0][1].sentence.language if placed else rng.choice((ENGLISH, PORTUGUESE))
        translate = language == PORTUGUESE and rng.random() < TRANSLATE_SHARE
        timestamps = rng.random() >= NO_TIMESTAMPS_SHARE
        if with_prompt:
            put(vocabulary.id(PREVIOUS), IGNORE)
            for _ in range(rng.randint(*PROMPT_SENTENCES)):
                sentence = rng.choice(self.speech.by_language[ENGLISH if translate else language]).sentence
                for token in vocabulary.encode(sentence.text):
                    put(token, IGNORE)
        put(vocabulary.id(START), vocabulary.language(language) if placed else vocabulary.id(NO_SPEECH))
        put(vocabulary.language(language), IGNORE)

        pending = vocabulary.id(TRANSLATE if translate else TRANSCRIBE)
        if not timestamps:
            put(pending, IGNORE)
            pending = vocabulary.id(NO_TIMESTAMPS)
        previous = NOWHERE
        for start_sample, spoken in placed:
            start = start_sample / SAMPLE_RATE
            end = start + len(spoken.utterance.samples) / SAMPLE_RATE
            whole = (start, end)
            edges = [(start - EDGE_MARGIN, start + EDGE_MARGIN), (end - EDGE_MARGIN, end + EDGE_MARGIN)]
            if timestamps:
                shown = min(start, MAX_FIRST_TIMESTAMP) if not clock and spoken is placed[0][1] else start
                stamp = vocabulary.timestamp(clock + shown)
                put(pending, stamp, previous, edges[0], whole)
                pending, previous = stamp, edges[0]
            if translate:
                tokens = vocabulary.encode(spoken.sentence.translation)
                spans = [NOWHERE] * len(tokens)
            else:
                tokens = vocabulary.encode(spoken.sentence.text)
                spans = [
                    (start + a / SAMPLE_RATE - SPAN_MARGIN, start + b / SAMPLE_RATE + SPAN_MARGIN)
                    for a, b in spoken.utterance.words
                ] + [edges[1]]
            for token, span in zip(tokens, spans):
                put(pending, token, previous, span, whole)
                pending, previous = token, span
            if timestamps:
                stamp = vocabulary.timestamp(clock + end)
                put(pending, stamp, previous, edges[1], whole)
                pending, previous = stamp, edges[1]
        if timestamps and not placed:
            put(pending, vocabulary.timestamp(0.0))
            pending = vocabulary.timestamp(0.0)
        put(pending, vocabulary.id(END))
        return target

    def _collate(self, targets: list[Targets]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        length = max(len(target.inputs) for target in targets)
        inputs = torch.full((len(targets), length), self.vocabulary.id(END))
        labels = torch.full((len(targets), length), IGNORE)
        spans = torch.full((len(targets), 3, length, 2), float("nan"))
        for row, target in enumerate(targets):
            count = len(target.inputs)
            inputs[row, :count] = torch.tensor(target.inputs)
            labels[row, :count] = torch.tensor(target.labels)
            spans[row, :, :count] = torch.tensor([target.previous, target.expected, target.sentence])
        return inputs, labels, spans * POSITIONS_PER_SECOND
