"""The closed language of the demo model: a small English and Portuguese grammar.

Every sentence comes with its language, and every Portuguese one with an English
translation.  The held-out sentences are drawn here too, so that training and
evaluation always agree on which sentences are held out.
"""

import random
import re
from dataclasses import dataclass

ENGLISH, PORTUGUESE = "en", "pt"

DIGITS_EN = "zero one two three four five six seven eight nine ten".split()
DIGITS_PT = "zero um dois três quatro cinco seis sete oito nove dez".split()
DAYS_EN = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
DAYS_PT = "segunda terça quarta quinta sexta sábado domingo".split()
COLOURS = "red blue green black white yellow".split()
ANIMALS = "dog cat bird".split()
THINGS = "dog cat bird car book house video".split()
PLURALS = [noun + "s" for noun in THINGS]
PLURALS_PT = {"gatos": "cats", "carros": "cars", "livros": "books", "vídeos": "videos"}
OPENABLE_PT = {"a porta": "the door", "a janela": "the window", "o livro": "the book", "o vídeo": "the video"}
WHEN_PT = {"hoje": "today", "amanhã": "tomorrow", "agora": "now"}
SUBJECT_PT = {"Eu vejo": "I see", "Eu quero": "I want", "Eu tenho": "I have", "Nós temos": "We have"}

FIXED_EN = (
    "Hello.", "Good morning.", "Good evening.", "Goodbye.", "Thank you.",
    "Thank you and goodbye.", "Hello and good morning.", "Hello and good evening.",
)
FIXED_PT = {
    "Olá.": "Hello.",
    "Bom dia.": "Good morning.",
    "Obrigado.": "Thank you.",
    "Olá e bom dia.": "Hello and good morning.",
    "Obrigado e bom dia.": "Thank you and good morning.",
}

HELD_OUT_SEED = 20
HELD_OUT_PER_LANGUAGE = 140
HELD_OUT_MIN_WORDS = 4
SMALL_FAMILIES = ("Abra", "Feche", "Please", "Play", "Stop", "Open", "Close", "Read")  # first words
SMALL_FAMILY_SHARE = 3  # one in three of these is held out: training needs the others


@dataclass(frozen=True)
class Sentence:
    """One sentence of the grammar; `translation` is English, for Portuguese only."""

    text: str
    language: str
    translation: str | None = None


def words_of(text: str) -> list[str]:
    """Words as compared for the word error rate: lower case, no punctuation."""
    return re.sub(r"[^\w\s]", " ", text.lower()).split()


def _english(rng: random.Random) -> str:
    pick = rng.choice

    def some_things() -> str:
        colour = pick(COLOURS) + " " if rng.random() < 0.5 else ""
        return f"{pick(DIGITS_EN[2:])} {colour}{pick(PLURALS)}"

    def when() -> str:
        return pick(("now", "today", "tomorrow"))

    def many() -> str:
        subject = pick(("I", "We", "They", "You", "She", "He"))
        third = subject in ("She", "He")
        verb = pick(("sees", "wants", "has") if third else ("see", "want", "have"))
        more = f" and {some_things()}" if rng.random() < 0.2 else ""
        return f"{subject} {verb} {some_things()}{more}."

    def animal() -> str:
        verb = pick(("sleeps", "runs", "stops"))
        return f"The {pick(COLOURS)} {pick(ANIMALS)} {verb} {pick(('here', 'now', 'today', 'in the house'))}."

    def number() -> str:
        return f"My number is {' '.join(rng.choices(DIGITS_EN, k=rng.randint(2, 5)))}."

    def count() -> str:
        return f"{' '.join(rng.choices(DIGITS_EN, k=rng.randint(1, 5)))}.".capitalize()

    def day() -> str:
        return f"{pick(('Today', 'Tomorrow'))} is {pick(DAYS_EN)}."

    def please() -> str:
        what = pick(("window", "door", "book", "house", "video"))
        return f"Please {pick(('open', 'close'))} the {what} {when()}."

    def command() -> str:
        verb, what = pick((
            ("Play", "music"), ("Play", "video"), ("Stop", "music"), ("Stop", "video"), ("Stop", "car"),
            ("Open", "captions"), ("Close", "captions"), ("Read", "captions"), ("Read", "book"),
            ("Open", "door"), ("Close", "window"),
        ))
        return f"{verb} the {what}{pick(('', ' now', ' today', ' please'))}."

    def colours() -> str:
        first, second = rng.sample(THINGS, 2)
        return f"The {first} is {pick(COLOURS)} and the {second} is {pick(COLOURS)}."

    def one_colour() -> str:
        return f"The {pick(THINGS)} is {pick(COLOURS)}."

    def reading() -> str:
        what = pick((f"the {pick(COLOURS)} book", "the captions", "two books", "the book"))
        return f"{pick(('They', 'We', 'I', 'You'))} read {what} on {pick(DAYS_EN)}."

    def playing() -> str:
        where = pick(("play in the house", "play music", "sleep in the house", "see the video", "read the book"))
        return f"{pick(DAYS_EN)} {pick(('morning', 'evening'))} {pick(('we', 'they', 'I', 'you'))} {where}."

    template = rng.choices(
        (many, animal, number, count, day, please, command, colours, one_colour, reading, playing,
         lambda: pick(FIXED_EN)),
        weights=(5, 3, 3, 3, 1, 2, 2, 4, 1, 3, 3, 1),
    )[0]
    return template()


