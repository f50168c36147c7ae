"""Makes a small video with speech: a test picture, and espeak-ng reading sentences the demo model knows."""

import pathlib
import subprocess
import wave

# From the demo model's small vocabulary (models/demo/).
SENTENCES = [
    "We want three red cars.",
    "The blue bird sleeps here.",
    "My number is four two nine.",
    "Please open the window now.",
    "Thank you and goodbye.",
]
VOICE = "en-us"
WORDS_PER_MINUTE = 150
PAUSE_MS = 700
PICTURE = "testsrc2=size=640x360:rate=12"


def speak(sentence: str, target: pathlib.Path) -> wave.Wave_read:
    """One sentence as a WAV file, opened for reading."""
    subprocess.run(
        ["espeak-ng", "-v", VOICE, "-s", str(WORDS_PER_MINUTE), "-w", str(target), sentence], check=True
    )
    return wave.open(str(target), "rb")


def make_speech(folder: pathlib.Path) -> pathlib.Path:
    """All sentences in one WAV file, with a pause before each and at the end."""
    joined = folder / "speech.wav"
    with wave.open(str(joined), "wb") as output:
        for number, sentence in enumerate(SENTENCES):
            with speak(sentence, folder / f"sentence-{number}.wav") as spoken:
                if number == 0:
                    output.setparams(spoken.getparams())
                pause = bytes(spoken.getframerate() * PAUSE_MS // 1000 * spoken.getsampwidth() * spoken.getnchannels())
                output.writeframes(pause + spoken.readframes(spoken.getnframes()))
        output.writeframes(pause)
    return joined


def make_site(folder: pathlib.Path) -> None:
    """A folder to be served: a page with the video in it, as a video site would have."""
    speech = make_speech(folder.parent)
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", PICTURE, "-i", str(speech), "-shortest"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k"]
    command += ["-movflags", "+faststart", str(folder / "video.mp4")]
    subprocess.run(command, check=True)
    (folder / "index.html").write_text(
        '<!doctype html><html lang="en"><head><title>Three red cars</title></head>'
        '<body><video src="video.mp4" controls></video></body></html>\n'
    )
