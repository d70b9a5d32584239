"""Puts together what was counted in each story."""

import json

import airlock

stories = {title: json.loads(path.read_text()) for title, path in airlock.input_partitions("counts").items()}
airlock.add_metadata(stories=len(stories))
airlock.store_json({title: max(counts, key=counts.get) for title, counts in stories.items()})
