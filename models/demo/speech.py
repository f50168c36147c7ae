"""Synthetic speech with exact timing.

espeak-ng is called through its C library because that reports the sample at
which every word and every phone starts, from which the training labels are made.
"""

import ctypes
import random
from dataclasses import dataclass

import numpy as np
from scipy.signal import resample_poly

from sentences import ENGLISH, PORTUGUESE

SAMPLE_RATE = 16_000  # Hz

VOICES = {
    ENGLISH: ("en-us", "en-gb", "en-us+m3", "en-us+f2", "en-gb+f3"),
    PORTUGUESE: ("pt-br", "pt-br+f2", "pt-br+m3"),
}
SPEEDS = (135, 195)  # words per minute
PITCHES = (30, 70)  # espeak-ng's scale of 0 to 99

ESPEAK_LIBRARY = "libespeak-ng.so.1"
ESPEAK_RATE = 22_050  # Hz
RESAMPLE_UP, RESAMPLE_DOWN = 320, 441  # 22.05 kHz to 16 kHz
AUDIO_OUTPUT_SYNCHRONOUS = 2
PHONEME_EVENTS_AS_IPA = 1 | 2
RATE_PARAMETER, PITCH_PARAMETER = 1, 3
CHARS_UTF8 = 1
POSITION_IN_CHARACTERS = 1
EVENT_WORD, EVENT_PHONEME = 1, 7


@dataclass(frozen=True)
class Voice:
    """How a sentence is spoken."""

    name: str
    speed: int
    pitch: int


@dataclass(frozen=True)
class Utterance:
    """One spoken sentence; all times are samples at 16 kHz from its start."""

    samples: np.ndarray  # (n,) int16
    words: list[tuple[int, int]]  # start and end of each word of the text
    phones: list[tuple[int, str]]  # start of each phone; "" is silence


def random_voice(language: str, rng: random.Random) -> Voice:
    return Voice(rng.choice(VOICES[language]), rng.randint(*SPEEDS), rng.randint(*PITCHES))


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_SynthesisCallback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Synthesizer:
    """The espeak-ng library; one per process, as it keeps global state."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(ESPEAK_LIBRARY)
        self._library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, None, PHONEME_EVENTS_AS_IPA)
        self._callback = _SynthesisCallback(self._collect)  # a reference is kept here because C holds only a bare pointer
        self._library.espeak_SetSynthCallback(self._callback)
        self._pcm: list[bytes] = []
        self._words: dict[int, int] = {}
        self._phones: list[tuple[int, str]] = []

    def _collect(self, wave, count: int, events) -> int:
        if count > 0:
            self._pcm.append(ctypes.string_at(wave, 2 * count))
        index = 0
        while events[index].type:
            event = events[index]
            at = event.sample * RESAMPLE_UP // RESAMPLE_DOWN
            if event.type == EVENT_WORD:
                self._words.setdefault(event.text_position - 1, at)
            elif event.type == EVENT_PHONEME:
                phone = bytes(event.id.string).decode("utf-8", "ignore")
                self._phones.append((at, "" if phone.startswith("_") else phone))
            index += 1
        return 0

    def speak(self, text: str, voice: Voice) -> Utterance:
        self._pcm, self._words, self._phones = [], {}, []
        self._library.espeak_SetVoiceByName(voice.name.encode())
        self._library.espeak_SetParameter(RATE_PARAMETER, voice.speed, 0)
        self._library.espeak_SetParameter(PITCH_PARAMETER, voice.pitch, 0)
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, POSITION_IN_CHARACTERS, 0, CHARS_UTF8, None, None)
        raw = np.frombuffer(b"".join(self._pcm), np.int16).astype(np.float32)
        resampled = resample_poly(raw, RESAMPLE_UP, RESAMPLE_DOWN)
        samples = np.clip(resampled, -32768, 32767).astype(np.int16)
        last_sound = max(at for at, phone in self._phones if phone)
        end = next((at for at, phone in self._phones if at > last_sound), len(samples))
        return Utterance(samples[:end], self._word_spans(text, end), self._phones)

    def _word_spans(self, text: str, end: int) -> list[tuple[int, int]]:
        """Start and end of every word; words spoken as one ("in the") share their span by letters."""
        groups: list[tuple[int, list[str]]] = []
        position = 0
        for word in text.split(" "):
            if position in self._words or not groups:
                groups.append((self._words.get(position, 0), []))
            groups[-1][1].append(word)
            position += len(word) + 1
        spans = []
        for index, (start, words) in enumerate(groups):
            stop = groups[index + 1][0] if index + 1 < len(groups) else end
            letters = [len(word) for word in words]
            edges = start + (stop - start) * np.cumsum([0, *letters]) // sum(letters)
            spans += [(int(a), int(b)) for a, b in zip(edges, edges[1:])]
        return spans
