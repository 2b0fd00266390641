"""Words whose class decides how a clause is read: relations of verbs, results, attitudes, signs.

Closed classes of English (modals, hedges, attitude verbs), and the few open ones that a statement
of fact needs: verbs whose past tense leaves a state that still holds, and verbs that name one and
the same relation. A verb that stands nowhere here is its own relation, in the present tense.
"""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.replace("_", " ").split(" ")) if "_" not in words else frozenset(
        word.replace("_", " ") for word in words.split()
    )


# -- relations -------------------------------------------------------------------------------------

# lemma and preposition -> the relation's one name; "<" turns it round: its object is the subject.
VERBS = {
    "live in": "lives in",
    "live at": "lives in",
    "live on": "lives in",
    "reside in": "lives in",
    "reside at": "lives in",
    "dwell in": "lives in",
    "move to": "lives in",
    "move into": "lives in",
    "relocate to": "lives in",
    "settle in": "lives in",
    "work for": "works for",
    "work at": "works for",
    "employ by": "works for",
    "employ at": "works for",
    "hire by": "works for",
    "join": "works for",
    "work as": "profession",
    "come from": "comes from",
    "hail from": "comes from",
    "originate from": "comes from",
    "be from": "comes from",
    "bear in": "birthplace",
    "bear at": "birthplace",
    "bear on": "birthday",
    "marry": "spouse",
    "marry to": "spouse",
    "wed to": "spouse",
    "found": "<founder",
    "found by": "founder",
    "establish": "<founder",
    "establish by": "founder",
    "start by": "founder",
    "set by": "founder",
    "create by": "creator",
    "create": "<creator",
    "discover": "<discoverer",
    "discover by": "discoverer",
    "find by": "discoverer",
    "isolate by": "discoverer",
    "invent": "<inventor",
    "invent by": "inventor",
    "write by": "author",
    "author by": "author",
    "compose": "<composer",
    "compose by": "composer",
    "paint by": "painter",
    "design by": "designer",
    "design": "<designer",
    "direct by": "director",
    "build by": "builder",
    "develop by": "developer",
    "own by": "owner",
    "belong to": "owner",
    "make by": "maker",
    "manufacture by": "maker",
    "run by": "head",
    "lead by": "head",
    "head by": "head",
    "manage by": "manager",
    "govern by": "head",
    "teach by": "teacher",
    "locate in": "located in",
    "locate at": "located in",
    "situate in": "located in",
    "base in": "based in",
    "headquarter in": "headquarters",
    "be in": "located in",
    "be at": "located in",
    "be on": "located in",
    "sit in": "located in",
    "lie in": "located in",
    "stand in": "located in",
    "sit on": "located in",
    "lie on": "located in",
    "stand on": "located in",
    "find in": "found in",
    "cost": "price",
    "weigh": "weight",
    "measure": "size",
    "pay with": "currency",
    "pay in": "currency",
    "specialize in": "specialty",
    "specialise in": "specialty",
    "major in": "major",
    "adore": "likes",
    "love": "likes",
    "like": "likes",
    "enjoy": "likes",
    "detest": "dislikes",
    "hate": "dislikes",
    "dislike": "dislikes",
    "buy": "owns",
    "get": "has",
    "adopt": "pet",
}
# In a clause about people in general ("they speak Dutch in Utopia") the place is the subject.
OF_PLACES = {"speak": "language", "use": "currency", "pay with": "currency", "pay in": "currency"}
# The relation that a state's name has where its holder is an event's outcome.
BECOMING = frozenset({"move", "shift", "transfer", "relocate", "become", "turn", "change", "rename", "switch", "replace", "succeed", "upgrade"})
NAMING = frozenset({"call", "name", "nickname", "christen", "dub", "entitle", "title", "baptize"})
PUTTING = frozenset({"keep", "store", "park", "put", "leave", "hide", "hang", "place", "stash"})
POSSESSING = frozenset({"have", "own", "get", "adopt", "possess"})
BEGINNING = frozenset({"start", "begin", "keep", "continue"})
# A past tense that leaves a state: what it says holds now.
RESULTS = frozenset(
    "bear move relocate settle found establish create discover isolate invent write author compose "
    "paint design direct build develop marry wed name call rename nickname christen become change "
    "switch join hire appoint elect adopt buy purchase get inherit open graduate retire divorce "
    "replace succeed win publish release promote upgrade transfer enrol enroll bake knit sculpt "
    "study attend major grow die bury record launch construct erect install enter acquire shift title entitle dub".split()
)
TIMED = frozenset(
    "bear found establish discover invent marry die open close start begin end meet leave arrive "
    "depart build launch release publish graduate happen celebrate fall expire run elect take "
    "construct complete".split()
)
# Relations that take several objects at once; any other takes one, and a new one supersedes.
MANY = frozenset(
    "brother sister sibling child son daughter kid cousin uncle aunt niece nephew grandchild "
    "grandson granddaughter friend colleague coworker classmate neighbour neighbor teammate "
    "roommate flatmate student pupil likes dislikes speaks plays owns has language hobby allergy "
    "pet collects member employee customer supplier visits teaches studies".split()
) | {"allergic to", "is a", "found in", "author", "founder", "discoverer", "inventor", "works with"}

# -- things ----------------------------------------------------------------------------------------

