"""Speech sounds with their times: one small alphabet for every text-to-speech engine.

Engines report sounds in their own spelling (IPA with stress marks, or the phone names of American dictionaries). `voices`
translates them here into `Phone`s; `speaking` and `prosody` read only these. Nothing here knows what a sound looks like.
"""

from dataclasses import dataclass
from typing import Final

REST: Final = "_"
VOWELS: Final = frozenset("aɑæʌəɛeɪiɔoʊuɜyø")
CONSONANTS: Final = frozenset(("p", "b", "m", "f", "v", "w", "θ", "ð", "t", "d", "n", "l", "s", "z"))
MORE_CONSONANTS: Final = frozenset(("ʃ", "ʒ", "tʃ", "dʒ", "k", "ɡ", "ŋ", "h", "j", "r", "x"))
SOUNDS: Final = (*sorted(VOWELS | CONSONANTS | MORE_CONSONANTS), REST)

STRESS_MARKS: Final = ("ˈ", "ˌ")

_IPA_ALIASES: Final = {
    "ɐ": "ʌ", "ɚ": "ɜ", "ɝ": "ɜ", "ᵻ": "ɪ", "ɨ": "ɪ", "ɒ": "ɔ", "ɘ": "ə", "ɵ": "ə", "ʉ": "u", "ɯ": "u", "œ": "ø", "ɤ": "ʌ",
    "ɹ": "r", "ɾ": "d", "ʁ": "r", "ɻ": "r", "ʀ": "r", "g": "ɡ", "ʔ": "h", "ɫ": "l", "ʎ": "l", "ɲ": "n", "ɳ": "n", "ç": "x",
    "ɕ": "ʃ", "ʑ": "ʒ", "β": "b", "ʋ": "v", "ɱ": "m", "ʍ": "w", "ɥ": "w", "ɣ": "ɡ", "χ": "x", "q": "k", "c": "k", "ɬ": "l",
    "ʂ": "ʃ", "ʐ": "ʒ", "ɟ": "dʒ", "ɦ": "h", "ħ": "h", "ɔ̃": "ɔ", "ʏ": "y", "ɶ": "æ",
}  # fmt: skip

_DICTIONARY_PHONES: Final = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "axr": "ɜ", "ay": "aɪ", "b": "b", "ch": "tʃ", "d": "d",
    "dh": "ð", "dx": "d", "eh": "ɛ", "el": "əl", "em": "m", "en": "ən", "er": "ɜ", "ey": "eɪ", "f": "f", "g": "ɡ", "hh": "h",
    "hv": "h", "ih": "ɪ", "ix": "ɪ", "iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n", "nx": "n", "ng": "ŋ",
    "ow": "oʊ", "oy": "ɔɪ", "p": "p", "r": "r", "s": "s", "sh": "ʃ", "t": "t", "th": "θ", "uh": "ʊ", "uw": "u", "v": "v",
    "w": "w", "y": "j", "z": "z", "zh": "ʒ", "pau": "", "sil": "", "ssil": "", "h#": "", "brth": "",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Phone:
    """One speech sound: `sound` is a member of SOUNDS, times are samples at 24 kHz from the start of its track."""

    sound: str
    start_samples: int
    end_samples: int
    is_stressed: bool = False

    @property
    def is_vowel(self) -> bool:
        """Whether this sound is a vowel."""
        return self.sound in VOWELS

    @property
    def is_rest(self) -> bool:
        """Whether nothing is said."""
        return self.sound == REST


def sounds_of_ipa(ipa: str) -> tuple[str, ...]:
    """The sounds of one IPA symbol or diphthong; marks of stress, length and tone are dropped, the unknown is left out."""
    letters = [letter for letter in ipa if letter not in STRESS_MARKS]
    sounds: list[str] = []
    for index, letter in enumerate(letters):
        pair = letter + (letters[index + 1] if index + 1 < len(letters) else "")
        if pair in ("tʃ", "dʒ"):
            sounds.append(pair)
        elif letter in "ʃʒ" and sounds and sounds[-1] == ("tʃ" if letter == "ʃ" else "dʒ"):
            continue
        else:
            sound = _IPA_ALIASES.get(letter, letter)
            if sound in SOUNDS and sound != REST:
                sounds.append(sound)
    return tuple(sounds)


def sounds_of_dictionary_phone(name: str) -> tuple[str, ...]:
    """The sounds of a phone name of the American pronouncing dictionaries ("aw", "dh"); empty for a pause."""
    return sounds_of_ipa(_DICTIONARY_PHONES.get(name.lower().rstrip("012"), ""))


def split_phone(sounds: tuple[str, ...], start_samples: int, end_samples: int, is_stressed: bool) -> list[Phone]:
    """One reported symbol as phones: a diphthong shares its time between its parts, an empty one is a rest."""
    if end_samples <= start_samples:
        return []
    names = sounds or (REST,)
    edges = [start_samples + (end_samples - start_samples) * part // len(names) for part in range(len(names) + 1)]
    return [
        Phone(sound=name, start_samples=edges[part], end_samples=edges[part + 1], is_stressed=is_stressed)
        for part, name in enumerate(names)
        if edges[part + 1] > edges[part]
    ]
