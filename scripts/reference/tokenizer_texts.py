"""Texts that tell tokenizers apart: every script, white space of every kind, tokens inside words, case and marks."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

from vocabularies import TEXT

LIMIT = 0x110000
SPACES = [*map(chr, [9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200E), 0x2028, 0x2029, 0x202F,
                     0x205F, 0x2060, 0x3000, 0x180E, 0xFEFF]), "  ", "\r\n", "\n\n"]  # fmt: skip
TOKENS = [
    "<|startoftext|>", "<|endoftext|>", "<|ENDOFTEXT|>", "</s>", "<pad>", "<unk>", "<extra_id_0>", "<extra_id_7>", "<extra_id_99>",
    "<mypad>", "<myend>", "<mystart>", "<myunk>", "<mask>", "<SEP>", "<sep>", "<image>", "<|image|>", "<cat>", "<CAT>", "<cat>_1",
    "<dog>", "<x>", "dog", "dog_1", "cat", "bird", "Bird", "BIRD", "hat", "HAT", "Red Car", "red car", "in the", " in ", "the hat",
    "!", "ΣΑΣ", "σας", "İs", "é", "½", "rd o", "</w>", "None", "▁", "▁▁",
]  # fmt: skip
CASES = "İIıiΣσςΚΑẞßǅǆŉﬀﬃKÅΩϴᾼῼꭰᏸⒶⰀ𐐀𞤀ᲀᲐა\u0345\u0307"
NUMBERS = "0123456789½²①Ⅷ٣३፩一〇\u0bf0𝟘"
FIXED = [
    "", " ", "\n", "\x00", "\x00\x01\x7f\x9f", "\ufeffbom", "\ufffd\ufffe", "it's IT'S they're '' 's's '!s don't", "a\r\nb\rc\u0085d\ufeffe",
    "ΟΔΥΣΣΕΥΣ ΣΑΣ Σ ΑΣ. ΑΣΑ ΣΣ", "İSTANBUL İ i̇ I\u0307", "e\u0301e\u0323\u0307 \u1e69 s\u0323\u0307 s\u0307\u0323", "\u1100\u1161\u11a8 \uac01 \u1100\u1161",
    "\u0915\u094d\u0937\u093f ½\u0301 ½\u093e ½\u200d①", "👩‍👩‍👧‍👦🇯🇵🏳️‍🌈👍🏽", "\U000105d2\u0307 \U00011935\U00011930 \u1e131\U0001e130", "zqzqzqzz qzqzq zzqqz zqz",
    "<|endoftext|>" * 5, "a<|endoftext|>b </s>c <unk>d", "  <cat>  x<dog>   y <x>  ", "bird birds abird bird. (bird) bird_", "▁a▁▁b ▁", "x" * 300, "a b " * 200,
]  # fmt: skip


def word(source: random.Random) -> str:
    text = source.choice(TEXT.split())
    return source.choice([str, str, str.upper, str.title, str.swapcase])(text)


def sentence(source: random.Random) -> str:
    return source.choice([" ", " ", "  ", ", ", "-", ""]).join(word(source) for _ in range(source.randint(1, 12)))


def scripts(source: random.Random) -> str:
    """Words of one block of Unicode each; half of the blocks lie where the alphabets are."""
    words: list[str] = []
    for _ in range(source.randint(1, 5)):
        start = source.choice([source.randrange(0x80, 0x3000), source.randrange(0x80, LIMIT - 0x800)])
        letters = [chr(start + source.randrange(0x80)) for _ in range(source.randint(1, 8))]
        words.append("".join(letter for letter in letters if not 0xD800 <= ord(letter) <= 0xDFFF))
    return source.choice([" ", "", "a", "½"]).join(words)


def spaces(source: random.Random) -> str:
    return "".join(source.choice([source.choice(SPACES), word(source), "é", "."]) for _ in range(source.randint(1, 14)))


def controls(source: random.Random) -> str:
    codes = [*range(32), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0xFFF9, 0xFFFE), *range(0xE0000, 0xE0080)]
    return "".join(source.choice([chr(source.choice(codes)), word(source)]) for _ in range(source.randint(1, 12)))


def tokens(source: random.Random) -> str:
    pieces = [source.choice([source.choice(TOKENS), source.choice(TOKENS), word(source), source.choice(SPACES), " "]) for _ in range(source.randint(1, 14))]
    return "".join(pieces)


def marks(source: random.Random) -> str:
    pieces: list[str] = []
    for _ in range(source.randint(1, 8)):
        base = source.choice([*"aeosSİ½①ﬁ ", chr(source.randrange(0x900, 0xE00)), "\U00011935", "\U00016d63"])
        pieces.append(base + "".join(mark(source) for _ in range(source.randint(0, 4))))
    return "".join(pieces)


def mark(source: random.Random) -> str:
    """A combining mark: a common one, or any within the planes that have some."""
    if source.random() < 0.5:
        return chr(source.randrange(0x300, 0x370))
    while True:
        code = source.choice([source.randrange(0x300, 0x3100), source.randrange(0xA600, 0xAC00), source.randrange(0x10A00, 0x12000), source.randrange(0x16A00, 0x1EA00)])
        if unicodedata.category(chr(code))[0] in "MC" and not 0xD800 <= code <= 0xDFFF:
            return chr(code)


def cases(source: random.Random) -> str:
    return "".join(source.choice([source.choice(CASES), source.choice(CASES), word(source), " ", "."]) for _ in range(source.randint(1, 16)))


def numbers(source: random.Random) -> str:
    return "".join(source.choice([source.choice(NUMBERS), source.choice("'.,-_/+$%#@!?:;()[]{}\"`~^|\\<>= "), word(source)]) for _ in range(source.randint(1, 16)))


def long(source: random.Random) -> str:
    return " ".join(source.choice([sentence, tokens, scripts])(source) for _ in range(source.randint(8, 40)))


KINDS: list[Callable[[random.Random], str]] = [sentence, scripts, scripts, spaces, controls, tokens, tokens, marks, cases, numbers, long]


def draw_texts(source: random.Random, count: int) -> list[str]:
    return [*FIXED, *(KINDS[index % len(KINDS)](source) for index in range(count - len(FIXED)))]
