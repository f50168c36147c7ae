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

fn file(transcript: &Transcript, format: Format) -> String {
    format.write(transcript, &CueStyle::default()).unwrap()
}

fn shown(transcript: &Transcript) -> Vec<Cue> {
    cues(transcript, &CueStyle::default())
}

fn one(text: &str) -> Transcript {
    transcript(vec![segment(1_000, 3_500, text)])
}

#[test]
fn srt_is_numbered_and_has_commas() {
    let transcript = transcript(vec![segment(0, 1_250, "Hello."), segment(3_600_000, 3_604_001, "An hour later.")]);
    assert_eq!(
        file(&transcript, Format::Srt),
        "1\n00:00:00,000 --> 00:00:01,250\nHello.\n\n\
         2\n01:00:00,000 --> 01:00:04,001\nAn hour later.\n\n"
    );
}

#[test]
fn vtt_has_its_header_and_dots() {
    assert_eq!(file(&one("Hello."), Format::Vtt), "WEBVTT\n\n00:00:01.000 --> 00:00:03.500\nHello.\n\n");
}

#[test]
fn a_transcript_without_speech_is_still_a_file() {
    let silence = transcript(Vec::new());
    assert_eq!(file(&silence, Format::Srt), "");
    assert_eq!(file(&silence, Format::Txt), "");
    assert_eq!(file(&silence, Format::Vtt), "WEBVTT\n\n");
    let json: Transcript = serde_json::from_str(&file(&silence, Format::Json)).unwrap();
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
    let back: Transcript = serde_json::from_str(&file(&transcript, Format::Json)).unwrap();
    assert_eq!(back, transcript);
}

#[test]
fn vtt_escapes_arrows_markup_and_ampersands() {
    let vtt = file(&one("1 --> 2 <b>&amp;</b> R&B"), Format::Vtt);
    assert!(vtt.contains("\n1 --&gt; 2 &lt;b&gt;&amp;amp;&lt;/b&gt; R&amp;B\n"), "{vtt}");
    assert_eq!(vtt.matches("-->").count(), 1, "only the time line has an arrow: {vtt}");
}

#[test]
fn srt_defuses_arrows_and_markup() {
    let srt = file(&one("1 --> 2 <b>x</b> {\\an8}y 3 < 4"), Format::Srt);
    assert!(srt.contains("1 → 2 <\u{2060}b>x<\u{2060}/b> ｛\\\u{2060}an8｝y 3 < 4"), "{srt}");
}

#[test]
fn a_time_line_in_srt_text_stays_text() {
    let srt = file(&one("00:00:01,000 --> 00:00:02,000"), Format::Srt);
    let text = srt.lines().nth(2).unwrap();
    assert!(!text.contains("-->") && !text.contains("00:00"), "{text}");
    let visible: String = text.chars().filter(|c| *c != '\u{2060}').collect();
    assert_eq!(visible, "00:00:01,000 → 00:00:02,000");
}

#[test]
fn blank_lines_and_control_characters_end_no_cue() {
    for format in [Format::Srt, Format::Vtt] {
        let file = file(&one("one\n\n\r\ntwo\u{0}\tthree\u{b}"), format);
        assert!(file.contains("\none two three\n\n"), "{file:?}");
    }
    assert_eq!(file(&one("\n \t"), Format::Srt), "", "a cue without text is left out");
}

#[test]
fn emoji_and_right_to_left_text_come_through() {
    let text = "שלום עולם 👩‍👩‍👧 مرحبا";
    for format in Format::ALL.iter().copied() {
        assert!(file(&one(text), format).contains(text), "{format}");
    }
}

#[test]
fn long_segments_become_cues_of_two_short_lines() {
    let text = "When the first train leaves the station, the birds on the roof wake up and fly \
                across the river, and no one in the old town sleeps any longer, because every \
                window begins to shake.";
    let cues = shown(&transcript(vec![segment(0, 18_000, text)]));
    assert!(cues.len() >= 3, "{cues:#?}");
    for cue in &cues {
        assert!(cue.lines.len() <= 2, "{cue:?}");
        assert!(cue.text_lines().iter().all(|line| line.chars().count() <= 42), "{cue:?}");
    }
    let words: Vec<String> = cues.iter().flat_map(Cue::text_lines).collect();
    assert_eq!(words.join(" "), text, "nothing is lost or added");
    assert_eq!((cues[0].start_ms, cues[cues.len() - 1].end_ms), (0, 18_000));
    assert!(cues.windows(2).all(|pair| pair[0].end_ms == pair[1].start_ms), "{cues:?}");
}

