"""The words of the instructions: places, colours, styles, and the many ways to ask for the same thing."""

from __future__ import annotations

from random import Random

# For each background: how to name it after "change the background to", and how to be there after "now" or "put it".
PLACES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "meadow": (("a meadow", "a green meadow", "a grassy field", "green hills"), ("in a meadow", "on the grass", "in a field", "standing in a meadow")),
    "beach": (("a beach", "the beach", "a sandy beach", "the seaside"), ("on the beach", "at the beach", "standing on the beach", "on a sandy beach")),
    "desert": (("a desert", "the desert", "sand dunes"), ("in the desert", "standing in the desert", "on a sand dune")),
    "forest": (("a forest", "the forest", "the woods", "a pine forest"), ("in the forest", "in the woods", "standing in a forest")),
    "snow": (("a snowy landscape", "a winter landscape", "snow", "a snowy field"), ("in the snow", "standing in the snow", "in a winter landscape")),
    "city": (("a city", "the city", "a city street", "skyscrapers"), ("in the city", "on a city street", "standing in the street", "in front of skyscrapers")),
    "sunset": (("a sunset", "the sunset", "a sunset over the sea"), ("at sunset", "in front of a sunset", "in the evening light")),
    "underwater": (("an underwater scene", "the ocean floor", "the bottom of the sea"), ("underwater", "under the sea", "at the bottom of the sea")),
    "space": (("outer space", "space", "outer space with stars", "the stars", "the galaxy"), ("in outer space", "in space", "among the stars", "floating in outer space")),
    "night": (("a night sky", "the night sky", "a moonlit night"), ("at night", "under the night sky", "in the moonlight")),
    "mountains": (("mountains", "the mountains", "snowy mountains", "a mountain landscape"), ("in the mountains", "in front of the mountains", "standing in the mountains")),
    "sky": (("the sky", "a blue sky", "a blue sky with clouds", "a cloudy sky"), ("in the sky", "up in the sky", "among the clouds")),
    "room": (("a room", "a living room", "the inside of a house"), ("in a room", "in a living room", "indoors", "inside a house")),
    "volcano": (("a volcano", "a volcano with lava", "an erupting volcano"), ("in front of a volcano", "next to a volcano", "standing near a volcano")),
}  # fmt: skip

SUPPORT_NAMES: dict[str, tuple[str, ...]] = {
    "cloud": ("a cloud", "a fluffy cloud", "a white cloud"),
    "branch": ("a branch", "a tree branch"),
    "rock": ("a rock", "a stone", "a big rock"),
    "cushion": ("a cushion", "a pillow", "a red cushion"),
}
SIT = ("perched on", "sitting on", "perched on", "standing on", "resting on", "on")

STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "grey": ("make it black and white", "turn this into a black and white photo", "remove all colour", "convert to greyscale", "make the picture black and white"),
    "sepia": ("make it sepia", "turn it into an old sepia photo", "make it look like an old photograph", "apply a sepia tone", "give it a vintage look"),
    "night": ("make it night", "make it look like night time", "turn day into night", "change the time of day to night"),
    "blur": ("blur the picture", "make it blurry", "make it out of focus", "blur everything"),
    "pixels": ("make it pixel art", "turn it into pixel art", "pixelate the picture", "make it look like an old video game"),
    "negative": ("invert the colours", "make it a negative", "turn it into a photo negative"),
    "poster": ("make it a poster", "turn it into pop art", "make it look like a poster"),
    "bright": ("make it brighter", "brighten the picture", "increase the brightness", "lighten the image"),
    "dark": ("make it darker", "darken the picture", "lower the brightness"),
    "warm": ("make the colours warmer", "add a warm tone", "make it warmer", "add golden light"),
    "sketch": ("turn it into a pencil sketch", "make it a line drawing", "make it a pencil drawing", "turn this into a sketch"),
}  # fmt: skip

WEATHER_WORDS: dict[str, tuple[str, ...]] = {
    "snowfall": ("make it snow", "add falling snow", "add snowflakes", "let it snow"),
    "rain": ("make it rain", "add rain", "let it rain", "add falling rain"),
    "rainbow": ("add a rainbow", "put a rainbow in the sky", "draw a rainbow behind it"),
    "sun": ("add the sun", "add a sun in the sky", "put a sun in the corner"),
    "moon": ("add the moon", "add a moon in the sky", "put a moon in the corner"),
}

NOTHING = ("do nothing", "keep the picture as it is", "leave it unchanged", "change nothing", "keep everything the same", "no changes")

# What may be added, or put in another's place. Few, so that drawing each by name can be learnt in hours.
# The bluebird is not among them.
DRAWABLE = (
    "cat", "penguin", "fox", "frog", "owl", "butterfly", "fish", "pig", "panda", "apple", "banana", "strawberry",
    "pumpkin", "pizza", "doughnut", "car", "bus", "rocket", "tree", "pine tree", "sunflower", "rose", "mushroom",
    "cactus", "house", "snowman", "balloon", "star", "soccer ball", "robot", "crown", "gift",
)  # fmt: skip


def article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def vary_writing(text: str, random: Random) -> str:
    """Writes the sentence as people do: with or without capital, full stop, please, and now and then a slip."""
    if random.random() < 0.08:
        text = random.choice((f"please {text}", f"{text} please", f"can you {text}?", f"{text}, please"))
    if random.random() < 0.65:
        text = text[0].upper() + text[1:]
    if random.random() < 0.25 and not text.endswith("?"):
        text += "."
    if random.random() < 0.02:
        text = text.upper()
    elif random.random() < 0.03:
        at = random.randrange(1, len(text) - 1)
        text = text[:at] + text[at + 1 :]
    return text
