"""Measure an exported model on held-out speech, silence and noise.

    python evaluate.py model/
"""

import argparse
import json
import random
import re
import statistics
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
import torch
from tokenizers import Tokenizer

from features import HOP, log_mel
from heldout import spoken_sentences
from sentences import ENGLISH, PORTUGUESE, Sentence, words_of
from speech import SAMPLE_RATE, Synthesizer, Utterance
from vocabulary import END, NO_SPEECH, NO_TIMESTAMPS, START, TRANSCRIBE, TRANSLATE
from windows import WINDOW_SECONDS

SEED = 3
BEAM = 5
LEAD_SECONDS = (0.05, 0.6)  # silence before the first sentence of a window
TAIL_SECONDS = (0.1, 0.6)  # silence after the last sentence
GAP_SECONDS = (0.2, 0.9)  # silence between two sentences
WINDOW_LIMITS = {"short": 0.0, "15 s": 15.0, "29 s": 29.0}
THINNING = 3  # the additional tests use every third short window
EMPTY_WINDOWS = 24
NO_SPEECH_THRESHOLD = 0.6  # the common value of decoders
TIMESTAMP = re.compile(r"<\|(\d+\.\d\d)\|>")


@dataclass(frozen=True)
class Window:
    """Audio and its spoken sentences; start times in seconds."""

    audio: np.ndarray  # (samples,) float32
    spoken: list[tuple[float, Sentence, Utterance]]

    @property
    def language(self) -> str:
        return self.spoken[0][1].language

    @property
    def text(self) -> str:
        return " ".join(sentence.text for _, sentence, _ in self.spoken)


@dataclass(frozen=True)
class Transcript:
    text: str
    tokens: list[int]  # without timestamps
    times: list[float]  # timestamps in order, seconds
    language: str
    no_speech: float  # probability


class Model:
    """A Whisper model in CTranslate2 format, in a directory."""

    def __init__(self, directory: Path) -> None:
        self._whisper = ctranslate2.models.Whisper(str(directory), device="cpu", compute_type="int8", intra_threads=1)
        self._vocabulary = json.loads((directory / "vocabulary.json").read_text())
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._ids = {token: index for index, token in enumerate(self._vocabulary)}

    def features(self, audio: np.ndarray, zero_features: bool) -> ctranslate2.StorageView:
        """The features of one window (1, MELS, 3000), padded with zero features or with silence."""
        frames = int(WINDOW_SECONDS * SAMPLE_RATE) // HOP
        missing = frames * HOP - len(audio)
        used = HOP if zero_features else missing
        mel = log_mel(torch.from_numpy(np.pad(audio, (0, used)))[None])
        mel = torch.nn.functional.pad(mel, (0, frames - mel.shape[2]))
        return ctranslate2.StorageView.from_array(mel.contiguous().numpy())

    def transcribe(
        self, features: ctranslate2.StorageView, task: str = TRANSCRIBE, timestamps: bool = True, beam: int = BEAM
    ) -> Transcript:
        language = self._whisper.detect_language(features)[0][0][0]
        prompt = [START, language, task] + ([] if timestamps else [NO_TIMESTAMPS])
        result = self._whisper.generate(
            features, [prompt], beam_size=beam, return_no_speech_prob=True, max_length=448
        )[0]
        times = [float(match[1]) for token in result.sequences[0] if (match := TIMESTAMP.fullmatch(token))]
        tokens = [i for i in result.sequences_ids[0] if i < self._ids[END]]
        text = self._tokenizer.decode(tokens).strip()
        return Transcript(text, tokens, times, language.strip("<|>"), result.no_speech_prob)

    def word_starts(
        self, features: ctranslate2.StorageView, language: str, tokens: list[int], frames: int
    ) -> list[float]:
        """The start of each word of a transcript in seconds, by CTranslate2's alignment to the first `frames` frames."""
        prompt = [self._ids[token] for token in (START, f"<|{language}|>", TRANSCRIBE)]
        pairs = self._whisper.align(features, prompt, [tokens], frames)[0].alignments
        first: dict[int, float] = {}
        for token, position in pairs:
            first.setdefault(token, position * 2 * HOP / SAMPLE_RATE)
        return [first[i] for i, token in enumerate(tokens) if self._vocabulary[token].startswith("Ġ")]