#[test]
fn breaks_prefer_the_end_of_a_clause() {
    let cues = shown(&one("Open the window please, because it is warm here today."));
    assert_eq!(cues[0].text_lines(), ["Open the window please,", "because it is warm here today."]);
}

#[test]
fn text_without_spaces_is_cut_to_lines() {
    let text = "字".repeat(100);
    let cues = shown(&transcript(vec![segment(0, 20_000, &text)]));
    // A full-width character takes two columns.
    assert!(cues.iter().flat_map(Cue::text_lines).all(|line| line.chars().count() <= 21), "{cues:#?}");
    assert_eq!(cues.iter().flat_map(Cue::text_lines).collect::<String>(), text);
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
    let cues = shown(&transcript(vec![segment]));
    assert_eq!(cues[0].start_ms, 100);
    assert_eq!(cues[1].start_ms % 1000, 100, "the second cue begins with a word: {cues:?}");
    assert_eq!(cues[cues.len() - 1].end_ms, 15_900);
}

#[test]
fn a_segment_of_no_length_still_shows() {
    let cues = shown(&transcript(vec![segment(500, 500, "Oh.")]));
    assert_eq!((cues[0].start_ms, cues[0].end_ms), (500, 1_333), "as long as a glance takes");
}

#[test]
fn formats_have_names() {
    assert_eq!("SRT".parse(), Ok(Format::Srt));
    let error = "docx".parse::<Format>().unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no caption format `docx`: choose one of txt, srt, vtt, json, tsv, verbose_json, ass, lrc"
    );
    for format in Format::ALL.iter().copied() {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
}

#[test]
fn short_answers_share_a_cue_and_stay_long_enough_to_be_read() {
    let short = |start_ms, text| segment(start_ms, start_ms + 250, text);
    let hurried = shown(&transcript(vec![short(0, "Yes."), short(300, "No."), short(600, "Maybe.")]));
    assert_eq!(hurried.len(), 1, "{hurried:#?}");
    let calm = shown(&transcript(vec![short(1_000, "Yes."), short(5_000, "No.")]));
    assert_eq!((calm.len(), calm[0].end_ms - calm[0].start_ms), (2, 833), "{calm:#?}");
}

#[test]
fn fast_speech_gets_the_silence_around_it() {
    let text = "Sixty characters of text that somebody says in one second.";
    let cues =
        shown(&transcript(vec![segment(2_000, 3_000, text), segment(4_000, 8_000, "And then, after that, no more.")]));
    let shown_ms = cues[0].end_ms - cues[0].start_ms;
    assert!(shown_ms >= 2_000, "the second after it and a moment before: {cues:#?}");
    assert!(cues.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms), "{cues:#?}");
}

#[test]
fn long_speech_is_not_shown_at_once() {
    let words: Vec<String> = (0..24).map(|i| format!("word{i}")).collect();
    let cues = shown(&transcript(vec![segment(0, 24_000, &words.join(" "))]));
    assert!(cues.iter().all(|cue| cue.end_ms - cue.start_ms <= 7_000), "{cues:#?}");
    assert!(cues.iter().all(|cue| cue.lines.iter().flatten().count() > 1), "no word is alone: {cues:#?}");
}

#[test]
fn the_style_is_the_readers_choice() {
    let text = "When the first train leaves the station, the birds on the roof wake up.";
    let one_word = CueStyle { max_words_per_line: Some(1), max_line_count: 1, ..CueStyle::default() };
    let each = cues(&transcript(vec![segment(0, 14_000, text)]), &one_word);
    assert_eq!(each.len(), 14, "{each:#?}");
    let narrow = CueStyle { max_line_width: 20, max_line_count: 4, ..CueStyle::default() };
    let tall = cues(&transcript(vec![segment(0, 6_000, text)]), &narrow);
    assert_eq!((tall.len(), tall[0].lines.len()), (1, 4), "{tall:#?}");
    assert!(tall[0].text_lines().iter().all(|line| line.len() <= 20), "{tall:#?}");
}

#[test]
fn families_of_emoji_are_not_torn() {
    let family = "👩‍👩‍👧";
    let cues = shown(&transcript(vec![segment(0, 60_000, &family.repeat(100))]));
    assert!(cues.iter().flat_map(Cue::text_lines).all(|line| line.starts_with('👩') && line.ends_with('👧')));
    assert_eq!(cues.iter().flat_map(Cue::text_lines).collect::<String>(), family.repeat(100));
}

