"""Audio files for `quality.py`: synthetic speech with the vocabulary of the demo model, with known words and times.

All sentences are held out from the training of the model. The files depend only on fixed seeds.
"""

import pathlib
import random
import sys
import wave
from dataclasses import dataclass, field

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "models/demo"))

import sentences
from speech import SAMPLE_RATE, Synthesizer, random_voice

SPEECH_LEVEL = 0.1  # root mean square of a sentence; full scale is 1


@dataclass(frozen=True)
class Word:
    """A word, in lower case and without punctuation; times in seconds from the start of the file."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Spoken:
    """A spoken sentence; times in seconds from the start of the file."""

    start: float
    end: float
    words: list[Word]


@dataclass
class AudioFile:
    name: str
    language: str
    path: pathlib.Path
    seconds: float
    spoken: list[Spoken] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """The properties of one audio file."""

    name: str
    minutes: float
    language: str = sentences.ENGLISH
    gaps: tuple[float, float] = (0.2, 0.9)  # seconds between sentences
    run: tuple[int, int] = (1000, 1000)  # sentences until a long pause
    pause: tuple[float, float] = (0.0, 0.0)  # seconds of that pause
    filled_with: tuple[str, ...] = ("silence",)  # kinds of sound in that pause
    noise_db: tuple[float, float] | None = None  # level of noise below the speech; None for no noise


SOUNDS = ("arpeggio", "chords", "drums", "tone", "white", "pink")
PARTS = (
    Part("voices and rates", 5),
    Part("noise", 5, noise_db=(12.0, 30.0)),
    Part("hardly a pause", 5, gaps=(0.02, 0.2)),
    Part("long silences", 4, run=(1, 5), pause=(3.0, 40.0)),
    Part("music between", 5, run=(1, 6), pause=(2.0, 20.0), filled_with=SOUNDS),
    Part("portuguese", 4, language=sentences.PORTUGUESE, noise_db=(18.0, 40.0)),
    Part("long file", 10, gaps=(0.05, 2.5), run=(10, 60), pause=(3.0, 8.0), noise_db=(20.0, 40.0)),
    Part("no speech", 4, run=(0, 0), pause=(5.0, 30.0), filled_with=(*SOUNDS, "silence")),
)


def note(hertz: float, seconds: float) -> np.ndarray:
    """A struck string: overtones that decay."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 6))
    return tones * np.exp(-3 * time) * np.minimum(1, time * 100)


def sound(kind: str, seconds: float, rng: random.Random, noise: np.random.Generator) -> np.ndarray:
    """Sound other than speech, about as loud as speech."""
    count = int(seconds * SAMPLE_RATE)
    if kind == "silence":
        return np.zeros(count)
    if kind in ("white", "pink"):
        samples = noise.standard_normal(count)
        if kind == "pink":
            spectrum = np.fft.rfft(samples)
            samples = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), count)
    elif kind == "tone":
        samples = np.sin(2 * np.pi * rng.uniform(80, 2000) * np.arange(count) / SAMPLE_RATE)
    elif kind == "drums":
        beat = int(rng.uniform(0.2, 0.6) * SAMPLE_RATE)
        samples = noise.standard_normal(count) * np.exp(-(np.arange(count) % beat) / (0.03 * SAMPLE_RATE))
    else:
        root, beat = rng.uniform(110, 330), rng.uniform(0.15, 0.5)
        scale = [root * 2 ** (step / 12) for step in (0, 4, 7, 12, 7, 4)]
        voices = 3 if kind == "chords" else 1
        beats = [
            sum(note(scale[(n + 2 * voice) % len(scale)], beat) for voice in range(voices))
            for n in range(int(seconds / beat) + 1)
        ]
        samples = np.concatenate(beats)[:count]
    return samples / (np.sqrt(np.mean(samples**2)) + 1e-9) * SPEECH_LEVEL * rng.uniform(0.3, 1.5)


def make(part: Part, directory: pathlib.Path, minutes_scale: float, synthesizer: Synthesizer) -> AudioFile:
    """Synthesizes a part and writes it as WAV."""
    rng, noise = random.Random(part.name), np.random.default_rng(len(part.name))
    known = [sentence for sentence in sentences.held_out() if sentence.language == part.language]
    pieces, clock = [], 0  # samples
    spoken = []

    def add(samples: np.ndarray) -> None:
        nonlocal clock
        pieces.append(samples)
        clock += len(samples)

    length = part.minutes * minutes_scale * 60 * SAMPLE_RATE
    add(np.zeros(int(rng.uniform(0.1, 0.8) * SAMPLE_RATE)))
    while clock < length:
        for _ in range(rng.randint(*part.run)):
            sentence = rng.choice(known)
            utterance = synthesizer.speak(sentence.text, random_voice(part.language, rng))
            samples = utterance.samples / 32768
            spoken.append(spoken_at(clock, sentence.text, utterance))
            add(samples / np.sqrt(np.mean(samples**2)) * SPEECH_LEVEL * rng.uniform(0.5, 1.2))
            add(np.zeros(int(rng.uniform(*part.gaps) * SAMPLE_RATE)))
            if clock >= length:
                break
        add(sound(rng.choice(part.filled_with), rng.uniform(*part.pause), rng, noise))
    audio = np.concatenate(pieces)
    if part.noise_db:
        audio += background_noise(len(audio), part.noise_db, rng, noise)
    path = directory / f"{part.name.replace(' ', '-')}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())
    return AudioFile(part.name, part.language, path, len(audio) / SAMPLE_RATE, spoken)


def spoken_at(at: int, text: str, utterance) -> Spoken:
    """The sentence and word times of an utterance that begins at sample `at`."""
    start = at / SAMPLE_RATE
    words = [
        Word(word, start + a / SAMPLE_RATE, start + b / SAMPLE_RATE)
        for word, (a, b) in zip(sentences.words_of(text), utterance.words, strict=True)
    ]
    return Spoken(start, start + len(utterance.samples) / SAMPLE_RATE, words)


def background_noise(
    count: int, below_db: tuple[float, float], rng: random.Random, noise: np.random.Generator
) -> np.ndarray:
    """Alternating white and pink noise, with another level every 30 seconds."""
    interval = 30 * SAMPLE_RATE
    intervals = []
    for n in range(count // interval + 1):
        samples = sound(("white", "pink")[n % 2], 30.0, rng, noise)
        wanted = SPEECH_LEVEL * 10 ** (-rng.uniform(*below_db) / 20)
        intervals.append(samples / np.sqrt(np.mean(samples**2)) * wanted)
    return np.concatenate(intervals)[:count]
