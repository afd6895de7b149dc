"""Texts of two classes that are easily told apart."""

import csv
from pathlib import Path

PLACES = ("Berlin", "Oslo", "Rome", "Lima", "Cairo", "Delhi", "Tokyo", "Quito", "Paris", "Accra")
TEXTS = {
    "weather": ("rain falls over {}", "the sun shines in {}", "a storm is coming to {}", "snow covers {} today"),
    "football": (
        "the team of {} won the match",
        "a late goal for {}",
        "{} lost on penalties",
        "the coach of {} resigned",
    ),
}


def write_texts(folder: Path) -> str:
    """Write a file to train a classifier with, and return its path."""
    rows = [(form.format(place), label) for label, forms in TEXTS.items() for form in forms for place in PLACES]
    file = folder / "texts.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    return str(file)
