"""One run of faster-whisper with its default options, for `real_speech.py`; its arguments are a JSON object."""

import json
import sys

from peer_pipeline import open_pipeline


def main() -> None:
    arguments = json.loads(sys.argv[1])
    batch_size = arguments["batch_size"]
    pipeline = open_pipeline(arguments["model"], arguments["threads"], batched=batch_size > 0)
    own = {"batch_size": batch_size} if batch_size else {"vad_filter": True}
    segments, _ = pipeline.transcribe(
        arguments["audio"], language=arguments["language"], beam_size=arguments["beam_size"], **own
    )
    print(json.dumps({"segments": [{"text": segment.text} for segment in segments]}))


if __name__ == "__main__":
    main()
