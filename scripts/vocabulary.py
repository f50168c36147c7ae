"""Finds names and phrases that this code base has a standard word for: `scripts/vocabulary.py [--count] [path…]`.

Prints file, line, what was found and the word to use instead, and fails if it found anything. Reads every file under git
that people read or write, and their names; with paths, only those files and what is below those directories.
"""

import argparse
import collections
import dataclasses
import fnmatch
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator

READ = (".rs", ".toml", ".md", ".sql", ".sh", ".py", ".json", ".yaml", ".proto", "Makefile", "Dockerfile")
# Texts of others, data of tests, what the demo model is trained on, and this table with its test.
SKIPPED = (
    "LICENSE*",
    "licences/*",
    "*/fixtures/*",
    "models/demo/model/*",
    "models/demo/sentences.py",
    "models/demo/heldout.py",
    "scripts/vocabulary*.py",
)
# Legitimate uses of what is searched for below: blanked out before the search.
ALLOWED = re.compile(
    r"(segmentation|page) faults?|[\"`=]nobody\b|hard of hearing|hard-of-hearing"
    r"|[Tt]he house(?= is white|\. )|stand-?alone|in (the )?first place|[Tt](ook|akes?) place|fn read\(&mut self, buf|time::pause\(\)"
)


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is searched for, what to write instead, and where the rule holds (shell patterns of paths)."""

    pattern: re.Pattern[str]
    use: str
    only: tuple[str, ...] = ("*",)
    skip: tuple[str, ...] = ()


def words(*words: str) -> re.Pattern[str]:
    """The words in prose and as parts of names: `folder`, `Folder`, `work_folder`, `WorkFolder`, `WORK_FOLDER`."""
    lower = "|".join(words)
    capital = "|".join(word.capitalize() for word in words)
    upper = "|".join(word.upper() for word in words)
    return re.compile(f"(?<![A-Za-z])({lower})(?![a-z])|({capital})(?![a-z])|(?<![A-Za-z])({upper})(?![A-Za-z])")


def names(*names: str) -> re.Pattern[str]:
    """Whole identifiers, exactly as written."""
    return re.compile(rf"(?<!\w)({'|'.join(names)})(?!\w)")


def types(*types: str) -> re.Pattern[str]:
    """Identifiers in CamelCase, also as the last part of a longer one: `Fault`, `StageFault`."""
    return re.compile(rf"(?<![A-Z])({'|'.join(types)})s?(?![A-Za-z])")


# Between two words of a sentence: a blank, or the end of a line, with the mark of a comment or of a string that goes on.
GAP = r"(?: |[ ]?\\?\n[ \t]*(?://[/!]?|#|--)?[ \t]*)"


def phrase(text: str) -> re.Pattern[str]:
    """A regular expression for words of a sentence, in upper or lower case; a blank in it is also the end of a line."""
    return re.compile(rf"(?<![\w-])(?i:{text.replace(' ', GAP)})(?![\w-])")


WHISPER = ("crates/whisper/*", "crates/models/*", "crates/media/*")
SPEECH = ("crates/whisper/*", "crates/media/*", "models/demo/*", "benches/quality*", "scripts/demo*", "docs/adr/*", "docs/figures.md")
RULES = (
    Rule(words("fault", "faults", "faulty"), "error, failure; a type is called …Error"),
    Rule(types("Blame"), "the retry classes Permanent, Transient, Unavailable"),
    Rule(words("misfit", "misfits"), "ProjectionError"),
    Rule(words("house", "houses"), "TestHarness; metrics"),
    Rule(words("teller", "narrator", "narrate"), "SseWriter; a mapping to StreamEvent"),
    Rule(words("story", "stories"), "timeline"),
    Rule(words("tell", "tells", "told", "telling"), "notify, report, emit, say"),
    Rule(words("seat", "seats"), "permit"),
    Rule(names("Place", "Places"), "permit (ClientPermit); offset, cursor"),
    Rule(phrase("(the|its|their|whose|that|this|each) places?(?! (where|of))"), "offset, cursor, position"),
    Rule(words("hear", "hears", "heard", "hearing"), "detect, decode, transcribe, receive"),
    Rule(words("asked", "asks"), "requested; options for"),
    Rule(words("usual"), "default"),
    Rule(names("faces"), "listeners, http", only=("crates/cli/*",)),
    Rule(re.compile(r"\bKind<"), "ValueParser"),
    Rule(re.compile(r"\bfn (carry|hear|tell)\b"), "run_relay, run_transcribe, run_notify"),
    Rule(re.compile(r"\bfn fetch\b"), "run_download", only=("crates/cli/src/roles*",)),
    Rule(names("Wish", "Receipt"), "SubmitRequest, SubmitTranscription, JobAccepted"),
    Rule(
        re.compile(r"\b(struct|enum|impl) (Form|Fields|Order)\b"),
        "SubmitRequest, SubmitTranscription, JobAccepted",
        only=("crates/api/*",),
    ),
    Rule(re.compile(r"\bas_it_was\b|\b(mod|use) past\b|\bpast::"), "history, at, AsOf"),
    Rule(names("Moment"), "AsOf"),
    Rule(names("LookForModels"), "ModelLister"),
    Rule(names("Caller"), "Principal"),
    Rule(names("ForeignHost"), "HostNotAllowed"),
    Rule(names("converse"), "serve_connection"),
    Rule(re.compile(r"\bfn truth\b|, truth\)"), "parse_bool", only=("crates/api/*",)),
    Rule(words("bell", "bells", "doorbell"), "EventListener (wakes), Notifier (rings)"),
    Rule(names("Alarm", "Wake"), "EventListener, Notifier"),
    Rule(types("Stamp"), "Clock, IdGenerator"),
    Rule(names("Holder"), "BlockingTransaction"),
    Rule(words("unborn"), "empty"),
    Rule(names("NotYetBorn"), "BeforeCreation"),
    Rule(names("NoBeginning"), "MissingCreation"),
    Rule(re.compile(r"\btoday\(|\bfn today\b"), "upcast_to_current"),
    Rule(re.compile(r"\bwalk\("), "apply_upcasters", only=("crates/domain/*", "crates/eventstore/*")),
    Rule(words("salvage", "salvaged", "salvages"), "from_json_lossy"),
    Rule(words("damage", "damages", "damaged"), "corrupt (metadata), truncated (media)"),
    Rule(names("let_in"), "grant_service_role"),
    Rule(
        re.compile(r"\blet (mut )?prints\b|\bprints(:|\.|\[)|&(mut )?prints\b"),
        "fingerprints",
        only=("crates/eventstore/*", "crates/cli/*"),
    ),
    Rule(names("EventName"), "EventRef"),
    Rule(names("ENDS"), "TERMINAL_EVENTS"),
    Rule(names("still_asks"), "is_pending"),
    Rule(names("in_work"), "is_in_flight"),
    Rule(names("asks_for_work"), "triggers_work"),
    Rule(words("ledger"), "PublishLog"),
    Rule(words("overtaken", "overtakes", "overtake", "overtook"), "superseded"),
    Rule(words("pointless"), "obsolete; until_superseded"),
    Rule(words("insist", "insists", "insisted"), "retry"),
    Rule(re.compile(r"\bOutcome::Again\b"), "RetryAfter"),
    Rule(words("leftover", "leftovers"), "temporary files"),
    Rule(re.compile(r"\bfn spread\b|\bspread\("), "with_jitter"),
    Rule(re.compile(r"\bstruct Turns\b|\bTurns(::|[,;}>])|[:<] ?Turns\b"), "WeightedRoundRobin"),
    Rule(phrase(r"(decide|decides|decided|deciding) to nothing"), "is a no-op"),
    Rule(re.compile(r"\bReply::(Taken|Refused|Forbidden)\b"), "Accepted, HttpError, AddressBlocked"),
    Rule(names("is_well"), "record_success"),
    Rule(phrase("in trouble"), "unhealthy"),
    Rule(names("Gate"), "ProxyService"),
    Rule(words("confine", "confined", "confines"), "sandbox"),
    Rule(words("judgement", "judgements"), "FallbackDecision"),
    Rule(words("verdict", "verdicts"), "FallbackDecision, decision, result"),
    Rule(names("Attempt"), "Hypothesis", only=("crates/whisper/*",)),
    Rule(names("Round"), "batch", only=WHISPER),
    Rule(re.compile(r"\bLoan\b|\b[Ll](end|ends|ent|ending)\b"), "ReplicaGuard, acquire"),
    Rule(words("invent", "invents", "invented", "inventing"), "hallucinated"),
    Rule(re.compile(r"\bEncoded::(Here|Elsewhere)\b|\b(Here|Elsewhere)\("), "Host, Device"),
    Rule(names("Merges"), "BpeMerges"),
    Rule(names("answers_to"), "matches_name"),
    Rule(names("Ending"), "FinishReason"),
    Rule(words("stretch", "stretches"), "interval"),
    Rule(names("web_address"), "url"),
    Rule(phrase(r"web address(es)?|address with scheme|address of the (api|service)|address of a service"), "URL"),
    Rule(phrase(r"address(es)? of (the|a|an|its|this|that|your) (videos?|pages?|files?|audio|media|sources?)"), "URL"),
    Rule(words("recording", "recordings"), "media"),
    Rule(words("folder", "folders"), "directory"),
    Rule(words("pause", "pauses"), "delay", skip=SPEECH),
    Rule(re.compile(r"\bPATIENCE\b|\w_PATIENCE\b"), "…_TIMEOUT"),
    Rule(words("mend", "mends", "mended", "mending"), "repair, fix"),
    Rule(words("lie", "lies", "lying"), "is stored in, is in, is at"),
    Rule(words("stand", "stands", "stood", "standing"), "is in, is at, is written in"),
    Rule(words("whoever", "whomever"), "name the actor"),
    Rule(words("nobody"), "name the actor"),
    Rule(phrase("so (many|much)(?! (that|as))"), "at most N; the number"),
    Rule(
        phrase(r"(?<!there\s)(?<![,/#]\s)(is|are|was|were) no(?= \w)(?! (longer|more|less|fewer|later|earlier|other|better)\b)"),
        "is not a valid …; there is no …",
    ),
    Rule(re.compile(r"\bfn (of|read)\b(?!\w)"), "from_…, new, parse_…, load"),
)


@dataclasses.dataclass(frozen=True)
class Hit:
    """One use of a banned name; line 0 is the file's own name."""

    path: str
    line: int
    found: str
    use: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else f"{self.path} (its name)"
        return f'{where}: "{self.found}": use {self.use}'


def matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def is_read(path: str) -> bool:
    return path.endswith(READ) and not matches(path, SKIPPED)


def blanked(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match.group())


def search(text: str, rules: Iterable[Rule]) -> Iterator[tuple[int, str, str]]:
    """Where in the text something begins, what, and what to use."""
    text = ALLOWED.sub(blanked, text)
    for rule in rules:
        for match in rule.pattern.finditer(text):
            yield match.start(), " ".join(match.group().split()), rule.use


def check_file(path: str, text: str) -> list[Hit]:
    """The hits in the name of a file and in its text, in the order of the lines."""
    rules = [rule for rule in RULES if matches(path, rule.only) and not matches(path, rule.skip)]
    hits = [Hit(path, 0, found, use) for _, found, use in search(path.removesuffix(".rs"), rules)]
    hits += [Hit(path, text.count("\n", 0, start) + 1, found, use) for start, found, use in search(text, rules)]
    return sorted(hits, key=lambda hit: hit.line)


def files(root: pathlib.Path, paths: list[str]) -> list[str]:
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(path for path in listed if is_read(path) and (root / path).is_file())


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", action="store_true", help="only count what was found, by word")
    parser.add_argument("paths", nargs="*", help="files or directories, relative to the root of the repository")
    arguments = parser.parse_args()
    hits = [hit for path in files(root, arguments.paths) for hit in check_file(path, (root / path).read_text())]
    if arguments.count:
        for (found, use), count in collections.Counter((hit.found, hit.use) for hit in hits).most_common():
            print(f'{count:5} "{found}": use {use}')
    else:
        print("".join(f"{hit}\n" for hit in hits), end="")
    if hits:
        count = len({hit.path for hit in hits})
        print(f"vocabulary: {len(hits)} uses in {count} files; the table is in scripts/vocabulary.py", file=sys.stderr)
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main())
