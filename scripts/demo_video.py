"""Generates a small video with speech: a test pattern, and sentences that the demo model knows, spoken by espeak-ng."""

import pathlib
import subprocess
import sys
import tempfile
import wave

# All words are in the small vocabulary of the demo model (models/demo/).
SENTENCES = [
    "We want three red cars.",
    "The blue bird sleeps here.",
    "My number is four two nine.",
    "Please open the window now.",
    "Thank you and goodbye.",
]
VOICE = "en-us"
WORDS_PER_MINUTE = 150
SILENCE_MS = 700
PICTURE = "testsrc2=size=640x360:rate=12"


def speak(sentence: str, target: pathlib.Path) -> wave.Wave_read:
    """Writes one sentence as a WAV file and opens it for reading."""
    subprocess.run(
        ["espeak-ng", "-v", VOICE, "-s", str(WORDS_PER_MINUTE), "-w", str(target), sentence], check=True
    )
    return wave.open(str(target), "rb")


def make_speech(directory: pathlib.Path) -> pathlib.Path:
    """Writes all sentences into one WAV file, with silence before each and at the end."""
    joined = directory / "speech.wav"
    with wave.open(str(joined), "wb") as output:
        for number, sentence in enumerate(SENTENCES):
            with speak(sentence, directory / f"sentence-{number}.wav") as spoken:
                if number == 0:
                    output.setparams(spoken.getparams())
                silence = bytes(spoken.getframerate() * SILENCE_MS // 1000 * spoken.getsampwidth() * spoken.getnchannels())
                output.writeframes(silence + spoken.readframes(spoken.getnframes()))
        output.writeframes(silence)
    return joined


def make_video(target: pathlib.Path, directory: pathlib.Path) -> None:
    """Writes the video, and the sound that it is made of into the directory."""
    speech = make_speech(directory)
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", PICTURE, "-i", str(speech), "-shortest"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k"]
    command += ["-movflags", "+faststart", str(target)]
    subprocess.run(command, check=True)


def make_site(directory: pathlib.Path) -> None:
    """Writes the video and a page that contains it into a directory to be served, like the page of a video site."""
    make_video(directory / "video.mp4", directory.parent)
    (directory / "index.html").write_text(
        '<!doctype html><html lang="en"><head><title>Three red cars</title></head>'
        '<body><video src="video.mp4" controls></video></body></html>\n'
    )


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: demo_video.py FILE.mp4")
    with tempfile.TemporaryDirectory() as directory:
        make_video(pathlib.Path(sys.argv[1]), pathlib.Path(directory))


if __name__ == "__main__":
    main()
