#!/usr/bin/env python3
"""One run of faster-whisper, for `speed.py`; its arguments are a JSON object."""

import json
import sys

from peer_pipeline import open_pipeline

# The prompt: start of transcript, language, task, no timestamps.
PROMPT_TOKENS = 4


def main() -> None:
    arguments = json.loads(sys.argv[1])
    batch_size = arguments["batch_size"]
    pipeline = open_pipeline(arguments["model"], arguments["threads"], batched=batch_size > 0)
    own = {"batch_size": batch_size} if batch_size else {"condition_on_previous_text": False}
    segments, _ = pipeline.transcribe(
        arguments["audio"], language="en", beam_size=arguments["beam_size"], temperature=[0.0], without_timestamps=True,
        compression_ratio_threshold=None, log_prob_threshold=None, no_speech_threshold=None,
        suppress_tokens=[-1, arguments["end"]],
        # CTranslate2 limits the tokens to half of the sum of this and the prompt.
        max_new_tokens=2 * arguments["max_new_tokens"] - PROMPT_TOKENS, **own,
    )
    lengths = [len(segment.tokens) for segment in segments]
    print(json.dumps({"windows": len(lengths), "tokens": sum(lengths)}))


if __name__ == "__main__":
    main()
