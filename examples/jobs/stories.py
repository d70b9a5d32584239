"""Gives each story by itself, and the titles of those that are empty."""

import airlock

STORIES = {
    "fox": "The quick brown fox jumps over the lazy dog, and the lazy dog sleeps on.",
    "hare": "The quick hare slept while the slow tortoise walked; the tortoise arrived first.",
    "ghost": "",
}

for title, text in STORIES.items():
    if text:
        airlock.store_text(text, "story", mapping_key=title)
empty = [title for title, text in STORIES.items() if not text]
if empty:
    airlock.store_json(empty, "left_out")
