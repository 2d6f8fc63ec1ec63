"""Specimen bodies → a proposed `body:` block: where the owners seem to be, how sure, what is open.

words.py      names of fields: whose they speak of
shapes.py     values: what they look like; documents: where records stand in them
samples.py    a file → what it holds, as the gateway would read it
fields.py     records → their fields, each with its values
evidence.py   fields → candidates for the owner, ranked, each with its reasons
tables.py     records of one kind → proposals
archives.py   the members of archives → proposals
proposal.py   all of it together: read this first

Nothing here decides anything in a running gateway: a proposal is text that an engineer reads.
"""
