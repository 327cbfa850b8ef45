"""Random steps in the software and in a simple model of the rules; both must agree after every step.

The model (bids.py, model.py, sales.py) is written from the rules, docs/rules.md, and imports nothing of the software:
money in minor units, time in microseconds, plain lists. The machine does each thing to both and compares (books.py).
`python -m tests.state_machine --steps 300000` is the long run.
"""
