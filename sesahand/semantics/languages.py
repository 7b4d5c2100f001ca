"""Which language a caption is in, and the words for hands in those that the rules do not read.

The table is small on purpose: enough to draw attention to the hand and to know a gesture that is called by name. What a
sentence means is a language model's part.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from .described_hands import DescribedHand

NAMES = {
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "it": "Italian",
    "pt": "Portuguese",
}
"""The languages that are told apart beside English; any other script counts as "other"."""


@dataclass(frozen=True)
class ForeignWords:
    """What a language says of hands.

    Attributes:
        stop_words: Frequent words by which the language is known; empty where its script tells it.
        hands: Words and word stems of the hand and its deeds, as patterns.
        gestures: Patterns of gestures that are called by name.
        right: Pattern of a right hand.
        left: Pattern of a left hand.
    """

    stop_words: str
    hands: str
    gestures: dict[str, str]
    right: str
    left: str


_TABLE = {
    "zh": ForeignWords(
        "",
        r"大拇指|拇指|食指|中指|小指|手指|指尖|手掌|手心|掌心|拳头|拳|双手|右手|左手|一只手|剪刀手|招手|挥手|握手|手势"
        r"|握着|握住|握|拿着|拿|举着|举起|举|端着|捧着|捧|抓着|抓住|抓|指着|指向|捏着|捏|比着|比了|比心|竖起|(?<![歌选水新对高助])手(?!机|表|工|术|提|电|套)",
        {
            "victory": r"剪刀手|比耶|胜利手势|V字",
            "thumbs_up": r"竖起?大?拇指|点赞",
            "fist": r"握拳|拳头|攥拳",
            "ok": r"OK手势|ok手势",
            "point": r"指着|指向|用食指",
            "open_palm": r"挥手|招手|张开手掌|摊开手",
            "finger_heart": r"比心",
            "horns": r"摇滚手势",
        },
        r"右手",
        r"左手",
    ),
    "ja": ForeignWords(
        "",
        r"ピースサイン|ピース|親指|人差し指|人さし指|中指|小指|指先|指|手のひら|掌|拳|こぶし|両手|右手|左手|片手|握っ?|掴[みんむ]?"
        r"|つかん|持っ|持つ|指差|手を振|(?<![選歌騎相上下苦投派])手(?!紙|袋|帳|術|前|伝)",
        {
            "victory": r"ピースサイン|ピース|Vサイン",
            "thumbs_up": r"親指を立て|サムズアップ|いいね",
            "fist": r"拳を握|拳を突|握りこぶし|こぶしを",
            "ok": r"OKサイン|オーケーサイン",
            "point": r"指差|指を?さ[しすせ]",
            "open_palm": r"手を振|手のひらを(?:広げ|見せ|開)",
            "finger_heart": r"指ハート",
            "flat_stop": r"敬礼|合掌",
        },
        r"右手",
        r"左手",
    ),
    "ko": ForeignWords(
        "",
        r"엄지손가락|엄지|검지|집게손가락|새끼손가락|손가락|손끝|손바닥|손목|주먹|오른손|왼손|양손|두\s?손|한\s?손|브이|손(?!님|자|수건|녀)"
        r"|들고|들어|쥐고|쥔|쥐|잡고|잡은|가리키|흔드|흔들",
        {
            "victory": r"브이(?:를|포즈|\s|$)|손가락\s?브이",
            "thumbs_up": r"엄지(?:를|손가락을)?\s?(?:치켜|들|세우|척)|따봉",
            "fist": r"주먹",
            "ok": r"오케이\s?(?:사인|손)|OK\s?사인",
            "point": r"가리키|손가락질",
            "open_palm": r"손을?\s?흔드|손을?\s?흔들|손바닥을?\s?(?:펴|펼)",
            "finger_heart": r"손가락\s?하트|손하트",
            "flat_stop": r"경례",
        },
        r"오른손",
        r"왼손",
    ),
    "es": ForeignWords(
        "el la los las un una unos unas en con de del y su sus que mientras sobre por para al se está está hombre mujer "
        "niño niña chica chico",
        r"\b(?:manos?|dedos?|puños?|palmas?|pulgar(?:es)?|índice|muñecas?|sostien\w+|sosten\w+|sujet\w+|agarr\w+|señal\w+"
        r"|salud\w+|aplaud\w+|apunt\w+|empuñ\w+)\b",
        {
            "victory": r"(?:signo|señal|símbolo) de (?:la )?(?:paz|victoria)",
            "thumbs_up": r"pulgar(?:es)? (?:hacia )?arriba",
            "fist": r"puños?\b",
            "ok": r"(?:gesto|signo|señal) de ok",
            "point": r"señala\w*|apunta\w*",
            "open_palm": r"saludando|saluda con la mano|palma abierta|mano abierta",
            "flat_stop": r"saludo militar",
        },
        r"mano derecha|puño derecho",
        r"mano izquierda|puño izquierdo",
    ),
    "fr": ForeignWords(
        "le la les un une des du de dans sur avec et qui en au aux son sa ses est il elle pendant tandis homme femme garçon"
        " fille vieil d l",
        r"\b(?:mains?|doigts?|poings?|paumes?|pouces?|index|poignets?|tien(?:t|s|nent)|tenant|tenir|serr\w+|saisi\w*"
        r"|agrippe\w*|pointe\w*|montre(?= du doigt)|salue\w*|applaudi\w*)\b",
        {
            "victory": r"signe (?:de la paix|de paix|de la victoire)",
            "thumbs_up": r"pouces? (?:levés?|en l'air)",
            "fist": r"poings?\b",
            "ok": r"signe ok",
            "point": r"montre du doigt|pointe\w* (?:du|le) doigt",
            "open_palm": r"fait signe de la main|faisant signe|main ouverte|paume ouverte|salue de la main",
            "flat_stop": r"salut militaire",
        },
        r"main droite|poing droit",
        r"main gauche|poing gauche",
    ),
    "de": ForeignWords(
        "der die das den dem des ein eine einen einem einer und mit auf in im am an von zum zur ist sind sein seine seiner "
        "ihr ihre ihrer ihren während mann frau junge mädchen alter",
        r"\b(?:\w*hand|hände\w*|handfläche\w*|finger\w*|zeigefinger|daumen|faust|fäuste\w*|handgelenk\w*|h[äa]lt\w*|haltend\w*"
        r"|zeig(?:t|en|end)\w*|greif\w*|wink(?:t|en|end)\w*|umklammer\w*|klatsch\w*|ballt|geballt\w*|peace-?zeichen|victory-?zeichen)\b",
        {
            "victory": r"(?:peace|friedens|victory|v)-?zeichen",
            "thumbs_up": r"daumen (?:hoch|nach oben)",
            "fist": r"\bfaust\b|\bfäuste\w*",
            "ok": r"ok-?zeichen",
            "point": r"zeig(?:t|en|end)\b(?! (?:seine|ihre|die) (?:hand|hände))",
            "open_palm": r"\bwink\w*|offene\w* hand",
            "flat_stop": r"salutier\w*",
        },
        r"rechte[nr]? (?:hand|faust)",
        r"linke[nr]? (?:hand|faust)",
    ),
}
_ONLY_TOLD = {
    "it": "il lo gli di che con nel nella della dello sul sulla una uno donna uomo ragazza ragazzo tiene mentre",
    "pt": "o os uma um umas uns em com na no da do das dos sua seu que mulher homem menino menina enquanto está mão",
}
_ENGLISH = frozenset(
    "the a an and of with in on at to his her is are while for from by it this that their man woman boy girl who".split()
)
_WORD = re.compile(r"[^\W\d_]+")
_ACCENTED = re.compile(r"[äöüßáéíóúñàâçèêëîïôûùœ¿¡]", re.IGNORECASE)
_LONGEST = 2000


@lru_cache(maxsize=256)
def detect_language(text: str) -> str:
    """Tell the language of a text: "en", one of `NAMES`, or "other".

    Args:
        text: A caption or prompt. Lists of English tags and texts without letters count as English.
    """
    text = text[:_LONGEST]
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return "en"
    scripts = [_script(letter) for letter in letters]
    share = {name: scripts.count(name) / len(letters) for name in set(scripts)}
    if share.get("kana", 0) > 0.05:
        return "ja"
    if share.get("hangul", 0) > 0.15:
        return "ko"
    if share.get("han", 0) > 0.15:
        return "zh"
    if share.get("latin", 0) < 0.5:
        return "other"
    return _latin_language(text)


def _script(letter: str) -> str:
    if letter.isascii():
        return "latin"
    name = unicodedata.name(letter, "")
    scripts = {"HIRAGANA": "kana", "KATAKANA": "kana", "HANGUL": "hangul", "CJK": "han", "LATIN": "latin"}
    return next((script for start, script in scripts.items() if name.startswith(start)), "other")


def _latin_language(text: str) -> str:
    words = [word.lower() for word in _WORD.findall(text)]
    english = sum(word in _ENGLISH for word in words)
    scores = {code: sum(word in _stop_words(code) for word in words) for code in ("es", "fr", "de", "it", "pt")}
    accents = len(_ACCENTED.findall(text))
    for code in scores:
        if code in _TABLE and (scores[code] > english or accents):
            scores[code] += len(_pattern(code).findall(text))
    best = max(scores, key=lambda code: scores[code])
    return best if scores[best] >= 2 and scores[best] > 2 * english else "en"


@lru_cache(maxsize=8)
def _stop_words(code: str) -> frozenset[str]:
    words = _ONLY_TOLD[code] if code in _ONLY_TOLD else _TABLE[code].stop_words
    return frozenset(words.split()) - {"a", "in", "an", "am", "on", "o", "no", "do"}


@lru_cache(maxsize=8)
def _pattern(code: str) -> re.Pattern:
    return re.compile(_TABLE[code].hands, re.IGNORECASE)


def foreign_hand_words(text: str) -> list[tuple[int, int]]:
    """Where the hand words of a text in another language stand; none for English and unknown languages."""
    code = detect_language(text)
    return [match.span() for match in _pattern(code).finditer(text)] if code in _TABLE else []


def read_foreign_hands(text: str) -> tuple[DescribedHand, ...]:
    """The hands whose gesture a text in another language calls by its name."""
    table = _TABLE.get(detect_language(text))
    if table is None:
        return ()
    sides = [side for side, pattern in (("right", table.right), ("left", table.left)) if re.search(pattern, text, re.I)]
    found = []
    for name, pattern in table.gestures.items():
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            found.append((match.start(), name, match.group()))
    side = sides[0] if len(sides) == 1 and len(found) == 1 else None
    return tuple(DescribedHand(side, name, words=words) for _, name, words in sorted(found)[:2])


def language_name(code: str) -> str:
    """What to call a language in a sentence."""
    return NAMES.get(code, "another language than English")