SPEAKER = frozenset({"i", "me", "my", "mine", "myself", "we", "us", "our", "ours", "ourselves"})
PERSONAL = frozenset({"he", "him", "his", "she", "her", "hers", "himself", "herself"})
NEUTER = frozenset({"it", "its", "itself", "this", "that"})
PLURAL = frozenset({"they", "them", "their", "theirs", "themselves", "these", "those"})
GENERIC = frozenset({"people", "they", "everyone", "everybody", "you", "one", "locals", "folks",
                     "residents", "citizens", "inhabitants", "we"})
NOBODY = frozenset({"nobody", "none", "nothing", "neither", "somebody", "someone", "something",
                    "anyone", "anybody", "anything", "everything", "everyone", "everybody", "who",
                    "whoever", "what", "whatever", "which", "one", "ones", "there", "lot", "lots",
                    "thing", "things", "stuff", "bit", "kind", "sort", "way", "case", "fact",
                    "time", "reason", "point", "problem", "question", "truth", "rest", "all",
                    "some", "few", "many", "most", "each", "both", "other", "others", "you", "your",
                    "yours", "yourself", "part", "deal", "matter", "idea", "same", "such"})
# Nouns that only stand for somebody or something, which a relative clause describes.
DESCRIBED = frozenset("one woman man person guy girl boy lady company firm team city town country place "
                      "restaurant school hospital book band people kid child gentleman".split())
COLOURS = frozenset(
    "red blue green yellow orange purple pink brown black white grey gray turquoise violet beige "
    "golden silver crimson maroon navy teal ginger blond blonde".split()
)
MEASURES = {"tall": "height", "high": "height", "long": "length", "wide": "width", "deep": "depth",
            "old": "age", "heavy": "weight", "thick": "thickness"}
# Adjectives before a relation that do not belong to its name.
LOOSE = frozenset("new current present own actual dear beloved lovely little old good nice brand "
                  "trusty amazing wonderful".split())
BODIES = frozenset("year years month months day days week weeks".split())
SPANS = frozenset("year years month months day days week weeks hour hours minute minutes while ages "
                  "decade decades morning evening afternoon night spring summer autumn winter fall "
                  "weekend today yesterday tomorrow tonight moment".split())
PROFESSIONS = ("er", "or", "ist", "ian", "ant", "eer", "man", "woman", "ess", "ent", "smith", "ee")
NO_PROFESSION = frozenset("winter summer river flower dinner paper water number computer matter "
                          "tower order power letter member border corner center discover planet "
                          "event accident instrument document monument restaurant plant elephant "
                          "color flavor vegetarian tree coffee committee door floor cancer fever "
                          "container harbor mother father brother sister daughter".split())
WORKERS = frozenset("nurse chef cook judge pilot doctor clerk guard architect mechanic vet plumber "
                    "surgeon coach priest monk poet astronaut soldier captain student teacher "
                    "apprentice midwife diplomat athlete barista potter pharmacist carpenter".split())

# -- attitudes -------------------------------------------------------------------------------------

# The speaker vouches for what stands under these ("remember that ...", "you should know ...").
VOUCHING = frozenset({"remember", "note", "know", "mention", "forget", "confirm", "remind", "inform",
                      "announce", "notice", "realize", "realise", "discover", "learn", "state",
                      "record", "jot", "write", "keep", "update", "tell", "say", "turn", "find",
                      "add", "clarify", "be", "mean", "let", "happen"})
MODALS = frozenset({"would", "could", "might", "may", "should", "will", "'ll", "wo", "shall", "must",
                    "ought", "'d", "gonna", "ca"})
HEDGES = frozenset("maybe perhaps possibly probably likely apparently supposedly allegedly presumably "
                   "reportedly rumoured rumored unlikely hopefully ideally theoretically hypothetically "
                   "purportedly seemingly conceivably potentially doubtless surely".split())
PAST = frozenset("formerly previously once originally former ex-wife ex-husband ex-boss ex "
                 "back long-ago".split())
NEGATIVE = frozenset("almost nearly not n't no never neither nor nobody none nothing hardly barely scarcely without "
                     "nowhere rarely seldom cannot".split())
DOUBT = frozenset("if unless whether lest".split())
SOON = frozenset("tomorrow soon tonight eventually someday later".split())
WISHING = frozenset("want wish hope plan intend need try dream consider think aim expect prefer "
                    "decide promise mean hesitate refuse threaten long pretend seem appear tend "
                    "fail claim suppose imagine ask beg order".split())
FICTION = frozenset("campaign roleplay anime novel story film movie book game dream tale series episode comic play fairytale "
                    "myth legend show fantasy sitcom manga cartoon musical script screenplay joke "
                    "hypothetical scenario universe simulation chapter fable poem song".split())


def plural_noun(noun: str) -> str:
    """A plural noun's singular, by the rules of spelling."""
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "xes", "sses")):
        return noun[:-2]
    if noun.endswith("children"):
        return noun[:-3]
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun


def third_person(lemma: str) -> str:
    """A verb in the third person of the present: "live" -> "lives"."""
    irregular = {"have": "has", "be": "is", "do": "does", "go": "goes"}
    if lemma in irregular:
        return irregular[lemma]
    if lemma.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{lemma}es"
    if lemma.endswith("y") and lemma[-2:-1] not in "aeiou":
        return f"{lemma[:-1]}ies"
    return f"{lemma}s"