/// `Speak up.`, each word with its time.
fn spoken() -> Transcript {
    let mut said = segment(1_000, 3_000, "Speak up.");
    for (start_ms, end_ms, text) in [(1_000, 1_800, " Speak"), (2_000, 3_000, " up.")] {
        said.words.push(Word { start_ms, end_ms, text: text.to_owned(), probability: 0.9 });
    }
    transcript(vec![said])
}

#[test]
fn words_are_highlighted_where_the_format_can_and_their_times_are_known() {
    let style = CueStyle { highlight_words: true, ..CueStyle::default() };
    let vtt = Format::Vtt.write(&spoken(), &style).unwrap();
    assert!(vtt.contains("00:00:01.000 --> 00:00:03.000\nSpeak <00:00:02.000>up.\n"), "{vtt}");
    let ass = Format::Ass.write(&spoken(), &style).unwrap();
    assert!(ass.contains(",,{\\k100}Speak {\\k100}up.\n"), "{ass}");
    let lrc = Format::Lrc.write(&spoken(), &style).unwrap();
    assert_eq!(lrc, "[00:01.00]<00:01.00>Speak <00:02.00>up.\n[00:03.00]\n");
    assert_eq!(Format::Srt.write(&spoken(), &style), Err(HighlightError::Format(Format::Srt)));
    assert_eq!(Format::Vtt.write(&one("No times."), &style), Err(HighlightError::NoWords));
}

#[test]
fn tsv_has_milliseconds_and_no_stray_tabs() {
    assert_eq!(file(&one("Hello,\tyou."), Format::Tsv), "start\tend\ttext\n1000\t3500\tHello, you.\n");
}

#[test]
fn ass_shows_braces_and_backslashes_as_text() {
    let ass = file(&one("{\\b1}bold\\N"), Format::Ass);
    let line = ass.lines().last().unwrap();
    assert_eq!(line, "Dialogue: 0,0:00:01.00,0:00:03.50,Default,,0,0,0,,｛\\\u{2060}b1｝bold\\\u{2060}N");
}

#[test]
fn verbose_json_is_what_openai_clients_expect() {
    let json: serde_json::Value = serde_json::from_str(&file(&spoken(), Format::VerboseJson)).unwrap();
    assert_eq!((&json["language"], &json["duration"]), (&"english".into(), &10.0.into()));
    assert_eq!(json["text"], "Speak up.");
    assert_eq!((&json["segments"][0]["start"], &json["segments"][0]["id"]), (&1.0.into(), &0.into()));
    assert_eq!(json["words"][1], serde_json::json!({ "word": "up.", "start": 2.0, "end": 3.0 }));
}

#[test]
fn the_words_of_neighbouring_segments_are_not_glued_together() {
    let spoken = |text: &str, word: &str| Segment {
        words: vec![Word { start_ms: 0, end_ms: 0, text: word.to_owned(), probability: 0.9 }],
        ..segment(0, 0, text)
    };
    let at = |start_ms, text| {
        let mut segment = spoken(text, text);
        (segment.start_ms, segment.end_ms) = (start_ms, start_ms + 150);
        (segment.words[0].start_ms, segment.words[0].end_ms) = (start_ms, start_ms + 150);
        segment
    };
    let answers = transcript(vec![at(0, "Yes."), at(200, "No."), at(400, "Maybe.")]);
    let style = CueStyle { highlight_words: true, ..CueStyle::default() };
    for format in Format::ALL {
        for text in [file(&answers, *format), format.write(&answers, &style).unwrap_or_default()] {
            assert!(!text.contains("Yes.No") && !text.contains("No.Maybe"), "{}: {text}", format.name());
            assert!(!text.contains(".<00:") && !text.contains(".{"), "{}: {text}", format.name());
        }
    }
    assert!(file(&answers, Format::Srt).contains("Yes. No. Maybe."), "they are one cue");
    assert!(file(&answers, Format::VerboseJson).contains("Yes. No. Maybe."));
}

#[test]
fn segments_of_scripts_without_spaces_are_joined_without() {
    let answers = transcript(vec![segment(0, 150, "はい。"), segment(200, 350, "いいえ。")]);
    assert!(file(&answers, Format::Srt).contains("はい。いいえ。"));
    assert!(file(&answers, Format::VerboseJson).contains("はい。いいえ。"));
    let korean = transcript(vec![segment(0, 150, "네."), segment(200, 350, "아니요.")]);
    assert!(file(&korean, Format::Srt).contains("네. 아니요."));
}
