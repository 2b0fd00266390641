"""Words of a question: tokens with their places, stems, and the closed classes of English.

A content word is one that something must explain before a question is answered. Closed classes
(articles, prepositions, pronouns, auxiliaries, polite phrases) need no explanation; light words
("called", "located") need none either, but may name a relation. Words that turn a relation into
another ("former", "next") are content words that no relation explains.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from prism.mind.records import keeps_text


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as text."""
    return frozenset(text.split())


TOKEN = re.compile(r"['’]s\b|[^\W_]+(?:['’](?!s\b)[^\W_]+)*")
FUNCTION = word_set("""
    a an the this that these those some any each every all both such own same i me my mine
    myself we us our ours you your yours he him his she her hers it its they them their
    theirs one ones themselves himself herself itself there here who whom whose which what
    when where why how whoever whatever whichever 's s of in on at to for from by with about
    into onto over under as out up off down near within across along via than upon around
    inside per during and or but so if then because while not is are was were be been being
    am do does did doing done have has had having can could will would shall should may
    might must let ain't isn't what're who're where're who'd what'd where'd how'd i'm i'd
    i've i'll we're he'd she'd they'd you'd it'd that'd please hey hi hello ok okay oh um uh
    hmm well thanks thank cheers sorry pardon excuse sir yo dear just actually really
    exactly precisely again also too even ever only still basically simply currently current
    now today nowadays present presently right moment these days quick quickly maybe perhaps
    possibly kindly btw yes no yeah official officially proper properly correct correctly
    actual particular certain given whats wheres whos hows whens thats theres theyre im ive id
    dont doesnt isnt arent wasnt didnt cant whose
    """)
POLITE = word_set("""
    tell know wonder wondering ask asking question answer remind say wanna want need curious
    remember recall figure guess idea mean info information look looking find care learn
    clue happen happens able forget forgot help hint detail details fact facts exact wanted
    needed trying try interested hear state specify identify give show mention list sure
    sort kind type
    """)
LIGHT = word_set(
    """
    called call named name names known go goes went gone come comes came coming get gets got
    use used uses using locate located lie lies lying situated situate find found hold holds
    held belong belongs take takes keep kept put places placed thing things stuff people
    person somebody someone anyone anybody folk folks guy gal fellow man woman lady
    gentleman individual place spot location nation country land city town state company
    firm business organization organisation outfit element substance chemical metal material
    area region part entity serve serves serving served act acts acting work works stand
    stands stood apply applies circulate circulates pursue pursues carry carries carried
    bear bears register registered exist exists elect elected front past cover covers
    feature features set sets possess possesses practise practises practice practices number
    """
)
PLACES = word_set("place country nation land city town state region area location spot")
PERSONS = word_set(
    "who whom person man woman guy lady gentleman somebody someone individual fellow"
)
# relatives and animals of a house: one is never asked for by the word of another
KIN = word_set(
    "mother mum mom father dad sister brother wife husband son daughter aunt uncle cousin niece "
    "nephew grandmother grandma gran granny grandfather grandpa grandad girlfriend boyfriend "
    "fiance fiancee neighbour neighbor friend flatmate roommate "
    "cat dog hamster rabbit horse pony parrot goldfish tortoise turtle snake lizard ferret budgie"
)
FIRST_PERSON = word_set("i me my mine myself we us our ours i'm i'd i've i'll")
PRONOUNS = word_set("it its he him his she her hers they them their theirs there that")
SECOND_PERSON = word_set("your yours")
TURNING = word_set("""
    former formerly previous previously ex old older earlier once next before after ago
    future upcoming newest original originally prior ancient historic historical late deputy
    vice acting never no nobody not without second-largest except other another
    quit stop stopped stops abandon abandoned cease ceased discontinue discontinued
    """)
