"""The check of the vocabulary finds what it should and lets ordinary English pass; run by `make test`."""

import unittest

import vocabulary


def found(text: str, path: str = "crates/domain/src/job.rs") -> list[str]:
    return [hit.found for hit in vocabulary.check_file(path, text)]


class Vocabulary(unittest.TestCase):
    def test_a_word_is_found_in_prose_and_in_every_form_of_a_name(self) -> None:
        for name in ("the folder", "work_folder", "WorkFolder", "WORK_FOLDER", "folder_of", "FolderError"):
            self.assertEqual(len(found(name)), 1, name)

    def test_a_line_and_the_word_to_use_are_named(self) -> None:
        hits = vocabulary.check_file("docs/backup.md", "A backup\nis told to nobody.\n")
        self.assertEqual([(hit.line, hit.found) for hit in hits], [(2, "told"), (2, "nobody")])
        self.assertEqual(str(hits[1]), 'docs/backup.md:2: "nobody": use name the actor')

    def test_a_phrase_is_found_across_lines(self) -> None:
        self.assertEqual(found("/// A late command decides to\n    /// nothing.\n"), ["decides to /// nothing"])
        self.assertEqual(found('error("`{0}` is \\\n        no number")'), ["is \\ no"])

    def test_the_name_of_a_file_counts(self) -> None:
        hits = vocabulary.check_file("crates/cli/src/managed/folder.rs", "")
        self.assertEqual([str(hit) for hit in hits], ['crates/cli/src/managed/folder.rs (its name): "folder": use directory'])

    def test_types_with_a_banned_last_part_are_found(self) -> None:
        self.assertEqual(found("StageFault, Misfit, Blame, House"), ["Fault", "Blame", "Misfit", "House"])

    def test_ordinary_english_passes(self) -> None:
        for text in (
            "word timestamps of an IP address; an email address",
            "there is no job; it is no longer needed; is no more than 4",
            "by default, understand the standard output, standalone",
            "to place a file; an ordinary replicated lieutenant, default",
            "let fingerprints = seal.fingerprints; println!()",
            "a page fault, captions for the hard of hearing",
            "so many that none fits",
        ):
            self.assertEqual(found(text), [], text)

    def test_a_rule_holds_where_its_word_is_ours_only(self) -> None:
        self.assertEqual(found("pause", "crates/whisper/src/segment.rs"), [])
        self.assertEqual(found("pause", "crates/workers/src/relay.rs"), ["pause"])
        self.assertEqual(found("struct Form", "crates/domain/src/form.rs"), [])
        self.assertEqual(found("struct Form", "crates/api/src/form.rs"), ["struct Form"])

    def test_texts_of_others_and_data_are_not_read(self) -> None:
        for path in ("LICENSE-MIT", "licences/README.md", "crates/domain/fixtures/events/JobCancelled.v1.json", "a.png"):
            self.assertFalse(vocabulary.is_read(path), path)
        for path in ("Makefile", "docs/openapi.json", "crates/api/src/lib.rs", "ytcaption.sample.toml"):
            self.assertTrue(vocabulary.is_read(path), path)


if __name__ == "__main__":
    unittest.main()
