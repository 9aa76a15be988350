"""The words of the signer's sentences: which gloss can do what, and its English forms.

See phrases.py, which puts them together, and phrase_words_everyday.py for the words of its topics.
"""

# Glosses that mean an action or a state: base, third person, past, participle, "-ing".
ACTIONS_FORMS = {
    "bring": ("bring", "brings", "brought", "brought", "bringing"),
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
    "walk": ("walk", "walks", "walked", "walked", "walking"),
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
# True now or before, not at an hour.
LASTING = ("know", "like", "live", "love", "think", "understand")
LIKED = ("enjoy", "like", "love")  # "I like cats"
MEANT = ("change", "forget", "understand")  # "I forget the book"

# Nouns.
KINSHIP = (  # always somebody's
    "baby", "brother", "child", "daughter", "family", "father", "friend", "mother", "son", "wife",
)  # fmt: skip
PERSONS = (*KINSHIP, "doctor", "man", "student", "teacher", "woman")
PLURALS = {
    "apple": "apples", "ball": "balls", "bed": "beds", "bird": "birds", "book": "books",
    "cat": "cats", "computer": "computers", "cow": "cows", "dog": "dogs", "door": "doors",
    "fish": "fish", "flower": "flowers", "hat": "hats", "house": "houses", "movie": "movies",
    "orange": "oranges", "paper": "papers", "pizza": "pizzas", "room": "rooms",
    "sandwich": "sandwiches", "shirt": "shirts", "table": "tables", "train": "trains",
}  # fmt: skip
MASS = (
    "bread", "clothes", "coffee", "language", "medicine", "milk", "money", "snow", "tea", "water",
)  # fmt: skip
COLOURS = ("black", "blue", "green", "orange", "red", "white", "yellow")
_SIZES = ("big", "expensive", "new", "small")
_FOOD = ("bad", "cold", "good", "hot")
_ANIMAL = ("bad", "big", "black", "good", "old", "sick", "small", "white")
THING_QUALITIES: dict[str, tuple[str, ...]] = {  # what each can be; the others are just there
    **{noun: (*COLOURS, "bad", "good", "old", "wrong") for noun in
       ("ball", "book", "clothes", "door", "hat", "house", "shirt", "table")},
    **{noun: (*COLOURS, *_SIZES) for noun in ("ball", "hat", "shirt")},
    "computer": (*_SIZES, "bad", "good", "old", "slow"),
    "paper": ("bad", "good", "new", "old"),
    **{noun: ("bad", "good", "new", "old", "wrong") for noun in ("movie", "medicine")},
    **{noun: (*_SIZES, "good", "old") for noun in ("bed", "house", "room", "table")},
    **{noun: _FOOD for noun in ("coffee", "fish", "milk", "tea", "water")},
    **{noun: ("bad", "big", "expensive", "good", "small") for noun in ("pizza", "sandwich")},
    **{noun: _ANIMAL for noun in ("cat", "cow", "dog")},
    "apple": ("bad", "good", "green", "red", "yellow"),
    "bread": ("bad", "expensive", "good", "new", "old"),
    "bird": (*COLOURS, "sick"),
    "flower": COLOURS,
    "orange": ("bad", "good"),
}  # fmt: skip
_OWNED = (
    "ball", "bed", "bird", "book", "bread", "cat", "clothes", "coffee", "computer", "cow", "dog",
    "flower", "hat", "house", "medicine", "milk", "money", "movie", "orange", "paper", "pizza",
    "room", "sandwich", "shirt", "table", "tea", "water",
)  # fmt: skip
_FOODS = ("apple", "bread", "fish", "orange", "pizza", "sandwich")
_COOKED = ("fish", "pizza")
_DRINKS = ("coffee", "milk", "tea", "water")
SERVED = (*_FOODS, *_DRINKS, "medicine", "money", "paper")  # more of it, please
_GOODS = (*_OWNED, "apple", "door", "fish")
OBJECTS: dict[str, tuple[str, ...]] = {  # verb to what it can be done to
    "bring": (*_FOODS, "ball", "book", "computer", "flower", "medicine", "money", "movie", "paper"),
    "buy": tuple(noun for noun in _GOODS if noun not in ("money", "room")),
    "change": ("clothes", "hat", "shirt", "table", "bed"),
    "cook": _COOKED,
    "drink": _DRINKS,
    "eat": _FOODS,
    "enjoy": ("movie", "book", "coffee", "tea", "snow", "flower", "pizza"),
    "forget": ("book", "clothes", "hat", "medicine", "money", "paper", "sandwich", "shirt", "ball"),
    "have": (*_GOODS, "accident"),
    "learn": ("language",),
    "like": (*_GOODS, "snow", "language"),
    "love": ("bird", "cat", "coffee", "cow", "dog", "flower", "language", "movie", "snow"),
    "need": _GOODS,
    "read": ("book", "paper"),
    "see": (*_GOODS, "accident", "snow", "train"),
    "study": ("language", "book", "paper"),
    "understand": ("language", "book", "movie", "paper"),
    "want": _GOODS,
    "write": ("book", "paper"),
}
PERSON_VERBS = (
    "call", "help", "know", "like", "love", "meet", "see", "teach", "tell", "understand", "visit",
)  # fmt: skip
_PLACES = (  # where somebody goes: gloss, and English with its preposition
    ("bathroom", "to the bathroom"),
    ("bed", "to bed"),
    ("city", "to the city"),
    ("class", "to class"),
    ("doctor", "to the doctor"),
    ("home", "home"),
    ("house", "to the house"),
    ("office", "to the office"),
    ("school", "to school"),
    ("train", "to the train"),
    ("work", "to work"),
)
PERSON_VERBS_REST = {"tell": "about it"}  # English after the person
PLACES: dict[str, tuple[tuple[str, str], ...]] = {  # verb to the places that go with it
    "go": _PLACES,
    "live": (
        ("city", "in the city"),
        ("far", "far away"),
        ("home", "at home"),
        ("house", "in a house"),
        ("near", "nearby"),
    ),
    "walk": tuple(place for place in _PLACES if place[0] != "bed"),
}

# The rest.
PERSON_QUALITIES = (
    "bad", "big", "cold", "deaf", "fine", "good", "happy", "hearing", "hot", "hungry", "old",
    "sick", "slow", "small", "sorry", "tired", "wrong",
)  # fmt: skip
TIMES = {
    "before": "before",
    "day": "every day",
    "later": "later",
    "now": "now",
    "today": "today",
    "tomorrow": "tomorrow",
    "week": "every week",
    "year": "every year",
    "yesterday": "yesterday",
}
OPENINGS = {
    "bye": "goodbye",
    "hello": "hello",
    "no": "no",
    "sorry": "sorry",
    "thank you": "thank you",
    "yes": "yes",
}
