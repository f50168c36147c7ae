#!/usr/bin/env python3
"""One run of faster-whisper, for `speed.py`; its arguments are a JSON object."""

import json
import sys

from faster_whisper import BatchedInferencePipeline, WhisperModel

# Start of transcript, language, task, no timestamps.
PROMPT_TOKENS = 4


def main() -> None:
    asked = json.loads(sys.argv[1])
    model = WhisperModel(asked["model"], device="cpu", compute_type="int8", cpu_threads=asked["threads"])
    if asked["batch_size"]:
        pipeline, own = BatchedInferencePipeline(model), {"batch_size": asked["batch_size"]}
    else:
        pipeline, own = model, {"condition_on_previous_text": False}
    segments, _ = pipeline.transcribe(
        asked["audio"], language="en", beam_size=asked["beam_size"], temperature=[0.0], without_timestamps=True,
        compression_ratio_threshold=None, log_prob_threshold=None, no_speech_threshold=None,
        suppress_tokens=[-1, asked["end"]],
        # CTranslate2 takes half of this and the prompt.
        max_new_tokens=2 * asked["max_new_tokens"] - PROMPT_TOKENS, **own,
    )
    lengths = [len(segment.tokens) for segment in segments]
    print(json.dumps({"windows": len(lengths), "tokens": sum(lengths)}))


if __name__ == "__main__":
    main()
