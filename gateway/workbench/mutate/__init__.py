"""Mutation testing for leaks: one thing in a real export is changed, and the policy must notice.

values.py      an identifier → what it could be mistaken for
tables.py      a structured text: its records, where values stand in them, and how to edit it
bodies.py      a whole body: the units that leave or stay by themselves, and whose they are
mutants.py     what a mutant is; a fair choice among too many
baselines.py   bodies before anything is changed
edits.py       everything that can be changed in a body
standing.py    everything that can be changed in who asks
grants.py      everything that can be changed in the deployment's data: until when they may
fates.py       what became of a mutant: killed, survived, or more withheld than changed
trying.py      mutants are made, played and judged
uncompared.py  the fields that no locator, mask or rule ever looks at
mutation.py    all of it together: read this first

A mutant that survives is a leak that the fixtures show and the policy's tests don't.
"""
