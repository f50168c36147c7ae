"""The demo's video really has a picture and audible speech; run by `make test`."""

import pathlib
import subprocess
import tempfile
import unittest

import demo_video

# Five short sentences take longer than this, even spoken fast.
SHORTEST_S = 8.0
# Speech made by espeak-ng peaks far above this; silence lies at -91 dB.
QUIETEST_PEAK_DB = -20.0


class MakeSite(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.site = pathlib.Path(self.folder.name) / "site"
        self.site.mkdir()
        demo_video.make_site(self.site)

    def probe(self, *arguments: str) -> str:
        command = ["ffprobe", "-v", "error", "-of", "csv=p=0", *arguments, str(self.site / "video.mp4")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def test_the_video_has_a_picture_and_sound(self) -> None:
        self.assertEqual(sorted(self.probe("-show_entries", "stream=codec_type").split()), ["audio", "video"])
        self.assertGreater(float(self.probe("-show_entries", "format=duration")), SHORTEST_S)

    def test_the_sound_can_be_heard(self) -> None:
        command = ["ffmpeg", "-hide_banner", "-i", str(self.site / "video.mp4"), "-af", "volumedetect", "-f", "null", "-"]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        peak = report.split("max_volume:")[1].split("dB")[0]
        self.assertGreater(float(peak), QUIETEST_PEAK_DB)

    def test_the_page_refers_to_the_video(self) -> None:
        self.assertIn('src="video.mp4"', (self.site / "index.html").read_text())


if __name__ == "__main__":
    unittest.main()
