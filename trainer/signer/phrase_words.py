"""The words of the signer's sentences: which gloss can do what, and its English forms.

Every gloss of LEXICON can occur. See phrases.py, which puts them together.
"""

# Glosses that mean an action or a state: base, third person, past, participle, "-ing".
ACTIONS_FORMS = {
    "buy": ("buy", "buys", "bought", "bought", "buying"),
    "call": ("call", "calls", "called", "called", "calling"),
    "change": ("change", "changes", "changed", "changed", "changing"),
    "cook": ("cook", "cooks", "cooked", "cooked", "cooking"),
    "cry": ("cry", "cries", "cried", "cried", "crying"),
    "dance": ("dance", "dances", "danced", "danced", "dancing"),
    "decide": ("decide", "decides", "decided", "decided", "deciding"),
    "drink": ("drink", "drinks", "drank", "drunk", "drinking"),
    "drive": ("drive", "drives", "drove", "driven", "driving"),
    "eat": ("eat", "eats", "ate", "eaten", "eating"),
    "go": ("go", "goes", "went", "gone", "going"),
    "help": ("help", "helps", "helped", "helped", "helping"),
    "laugh": ("laugh", "laughs", "laughed", "laughed", "laughing"),
    "learn": ("learn", "learns", "learned", "learned", "learning"),
    "play": ("play", "plays", "played", "played", "playing"),
    "read": ("read", "reads", "read", "read", "reading"),
    "sign": ("sign", "signs", "signed", "signed", "signing"),
    "study": ("study", "studies", "studied", "studied", "studying"),
    "teach": ("teach", "teaches", "taught", "taught", "teaching"),
    "tell": ("tell", "tells", "told", "told", "telling"),
    "visit": ("visit", "visits", "visited", "visited", "visiting"),
    "wait": ("wait", "waits", "waited", "waited", "waiting"),
    "work": ("work", "works", "worked", "worked", "working"),
    "write": ("write", "writes", "wrote", "written", "writing"),
}
STATES_FORMS = {
    "enjoy": ("enjoy", "enjoys", "enjoyed", "enjoyed", "enjoying"),
    "forget": ("forget", "forgets", "forgot", "forgotten", "forgetting"),
    "have": ("have", "has", "had", "had", "having"),
    "know": ("know", "knows", "knew", "known", "knowing"),
    "like": ("like", "likes", "liked", "liked", "liking"),
    "live": ("live", "lives", "lived", "lived", "living"),
    "love": ("love", "loves", "loved", "loved", "loving"),
    "meet": ("meet", "meets", "met", "met", "meeting"),
    "need": ("need", "needs", "needed", "needed", "needing"),
    "see": ("see", "sees", "saw", "seen", "seeing"),
    "think": ("think", "thinks", "thought", "thought", "thinking"),
    "understand": ("understand", "understands", "understood", "understood", "understanding"),
    "want": ("want", "wants", "wanted", "wanted", "wanting"),
}
VERBS: dict[str, tuple[str, str, str, str, str]] = ACTIONS_FORMS | STATES_FORMS
ACTIONS = tuple(ACTIONS_FORMS)  # can be under way, finished, wished for
STATES = tuple(STATES_FORMS)

# Nouns.
KINSHIP = ("baby", "family", "father", "friend", "mother")  # always somebody's
PERSONS = (*KINSHIP, "doctor", "man", "woman")
PLURALS = {
    "apple": "apples", "ball": "balls", "bed": "beds", "bird": "birds", "book": "books",
    "cat": "cats", "computer": "computers", "cow": "cows", "dog": "dogs", "door": "doors",
    "fish": "fish", "flower": "flowers", "hat": "hats", "house": "houses", "movie": "movies",
    "orange": "oranges", "shirt": "shirts", "table": "tables",
}  # fmt: skip
MASS = ("clothes", "coffee", "language", "milk", "money", "paper", "snow", "tea", "water")
COLOURS = ("black", "blue", "green", "orange", "red", "white", "yellow")
_FOOD = ("bad", "cold", "good", "hot")
_ANIMAL = ("bad", "black", "good", "old", "sick", "white")
THING_QUALITIES: dict[str, tuple[str, ...]] = {  # what each can be; the others are just there
    **{noun: (*COLOURS, "bad", "good", "old", "wrong") for noun in
       ("ball", "book", "clothes", "door", "hat", "house", "paper", "shirt", "table")},
    **{noun: ("bad", "good", "old", "wrong") for noun in ("bed", "computer", "movie")},
    **{noun: _FOOD for noun in ("coffee", "fish", "milk", "tea", "water")},
    **{noun: _ANIMAL for noun in ("cat", "cow", "dog")},
    "apple": ("bad", "good", "green", "red", "yellow"),
    "bird": (*COLOURS, "sick"),
    "flower": COLOURS,
    "orange": ("bad", "good"),
}  # fmt: skip
_OWNED = (
    "ball", "bed", "bird", "book", "cat", "clothes", "coffee", "computer", "cow", "dog", "flower",
    "hat", "house", "milk", "money", "movie", "orange", "paper", "shirt", "table", "tea", "water",
)  # fmt: skip
_FOODS = ("apple", "fish", "orange")
_DRINKS = ("coffee", "milk", "tea", "water")
_GOODS = (*_OWNED, "apple", "door", "fish")
OBJECTS: dict[str, tuple[str, ...]] = {  # verb to what it can be done to
    "buy": _GOODS,
    "change": ("clothes", "hat", "shirt", "table", "bed"),
    "cook": _FOODS,
    "drink": _DRINKS,
    "eat": _FOODS,
    "enjoy": ("movie", "book", "coffee", "tea", "snow", "flower"),
    "forget": ("book", "clothes", "hat", "money", "paper", "shirt", "ball"),
    "have": (*_GOODS, "accident"),
    "learn": ("language",),
    "like": (*_GOODS, "snow", "language"),
    "love": ("bird", "cat", "coffee", "cow", "dog", "flower", "language", "movie", "snow"),
    "need": _GOODS,
    "read": ("book", "paper"),
    "see": (*_GOODS, "accident", "snow"),
    "study": ("language", "book", "paper"),
    "understand": ("language", "book", "movie", "paper"),
    "want": _GOODS,
    "write": ("book", "paper"),
}
PERSON_VERBS = (
    "call", "help", "know", "like", "love", "meet", "see", "teach", "tell", "understand", "visit",
)  # fmt: skip
PLACES = (  # where somebody goes: gloss, and English with its preposition
    ("bathroom", "to the bathroom"),
    ("bed", "to bed"),
    ("home", "home"),
    ("house", "to the house"),
    ("school", "to school"),
    ("work", "to work"),
)

# The rest.
PERSON_QUALITIES = (
    "bad", "cold", "deaf", "fine", "good", "happy", "hearing", "hot", "hungry", "old", "sick",
    "sorry", "tired",
)  # fmt: skip
TIMES = {
    "before": "before",
    "day": "every day",
    "later": "later",
    "now": "now",
    "tomorrow": "tomorrow",
    "week": "every week",
}
OPENINGS = {
    "bye": "goodbye",
    "hello": "hello",
    "no": "no",
    "sorry": "sorry",
    "thank you": "thank you",
    "yes": "yes",
}
