//! An export as evidence, and the forms that others must be able to read.

use super::tests::{event_name, key, sealed};
use super::*;
use crate::Exporter;
use secrecy::ExposeSecret as _;

/// What is found in an export after a change of its lines: the beginning, five events, a seal, three events, a seal, an
/// event, the end.
async fn found_in_export(change: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
    let key = key();
    let database = sealed(&key).await;
    let mut export = Exporter::begin(&database).await.expect("an answer");
    let mut lines = export.next_lines().await.expect("an answer");
    lines.extend(export.next_lines().await.expect("an answer"));
    assert_eq!(lines.len(), 13);
    change(&mut lines);
    let mut verifier = FileVerifier::new(Verifier::trusting(vec![key.verifying_key()]));
    for line in &lines {
        verifier.line(line);
    }
    verifier.finish().findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_changed_export_is_found_without_a_database() {
    assert_eq!(found_in_export(|_| ()).await, Vec::<String>::new());
    let other_end = |line| format!("line {line}: the events before it are not those that were exported");
    let changed = found_in_export(|lines| lines[3] = lines[3].replace("\"auto\"", "\"pt\"")).await;
    assert_eq!(changed, [format!("changed: number 3, {}: payload", event_name(1, 3)), other_end(13)]);
    let removed = found_in_export(|lines| drop(lines.remove(4))).await;
    assert_eq!(removed, [format!("removed: number 4, {}", event_name(1, 4)), other_end(12)]);
    let swapped = found_in_export(|lines| lines.swap(2, 3)).await;
    assert_eq!(swapped.len(), 3, "{swapped:?}");
    let twice = found_in_export(|lines| lines.insert(2, lines[1].clone())).await;
    assert_eq!(twice, [format!("inserted: number 2, {}", event_name(1, 1)), other_end(14)]);
    let cut_off = found_in_export(|lines| lines.truncate(9)).await;
    let cut = "line 10: the last line is missing: the export is cut off".to_owned();
    assert_eq!(cut_off, [cut, "seal 2: it is missing at the end".to_owned()]);
    let garbled = found_in_export(|lines| lines[2].truncate(50)).await;
    assert!(garbled[0].starts_with("line 3: it is not an exported event"), "{garbled:?}");
    assert_eq!(garbled[1], format!("removed: number 2, {}", event_name(1, 2)));
    let no_begin = found_in_export(|lines| drop(lines.remove(0))).await;
    assert!(no_begin[0].contains("the first line of an export is missing"), "{no_begin:?}");
}

#[tokio::test]
async fn the_chain_is_what_its_description_says() {
    let database = sealed(&key()).await;
    let mut export = Exporter::begin(&database).await.expect("an answer");
    let mut lines = export.next_lines().await.expect("an answer");
    lines.extend(export.next_lines().await.expect("an answer"));
    // SHA-256 over the lines as they are in the file.
    let script = "import base64, hashlib, json, sys\n\
        h = bytes(32)\n\
        for line in sys.stdin.buffer.read().splitlines():\n\
        \x20   said = json.loads(line)\n\
        \x20   if 'event_type' in said: h = hashlib.sha256(h + hashlib.sha256(line).digest()).digest()\n\
        \x20   note = said.get('seal', {}).get('note') or f\"\\n\\n{said.get('ytcaption_events_end', {}).get('hash')}\"\n\
        \x20   if 'event_type' not in said and 'ytcaption_events_export' not in said: assert note.split('\\n')[2] == base64.b64encode(h).decode(), line\n\
        print(base64.b64encode(h).decode())\n";
    let file = std::env::temp_dir().join(format!("ytcaption-chain-{}", std::process::id()));
    std::fs::write(&file, lines.join("\n")).expect("a temporary file");
    let python = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::fs::File::open(&file).expect("the file"))
        .output()
        .expect("python3 runs");
    let _ = std::fs::remove_file(&file);
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let hash = String::from_utf8(python.stdout).expect("text");
    assert!(lines.last().expect("the end").contains(hash.trim()), "{hash} is not in {lines:?}");
}

#[test]
fn a_key_and_a_note_are_in_the_forms_of_their_standards() {
    let key = key();
    let pem = key.to_pem().expect("a key");
    assert_eq!(pem.expose_secret().lines().count(), 3);
    assert_eq!(SealingKey::from_pem(&pem).expect("the same key").verifying_key(), key.verifying_key());
    let text = key.verifying_key().to_string();
    assert_eq!(text.parse::<VerifyingKey>().expect("the same key"), key.verifying_key());
    for wrong in ["", "me", &text.replace("events", "event"), &text[..text.len() - 1], &format!("{text}+")] {
        assert!(wrong.parse::<VerifyingKey>().is_err(), "{wrong}");
    }
    for wrong in ["", "-----BEGIN PRIVATE KEY-----", &pem.expose_secret().replace('M', "N")] {
        assert!(SealingKey::from_pem(&wrong.into()).is_err(), "{wrong}");
    }
    // The example of the specification's reference implementation (golang.org/x/mod/sumdb/note).
    let peter: VerifyingKey =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().expect("a key");
    let note = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n\n\
                — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert!(note::is_signed_by(note, &peter));
    assert!(!note::is_signed_by(&note.replace("answer", "question"), &peter));
}
