"""What things are called: places, supports, styles, weathers, spots in the picture."""

from __future__ import annotations

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
    "autumn": (("an autumn park", "autumn trees", "a park in autumn", "a fall landscape"), ("in an autumn park", "among autumn trees", "in autumn")),
    "lake": (("a lake", "the lake", "a mountain lake"), ("at the lake", "on a lake", "by the lake")),
    "cave": (("a cave", "a dark cave", "the inside of a cave"), ("in a cave", "inside a cave", "in a dark cave")),
    "kitchen": (("a kitchen", "the kitchen", "a tiled kitchen"), ("in the kitchen", "in a kitchen", "standing in the kitchen")),
    "library": (("a library", "the library", "bookshelves", "shelves of books"), ("in a library", "in the library", "in front of bookshelves")),
    "stage": (("a stage", "a theatre stage", "a stage with red curtains"), ("on a stage", "on stage", "in the spotlight")),
}  # fmt: skip

WALLS = ("a plain {} wall", "a {} wall", "plain {}", "a plain {} background")

SUPPORTS: dict[str, tuple[str, ...]] = {
    "cloud": ("a cloud", "a fluffy cloud", "a white cloud"),
    "branch": ("a branch", "a tree branch"),
    "rock": ("a rock", "a stone", "a big rock"),
    "cushion": ("a cushion", "a pillow", "a red cushion"),
}
SIT = ("perched on", "sitting on", "perched on", "standing on", "resting on", "on")

# How to say where an object goes to, and where a new one appears.
DIRECTIONS: dict[str, tuple[str, ...]] = {
    "left": ("to the left", "to the left side", "left", "over to the left"),
    "right": ("to the right", "to the right side", "right", "over to the right"),
    "middle": ("to the middle", "to the centre", "to the center"),
    "top": ("to the top", "up", "to the top of the picture"),
    "bottom": ("to the bottom", "down", "to the bottom of the picture"),
}
SPOTS: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left side", "at the left", "to the left of {the}"),
    "right": ("on the right", "on the right side", "at the right", "to the right of {the}"),
    "top left": ("in the top left corner", "in the upper left corner", "at the top left"),
    "top right": ("in the top right corner", "in the upper right corner", "at the top right"),
    "beside": ("next to {the}", "beside {the}", "near {the}"),
}

# The last wording of each is held out of the training.
STYLES: dict[str, tuple[str, ...]] = {
    "grey": ("make it black and white", "turn this into a black and white photo", "remove all colour", "convert to greyscale", "make the picture black and white", "black and white please", "turn the picture black and white"),
    "sepia": ("make it sepia", "turn it into an old sepia photo", "make it look like an old photograph", "apply a sepia tone", "give it a vintage look", "add a sepia tone"),
    "sketch": ("turn it into a pencil sketch", "make it a line drawing", "make it a pencil drawing", "turn this into a sketch", "pencil sketch", "turn it into a pencil drawing"),
    "pixels": ("make it pixel art", "turn it into pixel art", "pixelate the picture", "make it look like an old video game", "pixel art style", "turn this into pixel art"),
    "night": ("make it night", "make it look like night time", "turn day into night", "change the time of day to night", "make it a night scene", "change it to night"),
    "blur": ("blur the picture", "make it blurry", "make it out of focus", "blur everything", "add a blur", "make the picture blurry"),
    "negative": ("invert the colours", "make it a negative", "turn it into a photo negative", "invert the colors", "turn it into a negative"),
    "bright": ("make it brighter", "brighten the picture", "increase the brightness", "lighten the image", "make the picture brighter"),
    "dark": ("make it darker", "darken the picture", "lower the brightness", "darken the image", "make the picture darker"),
    "warm": ("make the colours warmer", "add a warm tone", "make it warmer", "add golden light", "make the colors warmer"),
}  # fmt: skip

WEATHERS: dict[str, tuple[str, ...]] = {
    "snowfall": ("make it snow", "add falling snow", "add snowflakes", "let it snow", "it should snow", "draw falling snow"),
    "rain": ("make it rain", "add rain", "let it rain", "add falling rain", "it should rain", "draw falling rain"),
    "rainbow": ("add a rainbow", "put a rainbow in the sky", "draw a rainbow behind it", "there should be a rainbow", "draw a rainbow"),
    "sun": ("add the sun", "add a sun in the sky", "put a sun in the corner", "let the sun shine", "draw a sun in the sky"),
    "moon": ("add the moon", "add a moon in the sky", "put a moon in the corner", "there should be a moon", "draw a moon in the sky"),
}

# What may be added, or put in another's place. Few, so that drawing each by name can be learnt in hours.
# The bluebird is not among them.
DRAWABLE = (
    "cat", "penguin", "fox", "frog", "owl", "butterfly", "fish", "pig", "panda", "apple", "banana", "strawberry",
    "pumpkin", "pizza", "doughnut", "car", "bus", "rocket", "tree", "pine tree", "sunflower", "rose", "mushroom",
    "cactus", "house", "snowman", "balloon", "star", "soccer ball", "robot", "crown", "gift",
)  # fmt: skip


def article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
