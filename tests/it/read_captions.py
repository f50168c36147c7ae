"""Prints the cues of a caption file as JSON, read by the parsers of others: webvtt-py for VTT, else pysubs2."""

import html
import json
import sys

import pysubs2
import webvtt


def milliseconds(time):
    return ((time.hours * 60 + time.minutes) * 60 + time.seconds) * 1000 + time.milliseconds


path = sys.argv[1]
# webvtt-py takes tags away and leaves character references to its user.
if path.endswith(".vtt"):
    cues = [(milliseconds(c.start_time), milliseconds(c.end_time), html.unescape(c.text)) for c in webvtt.read(path)]
else:
    cues = [(event.start, event.end, event.plaintext) for event in pysubs2.load(path, format_=path.rsplit(".", 1)[1])]
json.dump(cues, sys.stdout)
