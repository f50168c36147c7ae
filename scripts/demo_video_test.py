"""The video of the demo has a picture and audible speech; run by `make test`."""

import pathlib
import subprocess
import tempfile
import unittest

import demo_video

# Five short sentences take longer than this, even if spoken fast.
MIN_DURATION_S = 8.0
# The peak of espeak-ng's speech is far above this; that of silence is -91 dB.
MIN_PEAK_DB = -20.0


class MakeSite(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.site = pathlib.Path(self.directory.name) / "site"
        self.site.mkdir()
        demo_video.make_site(self.site)

    def probe(self, *arguments: str) -> str:
        command = ["ffprobe", "-v", "error", "-of", "csv=p=0", *arguments, str(self.site / "video.mp4")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def test_the_video_has_a_picture_and_sound(self) -> None:
        self.assertEqual(sorted(self.probe("-show_entries", "stream=codec_type").split()), ["audio", "video"])
        self.assertGreater(float(self.probe("-show_entries", "format=duration")), MIN_DURATION_S)

    def test_the_sound_is_audible(self) -> None:
        command = ["ffmpeg", "-hide_banner", "-i", str(self.site / "video.mp4"), "-af", "volumedetect", "-f", "null", "-"]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        peak = report.split("max_volume:")[1].split("dB")[0]
        self.assertGreater(float(peak), MIN_PEAK_DB)

    def test_the_page_refers_to_the_video(self) -> None:
        self.assertIn('src="video.mp4"', (self.site / "index.html").read_text())


if __name__ == "__main__":
    unittest.main()
