"""faster-whisper for `quality.py`: takes a JSON object, prints the segments and words of each file as JSON.

Runs in a process of its own, so that both systems are programs that read files.
"""

import json
import sys

from peer_pipeline import open_pipeline


def main() -> None:
    arguments = json.loads(sys.argv[1])
    pipeline, options = open_pipeline(arguments["model"], 1, arguments["batched"]), arguments["options"]
    if arguments["batched"]:
        # By default the batched pipeline omits timestamps, and a segment would be a whole window.
        options |= {"without_timestamps": False}
    for path, language in arguments["files"]:
        segments, _ = pipeline.transcribe(path, language=language, vad_filter=True, **options)
        print(json.dumps([
            {
                "start": segment.start, "end": segment.end, "text": segment.text,
                "words": [{"text": w.word, "start": w.start, "end": w.end} for w in segment.words or []],
            }
            for segment in segments
        ]), flush=True)


if __name__ == "__main__":
    main()
