"""One run of faster-whisper with its default options, for `real_speech.py`; its arguments are a JSON object."""

import json
import sys

from faster_whisper import BatchedInferencePipeline, WhisperModel


def main() -> None:
    arguments = json.loads(sys.argv[1])
    model = WhisperModel(arguments["model"], device="cpu", compute_type="int8", cpu_threads=arguments["threads"])
    if arguments["batch_size"]:
        pipeline, own = BatchedInferencePipeline(model), {"batch_size": arguments["batch_size"]}
    else:
        pipeline, own = model, {"vad_filter": True}
    segments, _ = pipeline.transcribe(
        arguments["audio"], language=arguments["language"], beam_size=arguments["beam_size"], **own
    )
    print(json.dumps({"segments": [{"text": segment.text} for segment in segments]}))


if __name__ == "__main__":
    main()
