"""Sixty meanings, and the words for them in English, German, Spanish and French.

Tables alone: ``languages_grammar`` makes sentences of them. Within a row the columns are English,
German, Spanish and French. The verbs are ones that any of the things goes with, and that are
regular in Spanish and French, so that few rules make sentences without a mistake.
"""

SPOKEN = ("en", "de", "es", "fr")

# Who: "" is a pronoun whose form is in the verb's table; else with its article.
WHO = {
    "i": ("I", "ich", "yo", "je"),
    "you": ("you", "du", "tú", "tu"),
    "we": ("we", "wir", "nosotros", "nous"),
    "mother": ("the mother", "die Mutter", "la madre", "la mère"),
    "father": ("the father", "der Vater", "el padre", "le père"),
    "child": ("the child", "das Kind", "el niño", "l'enfant"),
    "doctor": ("the doctor", "der Arzt", "el médico", "le médecin"),
    "teacher": ("the teacher", "die Lehrerin", "la maestra", "la maîtresse"),
    "girl": ("the girl", "das Mädchen", "la niña", "la fille"),
    "neighbour": ("the neighbour", "der Nachbar", "el vecino", "le voisin"),
}
PERSONS = {"i": 0, "you": 1, "we": 3}  # of the forms below; all others are 2

# English: base, third person, past. German: infinitive, ich, du, er, participle. Spanish:
# infinitive. French: the stem of "je", infinitive.
DEEDS = {
    "buy": ("buy buys bought", "kaufen kaufe kaufst kauft gekauft", "comprar", "achèt acheter"),
    "draw": (
        "draw draws drew",
        "zeichnen zeichne zeichnest zeichnet gezeichnet",
        "dibujar",
        "dessin dessiner",
    ),
    "forget": (
        "forget forgets forgot",
        "vergessen vergesse vergisst vergisst vergessen",
        "olvidar",
        "oubli oublier",
    ),
    "clean": (
        "clean cleans cleaned",
        "putzen putze putzt putzt geputzt",
        "limpiar",
        "nettoi nettoyer",
    ),
    "carry": (
        "carry carries carried",
        "tragen trage trägst trägt getragen",
        "llevar",
        "port porter",
    ),
    "seek": ("seek seeks sought", "suchen suche suchst sucht gesucht", "buscar", "cherch chercher"),
    "keep": (
        "keep keeps kept",
        "behalten behalte behältst behält behalten",
        "guardar",
        "gard garder",
    ),
    "hide": (
        "hide hides hid",
        "verstecken verstecke versteckst versteckt versteckt",
        "ocultar",
        "cach cacher",
    ),
    "repair": (
        "repair repairs repaired",
        "reparieren repariere reparierst repariert repariert",
        "reparar",
        "répar réparer",
    ),
    "wash": (
        "wash washes washed",
        "waschen wasche wäschst wäscht gewaschen",
        "lavar",
        "lav laver",
    ),
    "steal": (
        "steal steals stole",
        "stehlen stehle stiehlst stiehlt gestohlen",
        "robar",
        "vol voler",
    ),
    "win": (
        "win wins won",
        "gewinnen gewinne gewinnst gewinnt gewonnen",
        "ganar",
        "gagn gagner",
    ),
}

# English and the others: gender but in English, singular, plural.
THINGS = {
    "book": ("book books", "n Buch Bücher", "m libro libros", "m livre livres"),
    "shirt": ("shirt shirts", "n Hemd Hemden", "f camisa camisas", "f chemise chemises"),
    "hat": ("hat hats", "m Hut Hüte", "m sombrero sombreros", "m chapeau chapeaux"),
    "bag": ("bag bags", "f Tasche Taschen", "f bolsa bolsas", "m sac sacs"),
    "lamp": ("lamp lamps", "f Lampe Lampen", "f lámpara lámparas", "f lampe lampes"),
    "cup": ("cup cups", "f Tasse Tassen", "f taza tazas", "f tasse tasses"),
    "plate": ("plate plates", "m Teller Teller", "m plato platos", "f assiette assiettes"),
    "knife": ("knife knives", "n Messer Messer", "m cuchillo cuchillos", "m couteau couteaux"),
    "letter": ("letter letters", "m Brief Briefe", "f carta cartas", "f lettre lettres"),
    "ball": ("ball balls", "m Ball Bälle", "f pelota pelotas", "m ballon ballons"),
    "watch": ("watch watches", "f Uhr Uhren", "m reloj relojes", "f montre montres"),
    "chair": ("chair chairs", "m Stuhl Stühle", "f silla sillas", "f chaise chaises"),
    "picture": ("picture pictures", "n Bild Bilder", "m cuadro cuadros", "m tableau tableaux"),
    "coat": ("coat coats", "m Mantel Mäntel", "m abrigo abrigos", "m manteau manteaux"),
}

# Spanish and French: masculine, feminine; the plural adds what their grammar adds.
QUALITIES = {
    "red": ("red", "rot", "rojo roja", "rouge rouge"),
    "blue": ("blue", "blau", "azul azul", "bleu bleue"),
    "green": ("green", "grün", "verde verde", "vert verte"),
    "black": ("black", "schwarz", "negro negra", "noir noire"),
    "white": ("white", "weiß", "blanco blanca", "blanc blanche"),
    "round": ("round", "rund", "redondo redonda", "rond ronde"),
    "heavy": ("heavy", "schwer", "pesado pesada", "lourd lourde"),
    "wet": ("wet", "nass", "mojado mojada", "mouillé mouillée"),
}
NUMBERS = {
    "two": ("two", "zwei", "dos", "deux"),
    "three": ("three", "drei", "tres", "trois"),
    "five": ("five", "fünf", "cinco", "cinq"),
}
TIMES = {
    "yesterday": ("yesterday", "gestern", "ayer", "hier"),
    "tomorrow": ("tomorrow", "morgen", "mañana", "demain"),
    "today": ("today", "heute", "hoy", "aujourd'hui"),
    "every day": ("every day", "jeden Tag", "cada día", "chaque jour"),
    "evening": ("in the evening", "am Abend", "por la noche", "le soir"),
}
PLACES = {
    "school": ("at school", "in der Schule", "en la escuela", "à l'école"),
    "city": ("in the city", "in der Stadt", "en la ciudad", "en ville"),
    "home": ("at home", "zu Hause", "en casa", "à la maison"),
    "garden": ("in the garden", "im Garten", "en el jardín", "dans le jardin"),
    "market": ("at the market", "auf dem Markt", "en el mercado", "au marché"),
    "station": ("at the station", "am Bahnhof", "en la estación", "à la gare"),
}
NOT, ASK = "not", "ask"
MARKS = {NOT: ("not", "nicht", "no", "ne pas"), ASK: ("question",) * 4}
CONCEPTS: dict[str, tuple[str, ...]] = {
    **WHO, **DEEDS, **THINGS, **QUALITIES, **NUMBERS, **TIMES, **PLACES, **MARKS
}  # fmt: skip  # all 60
