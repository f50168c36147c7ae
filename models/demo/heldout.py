"""Held-out test data: sentences that training excludes, with a voice for each.

    python heldout.py    writes heldout.jsonl, the sample for other test suites
"""

import json
import random
from pathlib import Path

import sentences
from sentences import ENGLISH, PORTUGUESE, Sentence
from speech import Voice, random_voice

VOICE_SEED = 7
SAMPLE = {ENGLISH: 45, PORTUGUESE: 40}
SAMPLE_PATH = Path(__file__).parent / "heldout.jsonl"


def spoken_sentences() -> list[tuple[Sentence, Voice]]:
    """All held-out sentences, each with its voice."""
    rng = random.Random(VOICE_SEED)
    return [(sentence, random_voice(sentence.language, rng)) for sentence in sentences.held_out()]


def main() -> None:
    lines = []
    for language, count in SAMPLE.items():
        chosen = [pair for pair in spoken_sentences() if pair[0].language == language][:count]
        lines += [
            {"text": s.text, "language": language, "voice": v.name, "speed": v.speed, "pitch": v.pitch}
            for s, v in chosen
        ]
    SAMPLE_PATH.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


if __name__ == "__main__":
    main()