def _portuguese(rng: random.Random) -> tuple[str, str]:
    pick = rng.choice

    def one_of(table: dict[str, str]) -> tuple[str, str]:
        return pick(list(table.items()))

    def some_things() -> tuple[str, str]:
        digit = rng.randrange(2, 11)
        noun, noun_en = one_of(PLURALS_PT)
        return f"{DIGITS_PT[digit]} {noun}", f"{DIGITS_EN[digit]} {noun_en}"

    def many() -> tuple[str, str]:
        subject, subject_en = one_of(SUBJECT_PT)
        things, things_en = some_things()
        if rng.random() < 0.4:
            more, more_en = some_things()
            things, things_en = f"{things} e {more}", f"{things_en} and {more_en}"
        return f"{subject} {things}.", f"{subject_en} {things_en}."

    def digits(low: int) -> tuple[str, str]:
        chosen = [rng.randrange(11) for _ in range(rng.randint(low, 5))]
        return " ".join(DIGITS_PT[d] for d in chosen), " ".join(DIGITS_EN[d] for d in chosen)

    def number() -> tuple[str, str]:
        text, english = digits(2)
        return f"Meu número é {text}.", f"My number is {english}."

    def count() -> tuple[str, str]:
        text, english = digits(1)
        return f"{text}.".capitalize(), f"{english}.".capitalize()

    def day() -> tuple[str, str]:
        which = rng.randrange(7)
        when, when_en = pick((("Hoje", "Today"), ("Amanhã", "Tomorrow")))
        return f"{when} é {DAYS_PT[which]}.", f"{when_en} is {DAYS_EN[which]}."

    def command() -> tuple[str, str]:
        verb, verb_en = pick((("Abra", "Open"), ("Feche", "Close")))
        what, what_en = one_of(OPENABLE_PT)
        when, when_en = one_of(WHEN_PT) if rng.random() < 0.8 else ("", "")
        return f"{verb} {what} {when}".rstrip() + ".", f"{verb_en} {what_en} {when_en}".rstrip() + "."

    template = rng.choices(
        (many, number, count, day, command, lambda: one_of(FIXED_PT)), weights=(6, 4, 2, 2, 4, 1)
    )[0]
    return template()


def draw(language: str, rng: random.Random) -> Sentence:
    """A random sentence of one language."""
    if language == ENGLISH:
        return Sentence(_english(rng), ENGLISH)
    text, translation = _portuguese(rng)
    return Sentence(text, PORTUGUESE, translation)



def held_out() -> list[Sentence]:
    """The sentences that training excludes: distinct, of at least four words, none of the fixed phrases.

    Most of the few sentences of a small family remain in training.
    """
    rng = random.Random(HELD_OUT_SEED)
    chosen: list[Sentence] = []
    for language in (ENGLISH, PORTUGUESE):
        found: dict[str, Sentence] = {}
        while len(found) < HELD_OUT_PER_LANGUAGE:
            sentence = draw(language, rng)
            fixed = sentence.text in FIXED_EN or sentence.text in FIXED_PT
            if not fixed and len(words_of(sentence.text)) >= HELD_OUT_MIN_WORDS:
                found.setdefault(sentence.text, sentence)
        small = [text for text in found if text.split()[0] in SMALL_FAMILIES]
        released = set(small) - set(small[::SMALL_FAMILY_SHARE])
        chosen += [sentence for text, sentence in found.items() if text not in released]
    return chosen