def edit_distance(expected: list[str], transcribed: list[str]) -> int:
    """The number of words to substitute, insert or delete."""
    row = list(range(len(transcribed) + 1))
    for i, word in enumerate(expected, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(transcribed, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


def make_windows(spoken: list[tuple[Sentence, Utterance]], limit: float, rng: random.Random) -> list[Window]:
    """Pack sentences into windows of at most `limit` seconds, with at least one sentence in each."""
    windows = []
    queue = list(spoken)
    while queue:
        clock = rng.uniform(*LEAD_SECONDS)
        placed = []
        while queue:
            sentence, utterance = queue[0]
            length = len(utterance.samples) / SAMPLE_RATE
            if placed and clock + length + TAIL_SECONDS[1] > limit:
                break
            placed.append((clock, *queue.pop(0)))
            stop = clock + length
            clock = stop + rng.uniform(*GAP_SECONDS)
        audio = np.zeros(int((stop + rng.uniform(*TAIL_SECONDS)) * SAMPLE_RATE), np.float32)
        for start, _, utterance in placed:
            at = int(start * SAMPLE_RATE)
            audio[at : at + len(utterance.samples)] += utterance.samples / 32768
        windows.append(Window(audio, placed))
    return windows


def measure(model: Model, windows: list[Window], **options) -> dict[str, float]:
    """Errors over all windows: rates in percent, times in seconds."""
    wrong = words = detected = 0
    stamp_errors, word_errors = [], []
    for index, window in enumerate(windows):
        features = model.features(window.audio, zero_features=index % 2 == 0)
        transcript = model.transcribe(features, **options)
        translating = options.get("task") == TRANSLATE
        text = window.spoken[0][1].translation if translating else window.text
        expected, transcribed = words_of(text), words_of(transcript.text)
        wrong += edit_distance(expected, transcribed)
        words += len(expected)
        detected += transcript.language == window.language
        if expected != transcribed or translating:
            continue
        edges = [
            edge
            for start, _, utterance in window.spoken
            for edge in (start, start + len(utterance.samples) / SAMPLE_RATE)
        ]
        if len(edges) == len(transcript.times):
            stamp_errors += [abs(a - b) for a, b in zip(edges, transcript.times)]
        starts = [start + a / SAMPLE_RATE for start, _, utterance in window.spoken for a, _ in utterance.words]
        frames = len(window.audio) // HOP
        found = model.word_starts(features, transcript.language, transcript.tokens, frames)
        if len(starts) == len(found):
            word_errors += [abs(a - b) for a, b in zip(starts[1:], found[1:])]  # the first word always starts at 0
    figures = {"windows": len(windows), "WER %": 100 * wrong / words, "language %": 100 * detected / len(windows)}
    for name, errors in (("timestamps", stamp_errors), ("words", word_errors)):
        if errors:
            figures[f"{name} median s"] = statistics.median(errors)
            figures[f"{name} p95 s"] = sorted(errors)[int(0.95 * len(errors))]
    return figures


def empty_windows(rng: np.random.Generator) -> list[np.ndarray]:
    """Silence, white noise, brown noise and tones of several lengths and levels."""
    audio = []
    for index in range(EMPTY_WINDOWS):
        count = int(rng.uniform(1.0, WINDOW_SECONDS) * SAMPLE_RATE)
        level = 10 ** rng.uniform(-4.0, -0.7)
        time = np.arange(count) / SAMPLE_RATE
        white = rng.standard_normal(count)
        brown = np.cumsum(white) / 100
        shape = (np.zeros(count), white, brown - brown.mean(), np.sin(2 * np.pi * rng.uniform(60, 2000) * time))
        audio.append(np.clip(level * shape[index % len(shape)], -1, 1).astype(np.float32))
    return audio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--beam", type=int, default=BEAM)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = Model(arguments.directory)
    synthesizer = Synthesizer()
    spoken = [(sentence, synthesizer.speak(sentence.text, voice)) for sentence, voice in spoken_sentences()]

    def report(name: str, figures: dict[str, float]) -> None:
        print(f"{name:28}" + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()), flush=True)

    for language in (ENGLISH, PORTUGUESE):
        own = [pair for pair in spoken if pair[0].language == language]
        for name, limit in WINDOW_LIMITS.items():
            windows = make_windows(own, limit, random.Random(SEED))
            report(f"{language} {name}", measure(model, windows, beam=arguments.beam))
        windows = make_windows(own, 0.0, random.Random(SEED))[::THINNING]
        report(f"{language} short, no timestamps", measure(model, windows, beam=arguments.beam, timestamps=False))
    report("pt to en, short", measure(model, windows, beam=arguments.beam, task=TRANSLATE))

    texts, recognized = [], 0
    for index, audio in enumerate(empty_windows(np.random.default_rng(SEED))):
        transcript = model.transcribe(model.features(audio, zero_features=index % 2 == 0), beam=arguments.beam)
        texts += [transcript.text] * bool(transcript.text)
        recognized += transcript.no_speech > NO_SPEECH_THRESHOLD
    print(f"no speech: {EMPTY_WINDOWS} windows, text in {len(texts)} {texts}, {recognized} recognized as {NO_SPEECH}")


if __name__ == "__main__":
    main()
