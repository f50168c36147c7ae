"""Parts of `benches/real_speech.py`."""
