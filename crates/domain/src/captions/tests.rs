#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn segment(start_ms: u64, end_ms: u64, text: &str) -> Segment {
    Segment {
        start_ms,
        end_ms,
        text: text.to_owned(),
        avg_logprob: -0.1,
        no_speech_prob: 0.01,
        compression_ratio: 1.0,
        temperature: 0.0,
        words: Vec::new(),
    }
}

fn transcript(segments: Vec<Segment>) -> Transcript {
    Transcript { language: "en".to_owned(), duration_ms: 10_000, segments }
}

fn one(text: &str) -> Transcript {
    transcript(vec![segment(1_000, 3_500, text)])
}

#[test]
fn srt_is_numbered_and_has_commas() {
    let transcript = transcript(vec![segment(0, 1_250, "Hello."), segment(3_600_000, 3_661_001, "An hour later.")]);
    assert_eq!(
        write(&transcript, Format::Srt),
        "1\n00:00:00,000 --> 00:00:01,250\nHello.\n\n\
         2\n01:00:00,000 --> 01:01:01,001\nAn hour later.\n\n"
    );
}

#[test]
fn vtt_has_its_header_and_dots() {
    assert_eq!(write(&one("Hello."), Format::Vtt), "WEBVTT\n\n00:00:01.000 --> 00:00:03.500\nHello.\n\n");
}

#[test]
fn a_transcript_without_speech_is_still_a_file() {
    let silence = transcript(Vec::new());
    assert_eq!(write(&silence, Format::Srt), "");
    assert_eq!(write(&silence, Format::Txt), "");
    assert_eq!(write(&silence, Format::Vtt), "WEBVTT\n\n");
    let json: Transcript = serde_json::from_str(&write(&silence, Format::Json)).unwrap();
    assert_eq!(json, silence);
}

#[test]
fn json_keeps_everything() {
    let mut transcript = one("Ça va? <b>‏שלום</b> 🎉");
    transcript.segments[0].words.push(Word {
        start_ms: 1_000,
        end_ms: 1_200,
        text: " Ça".to_owned(),
        probability: 0.9,
    });
    let back: Transcript = serde_json::from_str(&write(&transcript, Format::Json)).unwrap();
    assert_eq!(back, transcript);
}

#[test]
fn vtt_escapes_arrows_markup_and_ampersands() {
    let vtt = write(&one("1 --> 2 <b>&amp;</b> R&B"), Format::Vtt);
    assert!(vtt.contains("\n1 --&gt; 2 &lt;b&gt;&amp;amp;&lt;/b&gt; R&amp;B\n"), "{vtt}");
    assert_eq!(vtt.matches("-->").count(), 1, "only the time line has an arrow: {vtt}");
}

#[test]
fn srt_defuses_arrows_and_markup() {
    let srt = write(&one("1 --> 2 <b>x</b> {\\an8}y 3 < 4"), Format::Srt);
    assert!(srt.contains("1 → 2 <\u{2060}b>x<\u{2060}/b> {\u{2060}\\an8}y 3 < 4"), "{srt}");
}

#[test]
fn a_time_line_in_srt_text_stays_text() {
    let srt = write(&one("00:00:01,000 --> 00:00:02,000"), Format::Srt);
    let text = srt.lines().nth(2).unwrap();
    assert!(!text.contains("-->") && !text.contains("00:00"), "{text}");
    let visible: String = text.chars().filter(|c| *c != '\u{2060}').collect();
    assert_eq!(visible, "00:00:01,000 → 00:00:02,000");
}

#[test]
fn blank_lines_and_control_characters_end_no_cue() {
    for format in [Format::Srt, Format::Vtt] {
        let file = write(&one("one\n\n\r\ntwo\u{0}\tthree\u{b}"), format);
        assert!(file.contains("\none two three\n\n"), "{file:?}");
    }
    assert_eq!(write(&one("\n \t"), Format::Srt), "", "a cue without text is left out");
}

#[test]
fn emoji_and_right_to_left_text_come_through() {
    let text = "שלום עולם 👩‍👩‍👧 مرحبا";
    for format in Format::ALL {
        assert!(write(&one(text), format).contains(text), "{format}");
    }
}

#[test]
fn long_segments_become_cues_of_two_short_lines() {
    let text = "When the first train leaves the station, the birds on the roof wake up and fly \
                across the river, and nobody in the old town sleeps any longer, because every \
                window begins to shake.";
    let cues = cues(&transcript(vec![segment(0, 18_000, text)]));
    assert!(cues.len() >= 3, "{cues:#?}");
    for cue in &cues {
        assert!(cue.lines.len() <= 2, "{cue:?}");
        assert!(cue.lines.iter().all(|line| line.chars().count() <= 42), "{cue:?}");
    }
    let words: Vec<String> = cues.iter().flat_map(|cue| cue.lines.clone()).collect();
    assert_eq!(words.join(" "), text, "nothing is lost or added");
    assert_eq!((cues[0].start_ms, cues[cues.len() - 1].end_ms), (0, 18_000));
    assert!(cues.windows(2).all(|pair| pair[0].end_ms == pair[1].start_ms), "{cues:?}");
}

#[test]
fn breaks_prefer_the_end_of_a_clause() {
    let cues = cues(&one("Open the window please, because it is warm here today."));
    assert_eq!(cues[0].lines, ["Open the window please,", "because it is warm here today."]);
}

#[test]
fn text_without_spaces_is_cut_to_lines() {
    let text = "字".repeat(100);
    let cues = cues(&transcript(vec![segment(0, 10_000, &text)]));
    assert!(cues.iter().flat_map(|c| &c.lines).all(|line| line.chars().count() <= 42));
    assert_eq!(cues.iter().flat_map(|c| c.lines.concat().chars().collect::<Vec<_>>()).count(), 100);
}

#[test]
fn cues_take_the_times_of_their_words() {
    let text = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike \
                november oscar papa";
    let mut segment = segment(0, 16_000, text);
    segment.words = text
        .split(' ')
        .zip(0..)
        .map(|(word, i)| Word {
            start_ms: i * 1000 + 100,
            end_ms: i * 1000 + 900,
            text: format!(" {word}"),
            probability: 1.0,
        })
        .collect();
    let cues = cues(&transcript(vec![segment]));
    assert_eq!(cues[0].start_ms, 100);
    assert_eq!(cues[1].start_ms % 1000, 100, "the second cue begins with a word: {cues:?}");
    assert_eq!(cues[cues.len() - 1].end_ms, 15_900);
}

#[test]
fn a_segment_of_no_length_still_shows() {
    let cues = cues(&transcript(vec![segment(500, 500, "Oh.")]));
    assert_eq!((cues[0].start_ms, cues[0].end_ms), (500, 501));
}

#[test]
fn formats_have_names() {
    assert_eq!("SRT".parse(), Ok(Format::Srt));
    let error = "docx".parse::<Format>().unwrap_err().to_string();
    assert_eq!(error, "there is no caption format `docx`: choose one of txt, srt, vtt, json");
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
}
