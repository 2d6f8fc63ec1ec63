"""A decision log against a candidate bundle: what would change, like a plan before an apply.

    entries      the log's lines → those whose question can be asked again, and why others can't
    vocabulary   what a bundle itself names, by lexing its Rego and walking its data
    disguises    a logged question → questions that a policy can be asked
    verdicts     what was decided, recorded or replayed, in terms that can be compared
    plan         the differences, counted in groups
    run          all of it, on the embedded engine

The log holds pseudonyms, the same for the same value. So whatever a policy finds equal or not
within a question it finds again. What it compares with its own words (a role, a scope, an account
in its data) is put back: the key tells the pseudonym of each word of the bundle. Everything else
stays opaque, and each question is asked in two disguises, whose texts and numbers differ in
everything but equality: where the two answers differ, the policy looked at more than equality (an
order, a length, the letters of a name), and the entry is not replayed.

What this can't see is a test that fails in both disguises, such as `startswith` on an identifier.
The builtins that read inside texts are therefore named, with their places.
"""
