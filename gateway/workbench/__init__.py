"""The engineer's tools: a body, claims and an endpoint in, what the policy would do out.

    unusable    what a tool can't work with, in one line and perhaps with the place
    samples     a body as an upstream would send it: from memory or a file
    tokens      claims without a signature → `Caller`, by the code that reads real tokens
    inprocess   inspects and redacts in this process
    desk        one trial: `exchange.guard` with everything real but the two ends
    replay      a decision log against a candidate bundle (a package)

What they are given belongs to the engineer: they print it to the terminal, and log nothing.
"""
