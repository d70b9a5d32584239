"""Counts the words of a story that are long enough."""

import re
from collections import Counter

import airlock

shortest = airlock.load_json("shortest")
words = re.findall("[a-z]+", airlock.load_text("story").lower())
airlock.store_json(Counter(word for word in words if len(word) >= shortest))