ORDINAL = word_set("first last second third new old acting no not other")
CONDITION = word_set(
    """
    if when whenever suppose supposing assuming imagine my our i i'm i've i'd i'll we we're to as
    for
    """
)
GREETING = word_set("hey hi hello so oh ok okay well um uh hmm now and but please")
NOUNS = {
    "person": "person man woman guy lady gentleman somebody someone individual fellow who whom",
    "organisation": "company firm business organization organisation outfit corporation",
    "country": "country nation land state",
    "city": "city town",
    "place": "place spot location where area region",
    "substance": "element substance chemical metal material",
}
KIND_NOUNS = word_set(" ".join(NOUNS.values())) - word_set("who whom where")
BE = word_set("is was are were be being been as became becomes 's")
IRREGULAR = {
    w: base
    for base, forms in {
        "speak": "spoke spoken", "make": "made", "run": "ran running runs",
        "lead": "led",
        "write": "wrote written", "find": "found", "win": "won",
        "pay": "paid", "sell": "sold", "build": "built",
        "buy": "bought", "teach": "taught", "eat": "ate eaten", "drive": "drove driven",
        "sit": "sat sitting", "wear": "wore worn", "grow": "grew grown", "hold": "held",
        "lose": "lost", "meet": "met", "send": "sent", "sing": "sang sung", "sleep": "slept",
        "stand": "stood", "swim": "swam swum swimming", "take": "took taken", "bear": "bore",
        "think": "thought", "tell": "told", "wed": "wedded wedding", "begin": "began begun",
        "spend": "spent", "choose": "chose chosen", "fly": "flew flown", "draw": "drew drawn",
        "give": "gave given", "drink": "drank drunk", "play": "plays",
        "die": "died dying dies dead",
        "mother": "mom mum mama mommy", "father": "dad daddy papa", "child": "children",
        "wife": "wives", "person": "people", "live": "lives living lived", "shine": "shone",
        "ride": "rode ridden", "bring": "brought", "catch": "caught", "know": "knew known",
        "see": "saw seen", "feed": "fed", "park": "parked parking", "hide": "hid hidden",
        "colour": "color", "favourite": "favorite", "lie": "lay lain lying lies",
    }.items()
    for w in forms.split()
}  # fmt: skip
ENDINGS = (
    "ations", "ation", "itions", "ition", "ments", "ment", "ships", "ship", "ings", "ing", "ions",
    "ion", "ers", "er", "ors", "or", "eries", "ery", "ees", "ee", "ed", "es", "age", "s", "y",
)  # fmt: skip


@dataclass(frozen=True)
class Token:
    """A word of a question and its place ``[start, end)`` in the text."""

    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """The word in small letters, with a plain apostrophe."""
        return self.text.casefold().replace("’", "'")

    @property
    def light(self) -> bool:
        """True for a word that may stand for any thing of a kind, or for any doing."""
        return self.lower in LIGHT or singular(self.lower) in LIGHT

    @property
    def of_a_kind(self) -> bool:
        """True for a noun that may stand for any thing of a kind."""
        return any(w in KIND_NOUNS for w in (self.lower, singular(self.lower)))

    @property
    def stem(self) -> str:
        """See :func:`stem`."""
        return stem(self.lower)


def tokens(text: str) -> list[Token]:
    """The words of a text; a possessive "'s" is a word of its own."""
    return [Token(m[0], m.start(), m.end()) for m in TOKEN.finditer(text)]


@keeps_text
@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Part that a word shares with its inflections and its derivations: "discover" of "discoverer".

    Endings are taken off while at least four letters stay, then a final e, i or y and one of two
    equal last letters.
    """
    word = IRREGULAR.get(word, word)
    while (shorter := _without_ending(word)) != word:
        word = shorter
    if len(word) > 3 and word[-1] in "eiy":
        word = word[:-1]
    if len(word) > 4 and word[-1] == word[-2]:
        word = word[:-1]
    return word


def _without_ending(word: str) -> str:
    """A word without its longest ending, if it has one."""
    if word.endswith("ss"):
        return word
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def content_stems(text: str) -> tuple[str, ...]:
    """Stems of a text's words without the closed classes; of all its words if it has no others."""
    words = [t.lower for t in tokens(text.replace("_", " "))]
    found = tuple(stem(w) for w in words if w not in FUNCTION)
    return found or tuple(stem(w) for w in words)


def singular(word: str) -> str:
    """A noun without the ending of its plural."""
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")


YES_OR_NO = re.compile(
    r"(?:(?:and|but|so|well)[, ]+)?(?:is|are|was|were|am|do|does|did|has|have|had|will)(?:n['’]t)? "
    r"(?!you\b|i\b|we\b|there\b|any|some)",
    re.IGNORECASE,
)
ASKING = word_set("who whom whose what which where when why how or")


def yes_or_no(question: str) -> bool:
    """True for a question that asks whether something is so: "Does Boris live in Rome?"."""
    begins = YES_OR_NO.match(question.strip()) is not None
    return begins and not any(word.lower in ASKING for word in tokens(question))
